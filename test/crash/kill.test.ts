// kill -9 at random moments, again and again on the same data folder: what was acknowledged stands, byte for byte, and
// git finds nothing to complain about. GITSTEAD_SEED repeats a run's choices (not its timing).
import { test } from 'node:test';
import { openExpectations } from './expectations.ts';
import { checkAfterCrash, removeFolder, temporaryDataFolder } from './reopened.ts';
import { runWriter } from './run-writer.ts';
import { diceOf } from './workload.ts';

const KILLS = 20;
const MAX_LINES = 600;

test('a store that is killed at random moments keeps what it acknowledged', async (t) => {
  const seed = Number(process.env.GITSTEAD_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const dice = diceOf(seed);
  const dataFolder = temporaryDataFolder();
  t.after(() => removeFolder(dataFolder));
  const expectations = openExpectations();
  for (let kill = 0; kill < KILLS; kill++) {
    const killAfter = 1 + (kill % 5 === 4 ? dice(20) : dice(MAX_LINES));
    const run = await runWriter(
      {
        dataFolder,
        seed: seed + kill,
        base: expectations.nextBase(),
        acks: Number.MAX_SAFE_INTEGER,
        segmentBytes: kill % 2 === 0 ? 1 << 18 : 16 << 20,
      },
      { killAfter },
    );
    if (run.code !== undefined) throw new Error(`the writers ended by themselves, with code ${run.code}`);
    expectations.add(run.lines);
    await checkAfterCrash(dataFolder, expectations);
  }
  t.diagnostic(`${expectations.acknowledged()} writes acknowledged`);
});

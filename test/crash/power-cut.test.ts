// Power cuts: what was not synced may be lost, torn, or there, in any mixture. What was acknowledged must stand all the
// same. GITSTEAD_SEED repeats a run's choices (not its timing).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openExpectations } from './expectations.ts';
import { type Cut, copyIndex, cutPower } from './power-cut.ts';
import { checkAfterCrash, removeFolder, temporaryDataFolder } from './reopened.ts';
import { runWriter, type WriterJob } from './run-writer.ts';
import { diceOf } from './workload.ts';

type Round = { cut: Cut; stop?: WriterJob['stop']; meddle?: WriterJob['meddle']; segmentBytes?: number };

const ROUNDS: readonly Round[] = [
  { cut: { names: 'synced', bytes: 'synced', index: 'written' } },
  { cut: { names: 'synced', bytes: 'synced', index: 'gone' } },
  { cut: { names: 'written', bytes: 'empty', index: 'older' } },
  { cut: { names: 'written', bytes: 'zeros', index: 'gone' } },
  { cut: { names: 'written', bytes: 'synced', index: 'written' } },
  { cut: { names: 'written', bytes: 'short', index: 'older' } },
  { cut: { names: 'synced', bytes: 'any', index: 'older' } },
  { cut: { names: 'written', bytes: 'mixed', index: 'written' } },
  { cut: { names: 'written', bytes: 'any', index: 'gone' } },
  {
    cut: { names: 'synced', bytes: 'synced', index: 'older' },
    stop: { point: 'settle.segment-gone', time: 3 },
    segmentBytes: 1 << 15,
  },
  {
    cut: { names: 'written', bytes: 'empty', index: 'written' },
    stop: { point: 'settle.segment-gone', time: 4 },
    segmentBytes: 1 << 15,
  },
  {
    cut: { names: 'written', bytes: 'empty', index: 'gone' },
    stop: { point: 'checkpoint.spool-placed', time: 2 },
  },
  {
    cut: { names: 'synced', bytes: 'synced', index: 'gone' },
    stop: { point: 'checkpoint.spool-placed', time: 2 },
  },
  {
    cut: { names: 'synced', bytes: 'synced', index: 'written' },
    stop: { point: 'checkpoint.ref-moved', time: 6 },
    meddle: { at: 60 },
  },
  {
    cut: { names: 'written', bytes: 'empty', index: 'older' },
    stop: { point: 'checkpoint.ref-moved', time: 9 },
    meddle: { at: 60 },
  },
];

const MAX_LINES = 500;

test('a store whose power is cut keeps what it acknowledged', async (t) => {
  const seed = Number(process.env.GITSTEAD_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const dice = diceOf(seed);
  const place = temporaryDataFolder();
  t.after(() => removeFolder(place));
  const olderIndex = join(place, 'older-index');
  mkdirSync(olderIndex);
  const expectations = openExpectations();
  let dataFolder = join(place, 'data-0');
  mkdirSync(dataFolder);
  for (const [number, round] of ROUNDS.entries()) {
    const what = `power cut ${number + 1}: ${JSON.stringify(round)}`;
    const image = join(place, `image-${number}`);
    mkdirSync(image);
    const run = await runWriter(
      {
        dataFolder,
        seed: seed + number,
        base: expectations.nextBase(),
        acks: 100_000,
        segmentBytes: round.segmentBytes ?? 1 << 18,
        ...(round.stop && { stop: round.stop }),
        ...(round.meddle && { meddle: round.meddle }),
      },
      { image, ...(round.stop ? {} : { killAfter: 20 + dice(MAX_LINES) }) },
    );
    expectations.add(run.lines);
    const next = join(place, `data-${number + 1}`);
    cutPower({ image, from: dataFolder, to: next, olderIndex, cut: round.cut, dice });
    removeFolder(image);
    copyIndex(dataFolder, olderIndex);
    try {
      await checkAfterCrash(next, expectations, { mayComplain: round.meddle !== undefined });
    } catch (error) {
      throw new Error(what, { cause: error });
    }
    removeFolder(dataFolder);
    dataFolder = next;
  }
  t.diagnostic(`${expectations.acknowledged()} writes acknowledged`);
});

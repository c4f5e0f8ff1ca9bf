// kill -9 at random moments, again and again on the same data folder: what was acknowledged stands, byte for byte, and
// git finds nothing to complain about. GITSTEAD_SEED repeats a run's choices (not its timing).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runGit } from '../../src/git/process.ts';
import { listRepositoryFolders } from '../../src/storage/repository-folders.ts';
import { spawnTestServer } from '../open-test-server.ts';
import { openExpectations } from './expectations.ts';
import { httpTarget } from './http-target.ts';
import { checkAfterCrash, removeFolder, temporaryDataFolder } from './reopened.ts';
import { runWriter } from './run-writer.ts';
import { diceOf, type Report, runWriters } from './workload.ts';

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
    // a gc beside it, now and then, with nothing spared
    const gc = kill % 4 === 2 ? collectGarbage(dataFolder) : undefined;
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
    await gc;
    expectations.add(run.lines);
    await checkAfterCrash(dataFolder, expectations);
  }
  t.diagnostic(`${expectations.acknowledged()} writes acknowledged`);
});

/**
 * Of every repository, one after the other; one that writes are going on in may fail, and change nothing. Git looks for no
 * deltas between the large documents, which takes it seconds and is nothing that this is about.
 */
async function collectGarbage(dataFolder: string): Promise<void> {
  for (const { folder } of listRepositoryFolders(join(dataFolder, 'repos'))) {
    await runGit(folder, ['-c', 'core.bigFileThreshold=512k', 'gc', '--prune=now', '--quiet']);
  }
}

const CROWDED_KILLS = 4;
const CROWDED = { segmentBytes: 1 << 16, maxOpen: 3, modules: 12 };

test('so does one that closes and merges repositories all the time', async (t) => {
  const seed = Number(process.env.GITSTEAD_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const dice = diceOf(seed);
  const dataFolder = temporaryDataFolder();
  t.after(() => removeFolder(dataFolder));
  const expectations = openExpectations();
  for (let kill = 0; kill < CROWDED_KILLS; kill++) {
    const base = expectations.nextBase();
    const job = { ...CROWDED, dataFolder, seed: seed + kill, base, acks: Number.MAX_SAFE_INTEGER };
    const run = await runWriter(job, { killAfter: 200 + dice(2000) });
    assert.equal(run.code, undefined, 'it was killed');
    expectations.add(run.lines);
    await checkAfterCrash(dataFolder, expectations);
  }
  t.diagnostic(`${expectations.acknowledged()} writes acknowledged`);
});

const SERVER_KILLS = 3;

test('a server that is killed keeps what its clients were told', async (t) => {
  const seed = Number(process.env.GITSTEAD_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const dice = diceOf(seed);
  const place = temporaryDataFolder();
  t.after(() => removeFolder(place));
  const dataFolder = join(place, 'data');
  await using server = await spawnTestServer({ dataFolder });
  const tokens = new Map<string, string>();
  for (const user of ['alice', 'bob']) {
    await server.createUser(user);
    tokens.set(user, await server.createToken(user, '*:rw'));
  }
  const expectations = openExpectations();
  for (let kill = 0; kill < SERVER_KILLS; kill++) {
    const lines: string[] = [];
    const killAt = 50 + dice(500);
    let killed: Promise<unknown> | undefined;
    const report: Report = (event, key, version) => {
      lines.push(`${event} ${version} ${key}`);
      if (lines.length >= killAt) killed ??= server.kill('SIGKILL');
    };
    const job = { seed: seed + kill, base: expectations.nextBase(), acks: Number.MAX_SAFE_INTEGER };
    await assert.rejects(runWriters(httpTarget(server, tokens), report, job));
    assert.ok(killed, 'the writers ended because the server was killed');
    await killed;
    expectations.add(lines);
    await checkAfterCrash(dataFolder, expectations);
    await server.start();
  }
  t.diagnostic(`${expectations.acknowledged()} writes acknowledged`);
});

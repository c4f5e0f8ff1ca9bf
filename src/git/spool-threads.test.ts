import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { hashObject } from './object-id.ts';
import { createRepository } from './repository.ts';
import { spoolBlob } from './spool-pack.ts';
import { openSpoolThreads } from './spool-threads.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-threads-'));
const threads = openSpoolThreads(2);
after(async () => {
  await threads.close();
  rmSync(root, { recursive: true, force: true });
});

const LIMIT = 1 << 30;
const noise = randomBytes(2_000_000);

let made = 0;
function newRepository(): string {
  const path = join(root, `${++made}.git`);
  createRepository(path);
  return path;
}

function spoolFiles(bare: string): string[] {
  const folder = join(bare, 'gitstead/spool');
  return existsSync(folder) ? readdirSync(folder) : [];
}

for (const isKnown of [true, false]) {
  test(`a body whose thread ends half-way fails and leaves nothing, its length ${isKnown ? '' : 'un'}known; the next gets a new thread`, async () => {
    const bare = newRepository();
    const own = openSpoolThreads(1);
    async function* source() {
      yield noise;
      await own.close();
      yield noise;
      yield noise;
    }
    const length = isKnown ? 3 * noise.length : undefined;
    await assert.rejects(spoolBlob(own, bare, source(), length, LIMIT), { code: 'internal' });
    assert.deepEqual(spoolFiles(bare), []);
    const again = async function* () {
      yield noise;
    };
    const { oid } = await spoolBlob(own, bare, again(), noise.length, LIMIT);
    assert.equal(oid, hashObject('blob', noise));
    await own.close();
  });
}

test('what the disk says to the thread is told with its code, however much of the body is still to come', async () => {
  const body = threads.begin({ pack: join(root, 'no-such-folder/pack'), size: 1 << 30 });
  const handOver = async () => {
    for (;;) {
      const part = await body.room();
      body.hand(part, part.length);
    }
  };
  await assert.rejects(handOver(), { code: 'ENOENT' });
  await assert.rejects(body.end(), { code: 'ENOENT' });
  await body.giveUp();
});

test('many bodies at once share the threads, and each gets its own pack', async () => {
  const bare = newRepository();
  const bodies = Array.from({ length: 12 }, (_, i) => noise.subarray(i * 1000));
  async function* pieces(body: Buffer) {
    for (let at = 0; at < body.length; at += 50_000) {
      yield body.subarray(at, at + 50_000);
      await new Promise(setImmediate);
    }
  }
  const spooled = await Promise.all(
    bodies.map((body, i) => spoolBlob(threads, bare, pieces(body), i % 2 ? body.length : undefined, LIMIT)),
  );
  assert.deepEqual(
    spooled.map(({ oid }) => oid),
    bodies.map((body) => hashObject('blob', body)),
  );
});

test('chunks that are given away are freed, and others are not touched', async () => {
  const bare = newRepository();
  const mine = Buffer.from(noise);
  const given = Buffer.from(noise);
  const source = (chunk: Buffer, isGivenAway: boolean) =>
    Object.assign(
      (async function* () {
        yield chunk;
      })(),
      { isGivenAway },
    );
  const oids = [];
  for (const [chunk, isGivenAway] of [
    [mine, false],
    [given, true],
  ] as const) {
    oids.push((await spoolBlob(threads, bare, source(chunk, isGivenAway), noise.length, LIMIT)).oid);
  }
  assert.deepEqual(oids, [hashObject('blob', noise), hashObject('blob', noise)]);
  assert.ok(mine.equals(noise));
  assert.equal(given.length, 0);
});

test('a thread that has nothing to do ends after a while, and the next body has another', async () => {
  const bare = newRepository();
  const ends: Promise<unknown>[] = [];
  const note = (worker: Worker) => ends.push(once(worker, 'exit'));
  process.on('worker', note);
  const own = openSpoolThreads(1, 1);
  for (const threads of [1, 2]) {
    const source = async function* () {
      yield noise;
    };
    const { oid } = await spoolBlob(own, bare, source(), noise.length, LIMIT);
    assert.equal(oid, hashObject('blob', noise));
    assert.equal(ends.length, threads);
    await ends.at(-1);
  }
  await own.close();
  process.off('worker', note);
});

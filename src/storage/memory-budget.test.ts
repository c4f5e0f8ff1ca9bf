// With the smallest budget everything works, nothing that was acknowledged is lost, and what is held stays below its limits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeFaults } from '../../test/index-faults.ts';
import { bytesOf, dir, doc, itemsOf, openTestStore, put, remove, user } from '../../test/open-test-store.ts';
import type { MeasuredStorage } from './measures.ts';

/** What holds more than it may: nothing. */
function excess(storage: MeasuredStorage): string[] {
  const { caches, memory } = storage.measures();
  return Object.entries({ ...caches, ...memory })
    .filter(([, { held, limit }]) => held > limit)
    .map(([part, { held, limit }]) => `${part}: ${held} of ${limit}`);
}

test('many writes and reads at once, within 16 MiB', async () => {
  const found = new Set<string>();
  let storage: MeasuredStorage | undefined;
  const look = () => {
    for (const part of storage ? excess(storage) : []) found.add(part);
  };
  await using store = await openTestStore({ memoryBytes: 1, passing: look });
  storage = store.storage as MeasuredStorage;
  const owners = ['alice', 'bob', 'carol'].map((name) => user(name));
  const body = (seed: number) => {
    const bytes = Buffer.alloc(seed % 4 === 0 ? 700_000 : 20_000);
    for (let at = 0; at < bytes.length; at += 4)
      bytes.writeUInt32LE(Math.imul(at + seed, 2654435761) >>> 0, at);
    return bytes;
  };
  const place = (seed: number) => doc(`m${seed % 4}/f${seed % 5}/d${seed}`, owners[seed % 3]!);
  const seeds = Array.from({ length: 48 }, (_, seed) => seed);
  await Promise.all(
    seeds.map(async (seed) => {
      assert.equal((await put(storage, place(seed), body(seed))).kind, 'created');
      look();
    }),
  );
  for (const seed of seeds) {
    assert.deepEqual(await bytesOf(storage, place(seed)), body(seed), `document ${seed}`);
    look();
  }
  for (const owner of owners)
    for (let each = 0; each < 4; each++) await itemsOf(storage, dir(`m${each}`, owner));
  await Promise.all(seeds.filter((seed) => seed % 9 === 0).map((seed) => remove(storage!, place(seed))));
  look();
  assert.deepEqual([...found], []);
  assert.deepEqual(store.complaints(), []);
  await storage.drain();
  const { pendingBytes, pendingCommits, memory } = storage.measures();
  assert.deepEqual([pendingBytes, pendingCommits, memory.writes.held], [0, 0, 0]);
  assert.deepEqual(await storeFaults(store), []);
});

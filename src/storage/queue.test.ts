import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { storeFaults } from '../../test/index-faults.ts';
import {
  ALICE,
  dir,
  doc,
  itemsOf,
  openTestStore,
  put,
  remove,
  type TestStore,
  textOf,
} from '../../test/open-test-store.ts';
import type { Index } from '../db/open-index.ts';
import type { StopPoint } from './stop-points.ts';

let store: TestStore;
/** what happens at the stop points */
let passing: (point: StopPoint) => void = () => {};

beforeEach(async () => {
  store = await openTestStore({ passing: (point) => passing(point) });
});
afterEach(async () => {
  passing = () => {};
  await store.close();
});

function lockFile(): string {
  return join(store.storage.repositoryFolder(ALICE, 'notes')!, 'refs/heads/main.lock');
}

/** The index refuses the next `times` transactions. */
function breakIndex(index: Index, times: number): void {
  const { apply } = index;
  let left = times;
  index.apply = (changes) => {
    if (left-- > 0) throw new Error('the index is broken');
    apply(changes);
  };
}

test('a write that the index did not take stands, and is served once the index has caught up', async () => {
  await put(store.storage, doc('notes/a'), '1');
  breakIndex(store.index, 1);
  assert.equal((await put(store.storage, doc('notes/b'), '2')).kind, 'created');
  assert.equal(await textOf(store.storage, doc('notes/b')), '2');
  assert.deepEqual(await storeFaults(store), []);
});

test('a write after one that the index did not take does not hide it', async () => {
  await put(store.storage, doc('notes/a'), '1');
  breakIndex(store.index, 1);
  const kinds = [
    await put(store.storage, doc('notes/b/x'), '2'),
    await put(store.storage, doc('notes/c'), '3'),
  ];
  assert.deepEqual(
    kinds.map(({ kind }) => kind),
    ['created', 'created'],
  );
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes'))).sort(), ['a', 'b/', 'c']);
  assert.equal(await textOf(store.storage, doc('notes/b/x')), '2');
  assert.deepEqual(await storeFaults(store), []);
});

test('while the index cannot be written, answers are 503 and never 404', async () => {
  await put(store.storage, doc('notes/a'), '1');
  breakIndex(store.index, 3);
  assert.equal((await put(store.storage, doc('notes/b'), '2')).kind, 'created');
  await assert.rejects(async () => store.storage.document(doc('notes/b')), { code: 'not-ready' });
  await assert.rejects(async () => store.storage.listing(dir('notes')), { code: 'not-ready' });
  assert.equal(await textOf(store.storage, doc('notes/b')), '2');
});

test('a turn that could not be made durable leaves nothing, not even the lock on main', async () => {
  await put(store.storage, doc('notes/a'), '1');
  await store.storage.drain();
  passing = (point) => {
    if (point === 'journal.appended') throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  };
  await assert.rejects(put(store.storage, doc('notes/b'), '2'), { code: 'disk-full' });
  await assert.rejects(remove(store.storage, doc('notes/a')), { code: 'disk-full' });
  passing = () => {};
  await store.storage.drain();
  assert.equal(existsSync(lockFile()), false);
  assert.equal(await textOf(store.storage, doc('notes/b')), undefined);
  assert.equal(await textOf(store.storage, doc('notes/a')), '1');
  assert.equal((await put(store.storage, doc('notes/b'), '3')).kind, 'created');
  assert.deepEqual(await storeFaults(store), []);
});

test('refused writes leave no lock behind', async () => {
  await put(store.storage, doc('notes/a'), '1');
  await store.storage.drain();
  const answer = await put(store.storage, doc('notes/a'), '2', { precondition: { ifNoneMatch: '*' } });
  assert.equal(answer.kind, 'stale');
  assert.equal((await remove(store.storage, doc('notes/b'))).kind, 'missing');
  await store.storage.drain();
  assert.equal(existsSync(lockFile()), false);
});

test('a checkpoint that fails is tried again, and what is pending is served meanwhile', async () => {
  let failures = 3;
  passing = (point) => {
    if (point === 'checkpoint.pack-written' && failures-- > 0) throw new Error('the disk is busy');
  };
  assert.equal((await put(store.storage, doc('notes/a'), '1')).kind, 'created');
  assert.equal(await textOf(store.storage, doc('notes/a')), '1');
  for (let tries = 0; tries < 5; tries++) await store.storage.drain().catch(() => {});
  assert.ok(failures < 0);
  assert.deepEqual(await storeFaults(store), []);
});

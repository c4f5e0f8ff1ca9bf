// More repositories than may be open at once, written and read beside each other: none is worked on by two, and nothing
// that was acknowledged is missing.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { importCommits } from '../../test/foreign-commits.ts';
import { storeFaults } from '../../test/index-faults.ts';
import { doc, openTestStore, put, remove, textOf, user } from '../../test/open-test-store.ts';
import { takeRefLock } from '../git/refs.ts';
import type { Storage } from './types.ts';

const USERS = ['alice', 'bob', 'carol', 'dave'].map(user);
const MODULES = ['notes', 'tasks', 'bookmarks'];
const NAMES = ['a.txt', 'b/c.txt'];
const STEPS = 12;

/** One writer of one document: what was acknowledged is what is read next, also after a pause of some rounds. */
async function writeAndRead(storage: Storage, path: ReturnType<typeof doc>): Promise<void> {
  for (let step = 1; step <= STEPS; step++) {
    const text = `${path.user} ${step}`;
    const result = await put(storage, path, text);
    assert.ok(result.kind === 'created' || result.kind === 'updated', result.kind);
    for (let round = 0; round < step % 4; round++) await new Promise(setImmediate);
    assert.equal(await textOf(storage, path), text);
    if (step % 5 !== 0) continue;
    assert.equal((await remove(storage, path)).kind, 'deleted');
    assert.equal(await textOf(storage, path), undefined);
  }
}

const everyPath = () =>
  USERS.flatMap((owner) =>
    MODULES.flatMap((module) => NAMES.map((name) => doc(`${module}/docs/${name}`, owner))),
  );

test('more repositories than may be open, written and read at once: every answer is right', async () => {
  await using store = await openTestStore({ maxOpen: 2 });
  await Promise.all(everyPath().map((path) => writeAndRead(store.storage, path)));
  await store.storage.drain();
  assert.deepEqual(await storeFaults(store), []);
  await store.reopen();
  for (const path of everyPath()) assert.equal(await textOf(store.storage, path), `${path.user} ${STEPS}`);
  assert.deepEqual(store.complaints(), []);
});

test('repositories that are closed and opened again beside pushes show what was pushed and what was written', async () => {
  await using store = await openTestStore({ maxOpen: 1 });
  const { storage } = store;
  const owners = USERS.slice(0, 2);
  for (const owner of owners) await put(storage, doc('notes/first', owner), 'first');
  await storage.drain();
  const pushes = owners.map((owner) =>
    importCommits(storage.repositoryFolder(owner, 'notes')!, [
      { time: 1_700_000_000, changes: [{ path: 'pushed', body: `by ${owner}` }] },
    ]),
  );
  await Promise.all(pushes);
  const written = Promise.all(owners.map((owner) => put(storage, doc('notes/second', owner), 'second')));
  for (const owner of [...owners, ...owners]) {
    assert.equal(await textOf(storage, doc('notes/pushed', owner)), `by ${owner}`);
    assert.equal(await textOf(storage, doc('notes/absent', owner)), undefined);
  }
  await written;
  for (const owner of owners) {
    for (const [name, text] of [
      ['first', 'first'],
      ['second', 'second'],
      ['pushed', `by ${owner}`],
    ] as const) {
      assert.equal(await textOf(storage, doc(`notes/${name}`, owner)), text);
    }
  }
  await storage.drain();
  assert.deepEqual(await storeFaults(store), []);
  assert.deepEqual(store.complaints(), []);
});

test('after a kill, the locks that it left in hundreds of repositories hold up no write, and go', async () => {
  await using store = await openTestStore();
  const modules = Array.from({ length: 260 }, (_, number) => `module${number}`);
  const folderOf = (module: string) => store.storage.repositoryFolder(USERS[0]!, module)!;
  const lockOf = (module: string) => `${folderOf(module)}/refs/heads/main.lock`;
  await Promise.all(modules.map((module) => put(store.storage, doc(`${module}/a`), 'first')));
  await store.storage.drain();
  // as a kill leaves it; a mark that names no inode is one of this folder
  await store.reopen({
    meanwhile() {
      for (const module of modules) takeRefLock(folderOf(module));
      writeFileSync(join(store.folder, 'journal/running'), '');
    },
  });
  const last = modules.at(-1)!;
  assert.equal((await put(store.storage, doc(`${last}/a`), 'second')).kind, 'updated');
  while (modules.some((module) => existsSync(lockOf(module)))) await new Promise(setImmediate);
  assert.equal(await textOf(store.storage, doc(`${last}/a`)), 'second');
  await store.reopen();
  assert.deepEqual(store.complaints(), []);
});

// A program that ignores git's lock moves main while acknowledged commits are pending: at a stop point between the pack and
// the ref, where the engine is about to look at main and finds it elsewhere.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type ForeignChange, importCommits } from '../../test/foreign-commits.ts';
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
import type { Oid } from '../git/object-id.ts';
import { runGit } from '../git/process.ts';

const SIDE = 'refs/heads/side';
const MERGED = 'a program that ignores locks moved main; merging it with the writes that were acknowledged';

let store: TestStore;
/** what main is overwritten with at the next checkpoint; '': nothing */
let overwrite = '';

beforeEach(async () => {
  overwrite = '';
  store = await openTestStore({
    passing(point) {
      if (point !== 'checkpoint.index-written' || overwrite === '') return;
      writeFileSync(join(notes(), 'refs/heads/main'), overwrite);
      overwrite = '';
    },
  });
  for (const [path, type] of [
    ['a', 'text/plain'],
    ['b', 'text/html'],
    ['d/e', 'text/plain'],
  ] as const) {
    await put(store.storage, doc(`notes/${path}`), 'base', { type });
  }
  await store.storage.drain();
});
afterEach(() => store.close());

function notes(): string {
  return store.storage.repositoryFolder(ALICE, 'notes')!;
}

/** A commit on what main is now, that somebody is about to put there. */
async function foreign(...changes: ForeignChange[]): Promise<Oid> {
  return importCommits(notes(), [{ time: 1_700_000_000, changes }], SIDE);
}

/** Main is moved to `theirs` while the writes are pending. */
async function meet(theirs: Oid, write: () => Promise<unknown>): Promise<void> {
  store.complaints();
  overwrite = `${theirs}\n`;
  await write();
  await store.storage.drain();
  assert.equal(overwrite, '', 'main was not moved');
}

async function git(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await runGit(notes(), args);
  assert.equal(code, 0, stderr);
  return stdout.toString().trim();
}

async function checkAll(): Promise<void> {
  assert.deepEqual(await storeFaults(store), []);
  assert.equal(existsSync(join(notes(), 'refs/heads/main.lock')), false);
  const left = readdirSync(join(notes(), 'objects/pack')).filter((name) => !/\.(pack|idx|rev)$/.test(name));
  assert.deepEqual(left, []);
}

test('both sides are there afterwards, in the tree and in the history', async () => {
  const theirs = await foreign({ path: 'theirs', body: '1' }, { path: 'd/e', body: 'edited' });
  await meet(theirs, async () => {
    await Promise.all([
      put(store.storage, doc('notes/ours'), '2'),
      put(store.storage, doc('notes/d/ours'), '3'),
    ]);
  });
  assert.deepEqual(store.complaints(), [MERGED]);
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes'))).sort(), [
    'a',
    'b',
    'd/',
    'ours',
    'theirs',
  ]);
  assert.equal(await textOf(store.storage, doc('notes/d/e')), 'edited');
  assert.equal(await textOf(store.storage, doc('notes/d/ours')), '3');
  assert.equal(await git('merge-base', '--is-ancestor', theirs, 'main'), '');
  assert.match(await git('log', '--format=%s', 'main'), /^MERGE main.*\nPUT d\/ours\n/);
  await checkAll();
});

test('of one document the acknowledged version stands, and the other one is in the history', async () => {
  const theirs = await foreign({ path: 'a', body: 'theirs' });
  await meet(theirs, () => put(store.storage, doc('notes/a'), 'ours'));
  assert.equal(await textOf(store.storage, doc('notes/a')), 'ours');
  assert.match(await git('log', '--all', '--format=%H', '--', 'a'), new RegExp(theirs));
  assert.equal(await git('show', `${theirs}:a`), 'theirs');
  await checkAll();
});

test('an acknowledged DELETE stands against an edit, an edit against their deletion', async () => {
  const theirs = await foreign({ path: 'a', body: 'theirs' }, { path: 'd', body: undefined });
  await meet(theirs, async () => {
    await Promise.all([remove(store.storage, doc('notes/a')), put(store.storage, doc('notes/d/e'), 'ours')]);
  });
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes'))).sort(), ['b', 'd/']);
  assert.equal(await textOf(store.storage, doc('notes/d/e')), 'ours');
  await checkAll();
});

test('an acknowledged change of a type alone is not lost', async () => {
  const theirs = await foreign({ path: 'theirs', body: '1' });
  await meet(theirs, async () => {
    await put(store.storage, doc('notes/a'), 'base', { type: 'text/markdown' });
  });
  assert.equal((await store.storage.document(doc('notes/a')))?.type, 'text/markdown');
  assert.equal((await store.storage.document(doc('notes/b')))?.type, 'text/html');
  await checkAll();
});

test('types that both sides changed are right for each document', async () => {
  const theirs = await foreign({ path: '.content-types', body: '*\tx/theirs\n' });
  await meet(theirs, async () => {
    await Promise.all([
      put(store.storage, doc('notes/c.json'), '{}', { type: 'application/json' }),
      put(store.storage, doc('notes/c'), '1', { type: 'x/ours' }),
    ]);
  });
  const types = await Promise.all(
    ['a', 'b', 'c', 'c.json'].map(async (name) => (await store.storage.document(doc(`notes/${name}`)))?.type),
  );
  assert.deepEqual(types, ['x/theirs', 'x/theirs', 'x/ours', 'application/json']);
  await checkAll();
});

test('what clashes with their tree is in the history only, and the log names it', async () => {
  const theirs = await foreign({ path: 'new', body: 'a document' });
  await meet(theirs, () => put(store.storage, doc('notes/new/folder'), 'ours'));
  assert.deepEqual(store.complaints(), [
    MERGED,
    'this document is in the history only: another took its place',
  ]);
  assert.equal(await textOf(store.storage, doc('notes/new')), 'a document');
  assert.equal(await git('show', 'main^2:new/folder'), 'ours');
  await checkAll();
});

test('main put back to an ancestor is moved on again', async () => {
  await put(store.storage, doc('notes/more'), '1');
  await store.storage.drain();
  await meet((await git('rev-parse', 'main~2')) as Oid, () => put(store.storage, doc('notes/ours'), '2'));
  assert.equal(await textOf(store.storage, doc('notes/more')), '1');
  assert.equal(await textOf(store.storage, doc('notes/ours')), '2');
  await checkAll();
});

test('a history that has nothing in common with ours is merged all the same', async () => {
  const changes = [{ path: 'theirs', body: '1' }];
  const theirs = await importCommits(notes(), [{ time: 1, parent: null, changes }], SIDE);
  await meet(theirs, () => put(store.storage, doc('notes/ours'), '2'));
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes'))).sort(), ['ours', 'theirs']);
  assert.equal(await git('show', 'main^2:d/e'), 'base');
  await checkAll();
});

test('a large document is merged like any other', async () => {
  const theirs = await foreign({ path: 'theirs', body: '1' });
  const large = 'large '.repeat(300_000);
  await meet(theirs, () => put(store.storage, doc('notes/large'), large, { type: 'video/x' }));
  assert.equal(await textOf(store.storage, doc('notes/large')), large);
  assert.equal((await store.storage.document(doc('notes/large')))?.type, 'video/x');
  await checkAll();
});

test('links and foreign spellings of their tree are left as they are', async () => {
  const theirs = await foreign({ path: 'link', body: 'a', mode: '120000' }, { path: '%61', body: '1' });
  await meet(theirs, async () => {
    await Promise.all([put(store.storage, doc('notes/ours'), '2'), remove(store.storage, doc('notes/d/e'))]);
  });
  assert.equal(await git('ls-tree', '--name-only', 'main'), '%61\n.content-types\na\nb\nlink\nours');
  await checkAll();
});

test('while main holds no commit nothing is lost, nothing is said to be absent, and the store can be closed', async () => {
  overwrite = 'rubbish\n';
  assert.equal((await put(store.storage, doc('notes/ours'), '2')).kind, 'created');
  await assert.rejects(store.storage.drain(), { code: 'corrupt' });
  assert.equal(await textOf(store.storage, doc('notes/ours')), '2');
  await store.reopen();
  assert.equal(await textOf(store.storage, doc('notes/ours')), '2');
  await checkAll();
});

test('a store that could not checkpoint is closed all the same, and does not keep its process alive', () => {
  const script = `
    import { writeFileSync } from 'node:fs';
    import { ALICE, doc, openTestStore, put } from ${JSON.stringify(import.meta.resolve('../../test/open-test-store.ts'))};
    const store = await openTestStore({
      passing(point) {
        if (point !== 'checkpoint.index-written') return;
        const folder = store.storage.repositoryFolder(ALICE, 'notes');
        writeFileSync(folder + '/refs/heads/main', 'rubbish\\n');
      },
    });
    await put(store.storage, doc('notes/a'), '1');
    await store.storage.drain().then(() => process.exit(3), () => {});
    await store.close();
  `;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 30_000,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});

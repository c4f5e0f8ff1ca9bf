import assert from 'node:assert/strict';
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
import { formatHttpDate } from '../protocol/http-date.ts';

const START = Date.UTC(2024, 0, 1);
const MINUTE = 60_000;

let store: TestStore;
let now = START;
beforeEach(async () => {
  now = START;
  store = await openTestStore({ now: () => now });
});
afterEach(() => store.close());

const notes = () => store.storage.repositoryFolder(ALICE, 'notes')!;

/** One commit of somebody else's, `minutes` after the start. */
async function push(minutes: number, ...changes: ForeignChange[]): Promise<void> {
  await store.storage.drain();
  await importCommits(notes(), [{ time: (START + minutes * MINUTE) / 1000, changes }]);
}

/** Makes the store look at main now, and not when the next second is over: a refused write does. */
async function look(): Promise<void> {
  await remove(store.storage, doc('notes/no-such-document'));
}

async function dateOf(path: string): Promise<string | undefined> {
  return (await store.storage.document(doc(path)))?.lastModified;
}

const at = (minutes: number) => formatHttpDate(START + minutes * MINUTE);

/** Sound, and the same after the index was made anew. */
async function checkRebuilt(): Promise<void> {
  assert.deepEqual(await storeFaults(store), []);
  const before = await everything();
  await store.reopen({ withoutIndex: true });
  assert.deepEqual(await everything(), before);
  assert.deepEqual(await storeFaults(store, { fsck: false }), []);
}

async function everything(path = ''): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(await itemsOf(store.storage, dir(path)))) {
    const below = path === '' ? name : `${path}/${name}`;
    found[below] = item;
    if (name.endsWith('/')) Object.assign(found, await everything(below.slice(0, -1)));
  }
  return found;
}

test('what a push changed, added and took away is served, with the date of its commit', async () => {
  await put(store.storage, doc('notes/kept'), '1');
  await put(store.storage, doc('notes/changed'), '2');
  await put(store.storage, doc('notes/a/gone'), '3');
  await push(
    10,
    { path: 'changed', body: 'two' },
    { path: 'b/new.md', body: '4' },
    { path: 'a/gone', body: undefined },
  );
  await look();
  assert.equal(await textOf(store.storage, doc('notes/changed')), 'two');
  assert.equal(await textOf(store.storage, doc('notes/a/gone')), undefined);
  assert.deepEqual(await itemsOf(store.storage, dir('notes/a')), {});
  const { type, lastModified } = (await store.storage.document(doc('notes/b/new.md')))!;
  assert.deepEqual([type, lastModified], ['text/markdown', at(10)]);
  assert.deepEqual([await dateOf('notes/kept'), await dateOf('notes/changed')], [at(0), at(10)]);
  await checkRebuilt();
});

test('each document of several pushed commits has the date of the one that wrote it last', async () => {
  await put(store.storage, doc('notes/a'), '1');
  await store.storage.drain();
  await importCommits(notes(), [
    {
      time: START / 1000 + 60,
      changes: [
        { path: 'a', body: '2' },
        { path: 'b', body: '1' },
      ],
    },
    {
      time: START / 1000 + 120,
      changes: [
        { path: 'b', body: '2' },
        { path: 'c', body: '1' },
      ],
    },
    {
      time: START / 1000 + 180,
      changes: [
        { path: 'c', body: undefined },
        { path: 'd/e', body: '1' },
      ],
    },
  ]);
  await look();
  const dates = await Promise.all(['a', 'b', 'c', 'd/e'].map((path) => dateOf(`notes/${path}`)));
  assert.deepEqual(dates, [at(1), at(2), undefined, at(3)]);
  await checkRebuilt();
});

test('a foreign spelling of a name does not date the document of that name', async () => {
  await put(store.storage, doc('notes/ends.'), '1');
  await push(5, { path: 'ends.', body: '2' });
  await look();
  assert.equal(await dateOf('notes/ends.'), at(0));
  await checkRebuilt();
});

test('a change of the mode alone is no change of the document', async () => {
  await put(store.storage, doc('notes/run'), '1');
  const before = await store.storage.document(doc('notes/run'));
  await push(5, { path: 'run', body: '1', mode: '100755' });
  await look();
  assert.deepEqual(await store.storage.document(doc('notes/run')), before);
  await checkRebuilt();
});

test('a PUT of what stands already moves the date, and a new index has that date too', async () => {
  await put(store.storage, doc('notes/a'), '1');
  now += 5 * MINUTE;
  await put(store.storage, doc('notes/a'), '1');
  assert.equal(await dateOf('notes/a'), at(5));
  await checkRebuilt();
});

test('types edited by hand are new versions of the documents that they are of, dated by that commit', async () => {
  await put(store.storage, doc('notes/a'), '1', { type: 'text/plain' });
  await put(store.storage, doc('notes/b'), '2', { type: 'text/html' });
  const before = (await store.storage.document(doc('notes/a')))!;
  await push(10, { path: '.content-types', body: '*\ttext/markdown\nb\ttext/html\n' });
  await look();
  const after = (await store.storage.document(doc('notes/a')))!;
  assert.deepEqual([after.type, after.lastModified, after.blob], ['text/markdown', at(10), before.blob]);
  assert.notEqual(after.etag, before.etag);
  assert.equal(await dateOf('notes/b'), at(0));
  now += 20 * MINUTE;
  await put(store.storage, doc('notes/c'), '3', { type: 'image/png' });
  await checkRebuilt();
});

test('a folder that holds only its types is empty, and so is what holds only such folders', async () => {
  await put(store.storage, doc('notes/a'), '1');
  await push(10, { path: 'd/e/.content-types', body: '*\ttext/html\n' });
  await look();
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes'))), ['a']);
  assert.deepEqual(await itemsOf(store.storage, dir('notes/d')), {});
  await put(store.storage, doc('notes/d/e/f'), '2', { type: 'text/html' });
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes/d'))), ['e/']);
  await remove(store.storage, doc('notes/d/e/f'));
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes'))), ['a']);
  await checkRebuilt();
});

test('a folder whose last document goes is empty, though links or foreign names are left in it', async () => {
  await put(store.storage, doc('notes/a'), '1');
  await put(store.storage, doc('notes/d/e/f'), '2');
  await push(10, { path: 'd/link', body: 'target', mode: '120000' }, { path: 'd/e/%2Fbad', body: '3' });
  await look();
  await remove(store.storage, doc('notes/d/e/f'));
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes'))), ['a']);
  await remove(store.storage, doc('notes/a'));
  assert.deepEqual(await itemsOf(store.storage, dir('')), {});
  await put(store.storage, doc('notes/d/g'), '4');
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes/d'))), ['g']);
  await checkRebuilt();
});

test('links, submodules and foreign spellings are left out, programs are documents, and writes go on beside them', async () => {
  await put(store.storage, doc('notes/a'), '1');
  await push(
    10,
    { path: 'link', body: 'a', mode: '120000' },
    { path: 'module', body: '1234567890123456789012345678901234567890', mode: '160000' },
    { path: 'run', body: '#!/bin/sh\n', mode: '100755' },
    { path: 'a%3ab', body: 'lower-case escape' },
    { path: 'a:b', body: 'no escape' },
    { path: '%61', body: 'needless escape' },
    { path: 'con', body: 'a device' },
    { path: 'ends.', body: 'a dot' },
    { path: 'x%2Fy', body: 'a slash' },
    { path: Buffer.from([0x66, 0xff]), body: 'not UTF-8' },
    { path: 'a%3Ab', body: 'ours' },
    { path: 'de/ep/.content-types/x', body: 'a folder of that name' },
  );
  await look();
  assert.deepEqual(Object.keys(await itemsOf(store.storage, dir('notes'))).sort(), ['a', 'a:b', 'run']);
  assert.equal(await textOf(store.storage, doc('notes/a:b')), 'ours');
  for (const path of ['link', 'module']) {
    assert.equal((await put(store.storage, doc(`notes/${path}`), '1')).kind, 'clash');
    assert.equal((await put(store.storage, doc(`notes/${path}/x`), '1')).kind, 'clash');
    assert.equal((await remove(store.storage, doc(`notes/${path}`))).kind, 'missing');
  }
  assert.equal((await put(store.storage, doc('notes/ends.'), '2')).kind, 'created');
  assert.equal((await put(store.storage, doc('notes/run'), '3')).kind, 'updated');
  await store.storage.drain();
  await checkRebuilt();
});

test('documents and folders that take the place of each other are told so', async () => {
  for (const path of ['a', 'b/c', 'b/d/e']) await put(store.storage, doc(`notes/${path}`), path);
  await push(
    10,
    { path: 'a', body: undefined },
    { path: 'a/x/y', body: '1' },
    { path: 'b', body: undefined },
    { path: 'b', body: '2' },
  );
  await look();
  assert.deepEqual(Object.keys(await everything()).sort(), [
    'notes/',
    'notes/a/',
    'notes/a/x/',
    'notes/a/x/y',
    'notes/b',
  ]);
  assert.deepEqual({ ...store.storage.usage(ALICE) }, { bytes: 2, documents: 2 });
  await checkRebuilt();
});

test('main put back to an earlier commit is served as it was then', async () => {
  await put(store.storage, doc('notes/a'), '1');
  now += MINUTE;
  await store.storage.drain();
  await put(store.storage, doc('notes/a'), '2');
  await put(store.storage, doc('notes/b'), '3');
  await store.storage.drain();
  await importCommits(notes(), [{ time: START / 1000, parent: null, changes: [{ path: 'a', body: '1' }] }]);
  await look();
  assert.equal(await textOf(store.storage, doc('notes/a')), '1');
  assert.equal(await textOf(store.storage, doc('notes/b')), undefined);
  await checkRebuilt();
});

test('a folder pushed as it stood in another place, and an empty tree, are read in', async () => {
  await put(store.storage, doc('notes/a/b/c'), '1');
  await push(1, { path: 'x/b/c', body: '1' }, { path: 'x/b/.content-types', body: '*\ttext/plain\n' });
  await look();
  const tags = await Promise.all(
    ['notes/a/b', 'notes/x/b'].map((path) => store.storage.folderTag(dir(path))),
  );
  assert.equal(tags[0], tags[1]);
  await checkRebuilt();
  await push(2, { path: '', body: undefined });
  await look();
  assert.deepEqual(await everything(), {});
  await checkRebuilt();
});

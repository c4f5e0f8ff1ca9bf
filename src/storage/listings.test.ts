import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { dir } from '../../test/open-test-store.ts';
import type { FolderRow } from '../db/folders.ts';
import { type Index, openIndex } from '../db/open-index.ts';
import { EMPTY_TREE, hashObject, type Oid } from '../git/object-id.ts';
import { encodeTree } from '../git/tree.ts';
import { ROOT_MODULE } from '../protocol/paths.ts';
import { type Listings, openListings } from './listings.ts';

const blob = hashObject('blob', Buffer.from('1'));
const rootTree = encodeTree([{ mode: 0o100644, name: 'letter', oid: blob }]);

let folder: string;
let index: Index;
let listings: Listings;
let treesRead: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitstead-listings-'));
  index = openIndex(join(folder, 'index.db'));
  listings = openListings(index, 1 << 20);
  treesRead = 0;
});
afterEach(() => {
  index.close();
  rmSync(folder, { recursive: true, force: true });
});

function readTree(tree: Oid): Buffer {
  treesRead++;
  assert.equal(tree, hashObject('tree', rootTree));
  return rootTree;
}

const describe = (path: string) => listings.describe(dir(path), readTree);
const itemsOf = (path: string) =>
  (JSON.parse(describe(path).body.toString()) as { items: Record<string, object> }).items;

const top = new Map<string, FolderRow>();

/** A module whose root folder has the tree `tree` and the named documents (null: none left). */
function store(module: string, tree: Oid, names: string[] | null, withFolder = false): void {
  const row = top.get(module) ?? { id: undefined, path: '', name: '', parent: undefined };
  top.set(module, row);
  const below: FolderRow = { id: undefined, path: 'd', name: 'd', parent: row };
  const document = { etag: 'e', type: 'text/plain', size: 1, modified: 'then' };
  index.apply([
    {
      repository: index.repositories.ensure('alice', module).id,
      head: 'c',
      folders: [{ row, tree: names ? tree : null }, ...(withFolder ? [{ row: below, tree }] : [])],
      documents: (names ?? []).map((name) => ({ folder: row, name, document })),
    },
  ]);
}
beforeEach(() => top.clear());

const treeOf = (name: string) => hashObject('tree', Buffer.from(name));

test('a folder that is not there is empty, with the tag of the empty tree', () => {
  for (const path of ['', 'notes', 'notes/a/b']) {
    const { etag, body } = describe(path);
    assert.equal(etag, EMPTY_TREE);
    assert.equal(listings.tag(dir(path), readTree), EMPTY_TREE);
    assert.deepEqual(JSON.parse(body.toString()), {
      '@context': 'http://remotestorage.io/spec/folder-description',
      items: {},
    });
  }
});

test('a folder lists its documents and its folders, and has its tree for a tag', () => {
  store('notes', treeOf('1'), ['a'], true);
  assert.equal(describe('notes').etag, treeOf('1'));
  assert.deepEqual(itemsOf('notes'), {
    a: { ETag: 'e', 'Content-Type': 'text/plain', 'Content-Length': 1, 'Last-Modified': 'then' },
    'd/': { ETag: treeOf('1') },
  });
  assert.deepEqual(itemsOf('notes/d'), {});
});

test('an unchanged folder is described once; a changed one anew', () => {
  store('notes', treeOf('1'), ['a']);
  const first = describe('notes');
  assert.equal(describe('notes'), first);
  store('notes', treeOf('2'), ['b']);
  assert.deepEqual(Object.keys(itemsOf('notes')), ['a', 'b']);
  assert.equal(describe('notes').etag, treeOf('2'));
});

test("the root's tag is the id of the tree that its documents and the modules would make", () => {
  store(ROOT_MODULE, hashObject('tree', rootTree), ['letter']);
  store('notes', treeOf('1'), ['a']);
  store('a:b', treeOf('2'), ['a']);
  store('emptied', treeOf('3'), null);
  const whole = encodeTree([
    { mode: 0o100644, name: 'letter', oid: blob },
    { mode: 0o40000, name: 'notes', oid: treeOf('1') },
    { mode: 0o40000, name: 'a%3Ab', oid: treeOf('2') },
  ]);
  assert.equal(describe('').etag, hashObject('tree', whole));
  assert.equal(listings.tag(dir(''), readTree), hashObject('tree', whole));
  assert.deepEqual(Object.keys(itemsOf('')).sort(), ['a:b/', 'letter', 'notes/']);
  assert.equal(treesRead, 1, 'the second time it was kept');
});

test("the root is described anew when a module's last document goes, and comes", () => {
  store('notes', treeOf('1'), ['a']);
  const before = describe('').etag;
  assert.deepEqual(Object.keys(itemsOf('')), ['notes/']);
  store('notes', treeOf('1'), null);
  assert.equal(describe('').etag, EMPTY_TREE);
  store('notes', treeOf('1'), ['a']);
  assert.equal(describe('').etag, before);
});

test('a listing that is kept keeps no memory but its own', () => {
  store('notes', EMPTY_TREE, ['a', 'b']);
  const first = describe('notes');
  assert.equal(first.body.buffer.byteLength, first.body.length);
  assert.equal(describe('notes'), first);
  assert.ok(listings.measures().held >= first.body.buffer.byteLength);
});

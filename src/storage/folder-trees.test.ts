import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_TREE, hashObject, type Oid } from '../git/object-id.ts';
import { PackBuilder } from '../git/pack-builder.ts';
import { encodeTree, parseTree, type TreeEntry } from '../git/tree.ts';
import {
  childFolder,
  documentEntries,
  findItem,
  holdsDocument,
  isEmptyFolder,
  itemOf,
  loadFolder,
  newFolder,
  readKind,
  rootRow,
  writeFolder,
} from './folder-trees.ts';

const blob = hashObject('blob', Buffer.from('1'));

function open() {
  const pack = new PackBuilder();
  const read = (oid: Oid) => pack.read(oid);
  function tree(...entries: [mode: number, name: string, oid?: Oid][]): Oid {
    const body = encodeTree(entries.map(([mode, name, oid = blob]): TreeEntry => ({ mode, name, oid })));
    const oid = hashObject('tree', body);
    pack.addBody(oid, 'tree', body);
    return oid;
  }
  function types(text: string): Oid {
    const oid = hashObject('blob', Buffer.from(text));
    pack.addBody(oid, 'blob', Buffer.from(text));
    return oid;
  }
  return { pack, read, tree, types };
}

test('files are documents, whatever their permissions; links and submodules are neither document nor folder', () => {
  const kinds = [0o100644, 0o100755, 0o100664, 0o40000, 0o120000, 0o160000].map(
    (mode) => itemOf({ mode, name: 'a', oid: blob }).kind,
  );
  assert.deepEqual(kinds, ['document', 'document', 'document', 'folder', 'other', 'other']);
});

test('an object that is missing or of another kind is damage; the empty tree needs no object', () => {
  const { read, tree } = open();
  const oid = tree([0o100644, 'a']);
  assert.equal(parseTree(readKind(read, oid, 'tree')).length, 1);
  assert.throws(() => readKind(read, oid, 'blob'), { code: 'corrupt' });
  assert.throws(() => readKind(read, blob, 'blob'), { code: 'corrupt' });
  assert.equal(readKind(read, EMPTY_TREE, 'tree').length, 0);
});

test('items are found by their decoded name, and only under the right spelling', () => {
  const { read, tree } = open();
  const folder = loadFolder(read, tree([0o100644, 'a%3Ab'], [0o100644, '%61']), rootRow());
  assert.equal(findItem(folder, 'a:b')?.kind, 'document');
  assert.equal(findItem(folder, 'a'), undefined);
});

test('a folder is loaded once, with its types', () => {
  const { read, tree, types } = open();
  const below = tree([0o100644, '.content-types', types('*\ttext/html\n')], [0o100644, 'x']);
  const folder = loadFolder(read, tree([0o40000, 'd', below]), rootRow());
  const child = childFolder(read, folder, 'd', below);
  assert.equal(childFolder(read, folder, 'd', below), child);
  assert.deepEqual(
    [child.row.path, child.row.parent, child.types.patterns.get('*')],
    ['d', folder.row, 'text/html'],
  );
  assert.deepEqual([...documentEntries(child)], ['x']);
});

test('a link in the place of the file of types is no file of types', () => {
  const { read, tree } = open();
  const folder = loadFolder(read, tree([0o120000, '.content-types'], [0o100644, 'x']), rootRow());
  assert.equal(folder.types.file.length, 0);
});

test('empty is what holds nothing but its types; what holds no document below is not served', () => {
  const { read, tree, types } = open();
  const none = types('*\ttext/html\n');
  const onlyTypes = tree([0o100644, '.content-types', none]);
  const cases: [Oid, boolean, boolean][] = [
    [EMPTY_TREE, true, false],
    [onlyTypes, true, false],
    [tree([0o40000, 'd', onlyTypes]), false, false],
    [tree([0o120000, 'link'], [0o160000, 'module'], [0o100644, 'a:b']), false, false],
    [tree([0o40000, 'a:b', tree([0o100644, 'x'])]), false, false],
    [tree([0o100755, 'run']), false, true],
    [
      tree([0o40000, 'c', onlyTypes], [0o40000, 'd', tree([0o40000, 'e', tree([0o100644, 'x'])])]),
      false,
      true,
    ],
  ];
  for (const [oid, isEmpty, holds] of cases) {
    const folder = loadFolder(read, oid, rootRow());
    assert.deepEqual(
      [isEmptyFolder(folder), holdsDocument(read, folder.tree.entries())],
      [isEmpty, holds],
      oid,
    );
  }
});

test('the next version of a folder is a delta of the one before in the same pack, and whole in another', () => {
  const { pack, read } = open();
  const folder = newFolder(loadFolder(read, undefined, rootRow()), 'd', undefined);
  for (let number = 0; number < 40; number++) folder.tree.set(`name-${number}`, 'blob', blob);
  writeFolder(folder, pack);
  const before = pack.length;
  folder.tree.set('name-7', 'blob', hashObject('blob', Buffer.from('2')));
  const oid = writeFolder(folder, pack);
  assert.ok(pack.length - before < 100, `${pack.length - before} bytes`);
  assert.deepEqual(pack.read(oid)?.body, folder.tree.body());
  const other = new PackBuilder();
  folder.tree.set('name-8', 'blob', hashObject('blob', Buffer.from('3')));
  const last = writeFolder(folder, other);
  assert.deepEqual(other.read(last)?.body, folder.tree.body());
});

test('after a long chain of deltas a large tree is told by the whole one, and read back right', () => {
  const blobOf = (text: string) => hashObject('blob', Buffer.from(text));
  const folder = loadFolder(() => undefined, undefined, rootRow());
  const pack = new PackBuilder();
  for (let each = 0; each < 200; each++) folder.tree.set(`document-${each}`, 'blob', blobOf(`${each}`));
  writeFolder(folder, pack);
  const wholeBytes = pack.length;
  for (let version = 0; version < 300; version++) {
    folder.tree.set(`document-${version % 20}`, 'blob', blobOf(`version ${version}`));
    const oid = writeFolder(folder, pack);
    assert.deepEqual(pack.read(oid), { kind: 'tree', body: folder.tree.body() });
  }
  // 300 changes of 20 bytes, and every 51st version 20 of them: none is whole
  assert.ok(pack.length < wholeBytes + 300 * 60 + 6 * 20 * 40, `${pack.length} of ${wholeBytes}`);
});

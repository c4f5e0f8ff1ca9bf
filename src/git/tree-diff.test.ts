import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { type GitObject, hashObject, type Oid } from './object-id.ts';
import { encodeTree, type TreeEntry } from './tree.ts';
import { diffTrees } from './tree-diff.ts';

/** A folder as a value: a document is its text. */
type Folder = { [name: string]: string | Folder };

class Trees {
  readonly objects = new Map<Oid, GitObject>();
  reads = 0;
  readonly read = (oid: Oid): GitObject | undefined => {
    this.reads++;
    return this.objects.get(oid);
  };

  put(folder: Folder): Oid {
    const entries: TreeEntry[] = Object.entries(folder).map(([name, item]) =>
      typeof item === 'string'
        ? { mode: 0o100644, name, oid: hashObject('blob', Buffer.from(item)) }
        : { mode: 0o40000, name, oid: this.put(item) },
    );
    const body = encodeTree(entries);
    const oid = hashObject('tree', body);
    this.objects.set(oid, { kind: 'tree', body });
    return oid;
  }
}

/** Changes as text: `a/b: text before → text after`, told by object ids. */
function changes(trees: Trees, a: Folder | undefined, b: Folder | undefined): string[] {
  const found = diffTrees(trees.read, a && trees.put(a), b && trees.put(b));
  return [...found].map(({ path, before, after }) => `${path.join('/')} ${before?.oid} ${after?.oid}`).sort();
}

function files(folder: Folder | undefined, prefix = ''): Map<string, Oid> {
  const all = new Map<string, Oid>();
  for (const [name, item] of Object.entries(folder ?? {})) {
    if (typeof item === 'string') all.set(prefix + name, hashObject('blob', Buffer.from(item)));
    else for (const [path, oid] of files(item, `${prefix + name}/`)) all.set(path, oid);
  }
  return all;
}

function expected(a: Folder | undefined, b: Folder | undefined): string[] {
  const [before, after] = [files(a), files(b)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => before.get(path) !== after.get(path))
    .map((path) => `${path} ${before.get(path)} ${after.get(path)}`)
    .sort();
}

test('files that came, went and changed are told, at every depth', () => {
  const a: Folder = { same: '1', gone: '2', changed: '3', deep: { er: { 'x.txt': '4', y: '5' }, same: '6' } };
  const b: Folder = {
    same: '1',
    changed: '33',
    came: '7',
    deep: { er: { 'x.txt': '4', y: '55' }, same: '6' },
  };
  assert.deepEqual(changes(new Trees(), a, b), expected(a, b));
  assert.equal(expected(a, b).length, 4);
});

test('the empty tree is a tree like any other, on either side', () => {
  const folder: Folder = { a: '1', b: { c: '2' } };
  assert.deepEqual(changes(new Trees(), undefined, folder), expected(undefined, folder));
  assert.deepEqual(changes(new Trees(), folder, undefined), expected(folder, undefined));
  assert.deepEqual(changes(new Trees(), undefined, undefined), []);
  assert.deepEqual(changes(new Trees(), folder, folder), []);
});

test('a file that gives way to a folder of its name, and the reverse, are told as one gone and others come', () => {
  const file: Folder = { 'a-': '0', a: '1', 'a.b': '2', a0: '3' };
  const folder: Folder = { 'a-': '0', a: { x: '4', y: { z: '5' } }, 'a.b': '2', a0: '3' };
  assert.deepEqual(changes(new Trees(), file, folder), expected(file, folder));
  assert.deepEqual(changes(new Trees(), folder, file), expected(folder, file));
});

test('a change of mode alone is a change', () => {
  const trees = new Trees();
  const oid = hashObject('blob', Buffer.from('x'));
  const [a, b] = [0o100644, 0o100755].map((mode) => {
    const body = encodeTree([{ mode, name: 'f', oid }]);
    const tree = hashObject('tree', body);
    trees.objects.set(tree, { kind: 'tree', body });
    return tree;
  }) as [Oid, Oid];
  const [change] = [...diffTrees(trees.read, a, b)];
  assert.deepEqual([change?.before?.mode, change?.after?.mode], [0o100644, 0o100755]);
});

test('equal subtrees are not read', () => {
  const trees = new Trees();
  const big: Folder = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, { a: `${i}` }]));
  const a = trees.put({ big, x: { y: '1' } });
  const b = trees.put({ big, x: { y: '2' } });
  assert.equal([...diffTrees(trees.read, a, b)].length, 1);
  assert.equal(trees.reads, 4);
});

test('folders far deeper than any stack are walked', () => {
  const trees = new Trees();
  let oid = trees.put({ leaf: '1' });
  for (let depth = 0; depth < 12_000; depth++) {
    const body = encodeTree([{ mode: 0o40000, name: 'd', oid }]);
    oid = hashObject('tree', body);
    trees.objects.set(oid, { kind: 'tree', body });
  }
  const [change] = [...diffTrees(trees.read, undefined, oid)];
  assert.equal(change?.path.length, 12_001);
});

test('a tree that is missing, or is none, is an error', () => {
  const trees = new Trees();
  const tree = trees.put({ a: '1' });
  assert.throws(() => [...diffTrees(trees.read, tree, '1'.repeat(40) as Oid)], { code: 'corrupt' });
  trees.objects.set('2'.repeat(40) as Oid, { kind: 'blob', body: Buffer.from('x') });
  assert.throws(() => [...diffTrees(trees.read, tree, '2'.repeat(40) as Oid)], { code: 'corrupt' });
});

const name = fc.constantFrom('a', 'a-', 'a.b', 'a0', 'b', 'é', 'aa', 'ab');
const folder = fc.letrec<{ item: string | Folder; folder: Folder }>((tie) => ({
  item: fc.oneof({ depthSize: 'small' }, fc.constantFrom('1', '2', '3'), tie('folder')),
  folder: fc.dictionary(name, tie('item'), { maxKeys: 6, noNullPrototype: true }),
})).folder;

test('any two trees differ in just the files that differ', () => {
  fc.assert(
    fc.property(folder, folder, (a, b) => {
      assert.deepEqual(changes(new Trees(), a, b), expected(a, b));
    }),
    { numRuns: 500 },
  );
});

test('whatever bytes a tree holds, only changes or a corrupt error come out', () => {
  const tree = encodeTree([
    { mode: 0o100644, name: 'a', oid: '1'.repeat(40) as Oid },
    { mode: 0o100644, name: 'b', oid: '2'.repeat(40) as Oid },
  ]);
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.nat(tree.length).map((end) => tree.subarray(0, end)),
  );
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const bodies = new Map([a, b].map((body, i) => [`${i}`.repeat(40) as Oid, Buffer.from(body)]));
      const read = (oid: Oid): GitObject | undefined => {
        const body = bodies.get(oid);
        return body && { kind: 'tree', body };
      };
      try {
        assert.ok([...diffTrees(read, '0'.repeat(40) as Oid, '1'.repeat(40) as Oid)].length >= 0);
      } catch (error) {
        assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
      }
    }),
  );
});

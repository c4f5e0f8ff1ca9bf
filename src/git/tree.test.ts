import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { applyDelta, encodeSpliceDelta } from './delta.ts';
import { EMPTY_TREE, hashObject, type Oid } from './object-id.ts';
import { EditableTree, encodeTree, isFolderMode, parseTree, type TreeEntry } from './tree.ts';

const BLOB = hashObject('blob', Buffer.from('x'));
let gitDir: string;
before(() => {
  gitDir = mkdtempSync(join(tmpdir(), 'gitstead-tree-'));
  git(['init', '-q', '--bare', gitDir]);
  git(['hash-object', '-w', '--stdin'], 'x');
  git(['mktree'], '');
});
after(() => rmSync(gitDir, { recursive: true }));

function git(args: string[], input: string | Buffer = ''): Buffer {
  return execFileSync('git', ['-C', gitDir, ...args], { input, maxBuffer: 1 << 28 });
}

function oidOf(text: string): Oid {
  return hashObject('blob', Buffer.from(text));
}

/** What `git mktree` makes of these entries: git's own sorting and encoding. */
function treeOfGit(entries: TreeEntry[]): string {
  const lines = entries.map(({ mode, name, oid }) => {
    const kind = isFolderMode(mode) ? 'tree' : mode === 0o160000 ? 'commit' : 'blob';
    return `${mode.toString(8).padStart(6, '0')} ${kind} ${oid}\t${name}\0`;
  });
  return git(['mktree', '-z', '--missing'], lines.join('')).toString().trim();
}

function fileEntry(name: string, oid = BLOB): TreeEntry {
  return { mode: 0o100644, name, oid };
}

function folderEntry(name: string, oid: Oid = EMPTY_TREE): TreeEntry {
  return { mode: 0o40000, name, oid };
}

/** Entries whose order depends on what a folder's name is followed by. */
const TRICKY = [
  folderEntry('a'),
  ...['a.b', 'a0', 'a-', 'A', 'a b', 'aa', 'é', 'z\u{1f600}', 'z\uffff', '日本'].map((name) =>
    fileEntry(name),
  ),
  folderEntry('b-'),
  fileEntry('b'),
  folderEntry('b.c'),
  { mode: 0o100755, name: 'run', oid: BLOB },
  { mode: 0o120000, name: 'link', oid: BLOB },
  { mode: 0o160000, name: 'module', oid: hashObject('commit', Buffer.from('elsewhere')) },
];

test('a tree with names around a folder is sorted as git sorts it', () => {
  const body = encodeTree(TRICKY);
  assert.equal(hashObject('tree', body), treeOfGit(TRICKY));
  const names = parseTree(body).map((entry) => entry.name);
  const around = names.filter((name) => ['a', 'a.b', 'a0', 'a-'].includes(name));
  assert.deepEqual(around, ['a-', 'a.b', 'a', 'a0']);
  assert.deepEqual(new Set(parseTree(body)), new Set(TRICKY));
});

test('an editable tree filled in any order is the tree that git makes', () => {
  const usual = TRICKY.filter(({ mode }) => mode === 0o100644 || isFolderMode(mode));
  for (const entries of [usual, usual.toReversed(), parseTree(encodeTree(usual))]) {
    const tree = EditableTree.empty();
    for (const { name, mode, oid } of entries) tree.set(name, isFolderMode(mode) ? 'tree' : 'blob', oid);
    assert.equal(tree.hash(), treeOfGit(usual));
    assert.deepEqual([...tree.entries()], parseTree(encodeTree(usual)));
    for (const entry of usual) assert.deepEqual(tree.find(entry.name), entry);
  }
});

test('trees of 1, 2, 100 and 10,000 entries are those that git makes', () => {
  for (const count of [1, 2, 100, 10_000]) {
    const entries = Array.from({ length: count }, (_, each) => fileEntry(`doc-${each}`, oidOf(`${each}`)));
    const tree = EditableTree.empty();
    for (const { name, oid } of entries) tree.set(name, 'blob', oid);
    const expected = treeOfGit(entries);
    assert.equal(tree.hash(), expected);
    assert.equal(tree.count, count);
    assert.equal(EditableTree.parse(tree.body()).hash(), expected);
    assert.equal(hashObject('tree', encodeTree(entries.toReversed())), expected);
  }
});

test('an empty tree is the empty tree, also after everything was deleted', () => {
  const tree = EditableTree.empty();
  assert.equal(tree.hash(), EMPTY_TREE);
  assert.equal(tree.takeSplices(), undefined);
  tree.set('a', 'blob', BLOB);
  assert.notEqual(tree.hash(), EMPTY_TREE);
  tree.delete('a');
  tree.delete('never there');
  assert.equal(tree.hash(), EMPTY_TREE);
  assert.equal(tree.find('a'), undefined);
  assert.deepEqual(parseTree(tree.body()), []);
});

test('a document that gives way to a folder of its name leaves one entry, and back', () => {
  const tree = EditableTree.parse(encodeTree([fileEntry('a'), fileEntry('a-'), fileEntry('a0')]));
  tree.set('a', 'tree', EMPTY_TREE);
  const withFolder = [fileEntry('a-'), folderEntry('a'), fileEntry('a0')];
  assert.deepEqual([...tree.entries()], withFolder);
  assert.equal(tree.hash(), treeOfGit(withFolder));
  tree.set('a', 'blob', BLOB);
  assert.deepEqual([...tree.entries()], [fileEntry('a'), fileEntry('a-'), fileEntry('a0')]);
});

test('an executable stays one when it is replaced, a link and a submodule become documents', () => {
  const modes = [0o100755, 0o120000, 0o160000];
  const tree = EditableTree.parse(encodeTree(modes.map((mode, at) => ({ mode, name: `n${at}`, oid: BLOB }))));
  const next = oidOf('next');
  for (const at of modes.keys()) tree.set(`n${at}`, 'blob', next);
  assert.deepEqual(
    [...tree.entries()].map(({ mode, oid }) => [mode, oid]),
    [
      [0o100755, next],
      [0o100644, next],
      [0o100644, next],
    ],
  );
});

test('names that are not UTF-8 come out as they went in, and can be found', () => {
  const names = [
    Buffer.of(0xe9),
    Buffer.of(0x61, 0xff, 0xc3, 0xa9),
    Buffer.from('\ufffd'),
    Buffer.of(0xed, 0xa0, 0x80),
  ];
  const body = Buffer.concat(
    names
      .toSorted(Buffer.compare)
      .map((name) => Buffer.concat([Buffer.from('100644 '), name, Buffer.of(0), Buffer.from(BLOB, 'hex')])),
  );
  const entries = parseTree(body);
  assert.deepEqual(encodeTree(entries), body);
  assert.equal(new Set(entries.map(({ name }) => name)).size, names.length);
  const tree = EditableTree.parse(body);
  for (const entry of entries) assert.deepEqual(tree.find(entry.name), entry);
  for (const { name } of entries) tree.set(name, 'blob', oidOf('next'));
  assert.deepEqual(tree.body(), encodeTree(entries.map(({ name }) => fileEntry(name, oidOf('next')))));
  assert.equal(tree.find('é'), undefined);
});

test('a folder whose mode is written 040000 is found, and rewritten when it changes', () => {
  const padded = Buffer.concat([Buffer.from('040000 a\0'), Buffer.from(EMPTY_TREE, 'hex')]);
  const tree = EditableTree.parse(padded);
  assert.deepEqual(tree.find('a'), folderEntry('a'));
  assert.equal(tree.hash(), hashObject('tree', padded));
  tree.set('a', 'tree', BLOB);
  assert.deepEqual(tree.body(), encodeTree([folderEntry('a', BLOB)]));
});

test('a name that no entry can have is refused when set, and never found', () => {
  const tree = EditableTree.parse(encodeTree([fileEntry('a')]));
  for (const name of ['', 'a/b', 'a\0', `a\0${'x'.repeat(20)}`]) {
    assert.throws(() => tree.set(name, 'blob', BLOB), GitsteadError);
    assert.equal(tree.find(name), undefined);
    tree.delete(name);
  }
  assert.equal(tree.count, 1);
});

test('a name of any length can be set and found', () => {
  const tree = EditableTree.empty();
  const names = ['x'.repeat(255), 'y'.repeat(5000), 'ü'.repeat(3000)];
  for (const name of names) tree.set(name, 'blob', BLOB);
  assert.deepEqual(
    [...tree.entries()],
    names.map((name) => fileEntry(name)),
  );
  for (const name of names) assert.deepEqual(tree.find(name), fileEntry(name));
});

test('trees that git would not make are refused for editing', () => {
  const unsorted = Buffer.concat([encodeTree([fileEntry('b')]), encodeTree([fileEntry('a')])]);
  const doubled = Buffer.concat([encodeTree([fileEntry('a')]), encodeTree([fileEntry('a')])]);
  const folderFirst = Buffer.concat([encodeTree([folderEntry('a')]), encodeTree([fileEntry('a-')])]);
  for (const body of [unsorted, doubled, folderFirst]) {
    assert.throws(() => EditableTree.parse(body), { code: 'corrupt' });
    assert.equal(parseTree(body).length, 2);
  }
});

test('malformed trees are corrupt', () => {
  const whole = encodeTree([fileEntry('a')]);
  const wrong = [
    whole.subarray(0, -1),
    Buffer.from('100644 a'),
    Buffer.concat([Buffer.from('100644 \0'), Buffer.alloc(20)]),
    Buffer.concat([Buffer.from(' a\0'), Buffer.alloc(20)]),
    Buffer.concat([Buffer.from('100894 a\0'), Buffer.alloc(20)]),
    Buffer.concat([Buffer.from('10064 a\0'), Buffer.alloc(20)]),
    Buffer.concat([Buffer.from('12345670 a\0'), Buffer.alloc(20)]),
    Buffer.concat([whole, Buffer.of(0)]),
  ];
  for (const body of wrong) {
    assert.throws(() => parseTree(body), { code: 'corrupt' });
    assert.throws(() => EditableTree.parse(body), { code: 'corrupt' });
  }
});

test('edits since an anchor are told beside those since the last version', () => {
  const names = Array.from({ length: 300 }, (_, at) => `doc-${at + 100}`);
  const tree = EditableTree.parse(encodeTree(names.map((name) => fileEntry(name))));
  assert.equal(tree.splicesSinceAnchor(), undefined);
  for (const anchors of [0, 1]) {
    tree.anchor();
    const base = Buffer.from(tree.body());
    for (let each = 0; each < 200; each++) {
      tree.set(names[(each * 7 + anchors) % 300]!, 'blob', oidOf(`${anchors} ${each}`));
      if (each % 50 === 0) tree.set(`new-${anchors}-${each}`, 'blob', BLOB);
      if (each % 50 === 25) tree.delete(`new-${anchors}-${each - 25}`);
      assert.equal(tree.takeSplices()!.splices.length, each % 50 === 25 ? 2 : each % 50 === 0 ? 2 : 1);
    }
    const told = tree.splicesSinceAnchor()!;
    assert.ok(told.splices.length > 64);
    assert.deepEqual(applyDelta(base, encodeSpliceDelta(told.baseLength, told.splices)), tree.body());
  }
});

test('a changed entry is one splice of 20 bytes', () => {
  const tree = EditableTree.parse(encodeTree(['a', 'b', 'c'].map((name) => fileEntry(name))));
  tree.set('b', 'blob', oidOf('other'));
  const taken = tree.takeSplices()!;
  assert.equal(taken.baseLength, 3 * 29);
  assert.deepEqual(taken.splices, [
    { at: 29 + 9, removed: 20, inserted: Buffer.from(oidOf('other'), 'hex') },
  ]);
  assert.deepEqual(tree.takeSplices(), { baseLength: 3 * 29, splices: [] });
});

test('an entry set to what it is changes nothing', () => {
  const tree = EditableTree.parse(encodeTree([fileEntry('a'), folderEntry('b')]));
  const oid = tree.hash();
  tree.set('a', 'blob', BLOB);
  tree.set('b', 'tree', EMPTY_TREE);
  assert.deepEqual(tree.takeSplices()!.splices, []);
  assert.equal(tree.hash(), oid);
});

test('a large tree has the right id after every kind of edit', () => {
  const names = Array.from({ length: 8000 }, (_, at) => `doc-${at + 1000}`);
  const tree = EditableTree.parse(encodeTree(names.map((name) => fileEntry(name))));
  for (let each = 0; each < 40; each++) {
    tree.set(names[(each * 1733) % 8000]!, 'blob', oidOf(`${each}`));
    if (each % 7 === 3) tree.set(`new-${each}`, 'blob', BLOB);
    if (each % 7 === 5) tree.delete(names[each * 3]!);
    assert.equal(tree.hash(), hashObject('tree', tree.body()), `edit ${each}`);
  }
  for (let each = 0; each < 20; each++) {
    tree.set(names[7000 - each * 300]!, 'blob', oidOf(`again ${each}`));
    tree.set(names[100 + each * 300]!, 'blob', oidOf(`again ${each}`));
    assert.equal(tree.hash(), hashObject('tree', tree.body()), `change ${each}`);
  }
});

test('a tree edited in very many places is written whole', () => {
  const entries = Array.from({ length: 400 }, (_, at) => fileEntry(`n${at}`));
  const tree = EditableTree.parse(encodeTree(entries));
  for (let at = 0; at < 400; at += 3) tree.set(`n${at}`, 'blob', oidOf('other'));
  assert.equal(tree.takeSplices(), undefined);
  tree.set('n0', 'blob', BLOB);
  assert.equal(tree.takeSplices()!.splices.length, 1);
});

// Names from a small alphabet, so that they meet: around '/', beyond ASCII, prefixes of each other.
const anyName = fc
  .array(fc.constantFrom('a', 'b', '-', '.', '0', '~', 'é', '\u{1f600}', '\uff5e'), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join(''));
const anyEdit = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constantFrom('blob' as const, 'tree' as const), anyName, fc.nat(50)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), anyName, fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('take' as const), fc.constant(''), fc.constant(0)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('anchor' as const), fc.constant(''), fc.constant(0)) },
);

test('edited at random, a tree is what a Map says, and its splices make it of its earlier versions', () => {
  fc.assert(
    fc.property(
      fc.array(anyName, { maxLength: 30 }),
      fc.array(anyEdit, { maxLength: 60 }),
      (names, edits) => {
        const model = new Map(names.map((name) => [name, fileEntry(name)]));
        let base = encodeTree([...model.values()]);
        let anchored = Buffer.alloc(0);
        const tree = EditableTree.parse(base);
        for (const [what, name, number] of edits) {
          const oid = oidOf(`${number}`);
          if (what === 'take') {
            const taken = tree.takeSplices();
            assert.equal(taken === undefined, base.length === 0);
            if (taken)
              assert.deepEqual(applyDelta(base, encodeSpliceDelta(base.length, taken.splices)), tree.body());
            base = Buffer.from(tree.body());
          } else if (what === 'anchor') {
            tree.anchor();
            anchored = Buffer.from(tree.body());
          } else if (what === 'delete') {
            model.delete(name);
            tree.delete(name);
          } else {
            model.set(name, what === 'tree' ? folderEntry(name, oid) : fileEntry(name, oid));
            tree.set(name, what, oid);
          }
          assert.deepEqual(tree.body(), encodeTree([...model.values()]));
          assert.equal(tree.hash(), hashObject('tree', tree.body()));
          assert.equal(tree.count, model.size);
          assert.deepEqual(tree.find(name), model.get(name));
          const told = tree.splicesSinceAnchor();
          assert.equal(told === undefined, anchored.length === 0);
          if (told)
            assert.deepEqual(
              applyDelta(anchored, encodeSpliceDelta(anchored.length, told.splices)),
              tree.body(),
            );
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('random and mutated bytes are parsed, or corrupt', () => {
  const whole = encodeTree(TRICKY);
  const mutation = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  const mutated = fc
    .tuple(fc.array(mutation, { maxLength: 4 }), fc.nat(whole.length))
    .map(([changes, end]) => {
      const body = Buffer.from(whole);
      for (const [at, byte] of changes) body[at] = byte;
      return body.subarray(0, end);
    });
  const random = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(random, mutated), (body) => {
      try {
        const entries = parseTree(body);
        assert.equal(hashObject('tree', body).length, 40);
        const tree = EditableTree.parse(body);
        assert.deepEqual([...tree.entries()], entries);
        for (const entry of entries) tree.set(entry.name.replace('/', '-') || 'x', 'blob', BLOB);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof GitsteadError, String(error));
        assert.equal(error.code, 'corrupt');
      }
    }),
    { numRuns: 3000 },
  );
});

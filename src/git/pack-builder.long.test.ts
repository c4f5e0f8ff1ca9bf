import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { encodeCommit } from './commit.ts';
import { encodeSpliceDelta } from './delta.ts';
import { EMPTY_TREE, hashObject, type ObjectKind, type Oid } from './object-id.ts';
import { PackBuilder, packOfEntries } from './pack-builder.ts';
import { openIndex } from './pack-index.ts';
import { EditableTree, encodeTree } from './tree.ts';
import { packObjectStream } from './zlib.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitstead-pack-'));
});
after(() => rmSync(folder, { recursive: true }));

function git(args: string[], input: string | Buffer = ''): string {
  return execFileSync('git', args, { input, encoding: 'utf8', maxBuffer: 1 << 28, stdio: 'pipe' });
}

/** A fresh bare repository whose only objects are those of the pack. */
function repositoryOf(builder: PackBuilder, head?: Oid): { gitDir: string; base: string } {
  const gitDir = mkdtempSync(join(folder, 'repository-'));
  git(['init', '-q', '--bare', '-b', 'main', gitDir]);
  const { pack, index, checksum } = builder.finish();
  const base = join(gitDir, 'objects', 'pack', `pack-${checksum}`);
  writeFileSync(`${base}.pack`, pack);
  writeFileSync(`${base}.idx`, index);
  if (head) writeFileSync(join(gitDir, 'refs', 'heads', 'main'), `${head}\n`);
  return { gitDir, base };
}

/** Has git check the pack in every way that it knows, and make the same index. */
function judge(builder: PackBuilder, head?: Oid): { gitDir: string; verified: string } {
  const { gitDir, base } = repositoryOf(builder, head);
  git(['-C', gitDir, 'index-pack', '--strict', '-o', join(gitDir, 'own.idx'), `${base}.pack`]);
  assert.ok(
    readFileSync(join(gitDir, 'own.idx')).equals(readFileSync(`${base}.idx`)),
    "the index is not git's",
  );
  git(['-C', gitDir, 'fsck', '--strict', '--full']);
  return { gitDir, verified: git(['-C', gitDir, 'verify-pack', '-v', `${base}.idx`]) };
}

function addObject(builder: PackBuilder, kind: ObjectKind, body: Buffer): Oid {
  const oid = hashObject(kind, body);
  builder.addBody(oid, kind, body);
  return oid;
}

/** Adds the tree as the turn does: as a delta of its last version when that is in the pack. */
function addTree(builder: PackBuilder, tree: EditableTree, previous: Oid | undefined): Oid {
  const taken = tree.takeSplices();
  const oid = tree.hash();
  const isDelta =
    taken !== undefined &&
    previous !== undefined &&
    builder.addDelta(oid, previous, encodeSpliceDelta(taken.baseLength, taken.splices));
  if (!isDelta) builder.addBody(oid, 'tree', tree.body());
  return oid;
}

function addCommit(builder: PackBuilder, tree: Oid, parent: Oid | undefined): Oid {
  const person = { name: 'alice', email: 'alice@example.org', time: 1_700_000_000, zone: '+0000' };
  const parents = parent === undefined ? [] : [parent];
  const body = encodeCommit({ tree, parents, author: person, committer: person, message: 'PUT a\n' });
  return addObject(builder, 'commit', body);
}

/** A history of commits, each of which changes one or two documents of a flat folder. */
function addHistory(builder: PackBuilder, commits: number, documents: number): { head: Oid; oids: Oid[] } {
  const tree = EditableTree.empty();
  let version: Oid | undefined;
  let head: Oid | undefined;
  const oids = new Set<Oid>();
  for (let each = 0; each < commits; each++) {
    const body = Buffer.from(`version ${each} `.repeat(1 + (each % 90)));
    const blob = addObject(builder, 'blob', body);
    tree.set(`doc-${(each * 7) % documents}`, 'blob', blob);
    if (each % 3 === 0) tree.set('.content-types', 'blob', blob);
    if (each % 5 === 4) tree.delete(`doc-${(each * 3) % documents}`);
    version = addTree(builder, tree, version);
    head = addCommit(builder, version, head);
    for (const oid of [blob, version, head]) oids.add(oid);
  }
  return { head: head!, oids: [...oids] };
}

test('git accepts a pack of a long history, and makes the same index of it', () => {
  const builder = new PackBuilder();
  const { head, oids } = addHistory(builder, 400, 100);
  const { gitDir, verified } = judge(builder, head);
  assert.equal(git(['-C', gitDir, 'rev-list', '--count', 'main']).trim(), '400');
  assert.equal(builder.count, oids.length);
  assert.match(verified, /chain length = 50: /);
  assert.doesNotMatch(verified, /chain length = 51: /);
  assert.ok(oids.every((oid) => builder.has(oid)));
});

test('every object is read back from memory as git reads it from the pack', () => {
  const builder = new PackBuilder();
  const { head, oids } = addHistory(builder, 120, 40);
  const { gitDir } = repositoryOf(builder, head);
  const all = execFileSync('git', ['-C', gitDir, 'cat-file', '--batch'], {
    input: oids.join('\n'),
    maxBuffer: 1 << 28,
  });
  let at = 0;
  for (const oid of oids) {
    const object = builder.read(oid)!;
    const header = Buffer.from(`${oid} ${object.kind} ${object.body.length}\n`);
    const expected = Buffer.concat([header, object.body, Buffer.from('\n')]);
    assert.ok(all.subarray(at, at + expected.length).equals(expected), oid);
    at += expected.length;
  }
  assert.equal(at, all.length);
  assert.equal(builder.read(EMPTY_TREE), undefined);
});

test('an empty pack is one for git too', () => {
  const { pack } = new PackBuilder().finish();
  const gitDir = mkdtempSync(join(folder, 'empty-'));
  git(['init', '-q', '--bare', gitDir]);
  git(['-C', gitDir, 'index-pack', '--stdin'], pack);
  assert.equal(pack.length, 32);
});

test('trees of 1 to 100,000 entries, edited at both ends and in the middle, are what git reads', () => {
  for (const count of [1, 2, 100, 10_000, 100_000]) {
    const builder = new PackBuilder();
    const blob = addObject(builder, 'blob', Buffer.from('x'));
    const other = addObject(builder, 'blob', Buffer.from('y'));
    const names = Array.from({ length: count }, (_, at) => `doc-${String(at).padStart(6, '0')}`);
    const tree = EditableTree.parse(encodeTree(names.map((name) => ({ mode: 0o100644, name, oid: blob }))));
    let version = addTree(builder, tree, undefined);
    let head = addCommit(builder, version, undefined);
    const edits = [
      () => tree.set('a', 'blob', other),
      () => tree.set('zzz', 'blob', other),
      () => tree.set(names[count >> 1]!, 'blob', other),
      () => tree.set(`${names[count >> 1]!}x`, 'blob', other),
      () => tree.delete('a'),
      () => tree.delete('zzz'),
      () => tree.delete(names[0]!),
      () => tree.set('only', 'blob', other),
    ];
    for (const edit of edits) {
      edit();
      version = addTree(builder, tree, version);
      head = addCommit(builder, version, head);
    }
    const { gitDir, verified } = judge(builder, head);
    assert.match(verified, /chain length = 8: 1 object/);
    const listed = git(['-C', gitDir, 'ls-tree', '--name-only', 'main']).trimEnd().split('\n');
    assert.equal(listed.length, tree.count);
  }
});

test('a chain of 60 versions begins anew after 50 deltas', () => {
  const builder = new PackBuilder();
  const blobs = [0, 1].map((each) => addObject(builder, 'blob', Buffer.from(`${each}`)));
  const tree = EditableTree.empty();
  for (let each = 0; each < 20; each++) tree.set(`n${each}`, 'blob', blobs[0]!);
  let version = addTree(builder, tree, undefined);
  const answers: boolean[] = [];
  let head = addCommit(builder, version, undefined);
  for (let each = 0; each < 60; each++) {
    tree.set(`n${each % 20}`, 'blob', addObject(builder, 'blob', Buffer.from(`version ${each}`)));
    const { baseLength, splices } = tree.takeSplices()!;
    const isDelta = builder.addDelta(tree.hash(), version, encodeSpliceDelta(baseLength, splices));
    if (!isDelta) {
      assert.ok(!builder.has(tree.hash()));
      builder.addBody(tree.hash(), 'tree', tree.body());
    }
    answers.push(isDelta);
    version = tree.hash();
    head = addCommit(builder, version, head);
  }
  assert.deepEqual(answers, [...new Array(50).fill(true), false, ...new Array(9).fill(true)]);
  const { verified } = judge(builder, head);
  assert.match(verified, /chain length = 50: 1 object/);
});

test('deltas with copies of 0x10000 bytes and of more than 0xffffff, and long inserts, are what git makes of them', () => {
  const builder = new PackBuilder();
  const body = Buffer.alloc(0x1000123, randomBytes(0xfff1));
  const base = hashObject('blob', body);
  builder.add(base, 'blob', body.length, packObjectStream(body));
  const inserts: [number, number][] = [
    [0x10000, 128],
    [0x10001, 1000],
    [0, 127],
  ];
  for (const [at, length] of inserts) {
    const inserted = randomBytes(length);
    const oid = hashObject('blob', Buffer.concat([body.subarray(0, at), inserted, body.subarray(at)]));
    assert.ok(builder.addDelta(oid, base, encodeSpliceDelta(body.length, [{ at, removed: 0, inserted }])));
  }
  assert.match(judge(builder).verified, /chain length = 1: 3 objects/);
});

test('objects of every kind and size class are what git reads', () => {
  const builder = new PackBuilder(0);
  for (const size of [0, 1, 15, 16, 100, 511, 512, 2047, 2048, 65_535, 65_536, 300_000]) {
    addObject(builder, 'blob', randomBytes(size));
    addObject(builder, 'blob', Buffer.alloc(size, `text ${size} `));
  }
  addObject(builder, 'tree', Buffer.alloc(0));
  const commit = addCommit(builder, EMPTY_TREE, undefined);
  addObject(
    builder,
    'tag',
    Buffer.from(`object ${commit}\ntype commit\ntag v1\ntagger a <a@b> 1 +0000\n\nfirst\n`),
  );
  const { verified } = judge(builder, commit);
  assert.match(verified, / tag /);
});

test('a pack that is written gives its memory back at once', () => {
  const pack = new PackBuilder();
  const body = randomBytes(200_000);
  pack.addBody(hashObject('blob', body), 'blob', body);
  const { pack: bytes } = pack.finish();
  assert.ok(pack.capacity >= bytes.length && bytes.length > body.length);
  pack.free();
  assert.deepEqual([pack.capacity, bytes.length], [0, 0]);
});

test('an object is added once', () => {
  const builder = new PackBuilder();
  const oid = addObject(builder, 'blob', Buffer.from('once'));
  const { length } = builder;
  addObject(builder, 'blob', Buffer.from('once'));
  builder.add(oid, 'blob', 4, packObjectStream(Buffer.from('once')));
  assert.ok(builder.addDelta(oid, oid, encodeSpliceDelta(4, [])));
  assert.deepEqual([builder.count, builder.length], [1, length]);
});

test('a delta of something that is elsewhere is not added', () => {
  const builder = new PackBuilder();
  const oid = hashObject('blob', Buffer.from('x'));
  assert.equal(builder.addDelta(oid, EMPTY_TREE, encodeSpliceDelta(0, [])), false);
  assert.deepEqual([builder.count, builder.length, builder.has(oid)], [0, 12, false]);
});

test('after a rewind nothing is left of what was added since the mark', () => {
  const builder = new PackBuilder(0);
  const body = randomBytes(40);
  const base = addObject(builder, 'blob', body);
  const mark = builder.mark();
  const before = Buffer.from(builder.finish().pack);
  let previous = base;
  const forgotten: Oid[] = [];
  for (let each = 0; each < 50; each++) {
    const oid = hashObject('blob', Buffer.concat([body, Buffer.from(`${each}`)]));
    const delta = encodeSpliceDelta(40 + (each > 0 ? `${each - 1}`.length : 0), [
      { at: 40, removed: each > 0 ? `${each - 1}`.length : 0, inserted: Buffer.from(`${each}`) },
    ]);
    assert.ok(builder.addDelta(oid, previous, delta));
    forgotten.push(oid);
    previous = oid;
  }
  builder.rewind(mark);
  assert.deepEqual([builder.count, builder.length], [1, mark.length]);
  for (const oid of forgotten) assert.deepEqual([builder.has(oid), builder.read(oid)], [false, undefined]);
  assert.equal(builder.addDelta(EMPTY_TREE, previous, encodeSpliceDelta(42, [])), false);
  assert.ok(builder.finish().pack.equals(before));
  assert.ok(builder.has(base));
  // the depth is forgotten with the entry: the same delta, told of the base itself, is the first of its chain
  const again = hashObject('blob', Buffer.concat([body, Buffer.from('49')]));
  const delta = encodeSpliceDelta(40, [{ at: 40, removed: 0, inserted: Buffer.from('49') }]);
  assert.ok(builder.addDelta(again, base, delta));
  const next = hashObject('blob', Buffer.concat([body, Buffer.from('49!')]));
  assert.ok(
    builder.addDelta(
      next,
      again,
      encodeSpliceDelta(42, [{ at: 42, removed: 0, inserted: Buffer.from('!') }]),
    ),
  );
  assert.match(judge(builder).verified, /chain length = 2: 1 object/);
  assert.throws(() => builder.rewind({ count: 99, length: 9999 }), GitsteadError);
});

test('the bytes of each turn, put together, are the pack again', () => {
  const builder = new PackBuilder(0);
  const tree = EditableTree.empty();
  const turns: Buffer[] = [];
  let version: Oid | undefined;
  let head: Oid | undefined;
  for (let turn = 0; turn < 30; turn++) {
    const mark = builder.mark();
    for (let each = 0; each < 5; each++) {
      const body = turn === 7 ? randomBytes(100_000) : Buffer.from(`turn ${turn}, `.repeat(each * 30));
      tree.set(`n${(turn + each) % 20}`, 'blob', addObject(builder, 'blob', body));
      version = addTree(builder, tree, version);
      head = addCommit(builder, version, head);
    }
    if (turn % 4 === 3) {
      const failed = builder.mark();
      addObject(builder, 'blob', randomBytes(1000));
      builder.rewind(failed);
    }
    turns.push(Buffer.from(builder.bytesSince(mark)));
  }
  const again = packOfEntries(Buffer.concat(turns));
  const [one, two] = [builder.finish(), again.finish()];
  assert.equal(two.checksum, one.checksum);
  assert.ok(two.pack.equals(one.pack));
  assert.ok(two.index.equals(one.index));
  judge(again, head);
  // and it goes on: chains are known
  assert.ok(again.has(version!));
  assert.equal(again.read(version!)!.body.compare(tree.body()), 0);
});

test('entries of two packs in a row are a pack: distances are relative, an object may stand twice', () => {
  const [first, second] = [new PackBuilder(), new PackBuilder()];
  const { head } = addHistory(first, 30, 10);
  addHistory(second, 40, 10);
  const start = { count: 0, length: 12 };
  const both = packOfEntries(Buffer.concat([first.bytesSince(start), second.bytesSince(start)]));
  assert.equal(both.count, first.count + second.count);
  const { gitDir } = repositoryOf(both, head);
  git(['-C', gitDir, 'fsck', '--strict', '--full']);
  const index = openIndex(both.finish().index);
  assert.equal(index.count, both.count);
  both.rewind({ count: first.count, length: first.length });
  assert.ok(both.finish().pack.equals(first.finish().pack));
});

test('no entries are an empty pack', () => {
  assert.equal(packOfEntries(Buffer.alloc(0)).count, 0);
});

test('entries without a base, of unknown types, of other sizes or cut short are corrupt', () => {
  const builder = new PackBuilder();
  addObject(builder, 'blob', Buffer.from('x'));
  const entry = Buffer.from(builder.bytesSince({ count: 0, length: 12 }));
  const wrong: [string, Buffer][] = [
    ['a cut', entry.subarray(0, -1)],
    ['a byte too many', Buffer.concat([entry, Buffer.of(0x30)])],
    [
      'a delta by name',
      Buffer.concat([entry, Buffer.of(0x74), Buffer.alloc(20), deflateSync(Buffer.of(1, 1, 0x90, 1))]),
    ],
    [
      'a delta of nothing',
      Buffer.concat([entry, Buffer.of(0x64, 0x05), deflateSync(Buffer.of(1, 1, 0x90, 1))]),
    ],
    [
      'a delta of what is before',
      Buffer.concat([entry, Buffer.of(0x64, 0x7f), deflateSync(Buffer.of(1, 1, 0x90, 1))]),
    ],
    ['a type that is none', Buffer.of(0x51, ...entry.subarray(1))],
    ['another size', Buffer.of(0x32, ...entry.subarray(1))],
  ];
  for (const [what, bytes] of wrong) assert.throws(() => packOfEntries(bytes), { code: 'corrupt' }, what);
});

test('a chain of deltas longer than any of ours is corrupt', () => {
  const stored = packObjectStream(Buffer.of(1, 1, 0x90, 1));
  const delta = Buffer.concat([Buffer.of(0x64, 2 + stored.length), stored]);
  const blob = packObjectStream(Buffer.from('x'));
  const first = Buffer.concat([Buffer.of(0x31), blob, Buffer.of(0x64, 1 + blob.length), stored]);
  assert.equal(packOfEntries(Buffer.concat([first, ...new Array(49).fill(delta)])).count, 51);
  const tooLong = Buffer.concat([first, ...new Array(50).fill(delta)]);
  assert.throws(() => packOfEntries(tooLong), { code: 'corrupt' });
});

test('random and mutated entries are a pack, or corrupt', () => {
  const builder = new PackBuilder();
  addHistory(builder, 12, 5);
  addObject(builder, 'blob', Buffer.alloc(2000, 'deflated '));
  const whole = builder.bytesSince({ count: 0, length: 12 });
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  const mutated = fc.tuple(fc.array(change, { maxLength: 4 }), fc.nat(whole.length)).map(([changes, end]) => {
    const bytes = Buffer.from(whole);
    for (const [at, byte] of changes) bytes[at] = byte;
    return end % 2 === 0 ? bytes : bytes.subarray(0, end);
  });
  const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(random, mutated), (bytes) => {
      try {
        const pack = packOfEntries(bytes);
        assert.equal(pack.length, 12 + bytes.length);
        assert.ok(pack.finish().pack.subarray(12, -20).equals(bytes));
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
      }
    }),
    { numRuns: 1500 },
  );
});

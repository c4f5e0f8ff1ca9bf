import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { applyDelta, deltaSizes, encodeSpliceDelta, type Splice, treeDelta } from './delta.ts';
import { hashObject } from './object-id.ts';
import { encodeTree, type TreeEntry } from './tree.ts';

function splice(at: number, removed: number, inserted: string | Buffer): Splice {
  return { at, removed, inserted: Buffer.from(inserted as string) };
}

/** What the splices mean, told the slow way. */
function spliced(base: Buffer, splices: readonly Splice[]): Buffer {
  const parts: Buffer[] = [];
  let copied = 0;
  for (const { at, removed, inserted } of splices) {
    parts.push(base.subarray(copied, at), inserted);
    copied = at + removed;
  }
  parts.push(base.subarray(copied));
  return Buffer.concat(parts);
}

function check(base: Buffer, splices: readonly Splice[]): Buffer {
  const delta = encodeSpliceDelta(base.length, splices);
  assert.ok(applyDelta(base, delta).equals(spliced(base, splices)));
  return delta;
}

test('a delta has the bytes that the format tells', () => {
  const delta = check(Buffer.from('abcdef'), [splice(2, 1, 'XY')]);
  // sizes 6 and 7 | copy 2 from 0 | insert 2 | copy 3 from 3
  assert.equal(delta.toString('hex'), '0607900202585991' + '0303');
});

test('splices at both ends, beside each other and of everything', () => {
  const base = Buffer.from('0123456789');
  check(base, []);
  check(base, [splice(0, 0, 'first')]);
  check(base, [splice(10, 0, 'last')]);
  check(base, [splice(0, 3, ''), splice(7, 3, '')]);
  check(base, [splice(0, 10, '')]);
  check(base, [splice(0, 10, 'all new')]);
  check(base, [splice(2, 2, 'a'), splice(4, 2, 'b'), splice(6, 0, 'c')]);
  check(Buffer.alloc(0), [splice(0, 0, 'of nothing')]);
});

test('inserts of 126 to 300 bytes are cut into instructions of at most 127', () => {
  for (const length of [126, 127, 128, 254, 255, 300]) {
    const delta = check(Buffer.from('base'), [splice(2, 0, randomBytes(length))]);
    assert.equal(delta.length, 2 + (length > 123 ? 1 : 0) + 2 + length + Math.ceil(length / 127) + 3);
  }
});

test('copies of 0x10000 bytes, of more than 0xffffff, and from every kind of offset', () => {
  const base = randomBytes(0x2000000 + 77);
  const places = [0xff, 0x100, 0xffff, 0x10000, 0x10001, 0xffffff, 0x1000000, 0x1000001, 0x1ffffff];
  for (const place of places) check(base, [splice(place, 1, 'x')]);
  check(base, [splice(0x12345, 0, 'x'), splice(0x22345, 0, 'y'), splice(0x1122345, 5, 'z')]);
  const delta = check(base.subarray(0, 0x10000), []);
  assert.equal(delta.toString('hex'), '8080048080' + '0480');
});

test('sizes are read from the front of a delta', () => {
  assert.deepEqual(deltaSizes(encodeSpliceDelta(300, [splice(0, 300, 'x')])), {
    base: 300,
    result: 1,
    instructionsAt: 3,
  });
});

test('malformed deltas are corrupt', () => {
  const base = Buffer.from('0123456789');
  const wrong: Record<string, number[]> = {
    'nothing at all': [],
    'only a base size': [10],
    'a size that never ends': new Array(20).fill(0x80),
    'a base of another size': [9, 1, 1, 0x78],
    'the reserved instruction': [10, 1, 0],
    'an insert that is cut short': [10, 3, 3, 0x78],
    'a copy that is cut short': [10, 3, 0x91, 1],
    'a copy from beyond the base': [10, 3, 0x91, 8, 3],
    'a copy of 0x10000 by default': [10, 0x80, 0x80, 4, 0x80],
    'fewer bytes than it says': [10, 3, 0x90, 2],
    'more bytes than it says': [10, 1, 0x90, 2],
    'a vast size and nothing': [10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  };
  for (const [what, bytes] of Object.entries(wrong)) {
    assert.throws(() => applyDelta(base, Buffer.from(bytes)), { code: 'corrupt' }, what);
  }
});

test('a delta that would make gigabytes of a small base is corrupt', () => {
  const base = Buffer.alloc(0xffffff);
  const copies = Buffer.alloc(4 * 1000);
  for (let at = 0; at < copies.length; at += 4) copies.writeUInt32BE(0xf0ffffff, at);
  const sizes = encodeSpliceDelta(base.length, []).subarray(0, 4);
  assert.throws(() => applyDelta(base, Buffer.concat([sizes, sizes, copies])), { code: 'corrupt' });
});

const anySplices = fc.array(fc.tuple(fc.nat(20), fc.nat(20), fc.uint8Array({ maxLength: 200 })), {
  maxLength: 8,
});

test('random splices make of a base what they say', () => {
  fc.assert(
    fc.property(anySplices, fc.nat(50), (steps, rest) => {
      const splices: Splice[] = [];
      let end = 0;
      for (const [gap, removed, inserted] of steps) {
        splices.push({ at: end + gap, removed, inserted: Buffer.from(inserted) });
        end += gap + removed;
      }
      check(randomBytes(end + rest), splices);
    }),
  );
});

test('random and mutated deltas are applied, or corrupt', () => {
  const base = randomBytes(1000);
  const whole = encodeSpliceDelta(1000, [
    splice(100, 20, randomBytes(20)),
    splice(500, 0, 'x'),
    splice(990, 10, ''),
  ]);
  const mutated = fc
    .tuple(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(whole.length))
    .map(([changes, end]) => {
      const delta = Buffer.from(whole);
      for (const [at, byte] of changes) delta[at] = byte;
      return delta.subarray(0, end);
    });
  const random = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from([0xe8, 0x07, ...bytes]));
  fc.assert(
    fc.property(fc.oneof(random, mutated), (delta) => {
      try {
        assert.equal(applyDelta(base, delta).length, deltaSizes(delta).result);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

function entry(name: string, content: string, mode = 0o100644): TreeEntry {
  return { mode, name, oid: hashObject('blob', Buffer.from(content)) };
}

function checkTrees(base: readonly TreeEntry[], target: readonly TreeEntry[]): number {
  const [from, to] = [encodeTree(base), encodeTree(target)];
  const delta = treeDelta(from, to);
  assert.ok(applyDelta(from, delta).equals(to));
  return delta.length;
}

test('a tree delta tells one changed entry of many in a few bytes', () => {
  const entries = Array.from({ length: 10_000 }, (_, at) => entry(`doc-${at}`, `${at}`));
  assert.ok(checkTrees(entries, entries.with(5000, entry('doc-5000', 'changed'))) < 60);
  assert.ok(checkTrees(entries, entries.toSpliced(3, 1)) < 30);
  assert.ok(checkTrees(entries.toSpliced(3, 1), entries) < 60);
  assert.ok(checkTrees(entries, []) < 10);
  checkTrees([], entries);
});

test('a tree delta tells changes of mode and of kind', () => {
  const base = [entry('a', 'x'), entry('b', 'x'), entry('c', 'x')];
  checkTrees(base, base.with(1, entry('b', 'x', 0o100755)));
  checkTrees(base, base.with(1, entry('b', 'x', 0o40000)));
  checkTrees(base, base.with(1, entry('b', 'x', 0o120000)));
});

test('a tree delta makes any tree of any other', () => {
  const anyTree = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('a', 'a-', 'a.', 'a0', 'b', 'bb', 'é'),
      number: fc.nat(2),
      folder: fc.boolean(),
    }),
    { selector: (each) => each.name },
  );
  fc.assert(
    fc.property(anyTree, anyTree, (...trees) => {
      const [base, target] = trees.map((tree) =>
        tree.map(({ name, number, folder }) => entry(name, `${number}`, folder ? 0o40000 : 0o100644)),
      );
      checkTrees(base!, target!);
    }),
    { numRuns: 500 },
  );
});

test('a tree delta of trees in no order is right all the same, and of no trees is corrupt', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => encodeTree([entry(name, name)]));
  const base = Buffer.concat([b!, a!, c!, a!]);
  const target = Buffer.concat([c!, c!, a!, b!]);
  assert.ok(applyDelta(base, treeDelta(base, target)).equals(target));
  assert.throws(() => treeDelta(base, Buffer.from('no tree')), { code: 'corrupt' });
  assert.throws(() => treeDelta(Buffer.from('no tree'), base), { code: 'corrupt' });
});

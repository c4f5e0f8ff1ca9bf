import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { EMPTY_TREE, hashObject, type Oid } from './object-id.ts';
import { encodeIndex, type IndexEntry, isIndexIntact, openIndex } from './pack-index.ts';

function entriesOf(count: number): IndexEntry[] {
  return Array.from({ length: count }, (_, at) => ({
    oid: hashObject('blob', Buffer.from(`${at}`)),
    crc: (at * 0x9e3779b1) >>> 0,
    offset: 12 + at * 100,
  }));
}

/** What git reads in an index. */
function showIndex(index: Buffer): string[] {
  return execFileSync('git', ['show-index'], { input: index, encoding: 'utf8', maxBuffer: 1 << 28 })
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');
}

function shown(entries: readonly IndexEntry[]): string[] {
  return entries
    .toSorted((a, b) => (a.oid < b.oid ? -1 : 1))
    .map(({ oid, crc, offset }) => `${offset} ${oid} (${crc.toString(16).padStart(8, '0')})`);
}

test('git reads in an index what was written, from no entry to 20,000', () => {
  for (const count of [0, 1, 2, 300, 20_000]) {
    const entries = entriesOf(count);
    assert.deepEqual(showIndex(encodeIndex(entries, EMPTY_TREE)), shown(entries), `${count} entries`);
  }
});

test('every entry is found, and walked in the order of the ids', () => {
  const entries = entriesOf(3000);
  const index = openIndex(encodeIndex(entries, EMPTY_TREE));
  assert.equal(index.count, 3000);
  assert.equal(index.packChecksum, EMPTY_TREE);
  for (const { oid, offset } of entries) assert.equal(index.find(oid), offset);
  const sorted = entries.toSorted((a, b) => (a.oid < b.oid ? -1 : 1));
  for (const [place, { oid, crc, offset }] of sorted.entries()) {
    assert.deepEqual([index.oidAt(place), index.crcAt(place), index.offsetAt(place)], [oid, crc, offset]);
  }
});

test('an object that is not there is not found, at either end of the ids either', () => {
  const index = openIndex(encodeIndex(entriesOf(500), EMPTY_TREE));
  for (const oid of ['0'.repeat(40), 'f'.repeat(40), EMPTY_TREE])
    assert.equal(index.find(oid as Oid), undefined);
  assert.equal(openIndex(encodeIndex([], EMPTY_TREE)).find(EMPTY_TREE), undefined);
});

test('ids that differ only in their last digits are sorted', () => {
  const ends = ['f', '0', '9', 'a', '1', 'e', '8', 'b'];
  const prefixes = ['00000000', 'ffffffff', '12345678'];
  const oids = ends.flatMap((end) => prefixes.map((prefix) => (prefix + '0'.repeat(31) + end) as Oid));
  const entries = oids.map((oid, at) => ({ oid, crc: at, offset: 12 + at }));
  const encoded = encodeIndex(entries, EMPTY_TREE);
  assert.deepEqual(showIndex(encoded), shown(entries));
  const index = openIndex(encoded);
  for (const { oid, offset } of entries) assert.equal(index.find(oid), offset);
});

test('an object that stands twice in its pack stands twice in the index', () => {
  const [one, two] = entriesOf(2);
  const index = openIndex(encodeIndex([two!, one!, { ...one!, offset: 5000 }], EMPTY_TREE));
  assert.equal(index.count, 3);
  assert.ok([one!.offset, 5000].includes(index.find(one!.oid)!));
});

test('offsets from 2 GiB on go into the far table', () => {
  const far = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 12345];
  const entries = entriesOf(8).map((entry, at) => ({ ...entry, offset: far[at] ?? entry.offset }));
  const encoded = encodeIndex(entries, EMPTY_TREE);
  assert.deepEqual(showIndex(encoded), shown(entries));
  const index = openIndex(encoded);
  for (const { oid, offset } of entries) assert.equal(index.find(oid), offset);
});

test('an intact index is told from a damaged one', () => {
  const encoded = encodeIndex(entriesOf(10), EMPTY_TREE);
  assert.ok(isIndexIntact(encoded));
  encoded[1100]! ^= 1;
  assert.ok(!isIndexIntact(encoded));
  assert.ok(!isIndexIntact(encoded.subarray(0, 100)));
});

test('indexes of another version, cut short or miscounted are corrupt', () => {
  const encoded = encodeIndex(entriesOf(10), EMPTY_TREE);
  const changed = (at: number, byte: number) => {
    const copy = Buffer.from(encoded);
    copy[at] = byte;
    return copy;
  };
  const wrong = [
    Buffer.alloc(0),
    encoded.subarray(0, 1000),
    encoded.subarray(0, -1),
    Buffer.concat([encoded, Buffer.alloc(4)]),
    Buffer.concat([encoded, Buffer.alloc(88)]),
    changed(0, 0),
    changed(7, 3),
    changed(8, 0xff),
    changed(8 + 255 * 4 + 3, 11),
  ];
  for (const bytes of wrong) assert.throws(() => openIndex(bytes), { code: 'corrupt' });
});

test('random damage is met with an answer, or corrupt', () => {
  const entries = entriesOf(20);
  const whole = encodeIndex(
    entries.map((entry, at) => ({ ...entry, offset: entry.offset + (at % 4 === 0 ? 2 ** 33 : 0) })),
    EMPTY_TREE,
  );
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 6 }), fc.constantFrom(0, 0, 0, 8, 28), (changes, cut) => {
      const bytes = Buffer.from(whole.subarray(0, whole.length - cut));
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      try {
        const index = openIndex(bytes);
        for (const { oid } of entries) assert.notEqual(index.find(oid), null);
        for (let place = 0; place < index.count; place++) assert.ok(index.offsetAt(place) >= 0);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { EMPTY_TREE } from './object-id.ts';
import {
  ENTRY_TYPES,
  MAX_ENTRY_HEADER_BYTES,
  OFS_DELTA,
  REF_DELTA,
  readEntryHeader,
  writeBaseDistance,
  writeEntryHeader,
} from './pack-entry.ts';

const SIZES = [0, 1, 15, 16, 2047, 2048, 0x7fffffff, 2 ** 32, 2 ** 40 + 1, Number.MAX_SAFE_INTEGER];
const DISTANCES = [1, 127, 128, 129, 16511, 16512, 16513, 2113663, 2113664, 2 ** 31, 2 ** 40, 2 ** 48];

test('headers of every kind and size are read as they were written', () => {
  for (const [kind, type] of Object.entries(ENTRY_TYPES)) {
    for (const size of SIZES) {
      const bytes = Buffer.alloc(40);
      const end = writeEntryHeader(bytes, 5, type, size);
      assert.deepEqual(readEntryHeader(bytes, 5), { kind, size, streamAt: end });
      assert.ok(end - 5 <= MAX_ENTRY_HEADER_BYTES);
    }
  }
});

test('a header has the bytes that the format tells', () => {
  const bytes = Buffer.alloc(4);
  // blob of 300 bytes: 1 011 1100, 0 0010010
  assert.equal(writeEntryHeader(bytes, 0, ENTRY_TYPES.blob, 300), 2);
  assert.equal(bytes.toString('hex', 0, 2), 'bc12');
  // distance 300: 1 0000001, 0 0101100, the first byte one less than without the rule
  assert.equal(writeBaseDistance(bytes, 0, 300), 2);
  assert.equal(bytes.toString('hex', 0, 2), '812c');
});

test('distances of one to seven bytes are read as they were written', () => {
  for (const distance of DISTANCES) {
    const bytes = Buffer.alloc(40);
    const end = writeBaseDistance(bytes, writeEntryHeader(bytes, 0, OFS_DELTA, 99), distance);
    assert.deepEqual(readEntryHeader(bytes, 0), { distance, size: 99, streamAt: end });
    assert.ok(end <= MAX_ENTRY_HEADER_BYTES);
  }
});

test('every distance has its own form', () => {
  fc.assert(
    fc.property(fc.nat(), (distance) => {
      const bytes = Buffer.alloc(40);
      const end = writeBaseDistance(bytes, writeEntryHeader(bytes, 0, OFS_DELTA, 1), distance + 1);
      const read = readEntryHeader(bytes, 0);
      assert.deepEqual([read.distance, read.streamAt], [distance + 1, end]);
    }),
  );
});

test('a delta of a base by name tells the name', () => {
  const bytes = Buffer.concat([Buffer.alloc(1), Buffer.from(EMPTY_TREE, 'hex')]);
  writeEntryHeader(bytes, 0, REF_DELTA, 7);
  assert.deepEqual(readEntryHeader(bytes, 0), { baseOid: EMPTY_TREE, size: 7, streamAt: 21 });
  assert.throws(() => readEntryHeader(bytes.subarray(0, 20), 0), { code: 'corrupt' });
});

test('unknown types, sizes without end and cuts are corrupt', () => {
  const endless = new Array(30).fill(0xff);
  for (const bytes of [
    [],
    [0x01],
    [0x51],
    [0xb0],
    endless,
    [0x61, ...endless],
    [0x61],
    [0x61, 0x00],
    [0x61, 0x80],
  ]) {
    assert.throws(() => readEntryHeader(Buffer.from(bytes), 0), { code: 'corrupt' }, `${bytes}`);
  }
});

test('random bytes are a header, or corrupt', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), fc.nat(30), (random, at) => {
      try {
        const { size, streamAt } = readEntryHeader(Buffer.from(random), at);
        assert.ok(Number.isSafeInteger(size) && streamAt > at && streamAt <= random.length);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

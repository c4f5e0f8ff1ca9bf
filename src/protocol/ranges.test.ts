import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ifRangeHolds, parseRange } from './ranges.ts';

test('one range of bytes is first to last, open, or a suffix', () => {
  assert.deepEqual(parseRange('bytes=0-4', 10), { start: 0, end: 4 });
  assert.deepEqual(parseRange('bytes=5-', 10), { start: 5, end: 9 });
  assert.deepEqual(parseRange('bytes=-3', 10), { start: 7, end: 9 });
  assert.deepEqual(parseRange('Bytes=5-99999999999999999999', 10), { start: 5, end: 9 });
  assert.deepEqual(parseRange('bytes=-11', 10), { start: 0, end: 9 });
});

test('a range behind the end cannot be satisfied', () => {
  assert.equal(parseRange('bytes=10-', 10), 'unsatisfiable');
  assert.equal(parseRange('bytes=10-20', 10), 'unsatisfiable');
  assert.equal(parseRange('bytes=-0', 10), 'unsatisfiable');
  assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable');
});

test('several ranges, other units and malformed headers ask for the whole', () => {
  for (const header of [
    'bytes=0-1,3-4',
    'lines=0-1',
    'bytes=4-3',
    'bytes=-',
    'bytes=a-b',
    'bytes',
    '',
    'bytes=0x1-2',
    'bytes=--1',
  ]) {
    assert.equal(parseRange(header, 10), undefined, header);
  }
  assert.equal(parseRange('bytes=-5', 0), undefined);
});

test('what is satisfied lies within the document', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.option(fc.nat(30)), fc.option(fc.nat(30)), (size, first, last) => {
      const range = parseRange(`bytes=${first ?? ''}-${last ?? ''}`, size);
      if (range === undefined || range === 'unsatisfiable') return;
      assert.ok(0 <= range.start && range.start <= range.end && range.end < size);
    }),
  );
});

test('If-Range holds for the strong ETag that stands, never for a weak one or a date', () => {
  assert.equal(ifRangeHolds('"a"', 'a'), true);
  for (const header of ['"b"', 'W/"a"', 'a', '"a-gzip"', 'Sun, 06 Nov 1994 08:49:37 GMT']) {
    assert.equal(ifRangeHolds(header, 'a'), false, header);
  }
});

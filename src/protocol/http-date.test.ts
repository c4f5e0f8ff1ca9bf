import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatHttpDate, parseHttpDate } from './http-date.ts';

const NOW = Date.UTC(2026, 0, 1);

test('a time is written in the preferred form', () => {
  assert.equal(formatHttpDate(784111777_000), 'Sun, 06 Nov 1994 08:49:37 GMT');
  assert.equal(formatHttpDate(784111777_999), 'Sun, 06 Nov 1994 08:49:37 GMT');
});

test('all three forms of the RFC are read', () => {
  for (const text of [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ]) {
    assert.equal(parseHttpDate(text, NOW), 784111777_000, text);
  }
  assert.equal(parseHttpDate('Tuesday, 06-Nov-70 08:49:37 GMT', NOW), Date.UTC(2070, 10, 6, 8, 49, 37));
});

test('a written time is read as the same second', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253402300799 }), (second) => {
      assert.equal(parseHttpDate(formatHttpDate(second * 1000), NOW), second * 1000);
    }),
  );
});

test('what is no HTTP-date is undefined', () => {
  const bad = [
    '',
    'now',
    '1994-11-06',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 31 Feb 1994 08:49:37 GMT',
  ];
  bad.push(
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:4937: GMT',
    'Sun, 06 Nov 1994 ::::::::  GMT',
  );
  for (const text of bad) assert.equal(parseHttpDate(text, NOW), undefined, text);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeMemory, freeWhole, inOwnMemory } from './free-memory.ts';

test('what is kept has memory of its own, of its size', () => {
  const shared = Buffer.from('a few bytes');
  assert.ok(shared.buffer.byteLength > shared.length);
  const own = inOwnMemory(shared);
  assert.deepEqual(own, shared);
  assert.equal(own.buffer.byteLength, own.length);
});

test('what has memory of its own already is not copied', () => {
  const own = Buffer.allocUnsafeSlow(100_000);
  assert.equal(inOwnMemory(own), own);
  const none = inOwnMemory(Buffer.from(''));
  assert.equal(none.length, 0);
});

test('memory of a large buffer is given back, that of one that may share it is left', () => {
  const large = Buffer.alloc(100_000, 1);
  freeMemory(large);
  assert.equal(large.length, 0);
  const small = Buffer.from('a few bytes');
  freeMemory(small);
  assert.equal(small.toString(), 'a few bytes');
});

test('memory of which a buffer is only a part is left to the others', () => {
  const large = Buffer.alloc(100_000, 1);
  freeWhole(large.subarray(1));
  assert.equal(large.length, 100_000);
  freeWhole(large);
  assert.equal(large.length, 0);
});

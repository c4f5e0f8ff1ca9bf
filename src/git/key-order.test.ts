import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { orderByKey, orderByLongKey } from './key-order.ts';

function sorted(keys: readonly number[]): number[] {
  return keys.map((_, number) => number).sort((a, b) => keys[a]! - keys[b]! || a - b);
}

test('numbers come in the order of their keys, those of equal keys in their own', () => {
  const key = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 2 ** 32 - 1 }));
  fc.assert(
    fc.property(fc.array(key, { maxLength: 300 }), (keys) => {
      assert.deepEqual([...orderByKey(keys.length, (number) => keys[number]!)], sorted(keys));
    }),
  );
});

test('so they do with keys of more than 32 bits', () => {
  const key = fc.oneof(
    fc.nat({ max: 3 }),
    fc.maxSafeNat(),
    fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1),
  );
  fc.assert(
    fc.property(fc.array(key, { maxLength: 300 }), (keys) => {
      assert.deepEqual([...orderByLongKey(keys.length, (number) => keys[number]!)], sorted(keys));
    }),
  );
});

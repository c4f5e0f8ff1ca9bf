// Sorting numbers by keys: key and number together as one 64-bit number, which typed arrays sort natively, many times as
// fast as by a function that compares. What the keys are is left to the callers.
import { freeMemory } from './free-memory.ts';

/** Typed arrays have the machine's order of bytes: the upper half of a 64-bit number stands at this place of two. */
const HIGH = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;
const LOW = 1 - HIGH;

/** The numbers below `count` in the order of their keys (32 bits); those of equal keys in their own order. */
export function orderByKey(count: number, keyOf: (number: number) => number): Uint32Array {
  const pairs = new BigUint64Array(count);
  const halves = new Uint32Array(pairs.buffer);
  for (let number = 0; number < count; number++) {
    halves[2 * number + HIGH] = keyOf(number);
    halves[2 * number + LOW] = number;
  }
  pairs.sort();
  const order = new Uint32Array(count);
  for (let place = 0; place < count; place++) order[place] = halves[2 * place + LOW]!;
  freeMemory(pairs);
  return order;
}

/** As `orderByKey`, for keys up to 2^53. */
export function orderByLongKey(count: number, keyOf: (number: number) => number): Uint32Array {
  const byLow = orderByKey(count, (number) => keyOf(number) % 2 ** 32);
  const order = orderByKey(count, (place) => Math.floor(keyOf(byLow[place]!) / 2 ** 32));
  for (let place = 0; place < count; place++) order[place] = byLow[order[place]!]!;
  freeMemory(byLow);
  return order;
}

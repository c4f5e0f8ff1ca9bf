import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Slices, sortInSlices } from './slices.ts';

test('numbers are sorted as any sort would', async () => {
  const lengths = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 500, max: 4000 }));
  await fc.assert(
    fc.asyncProperty(lengths, fc.integer(), async (length, seed) => {
      const keys = Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed));
      const compare = (a: number, b: number) => keys[a]! - keys[b]! || a - b;
      const sorted = await sortInSlices(Uint32Array.from(keys.keys()), compare, new Slices());
      assert.deepEqual([...sorted], [...keys.keys()].sort(compare));
    }),
    { numRuns: 50 },
  );
});

test('a pause gives way to the event loop, and an abort ends the work there', async () => {
  const slices = new Slices();
  let hasRun = false;
  setImmediate(() => {
    hasRun = true;
  });
  await slices.pause();
  assert.ok(hasRun);
  assert.equal(slices.isOver, false);
  await assert.rejects(new Slices(AbortSignal.abort(new Error('enough'))).pause(), { message: 'enough' });
});

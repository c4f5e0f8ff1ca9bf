import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCheckpointPace } from './checkpoint-pace.ts';

const CALM = { packs: 5, wholeTreeBytes: 0 };
const MIB = 1 << 20;

test('checkpoints come rarer the more repositories wait, the larger their folders and the more packs there are', () => {
  const pace = openCheckpointPace();
  assert.equal(pace.interval(CALM), 75);
  assert.equal(pace.interval({ ...CALM, wholeTreeBytes: 100 << 10 }), 75);
  assert.equal(pace.interval({ ...CALM, wholeTreeBytes: MIB }), 256);
  assert.equal(pace.interval({ ...CALM, wholeTreeBytes: 100 * MIB }), 1000);
  assert.equal(pace.interval({ ...CALM, packs: 20 }), 75);
  assert.equal(pace.interval({ ...CALM, packs: 21 }), 100);
  assert.equal(pace.interval({ ...CALM, packs: 40 }), 1000);
  for (let repository = 0; repository < 30; repository++) pace.opened();
  assert.equal(pace.interval(CALM), 250);
  for (let repository = 0; repository < 30; repository++) pace.sealed(0.5);
  assert.equal(pace.interval(CALM), 75);
});

test('one comes before its time unless that is dear: a large folder again and again, or many packs', () => {
  const pace = openCheckpointPace();
  assert.ok(pace.mayHurry(CALM, 0));
  assert.ok(!pace.mayHurry({ ...CALM, packs: 21 }, 5000));
  assert.ok(!pace.mayHurry({ ...CALM, wholeTreeBytes: MIB }, 255));
  assert.ok(pace.mayHurry({ ...CALM, wholeTreeBytes: MIB }, 256));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDownloadSlots } from './download-slots.ts';

const never = () => assert.fail('it gives way to nobody');

test('when all slots are taken, the slowest reader of whoever has most gives way', () => {
  let now = 0;
  const slots = openDownloadSlots(3, () => now);
  const cut: string[] = [];
  const fast = slots.take('a', never);
  const slow = slots.take('a', () => cut.push('slow'));
  const slower = slots.take('a', () => cut.push('slower'));
  slower.note(100_000);
  now += 10_000;
  fast.note(1e6);
  slow.note(1000);
  const other = slots.take('b', never);
  assert.deepEqual(cut, ['slower'], 'what it moved earlier counts no more');
  assert.throws(() => slots.take('b', never), { code: 'not-ready' }, 'nobody would have more than b then');
  slower.end();
  slower.end();
  assert.throws(() => slots.take('b', never), { code: 'not-ready' });
  other.end();
  slots.take('b', never);
});

test('readers that are not slow are left alone', () => {
  let now = 0;
  const slots = openDownloadSlots(2, () => now);
  const readers = [slots.take('a', never), slots.take('a', never)];
  assert.throws(() => slots.take('b', never), { code: 'not-ready' }, 'they have hardly begun');
  for (const reader of readers) reader.note(1e6);
  now += 3000;
  assert.throws(() => slots.take('b', never), { code: 'not-ready' });
});

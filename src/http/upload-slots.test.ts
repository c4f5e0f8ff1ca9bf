import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUserName } from '../protocol/paths.ts';
import { openUploadSlots } from './upload-slots.ts';

const alice = parseUserName('alice')!;
const bob = parseUserName('bob')!;

test('a slot that is given back twice is free once', () => {
  const slots = openUploadSlots({ perUser: 2, total: 3 });
  const release = slots.take(alice);
  slots.take(alice);
  assert.throws(() => slots.take(alice), { code: 'too-many' });
  release();
  release();
  slots.take(alice);
  assert.throws(() => slots.take(alice), { code: 'too-many' });
});

test('all accounts together have a limit, too', () => {
  const slots = openUploadSlots({ perUser: 2, total: 3 });
  slots.take(alice);
  slots.take(alice);
  slots.take(bob);
  assert.throws(() => slots.take(bob), { code: 'not-ready' });
});

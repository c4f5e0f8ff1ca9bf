import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUserName, type UserName } from '../protocol/paths.ts';
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

test('accounts that take all that they may leave some to others', () => {
  const slots = openUploadSlots({ perUser: 32, total: 64 });
  const take = (user: UserName, count: number) => {
    for (let taken = 0; taken < count; taken++) slots.take(user);
  };
  take(alice, 32);
  take(bob, 24);
  assert.throws(() => slots.take(bob), { code: 'not-ready' });
  const carol = parseUserName('carol')!;
  take(carol, 2);
  assert.throws(() => slots.take(carol), { code: 'not-ready' });
  take(parseUserName('dave')!, 1);
  assert.equal(slots.count(), 59);
});

test('all accounts together have a limit, too', () => {
  const slots = openUploadSlots({ perUser: 2, total: 3 });
  slots.take(alice);
  slots.take(alice);
  slots.take(bob);
  assert.throws(() => slots.take(bob), { code: 'not-ready' });
});

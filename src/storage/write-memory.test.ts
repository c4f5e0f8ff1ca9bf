import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharesOf } from './memory-budget.ts';
import { openWriteMemory } from './write-memory.ts';

const MIB = 1 << 20;
const none = () => 0;

/** Whether it was let in by now, after everything that can be done at once was done. */
async function isIn(waiting: undefined | Promise<void>): Promise<boolean> {
  let isLetIn = waiting === undefined;
  waiting?.then(
    () => {
      isLetIn = true;
    },
    () => {},
  );
  await new Promise(setImmediate);
  return isLetIn;
}

test('shares add up to the budget, and a tiny one counts as 16 MiB', () => {
  const sum = (bytes: number) => Object.values(sharesOf(bytes)).reduce((total, share) => total + share, 0);
  assert.equal(sum(256 * MIB), 256 * MIB);
  assert.equal(sum(1), 16 * MIB);
});

test('writes wait when there is no room, and are let in in the order in which they came', async () => {
  const memory = openWriteMemory(8 * MIB, none);
  const writes = ['a', 'b', 'c', 'd', 'e'].map((user) => ({ user, entered: memory.enter(user, MIB) }));
  assert.deepEqual(await Promise.all(writes.map(({ entered }) => isIn(entered))), [
    true,
    true,
    true,
    false,
    false,
  ]);
  assert.equal(await isIn(memory.enter('small', 10)), false, 'a small one does not pass the one that waits');
  assert.ok(memory.held() <= 8 * MIB);
  memory.leave('a', MIB);
  assert.deepEqual(await Promise.all(writes.map(({ entered }) => isIn(entered))), [
    true,
    true,
    true,
    true,
    false,
  ]);
  for (const user of ['b', 'c', 'd', 'e', 'small']) memory.leave(user, user === 'small' ? 10 : MIB);
  assert.equal(memory.held(), 0);
});

test('an account takes no more than half, and holds up nobody else', async () => {
  const memory = openWriteMemory(10 * MIB, none);
  const greedy = [1, 2, 3, 4].map(() => memory.enter('greedy', MIB));
  assert.deepEqual(await Promise.all(greedy.map(isIn)), [true, true, false, false]);
  assert.equal(memory.enter('other', MIB), undefined);
  memory.leave('greedy', MIB);
  assert.deepEqual(await Promise.all(greedy.map(isIn)), [true, true, true, false]);
  for (let left = 0; left < 3; left++) memory.leave('greedy', MIB);
  memory.leave('other', MIB);
});

test('large bodies, and bodies of unknown length, leave room for others; one alone is let in whatever its size', async () => {
  const memory = openWriteMemory(4 * MIB, none);
  const large = ['a', 'b', 'c', 'd', 'e'].map((user) => memory.enter(user, 100 * MIB));
  assert.deepEqual(await Promise.all(large.map(isIn)), [true, true, true, true, false]);
  assert.ok(memory.held() <= 3 * MIB);
  const tiny = openWriteMemory(MIB, none);
  assert.equal(tiny.enter('a', undefined), undefined);
  for (const user of ['a', 'b', 'c', 'd', 'e']) memory.leave(user, 100 * MIB);
});

test('a large body that waits holds up no small one: a part of the room is theirs', async () => {
  const memory = openWriteMemory(4 * MIB, none);
  const large = ['a', 'b', 'c', 'd', 'e', 'f'].map((user) => memory.enter(user, 100 * MIB));
  assert.deepEqual(await Promise.all(large.map(isIn)), [true, true, true, true, false, false]);
  assert.equal(memory.enter('g', 10), undefined);
  assert.equal(memory.enter('h', 100_000), undefined);
  memory.leave('a', 100 * MIB);
  assert.deepEqual(await Promise.all(large.slice(4).map(isIn)), [true, false]);
  memory.leave('b', 100 * MIB);
  assert.equal(await isIn(large[5]), true);
  for (const user of ['c', 'd', 'e', 'f']) memory.leave(user, 100 * MIB);
  memory.leave('g', 10);
  memory.leave('h', 100_000);
  assert.equal(memory.held(), 0);
});

test('what waits too long is refused, with the reason', async () => {
  const memory = openWriteMemory(4 * MIB, none, 20);
  assert.equal(memory.enter('a', 900_000), undefined);
  await assert.rejects(memory.enter('a', 900_000)!, { code: 'too-many' });
  assert.equal(memory.enter('b', 900_000), undefined);
  await assert.rejects(memory.enter('c', 900_000)!, { code: 'not-ready' });
  assert.equal(memory.waiting(), 0);
  memory.leave('a', 900_000);
  assert.equal(memory.enter('c', 900_000), undefined);
});

test('a write whose sender is gone waits no longer, and holds up nobody', async () => {
  const memory = openWriteMemory(4 * MIB, none);
  for (const user of ['a', 'b']) assert.equal(memory.enter(user, 900_000), undefined);
  const senders = ['c', 'd'].map(() => Promise.withResolvers<void>());
  const [first, second] = senders.map(({ promise }, at) => {
    const onGone = (then: () => void) => {
      void promise.then(then);
      return () => {};
    };
    return memory.enter(`${at}`, 900_000, { confirm() {}, onGone });
  });
  const small = memory.enter('e', 1000);
  assert.deepEqual(await Promise.all([first, second, small].map(isIn)), [false, false, false]);
  senders[0]!.resolve();
  await assert.rejects(first!, { code: 'bad-request' });
  assert.equal(await isIn(small), false, 'the other one is still before it');
  senders[1]!.resolve();
  await assert.rejects(second!, { code: 'bad-request' });
  assert.equal(await isIn(small), true);
  assert.equal(memory.waiting(), 0);
});

test('one that is let in listens to its sender no more', async () => {
  const memory = openWriteMemory(4 * MIB, none);
  let listening = 0;
  const onGone = () => {
    listening++;
    return () => listening--;
  };
  assert.equal(memory.enter('a', 900_000, { confirm() {}, onGone }), undefined);
  const second = memory.enter('a', 900_000, { confirm() {}, onGone });
  assert.equal(listening, 1);
  memory.leave('a', 900_000);
  await second;
  assert.equal(listening, 0);
});

test('while packs in memory take more than they should, less is let in', async () => {
  let overrun = 3 * MIB;
  const memory = openWriteMemory(6 * MIB, () => overrun);
  assert.equal(memory.enter('a', MIB), undefined);
  const second = memory.enter('b', MIB);
  assert.equal(await isIn(second), false);
  overrun = 0;
  memory.retry();
  assert.equal(await isIn(second), true);
});

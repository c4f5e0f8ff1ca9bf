import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GitsteadError } from '../errors.ts';
import { sharesOf } from './memory-budget.ts';
import type { Sender } from './types.ts';
import { openWriteMemory, type TakenRoom } from './write-memory.ts';

const MIB = 1 << 20;
const none = () => 0;

type Entered = TakenRoom | Promise<TakenRoom>;

/** Whether it was let in by now, after everything that can be done at once was done. */
async function isIn(entered: Entered): Promise<boolean> {
  let isLetIn = !(entered instanceof Promise);
  if (entered instanceof Promise) {
    entered.then(
      () => {
        isLetIn = true;
      },
      () => {},
    );
  }
  await new Promise(setImmediate);
  return isLetIn;
}

function areIn(entered: Entered[]): Promise<boolean[]> {
  return Promise.all(entered.map(isIn));
}

async function leave(...entered: Entered[]): Promise<void> {
  for (const room of entered) (await room).leave();
}

type TestSender = Sender & { leaves(): void; ended: Promise<GitsteadError>; listeners: number };

/** @param received what has come of its body */
function openSender(received = 0): TestSender {
  const gone = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<GitsteadError>();
  const sender: TestSender = {
    leaves: gone.resolve,
    ended: ended.promise,
    listeners: 0,
    confirm() {},
    onGone(then) {
      sender.listeners++;
      void gone.promise.then(then);
      return () => void sender.listeners--;
    },
    received: () => received,
    endBody: ended.resolve,
  };
  return sender;
}

test('shares add up to the budget, and a tiny one counts as 16 MiB', () => {
  const sum = (bytes: number) => Object.values(sharesOf(bytes)).reduce((total, share) => total + share, 0);
  assert.equal(sum(256 * MIB), 256 * MIB);
  assert.equal(sum(1), 16 * MIB);
});

test('writes wait when there is no room, and are let in in the order in which they came', async () => {
  const memory = openWriteMemory(8 * MIB, none);
  const writes = ['a', 'b', 'c', 'd', 'e'].map((user) => memory.enter(user, MIB));
  assert.deepEqual(await areIn(writes), [true, true, true, false, false]);
  const smaller = memory.enter('smaller', MIB / 4);
  assert.equal(await isIn(smaller), false, 'a smaller one does not pass the one that waits');
  assert.ok(memory.held() <= 8 * MIB);
  await leave(writes[0]!);
  assert.deepEqual(await areIn(writes), [true, true, true, true, false]);
  await leave(...writes.slice(1), smaller);
  assert.equal(memory.held(), 0);
});

test('an account takes no more than half, and holds up nobody else', async () => {
  const memory = openWriteMemory(10 * MIB, none);
  const greedy = [1, 2, 3, 4].map(() => memory.enter('greedy', MIB));
  assert.deepEqual(await areIn(greedy), [true, true, false, false]);
  const other = memory.enter('other', MIB);
  assert.equal(await isIn(other), true);
  await leave(greedy[0]!);
  assert.deepEqual(await areIn(greedy), [true, true, true, false]);
  await leave(...greedy.slice(1), other);
  assert.equal(memory.held(), 0);
});

test('an account that takes little is let in although others have taken all that they may, and wait', async () => {
  const memory = openWriteMemory(16 * MIB, none);
  const many = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((user) => memory.enter(user, MIB));
  assert.ok((await areIn(many)).includes(false));
  const modest = [1, 2, 3].map(() => memory.enter('modest', 30_000));
  assert.deepEqual(await areIn(modest), [true, true, true]);
  assert.ok(memory.held() <= 16 * MIB);
  const more = memory.enter('modest', 60_000);
  assert.equal(await isIn(more), false, 'together that is no more little');
  await leave(...many, ...modest, more);
  assert.equal(memory.held(), 0);
});

test('large bodies, and bodies of unknown length, leave room for others; one alone is let in whatever its size', async () => {
  const memory = openWriteMemory(4 * MIB, none);
  const large = ['a', 'b', 'c', 'd', 'e'].map((user) => memory.enter(user, 100 * MIB));
  assert.deepEqual(await areIn(large), [true, true, true, true, false]);
  assert.ok(memory.held() <= 3 * MIB);
  await leave(...large);
  assert.equal(await isIn(openWriteMemory(MIB, none).enter('a', undefined)), true);
});

test('a large body that waits holds up no small one: a part of the room is theirs', async () => {
  const memory = openWriteMemory(4 * MIB, none);
  const large = ['a', 'b', 'c', 'd', 'e', 'f'].map((user) => memory.enter(user, 100 * MIB));
  assert.deepEqual(await areIn(large), [true, true, true, true, false, false]);
  const small = [memory.enter('g', 10), memory.enter('h', 100_000)];
  assert.deepEqual(await areIn(small), [true, true]);
  await leave(large[0]!);
  assert.deepEqual(await areIn(large.slice(4)), [true, false]);
  await leave(large[1]!);
  assert.equal(await isIn(large[5]!), true);
  await leave(...large.slice(2), ...small);
  assert.equal(memory.held(), 0);
});

test('what waits too long is refused, with the reason', async () => {
  const memory = openWriteMemory(4 * MIB, none, { maxWaitMs: 20 });
  const first = memory.enter('a', 800_000);
  await assert.rejects(async () => await memory.enter('a', 800_000), { code: 'too-many' });
  const second = memory.enter('b', 800_000);
  await assert.rejects(async () => await memory.enter('c', 800_000), { code: 'not-ready' });
  assert.equal(memory.waiting(), 0);
  await leave(first);
  assert.equal(await isIn(memory.enter('c', 800_000)), true);
  await leave(second);
});

test('a write whose sender is gone waits no longer, and holds up nobody', async () => {
  const memory = openWriteMemory(4 * MIB, none);
  for (const user of ['a', 'b']) assert.equal(await isIn(memory.enter(user, 800_000)), true);
  const senders = [openSender(), openSender()] as const;
  const [first, second] = senders.map((sender, at) => memory.enter(`${at}`, 800_000, sender));
  const smaller = memory.enter('e', 100_000);
  assert.deepEqual(await areIn([first!, second!, smaller]), [false, false, false]);
  senders[0].leaves();
  await assert.rejects(async () => await first, { code: 'bad-request' });
  assert.equal(await isIn(smaller), false, 'the other one is still before it');
  senders[1].leaves();
  await assert.rejects(async () => await second, { code: 'bad-request' });
  assert.equal(await isIn(smaller), true);
  assert.equal(memory.waiting(), 0);
});

test('one that is let in listens to its sender no more', async () => {
  const memory = openWriteMemory(4 * MIB, none);
  const sender = openSender();
  const first = memory.enter('a', 900_000, sender);
  const second = memory.enter('a', 900_000, sender);
  assert.equal(sender.listeners, 1);
  await leave(first);
  await second;
  assert.equal(sender.listeners, 0);
});

test('threat 27: slow bodies of an account that has taken more give way to one that waits', async () => {
  let now = 0;
  const memory = openWriteMemory(16 * MIB, none, { giveWayAfterMs: 20, elapsed: () => now });
  const senders = ['a', 'a', 'a', 'b', 'b', 'b'].map((user, at) => {
    const sender = openSender(user === 'a' ? 1e9 : at);
    return { sender, room: memory.enter(user, MIB, sender) };
  });
  assert.deepEqual(await areIn(senders.map(({ room }) => room)), [true, true, true, true, true, true]);
  const before = memory.enter('b', MIB, openSender());
  const waiting = memory.enter('c', MIB, openSender());
  assert.equal(await isIn(waiting), false);
  now += 5000;
  const { code } = await senders[3]!.sender.ended;
  assert.equal(code, 'body-timeout');
  await leave(senders[3]!.room);
  assert.equal(await isIn(waiting), true, 'what was freed for it is not taken by the one before it');
  assert.equal(await isIn(before), false);
  await leave(senders[4]!.room, before);
});

test('what has arrived gives way to nobody, and no account to one that takes as much', async () => {
  let now = 0;
  const memory = openWriteMemory(4 * MIB, none, { giveWayAfterMs: 10, maxWaitMs: 100, elapsed: () => now });
  let isEnded = false;
  for (const user of ['a', 'b']) {
    const sender = openSender();
    sender.ended.then(() => {
      isEnded = true;
    });
    const entered = memory.enter(user, user === 'a' ? 800_000 : 400_000, sender);
    if (user === 'a') (await entered).arrived();
  }
  const waiting = memory.enter('c', 700_000, openSender());
  now += 60_000;
  await assert.rejects(async () => await waiting, { code: 'not-ready' });
  assert.equal(isEnded, false);
});

test('while packs in memory take more than they should, less is let in', async () => {
  let overrun = 4 * MIB;
  const memory = openWriteMemory(8 * MIB, () => overrun);
  assert.equal(await isIn(memory.enter('a', MIB)), true);
  const second = memory.enter('b', MIB);
  assert.equal(await isIn(second), false);
  overrun = 0;
  memory.retry();
  assert.equal(await isIn(second), true);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openQuickSync } from './quick-sync.ts';

/** Syncs that take as long as `takes` says, aside `wayAside` more, and tell where they were done. */
function opened() {
  let time = 0;
  const done: string[] = [];
  const disk = { takes: 0.2, wayAside: 0 };
  const work = (where: string) => () => {
    done.push(where);
    time += disk.takes + (where === 'aside' ? disk.wayAside : 0);
  };
  const quick = openQuickSync(() => time, {
    here: work('here'),
    aside: async () => work('aside')(),
  });
  return { quick, done, disk };
}

async function syncTimes(quick: ReturnType<typeof openQuickSync>, count: number, bytes = 1000) {
  for (let i = 0; i < count; i++) await quick.sync(1, bytes);
}

test('on a quick disk a short record is synced here, once the disk is known, and a long one never', async () => {
  const { quick, done } = opened();
  await syncTimes(quick, 40);
  assert.equal(done[0], 'aside');
  assert.equal(done.at(-1), 'here');
  await syncTimes(quick, 1, 1 << 20);
  assert.equal(done.at(-1), 'aside');
});

test('a disk is judged by what a sync takes here, not by the way to the other thread', async () => {
  const { quick, done, disk } = opened();
  disk.wayAside = 2;
  await syncTimes(quick, 40);
  assert.deepEqual(done.slice(-20), Array(20).fill('here'));
  assert.ok(done.filter((where) => where === 'aside').length < 10);
});

test('a slow disk never holds the event loop up, nor does one that was quick, twice in a row', async () => {
  const { quick, done, disk } = opened();
  disk.takes = 8;
  await syncTimes(quick, 40);
  assert.ok(!done.includes('here'));
  disk.takes = 0.2;
  await syncTimes(quick, 100);
  assert.equal(done.at(-1), 'here');
  disk.takes = 8;
  await syncTimes(quick, 2);
  assert.deepEqual(done.slice(-2), ['here', 'aside']);
});

test('a disk of 2 ms is tried here now and then, and is synced here again when it has become quick', async () => {
  const { quick, done, disk } = opened();
  disk.takes = 2;
  await syncTimes(quick, 80);
  const tried = done.filter((where) => where === 'here').length;
  assert.ok(tried >= 5 && tried <= 11, `${tried} of 80`);
  disk.takes = 0.2;
  await syncTimes(quick, 20);
  assert.deepEqual(done.slice(-10), Array(10).fill('here'));
});

test('where many share a sync, the disk must be quicker for it to be made here', async () => {
  const { quick, done, disk } = opened();
  disk.takes = 0.7;
  await syncTimes(quick, 40);
  assert.equal(done.at(-1), 'here');
  await syncTimes(quick, 80, 100_000);
  assert.ok(done.slice(-80).filter((where) => where === 'aside').length >= 68);
  await syncTimes(quick, 1);
  assert.equal(done.at(-1), 'here');
});

test('a sync that fails is the caller’s to know, here and aside', async () => {
  const fails = () => {
    throw new Error('EIO');
  };
  const quick = openQuickSync(() => 0, { here: fails, aside: async () => fails() });
  await assert.rejects(quick.sync(1, 1000), /EIO/);
  await assert.rejects(quick.sync(1, 1 << 20), /EIO/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openQuickSync } from './quick-sync.ts';

/** Syncs that take as long as `takes` says, and tell where they were done. */
function opened() {
  let time = 0;
  const done: string[] = [];
  const disk = { takes: 0.2 };
  const work = (where: string) => () => {
    done.push(where);
    time += disk.takes;
  };
  const quick = openQuickSync(() => time, {
    here: work('here'),
    aside: async () => work('aside')(),
  });
  return { quick, done, disk };
}

async function syncTimes(quick: ReturnType<typeof openQuickSync>, count: number, isAlone = true) {
  for (let i = 0; i < count; i++) await quick.sync(1, isAlone);
}

test('on a quick disk a lone write is synced here, once the disk is known', async () => {
  const { quick, done } = opened();
  await syncTimes(quick, 40);
  assert.equal(done[0], 'aside');
  assert.equal(done.at(-1), 'here');
  await syncTimes(quick, 1, false);
  assert.equal(done.at(-1), 'aside');
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

test('a sync that fails is the caller’s to know, here and aside', async () => {
  const fails = () => {
    throw new Error('EIO');
  };
  const quick = openQuickSync(() => 0, { here: fails, aside: async () => fails() });
  await assert.rejects(quick.sync(1, true), /EIO/);
  await assert.rejects(quick.sync(1, false), /EIO/);
});

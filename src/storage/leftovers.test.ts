import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '../log.ts';
import { openLeftovers } from './leftovers.ts';

const repositories = ['a', 'b', 'c', 'd'].map((module) => ({
  user: 'alice',
  module,
  folder: `alice/${module}.git`,
}));

function opened(remove: (folder: string) => void, atStart: number) {
  return openLeftovers(repositories, remove, openLog('silent'), atStart);
}

test('some are cleared at the start, one that is wanted before it is opened, the rest in the background; each once', async () => {
  const cleared: string[] = [];
  const leftovers = opened((folder) => cleared.push(folder), 1);
  assert.deepEqual([cleared, leftovers.left()], [['alice/a.git'], 3]);
  leftovers.clear('alice', 'c');
  leftovers.clear('alice', 'c');
  leftovers.clear('bob', 'c');
  assert.deepEqual(cleared, ['alice/a.git', 'alice/c.git']);
  await leftovers.clearAll(() => false);
  assert.deepEqual([cleared.slice(2), leftovers.left()], [['alice/b.git', 'alice/d.git'], 0]);
});

test('one that cannot be cleared stays to be cleared, and is not opened; the others go on', async () => {
  let isBroken = true;
  const remove = (folder: string) => {
    if (isBroken && folder === 'alice/b.git') throw new Error('no permission');
  };
  const leftovers = opened(remove, 0);
  await leftovers.clearAll(() => false);
  assert.equal(leftovers.left(), 1);
  assert.throws(() => leftovers.clear('alice', 'b'), /no permission/);
  isBroken = false;
  leftovers.clear('alice', 'b');
  assert.equal(leftovers.left(), 0);
});

test('a stop ends the clearing, and what is left is known', async () => {
  const leftovers = opened(() => {}, 0);
  let asked = 0;
  await leftovers.clearAll(() => ++asked > 2);
  assert.equal(leftovers.left(), 2);
});

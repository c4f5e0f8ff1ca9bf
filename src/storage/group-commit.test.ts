import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Index, IndexChange } from '../db/open-index.ts';
import type { Oid } from '../git/object-id.ts';
import { openLog } from '../log.ts';
import { openGroupCommit, type ReadyTurn } from './group-commit.ts';
import type { Journal } from './journal.ts';
import type { TurnRecord } from './journal-format.ts';

function turn(number: number): ReadyTurn {
  return {
    record: { user: 'alice', module: `m${number}`, newHead: 'a'.repeat(40) as Oid } as TurnRecord,
    change: { repository: number, head: null, folders: [], documents: [] },
    isAlone: false,
  };
}

/** A journal whose appends end when they are told to, and an index that may fail. */
function open(brokenIndex = false) {
  const appended: string[][] = [];
  const applied: number[][] = [];
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const journal = {
    append(turns: readonly TurnRecord[]) {
      appended.push(turns.map(({ module }) => module));
      return new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
    },
  } as unknown as Journal;
  const index = {
    apply(changes: readonly IndexChange[]) {
      if (brokenIndex) throw new Error('broken');
      applied.push(changes.map(({ repository }) => repository));
    },
  } as unknown as Index;
  const commits = openGroupCommit(journal, index, openLog('silent'), () => {});
  return { commits, appended, applied, next: () => waiting.shift()! };
}

const later = () => new Promise((resolve) => setImmediate(resolve));

test('turns that one round of the event loop brings are appended together; one that is alone does not wait for it', async () => {
  const { commits, appended, next } = open();
  const outcomes = [0, 1].map((number) => commits.commit(turn(number)));
  assert.equal(commits.busy(), true);
  assert.deepEqual(appended, []);
  await later();
  assert.deepEqual(appended, [['m0', 'm1']]);
  next().resolve();
  await Promise.all(outcomes);
  const alone = commits.commit({ ...turn(2), isAlone: true });
  assert.deepEqual(appended.at(-1), ['m2']);
  next().resolve();
  assert.equal(await alone, 'indexed');
});

test('what comes while an append is under way is appended together, as one group and one transaction', async () => {
  const { commits, appended, applied, next } = open();
  assert.equal(commits.busy(), false);
  const first = commits.commit(turn(0));
  await later();
  const outcomes = [first, ...[1, 2].map((number) => commits.commit(turn(number)))];
  assert.equal(commits.busy(), true);
  assert.deepEqual(appended, [['m0']]);
  next().resolve();
  await later();
  assert.deepEqual(appended, [['m0'], ['m1', 'm2']]);
  next().resolve();
  assert.deepEqual(await Promise.all(outcomes), ['indexed', 'indexed', 'indexed']);
  assert.deepEqual(applied, [[0], [1, 2]]);
  assert.equal(commits.busy(), false);
});

test('a group whose append fails fails as a whole, is not indexed, and the next one is tried', async () => {
  const { commits, applied, next } = open();
  const first = commits.commit(turn(0));
  await later();
  const second = commits.commit(turn(1));
  const full = new Error('no space');
  next().reject(full);
  await assert.rejects(first, full);
  await later();
  next().resolve();
  assert.equal(await second, 'indexed');
  assert.deepEqual(applied, [[1]]);
});

test('a turn that the index does not take is durable all the same: it is behind', async () => {
  const { commits, next } = open(true);
  const outcome = commits.commit(turn(0));
  await later();
  next().resolve();
  assert.equal(await outcome, 'behind');
  assert.equal(commits.busy(), false);
});

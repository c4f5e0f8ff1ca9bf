// Programs and git's lock on main: one that holds it is waited for, one that died with it is told of, one that ignores it
// finds its commit merged with what was being written. The last one strikes at the worst moment, between a checkpoint's
// pack and its ref, again and again while writers write.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gitEnvironment } from '../../src/git/process.ts';
import { storeFaults } from '../index-faults.ts';
import { ALICE, doc, openTestStore, put, remove, type TestStore, textOf } from '../open-test-store.ts';
import { git, leftovers } from './stock-git.ts';

const STRIKES = 30;
const WRITERS = 4;

test('a lock that another program holds is waited for', async () => {
  await using store = await openTestStore();
  await put(store.storage, doc('notes/a'), '1');
  await store.storage.drain();
  const lock = join(store.storage.repositoryFolder(ALICE, 'notes')!, 'refs/heads/main.lock');
  writeFileSync(lock, '');
  const answer = put(store.storage, doc('notes/a'), '2');
  await new Promise((resolve) => setTimeout(resolve, 50)); // it holds it for so long
  assert.equal(await textOf(store.storage, doc('notes/a')), '1');
  rmSync(lock);
  assert.equal((await answer).kind, 'updated');
  assert.deepEqual(await storeFaults(store), []);
});

test('a lock that nobody gives back is told of after a while: 503 for writes, reads go on', async () => {
  await using store = await openTestStore();
  await put(store.storage, doc('notes/a'), '1');
  await store.storage.drain();
  const lock = join(store.storage.repositoryFolder(ALICE, 'notes')!, 'refs/heads/main.lock');
  writeFileSync(lock, '');
  await assert.rejects(put(store.storage, doc('notes/a'), '2'), { code: 'not-ready', message: /main\.lock/ });
  assert.ok(existsSync(lock), 'it is not ours to remove');
  assert.equal(await textOf(store.storage, doc('notes/a')), '1');
  assert.match(store.complaints().join('\n'), /cannot be written now/);
  rmSync(lock);
  assert.equal((await put(store.storage, doc('notes/a'), '2')).kind, 'updated');
});

/** Puts a commit of one more file on main, without a lock. */
function strike(repository: string, number: number): void {
  const run = (args: string[], input?: string) => {
    const env = { ...gitEnvironment(repository), GIT_AUTHOR_NAME: 'x', GIT_AUTHOR_EMAIL: 'x@x' };
    const committer = { GIT_COMMITTER_NAME: 'x', GIT_COMMITTER_EMAIL: 'x@x' };
    const { status, stdout, stderr } = spawnSync('git', args, {
      env: { ...env, ...committer },
      input: input ?? '',
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  const main = run(['rev-parse', 'main']);
  const blob = run(['hash-object', '-w', '--stdin'], `strike ${number}\n`);
  const listing = run(['ls-tree', main]);
  const tree = run(['mktree'], `${listing}\n100644 blob ${blob}\tstrike-${number}\n`);
  const commit = run(['commit-tree', tree, '-p', main, '-m', `Strike ${number}`]);
  writeFileSync(join(repository, 'refs/heads/main'), `${commit}\n`);
}

async function write(
  store: TestStore,
  number: number,
  told: Map<string, string | undefined>,
  isOver: () => boolean,
) {
  let writes = 0;
  for (; !isOver(); writes++) {
    const path = `notes/w${number}/d${writes % 5}`;
    if (writes % 7 === 6 && told.get(path) !== undefined) {
      assert.equal((await remove(store.storage, doc(path))).kind, 'deleted');
      told.set(path, undefined);
    } else {
      const body = `${number}.${writes}`;
      await put(store.storage, doc(path), body, { type: `text/x-${writes % 3}` });
      told.set(path, body);
    }
    if (writes % 5 === 0) assert.equal(await textOf(store.storage, doc(path)), told.get(path));
  }
  return writes;
}

test(`a program that ignores the lock strikes ${STRIKES} times, and nothing is lost on either side`, {
  timeout: 120_000,
}, async (t) => {
  let strikes = 0;
  let checkpoints = 0;
  await using store = await openTestStore({
    passing(point) {
      if (point !== 'checkpoint.index-written' || strikes === STRIKES || checkpoints++ % 2 === 0) return;
      strike(store.storage.repositoryFolder(ALICE, 'notes')!, strikes++);
    },
  });
  const told = new Map<string, string | undefined>();
  await put(store.storage, doc('notes/first/a'), '1');
  const writes = await Promise.all(
    Array.from({ length: WRITERS }, (_, number) => write(store, number, told, () => strikes === STRIKES)),
  );
  await store.storage.drain();
  const repository = store.storage.repositoryFolder(ALICE, 'notes')!;
  const subjects = (await git(repository, 'log', '--format=%s', 'main')).split('\n');
  t.diagnostic(`${writes.reduce((a, b) => a + b)} writes, ${subjects.length} commits`);

  for (let number = 0; number < STRIKES; number++) {
    assert.equal(await textOf(store.storage, doc(`notes/strike-${number}`)), `strike ${number}\n`);
    assert.ok(subjects.includes(`Strike ${number}`));
  }
  for (const [path, body] of told) {
    assert.equal(await textOf(store.storage, doc(path)), body, path);
  }
  const commits = subjects.filter((subject) => /^(PUT|DELETE) /.test(subject)).length;
  assert.ok(commits > writes.reduce((a, b) => a + b), 'each write is a commit, and some are written again');
  const merged = store.complaints();
  assert.ok(merged.length >= STRIKES);
  assert.deepEqual(new Set(merged).size, 1, merged.join('\n'));
  assert.deepEqual(await storeFaults(store), []);
  await store.reopen();
  assert.deepEqual(leftovers(repository), []);
});

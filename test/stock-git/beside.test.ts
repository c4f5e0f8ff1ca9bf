// Stock git beside a store that is being written: gc, repack, pack-refs, clones and pushes into the bare folder, for half a
// minute. Afterwards nothing is lost on either side. Writers write in bursts: where main moves all the time no push can
// get through, by git's own rules. A push that is told that main moved fetches and tries again; any other refusal fails
// the test, since git waits for our lock (core.filesRefLockTimeout).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { WriteResult } from '../../src/storage/types.ts';
import { storeFaults } from '../index-faults.ts';
import {
  ALICE,
  bytesOf,
  doc,
  openTestStore,
  put,
  remove,
  type TestStore,
  textOf,
} from '../open-test-store.ts';
import { git, leftovers, tryGit } from './stock-git.ts';

const SECONDS = Number.parseInt(process.env.GITSTEAD_BESIDE_SECONDS ?? '30', 10);
/** All writers write during the first part of each period. */
const PERIOD_MS = 2000;
const BURST_MS = 700;
const WRITERS = 4;
const DOCUMENTS = 12;
const LARGE_BYTES = (1 << 20) + 100;

/** What a writer was told: the versions of each document in order; undefined: deleted. */
type Acknowledged = Map<string, (string | undefined)[]>;

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function writer(store: TestStore, number: number, end: number, told: Acknowledged): Promise<void> {
  for (let count = 0; performance.now() < end; ) {
    while (performance.now() % PERIOD_MS < BURST_MS) {
      count++;
      const path = `notes/w${number}/${count % 3}/d${count % DOCUMENTS}`;
      const versions = told.get(path) ?? [];
      told.set(path, versions);
      const isGone = versions.at(-1) === undefined;
      if (count % 7 === 0 && !isGone) {
        assert.equal((await remove(store.storage, doc(path))).kind, 'deleted');
        versions.push(undefined);
      } else {
        const body = `${number}.${count} `.padEnd(count % 97 === 0 ? LARGE_BYTES : count % 500);
        const answer: WriteResult = await put(store.storage, doc(path), body, {
          type: `text/x-${count % 5}`,
        });
        assert.equal(answer.kind, isGone ? 'created' : 'updated');
        versions.push(body);
      }
      if (count % 3 === 0) assert.equal(await textOf(store.storage, doc(path)), versions.at(-1), path);
    }
    await pause(PERIOD_MS - (performance.now() % PERIOD_MS));
  }
}

/** One after the other: git itself cannot bear a prune of everything beside a push (it deletes what is being received). */
type Turns = <T>(work: () => Promise<T>) => Promise<T>;

function openTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };
}

async function maintainer(
  repository: string,
  end: number,
  counts: Record<string, number>,
  inTurn: Turns,
): Promise<void> {
  const commands = [
    ['gc', '--prune=now', '--quiet'],
    ['pack-refs', '--all'],
    ['repack', '-a', '-d', '-q'],
    ['gc', '--quiet'],
    ['repack', '-a', '-d', '-q', '--write-midx'],
    ['prune', '--expire=now'],
  ];
  for (let count = 0; performance.now() < end; count++) {
    const command = commands[count % commands.length]!;
    const run = () => tryGit(repository, ...command);
    const prunes = command.some((word) => word === '--prune=now' || word === '--expire=now');
    const { code, stderr } = await (prunes ? inTurn(run) : run());
    // with our lock on main git leaves the ref alone, and says so
    assert.ok(code === 0 || /main\.lock/.test(stderr), `git ${command.join(' ')}: ${stderr}`);
    counts[command[0]!] = (counts[command[0]!] ?? 0) + 1;
    await pause(50);
  }
}

/** A clone has all that was acknowledged before it began, and is whole. */
async function cloner(store: TestStore, work: string, end: number, told: Acknowledged): Promise<number> {
  const repository = store.storage.repositoryFolder(ALICE, 'notes')!;
  let count = 0;
  for (; performance.now() < end; count++) {
    const acknowledged = [...told].map(([path, versions]) => [path, versions.length] as const);
    await store.storage.drain();
    const clone = join(work, `clone-${count}`);
    await git(work, 'clone', '--quiet', '--bare', '--no-local', repository, clone);
    const subjects = (await git(clone, 'log', '--format=%s')).split('\n');
    for (const [path, writes] of acknowledged) {
      const name = path.slice('notes/'.length);
      const found = subjects.filter((subject) => subject === `PUT ${name}` || subject === `DELETE ${name}`);
      assert.ok(found.length >= writes, `${path}: ${found.length} commits of ${writes} writes`);
    }
    assert.equal(await git(clone, 'fsck', '--strict', '--no-progress'), '');
    rmSync(clone, { recursive: true });
  }
  return count;
}

/**
 * A refused push can leave its commit in the repository, which no ref reaches. A fetch is told that it is there, a repack
 * deletes it at that moment, and the fetch breaks off: git's own hazard, not ours. Seen as such only if that commit is
 * the clone's own; then it is tried again.
 * @returns how often that was so
 */
async function pull(repository: string, clone: string, how: readonly string[]): Promise<number> {
  for (let broken = 0; ; broken++) {
    const { code, stderr } = await tryGit(clone, 'pull', '--quiet', ...how, 'origin', 'main');
    if (code === 0) return broken;
    const missing = /bad object ([0-9a-f]{40})/.exec(stderr)?.[1];
    assert.ok(missing, `the pull failed: ${stderr}`);
    assert.equal(await git(clone, 'cat-file', '-t', missing), 'commit', stderr);
    assert.equal(await git(clone, 'log', '-1', '--format=%an', missing), 'Bob', stderr);
    const { code: isReached } = await tryGit(repository, 'merge-base', '--is-ancestor', missing, 'main');
    assert.notEqual(isReached, 0, `${missing} is in main: ${stderr}`);
  }
}

/** Pushes a file at a time. @returns the pushed files with their commit's time, and how often main had moved */
async function pusher(repository: string, work: string, name: string, end: number, inTurn: Turns) {
  const pushed = new Map<string, { body: string; seconds: number }>();
  let retries = 0;
  let broken = 0;
  const clone = join(work, name);
  await git(work, 'clone', '--quiet', repository, clone);
  for (let count = 0; performance.now() < end; count++) {
    const file = `${name}-${count}.md`;
    const body = `pushed ${count}\n`;
    writeFileSync(join(clone, file), body);
    await git(clone, 'add', file);
    await git(clone, 'commit', '--quiet', '-m', `Add ${file}`);
    for (;;) {
      const answer = await inTurn(() => tryGit(clone, 'push', '--quiet', 'origin', 'main'));
      if (answer.code === 0) break;
      const hasMoved = /fetch first|non-fast-forward|is at [0-9a-f]+ but expected/.test(answer.stderr);
      assert.ok(hasMoved, `the push was refused: ${answer.stderr}`);
      retries++;
      broken += await pull(repository, clone, count % 2 === 0 ? ['--rebase'] : ['--no-rebase', '--no-edit']);
    }
    const seconds = await git(clone, 'log', '-1', '--format=%ct', '--', file);
    pushed.set(file, { body, seconds: Number(seconds) });
    await pause(50);
  }
  return { pushed, retries, broken };
}

async function checkNothingIsLost(store: TestStore, told: Acknowledged): Promise<void> {
  const repository = store.storage.repositoryFolder(ALICE, 'notes')!;
  const subjects = new Map<string, number>();
  for (const subject of (await git(repository, 'log', '--format=%s', 'main')).split('\n')) {
    subjects.set(subject, (subjects.get(subject) ?? 0) + 1);
  }
  for (const [path, versions] of told) {
    const name = path.slice('notes/'.length);
    const deletes = versions.filter((version) => version === undefined).length;
    assert.equal(subjects.get(`PUT ${name}`) ?? 0, versions.length - deletes, `PUT ${path}`);
    assert.equal(subjects.get(`DELETE ${name}`) ?? 0, deletes, `DELETE ${path}`);
    assert.equal((await bytesOf(store.storage, doc(path)))?.toString(), versions.at(-1), path);
    const { code, stdout } = await tryGit(repository, 'show', `main:${name}`);
    assert.equal(code === 0 ? stdout : undefined, versions.at(-1), `git show main:${name}`);
  }
}

test(`gc, repack, clones and pushes run beside writers for ${SECONDS} s, and nothing is lost`, {
  timeout: SECONDS * 1000 + 180_000,
}, async (t: TestContext) => {
  await using store = await openTestStore();
  const work = mkdtempSync(join(tmpdir(), 'gitstead-beside-'));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  await put(store.storage, doc('notes/first/a'), '1');
  await store.storage.drain();
  const repository = store.storage.repositoryFolder(ALICE, 'notes')!;
  const end = performance.now() + SECONDS * 1000;
  const told: Acknowledged = new Map();
  const counts: Record<string, number> = {};
  const inTurn = openTurns();

  const [first, second, clones] = await Promise.all([
    pusher(repository, work, 'bob', end, inTurn),
    pusher(repository, work, 'eve', end, inTurn),
    cloner(store, work, end, told),
    maintainer(repository, end, counts, inTurn),
    ...Array.from({ length: WRITERS }, (_, number) => writer(store, number, end, told)),
  ]);

  await remove(store.storage, doc('notes/no-such-document')); // looks at main
  const pushed = new Map([...first.pushed, ...second.pushed]);
  const writes = [...told.values()].reduce((sum, versions) => sum + versions.length, 0);
  t.diagnostic(
    `${writes} writes, ${pushed.size} pushes (${first.retries + second.retries} times main had moved, ${first.broken + second.broken} fetches broken by a repack), ${clones} clones, ${JSON.stringify(counts)}`,
  );
  assert.ok(pushed.size > 2 && clones > 0 && writes > 100);
  for (const [file, { body, seconds }] of pushed) {
    const info = await store.storage.document(doc(`notes/${file}`));
    const lastModified = new Date(seconds * 1000).toUTCString();
    assert.deepEqual([info?.type, info?.lastModified], ['text/markdown', lastModified], file);
    assert.equal(await textOf(store.storage, doc(`notes/${file}`)), body);
  }
  await checkNothingIsLost(store, told);
  assert.deepEqual(await storeFaults(store), []);
  await store.reopen();
  assert.deepEqual(leftovers(repository), []);
  assert.deepEqual(store.complaints(), []);
});

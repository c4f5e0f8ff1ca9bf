import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { mergeablePacks } from '../git/merge-packs.ts';
import { ObjectStore, OpenFiles } from '../git/object-store.ts';
import { packFile } from '../git/pack-files.ts';
import { gitEnvironment } from '../git/process.ts';
import { wantsReadingAids } from '../git/reading-aids.ts';
import { createRepository } from '../git/repository.ts';
import { openLog } from '../log.ts';
import { openMaintenance } from './maintenance.ts';
import { openCounters } from './measures.ts';
import { repositoryState } from './open-repository.ts';
import { openReadingAids } from './reading-aids.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-rest-'));
after(() => rmSync(root, { recursive: true, force: true }));

let made = 0;

function git(folder: string, args: string[], input = ''): string {
  return execFileSync('git', args, { env: gitEnvironment(folder), encoding: 'utf8', stdio: 'pipe', input });
}

/** One more pack, with one commit of three objects. */
function grow(folder: string): void {
  const lines = ['commit refs/heads/main', `committer a <a@example.com> ${++made} +0000`, 'data 2', 'PU'];
  if (git(folder, ['for-each-ref', 'refs/heads/main']) !== '') lines.push('from refs/heads/main^0');
  lines.push('M 644 inline a', 'data 8', String(made).padStart(8));
  git(folder, ['-c', 'fastimport.unpackLimit=1', 'fast-import', '--quiet'], `${lines.join('\n')}\n`);
}

function repositoryOfPacks(packs: number) {
  const folder = join(root, `${++made}.git`);
  createRepository(folder);
  for (let each = 0; each < packs; each++) grow(folder);
  const store = new ObjectStore(folder, new OpenFiles(4));
  store.packs();
  const row = { id: 1, user: 'alice', module: 'notes', head: null, documents: 0, bytes: 0 };
  return repositoryState(row, folder, store, null, '');
}

function indexOf(folder: string): string {
  return join(folder, 'objects/pack/multi-pack-index');
}

function isMaking(folder: string): boolean {
  return readdirSync(join(folder, 'gitstead')).some((name) => name.startsWith('.staging-aids-'));
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let waits = 0; waits < 4000 && !isTrue(); waits++) await pause(5);
  assert.ok(isTrue());
}

function openWork(lookEveryMs?: number) {
  const counters = openCounters();
  const lines: { level: number; msg: string }[] = [];
  const log = openLog('debug', { write: (line) => void lines.push(JSON.parse(line)) });
  const work = openReadingAids({ log, counters, worthObjects: 3, lookEveryMs });
  const count = () => counters.readingAids.counts.reduce((sum, each) => sum + each, 0);
  const warnings = () => lines.filter(({ level }) => level >= 40).length;
  return { work, counters, count, warnings };
}

test('a repository that rests has one pack and aids for readers, if it is worth it', async () => {
  const counters = openCounters();
  const maintenance = openMaintenance({
    ...{ log: openLog('silent'), counters, quietAfterMs: 5, restAfterMs: 10, worthObjects: 6 },
  });
  const [small, large] = [repositoryOfPacks(1), repositoryOfPacks(2)];
  for (const repository of [small, large]) maintenance.consider(repository);
  await until(() => existsSync(indexOf(large.folder)));
  await maintenance.close();
  assert.equal(mergeablePacks(large.folder).length, 1);
  assert.equal(existsSync(join(large.folder, 'objects/info/commit-graph')), true);
  assert.equal(existsSync(indexOf(small.folder)), false);
  assert.equal(git(large.folder, ['fsck', '--strict', '--no-progress']), '');
});

test('one that was closed before is left as it is, and so are all once maintenance is closed', async () => {
  const options = { log: openLog('silent'), counters: openCounters(), quietAfterMs: 1, restAfterMs: 1 };
  const maintenance = openMaintenance({ ...options, worthObjects: 3 });
  const [gone, other, late] = [repositoryOfPacks(2), repositoryOfPacks(2), repositoryOfPacks(2)];
  for (const repository of [gone, other]) maintenance.consider(repository);
  gone.isClosed = true;
  maintenance.forget(gone);
  await until(() => existsSync(indexOf(other.folder)));
  await maintenance.close();
  maintenance.consider(late);
  await pause(30);
  for (const { folder } of [gone, late]) assert.equal(existsSync(indexOf(folder)), false);
});

test('they are counted, and not made again before a hundred times their time', async () => {
  const { work, count } = openWork();
  const repository = repositoryOfPacks(1);
  assert.equal(work.areDue(repository), true);
  work.add(repository, 60_000);
  await until(() => count() === 1 && !isMaking(repository.folder));
  grow(repository.folder);
  assert.equal(wantsReadingAids(repository.folder, 3), true);
  await until(() => !work.areDue(repository));
  await work.close();
});

test('they are made for one repository at a time', async () => {
  const { work, count } = openWork();
  const [first, second] = [repositoryOfPacks(1), repositoryOfPacks(1)];
  work.add(first, 0);
  work.add(second, 0);
  assert.deepEqual([isMaking(first.folder), isMaking(second.folder)], [true, false]);
  await until(() => count() === 2);
  assert.ok(existsSync(indexOf(first.folder)) && existsSync(indexOf(second.folder)));
  await work.close();
});

test('a merge or an end of the server ends the making at once: nothing is left of it, and the next has its turn', async () => {
  const { work, count, warnings } = openWork();
  const [first, second, third] = [repositoryOfPacks(1), repositoryOfPacks(1), repositoryOfPacks(1)];
  for (const repository of [first, second, third]) work.add(repository, 0);
  await work.giveUp(third);
  await work.giveUp(first);
  assert.deepEqual([isMaking(first.folder), existsSync(indexOf(first.folder))], [false, false]);
  await until(() => count() === 1);
  assert.ok(existsSync(indexOf(second.folder)));
  work.add(third, 0);
  await work.close();
  work.add(first, 0);
  for (const { folder } of [first, third]) {
    assert.deepEqual([isMaking(folder), existsSync(indexOf(folder))], [false, false]);
  }
  assert.equal(warnings(), 0);
});

test('a git that fails is told of once, and not tried again soon', async () => {
  const { work, counters, warnings, count } = openWork();
  const broken = [repositoryOfPacks(1), repositoryOfPacks(1)];
  for (const { folder } of broken) writeFileSync(join(folder, 'HEAD'), 'of no branch');
  for (const repository of broken) work.add(repository, 0);
  await until(() => counters.readingAidsFailed === 2);
  assert.deepEqual([warnings(), count()], [1, 0]);
  await until(() => broken.every((repository) => !work.areDue(repository)));
  await work.close();
});

test('what was made is looked at afterwards: an index goes when a repack takes packs that it names', async () => {
  const { work, count } = openWork(5);
  const { folder, ...rest } = repositoryOfPacks(1);
  work.add({ folder, ...rest }, 0);
  await until(() => count() === 1);
  const [old] = mergeablePacks(folder);
  grow(folder);
  git(folder, ['repack', '-aq', '--no-write-bitmap-index']);
  for (const ending of ['idx', 'pack']) rmSync(packFile(folder, old!.name, ending));
  await until(() => !existsSync(indexOf(folder)));
  assert.equal(git(folder, ['fsck', '--strict', '--no-progress']), '');
  await work.close();
});

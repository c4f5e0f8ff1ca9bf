import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openSmallDisk } from '../../test/crash/small-disk.ts';
import { clearStaging } from './durable.ts';
import { mergeablePacks, mergePacks } from './merge-packs.ts';
import { mendMultiPackIndex, readMultiPackIndex } from './multi-pack-index.ts';
import { keepPack, packFile, removePack } from './pack-files.ts';
import { gitEnvironment } from './process.ts';
import { makeReadingAids, wantsReadingAids } from './reading-aids.ts';
import { createRepository } from './repository.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-aids-'));
after(() => rmSync(root, { recursive: true, force: true }));

let made = 0;

function git(bare: string, args: string[], input = ''): string {
  return execFileSync('git', args, { env: gitEnvironment(bare), encoding: 'utf8', stdio: 'pipe', input });
}

/** One more pack of so many commits on main, three objects each. */
function grow(bare: string, commits: number, from = 'refs/heads/main'): void {
  const lines: string[] = [];
  const isNew = git(bare, ['for-each-ref', from]) === '';
  for (let each = 0; each < commits; each++) {
    const text = `${made++} of ${bare}`;
    lines.push('commit refs/heads/main', `committer a <a@example.com> ${made} +0000`, 'data 2', 'PU');
    if (each === 0 && !isNew) lines.push(`from ${from}^0`);
    lines.push(`M 644 inline a/${made % 7}`, `data ${text.length}`, text);
  }
  git(bare, ['-c', 'fastimport.unpackLimit=1', 'fast-import', '--quiet', '--force'], `${lines.join('\n')}\n`);
}

function repositoryOfPacks(packs: number, commits = 4, folder = root): string {
  const bare = join(folder, `${++made}.git`);
  createRepository(bare);
  for (let each = 0; each < packs; each++) grow(bare, commits);
  return bare;
}

function namedPacks(bare: string): string[] | undefined {
  const index = readMultiPackIndex(bare);
  return index?.kind === 'readable' ? index.packs : undefined;
}

/** What there is of aids, and of what making them leaves. */
function aidsOf(bare: string): { index: boolean; bitmap: boolean; graph: boolean } {
  const files = readdirSync(join(bare, 'objects/pack'));
  assert.deepEqual(
    [...files, ...readdirSync(join(bare, 'gitstead'))].filter((name) => /lock|tmp|staging/.test(name)),
    [],
  );
  return {
    index: files.includes('multi-pack-index'),
    bitmap: files.some((name) => name.endsWith('.bitmap')),
    graph: existsSync(join(bare, 'objects/info/commit-graph')),
  };
}

const ALL = { index: true, bitmap: true, graph: true };
const NONE = { index: false, bitmap: false, graph: false };

function assertSound(bare: string): void {
  assert.equal(git(bare, ['fsck', '--strict', '--no-dangling', '--no-progress']), '');
}

test('an index of all packs, its bitmap and a graph of all commits are made, and git finds them right', async () => {
  const bare = repositoryOfPacks(3);
  assert.deepEqual(await makeReadingAids(bare), { kind: 'made', bitmap: true });
  assert.deepEqual(aidsOf(bare), ALL);
  assert.deepEqual(new Set(namedPacks(bare)), new Set(mergeablePacks(bare).map(({ name }) => name)));
  git(bare, ['multi-pack-index', 'verify']);
  git(bare, ['commit-graph', 'verify']);
  git(bare, ['rev-list', '--test-bitmap', 'main']);
  assertSound(bare);
});

test('they are wanted where enough objects are in packs that no index names', async () => {
  const bare = repositoryOfPacks(1, 3);
  const objects = Number(/^in-pack: (\d+)$/m.exec(git(bare, ['count-objects', '-v']))![1]);
  assert.deepEqual([wantsReadingAids(bare, objects), wantsReadingAids(bare, objects + 1)], [true, false]);
  assert.equal(wantsReadingAids(bare), false);
  await makeReadingAids(bare);
  assert.equal(wantsReadingAids(bare, 1), false);
  grow(bare, 1);
  assert.equal(wantsReadingAids(bare, 4), true);
  assert.equal(wantsReadingAids(bare, 5), false);
});

test('packs that come later do no harm, and new aids take the place of the old ones', async () => {
  const bare = repositoryOfPacks(2);
  await makeReadingAids(bare);
  grow(bare, 2);
  assertSound(bare);
  assert.equal(git(bare, ['rev-list', '--count', '--use-bitmap-index', 'main']).trim(), '10');
  assert.deepEqual(await makeReadingAids(bare), { kind: 'made', bitmap: true });
  assert.equal(namedPacks(bare)?.length, 3);
  assert.equal(readdirSync(join(bare, 'objects/pack')).filter((name) => name.startsWith('multi')).length, 2);
  assertSound(bare);
});

test('where objects stand outside of packs there is an index without a bitmap', async () => {
  const bare = repositoryOfPacks(2);
  await makeReadingAids(bare);
  const tree = git(bare, ['rev-parse', 'main^{tree}']).trim();
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
  const loose = git(bare, [...identity, 'commit-tree', tree, '-p', 'main', '-m', 'loose']).trim();
  git(bare, ['update-ref', 'refs/heads/main', loose]);
  grow(bare, 1);
  assert.deepEqual(await makeReadingAids(bare), { kind: 'made', bitmap: false });
  assert.deepEqual(aidsOf(bare), { index: true, bitmap: false, graph: true });
  assertSound(bare);
});

test('a pack of ours that no ref reaches yet is not named', async () => {
  const bare = repositoryOfPacks(2);
  const [first] = mergeablePacks(bare);
  grow(bare, 2);
  const last = mergeablePacks(bare).at(-1)!.name;
  assert.notEqual(last, first!.name);
  keepPack(bare, last);
  await makeReadingAids(bare);
  assert.equal(namedPacks(bare)?.includes(last), false);
  assert.equal(namedPacks(bare)?.length, 2);
});

test('nothing is made while another program is at it, unless that has died', async () => {
  const bare = repositoryOfPacks(2);
  const pidFile = join(bare, 'gc.pid');
  writeFileSync(pidFile, '1 elsewhere');
  assert.deepEqual(await makeReadingAids(bare), { kind: 'given-up', reason: 'others at work' });
  assert.deepEqual(aidsOf(bare), NONE);
  const yesterday = new Date(Date.now() - 24 * 3_600_000);
  utimesSync(pidFile, yesterday, yesterday);
  assert.equal((await makeReadingAids(bare)).kind, 'made');
});

test('when packs are merged meanwhile, or afterwards, no index names one that is gone', async () => {
  const bare = repositoryOfPacks(4);
  const making = makeReadingAids(bare);
  mergePacks(
    bare,
    mergeablePacks(bare)
      .slice(0, 2)
      .map(({ name }) => name),
  );
  assert.deepEqual(await making, { kind: 'given-up', reason: 'pack gone' });
  assert.deepEqual(aidsOf(bare), NONE);
  await makeReadingAids(bare);
  mergePacks(
    bare,
    mergeablePacks(bare).map(({ name }) => name),
  );
  assert.deepEqual(aidsOf(bare), NONE);
  assertSound(bare);
});

test('any other removal of a pack takes an index that names it along', async () => {
  const bare = repositoryOfPacks(2);
  await makeReadingAids(bare);
  removePack(bare, `pack-${'1'.repeat(40)}`);
  assert.deepEqual(aidsOf(bare), ALL);
  git(bare, ['repack', '-a', '-q', '--no-write-bitmap-index']);
  for (const { name } of mergeablePacks(bare).slice(0, 2)) removePack(bare, name);
  assert.deepEqual(aidsOf(bare), NONE);
  assertSound(bare);
});

for (const command of [
  ['gc', '--quiet'],
  ['gc', '--quiet', '--prune=now'],
  ['repack', '-adq'],
]) {
  test(`git ${command.join(' ')} meanwhile and afterwards leaves a repository that is sound`, async () => {
    const bare = repositoryOfPacks(3);
    const making = makeReadingAids(bare);
    git(bare, command);
    assert.deepEqual(await making, { kind: 'given-up', reason: 'pack gone' });
    assertSound(bare);
    grow(bare, 3);
    await makeReadingAids(bare);
    assertSound(bare);
    git(bare, command);
    mendMultiPackIndex(bare);
    assertSound(bare);
    assert.equal(aidsOf(bare).index, false);
  });
}

test('an index whose packs went without its being told is removed when it is looked at, and that of others, too', async () => {
  const bare = repositoryOfPacks(2);
  await makeReadingAids(bare);
  assert.equal(mendMultiPackIndex(bare), false);
  assert.deepEqual(aidsOf(bare), ALL);
  const old = mergeablePacks(bare).map(({ name }) => name);
  // as by a repack that began before there was an index
  git(bare, ['repack', '-aq', '--no-write-bitmap-index']);
  for (const name of old) for (const ending of ['idx', 'pack']) rmSync(packFile(bare, name, ending));
  assert.throws(() => assertSound(bare));
  assert.equal(mendMultiPackIndex(bare), true);
  assert.deepEqual(aidsOf(bare), NONE);
  assertSound(bare);
});

test('a graph of ours goes when a repack dropped its commits, one of a gc stays', async () => {
  const bare = repositoryOfPacks(1);
  await makeReadingAids(bare);
  grow(bare, 1, 'refs/heads/main~2');
  git(bare, ['repack', '-adq', '--no-write-bitmap-index']);
  assert.throws(() => assertSound(bare));
  assert.equal(mendMultiPackIndex(bare), true);
  assert.deepEqual(aidsOf(bare), NONE);
  assertSound(bare);
  await makeReadingAids(bare);
  git(bare, ['gc', '--quiet']);
  mendMultiPackIndex(bare);
  assert.equal(aidsOf(bare).graph, true);
});

test('a making that is ended leaves what stood, and nothing half-made', async () => {
  const bare = repositoryOfPacks(2);
  await makeReadingAids(bare);
  grow(bare, 2);
  const named = namedPacks(bare);
  const end = new AbortController();
  const making = makeReadingAids(bare, end.signal);
  end.abort();
  assert.deepEqual(await making, { kind: 'given-up', reason: 'aborted' });
  assert.deepEqual(aidsOf(bare), ALL);
  assert.deepEqual(namedPacks(bare), named);
  assertSound(bare);
});

test('a git that goes on after its folder was cleared away changes nothing, and what it leaves goes with the next making', async () => {
  const bare = repositoryOfPacks(2);
  await makeReadingAids(bare);
  const named = namedPacks(bare);
  grow(bare, 2);
  const making = makeReadingAids(bare);
  clearStaging(join(bare, 'gitstead'));
  await assert.rejects(making, { code: 'internal' });
  assert.deepEqual(namedPacks(bare), named);
  mkdirSync(join(bare, 'gitstead/.staging-aids-old/pack'), { recursive: true });
  assert.equal((await makeReadingAids(bare)).kind, 'made');
  assert.deepEqual(aidsOf(bare), ALL);
  assertSound(bare);
});

test('when git fails there is an error with its words, and nothing half-made', async () => {
  const bare = repositoryOfPacks(2);
  await makeReadingAids(bare);
  const named = namedPacks(bare);
  grow(bare, 2);
  writeFileSync(join(bare, 'HEAD'), 'of no branch');
  await assert.rejects(makeReadingAids(bare), {
    code: 'internal',
    message: /^git multi-pack-index ended with code/,
  });
  assert.deepEqual(aidsOf(bare), ALL);
  assert.deepEqual(namedPacks(bare), named);
});

test('on a full disk there is an error, what stood stays, and when there is room again they are made', async (t) => {
  const disk = openSmallDisk(t, 4);
  if (!disk) return;
  try {
    const bare = repositoryOfPacks(2, 4, disk.folder);
    await makeReadingAids(bare);
    const named = namedPacks(bare);
    grow(bare, 500);
    disk.fill(16 << 10);
    await assert.rejects(makeReadingAids(bare), { code: 'internal' });
    assert.deepEqual(aidsOf(bare), ALL);
    assert.deepEqual(namedPacks(bare), named);
    disk.fill();
    await assert.rejects(makeReadingAids(bare), { code: 'ENOSPC' });
    disk.free();
    assert.equal((await makeReadingAids(bare)).kind, 'made');
    assertSound(bare);
  } finally {
    disk.remove();
  }
});

test('an index that is cut short or unknown is left to git, and goes with any pack', async () => {
  const bare = repositoryOfPacks(2);
  await makeReadingAids(bare);
  const path = join(bare, 'objects/pack/multi-pack-index');
  for (const length of [0, 5, 20, 40]) {
    rmSync(path, { force: true });
    writeFileSync(path, 'MIDX\x01\x01\x05\x00\x00\x00\x00\x02'.padEnd(100, '\0'), 'latin1');
    truncateSync(path, length);
    assert.deepEqual(readMultiPackIndex(bare), { kind: 'unreadable' });
  }
  assert.equal(mendMultiPackIndex(bare), false);
  removePack(bare, `pack-${'1'.repeat(40)}`);
  assert.deepEqual(aidsOf(bare), NONE);
  assertSound(bare);
});

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { EMPTY_TREE, type Oid } from './object-id.ts';
import { gitEnvironment } from './process.ts';
import {
  findPackedRef,
  MAIN,
  moveRef,
  readRef,
  refStamp,
  releaseRefLock,
  removeOurLock,
  syncRef,
  takeRefLock,
} from './refs.ts';
import { createRepository } from './repository.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-refs-'));
after(() => rmSync(root, { recursive: true, force: true }));

let made = 0;
function newRepository(): string {
  const path = join(root, `${++made}.git`);
  createRepository(path);
  return path;
}

function git(gitDir: string, ...args: string[]): string {
  const person = {
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@b',
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@b',
  };
  return execFileSync('git', args, {
    env: gitEnvironment(gitDir, person),
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    input: '',
  }).trim();
}

/** `count` commits on the empty tree, made by git, each the child of the one before. */
function commits(gitDir: string, count: number): Oid[] {
  git(gitDir, 'hash-object', '-w', '-t', 'tree', '--stdin');
  const oids: Oid[] = [];
  for (let i = 0; i < count; i++) {
    const parents = i === 0 ? [] : ['-p', oids[i - 1]!];
    oids.push(git(gitDir, 'commit-tree', EMPTY_TREE, ...parents, '-m', `${i}`) as Oid);
  }
  return oids;
}

function move(gitDir: string, head: Oid): void {
  assert.equal(takeRefLock(gitDir), 'taken');
  moveRef(gitDir, head);
}

test('a ref that was never written is absent', () => {
  const bare = newRepository();
  assert.equal(readRef(bare, MAIN), undefined);
  assert.equal(refStamp(bare, MAIN), 'absent');
});

test('git sees each head at once, however often the two files take turns', () => {
  const bare = newRepository();
  const heads = commits(bare, 3);
  const stamps = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const head = heads[i % 3]!;
    move(bare, head);
    assert.equal(readRef(bare, MAIN), head);
    if (i < 6) assert.equal(git(bare, 'rev-parse', MAIN), head);
    assert.ok(!existsSync(join(bare, `${MAIN}.lock`)));
    stamps.add(refStamp(bare, MAIN).split('-')[0]!);
  }
  assert.equal(stamps.size, 2, 'two inodes, used in turn');
  git(bare, 'fsck', '--strict');
});

test('while the lock is ours, git update-ref fails and moves nothing; afterwards it gets its turn', () => {
  const bare = newRepository();
  const [first, second] = commits(bare, 2) as [Oid, Oid];
  move(bare, first);
  assert.equal(takeRefLock(bare), 'taken');
  assert.equal(takeRefLock(bare), 'held-by-us');
  const refused = spawnSync('git', ['-c', 'core.filesRefLockTimeout=0', 'update-ref', MAIN, second], {
    env: gitEnvironment(bare),
    encoding: 'utf8',
  });
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /main\.lock/);
  assert.equal(readRef(bare, MAIN), first);
  releaseRefLock(bare);
  git(bare, 'update-ref', MAIN, second);
  assert.equal(readRef(bare, MAIN), second);
  move(bare, first);
  assert.equal(git(bare, 'rev-parse', MAIN), first);
});

test('a git that waits for our lock gets its turn when we let go', async () => {
  const bare = newRepository();
  const [first, second] = commits(bare, 2) as [Oid, Oid];
  move(bare, first);
  assert.equal(takeRefLock(bare), 'taken');
  // core.filesRefLockTimeout of our own repositories: it waits for up to 5 s
  const waiting = promisify(execFile)('git', ['update-ref', MAIN, second], { env: gitEnvironment(bare) });
  assert.equal(readRef(bare, MAIN), first);
  releaseRefLock(bare);
  await waiting;
  assert.equal(readRef(bare, MAIN), second);
});

test("a lock of git's is told from ours, and neither taken, moved nor removed", () => {
  const bare = newRepository();
  const [head] = commits(bare, 1) as [Oid];
  writeFileSync(join(bare, `${MAIN}.lock`), '');
  assert.equal(takeRefLock(bare), 'held-by-other');
  assert.throws(() => moveRef(bare, head), { code: 'not-ready' });
  releaseRefLock(bare);
  assert.equal(removeOurLock(bare), false);
  assert.equal(readFileSync(join(bare, `${MAIN}.lock`), 'utf8'), '');
  assert.equal(readRef(bare, MAIN), undefined);
});

test('recovery removes our lock once, and leaves the ref as it was', () => {
  const bare = newRepository();
  const [head] = commits(bare, 1) as [Oid];
  move(bare, head);
  assert.equal(takeRefLock(bare), 'taken');
  assert.equal(removeOurLock(bare), true);
  assert.equal(removeOurLock(bare), false);
  assert.equal(readRef(bare, MAIN), head);
  assert.throws(() => moveRef(bare, head), { code: 'not-ready' }, 'a lock that is gone moves nothing');
});

test('a ref that git has packed is read, and moved again', () => {
  const bare = newRepository();
  const [first, second] = commits(bare, 2) as [Oid, Oid];
  move(bare, first);
  git(bare, 'tag', '-a', 'v1', '-m', 'tag', first);
  const loose = refStamp(bare, MAIN);
  git(bare, 'pack-refs', '--all');
  assert.ok(!existsSync(join(bare, MAIN)));
  assert.equal(readRef(bare, MAIN), first);
  assert.notEqual(refStamp(bare, MAIN), loose);
  assert.equal(readRef(bare, 'refs/heads/mai'), undefined);
  assert.notEqual(readRef(bare, 'refs/tags/v1'), undefined);
  move(bare, second);
  assert.equal(readRef(bare, MAIN), second);
  assert.equal(git(bare, 'rev-parse', MAIN), second);
});

test('git pack-refs under our lock leaves both the ref and the lock', () => {
  const bare = newRepository();
  const [first, second] = commits(bare, 2) as [Oid, Oid];
  move(bare, first);
  assert.equal(takeRefLock(bare), 'taken');
  spawnSync('git', ['-c', 'core.filesRefLockTimeout=0', 'pack-refs', '--all'], { env: gitEnvironment(bare) });
  assert.equal(readRef(bare, MAIN), first);
  moveRef(bare, second);
  assert.equal(git(bare, 'rev-parse', MAIN), second);
});

test('folders that vanished are made again', () => {
  const bare = newRepository();
  const [first, second] = commits(bare, 2) as [Oid, Oid];
  rmSync(join(bare, 'refs/heads'), { recursive: true });
  rmSync(join(bare, 'gitstead'), { recursive: true });
  move(bare, first);
  rmSync(join(bare, 'gitstead/ref-b'), { force: true });
  rmSync(join(bare, 'gitstead/ref-a'), { force: true });
  move(bare, second);
  assert.equal(git(bare, 'rev-parse', MAIN), second);
});

test('a repository that is gone is not made again by a lock', () => {
  const bare = newRepository();
  rmSync(bare, { recursive: true });
  assert.throws(() => takeRefLock(bare), { code: 'not-ready' });
  assert.ok(!existsSync(bare));
});

test('an empty folder at the place of main gives way', () => {
  const bare = newRepository();
  const [head] = commits(bare, 1) as [Oid];
  mkdirSync(join(bare, MAIN));
  assert.equal(readRef(bare, MAIN), undefined);
  move(bare, head);
  assert.equal(readRef(bare, MAIN), head);
});

test('a copy of the repository made with hard links does not change with it', () => {
  const bare = newRepository();
  const heads = commits(bare, 3);
  move(bare, heads[0]!);
  linkSync(join(bare, MAIN), join(root, 'copy-of-main'));
  move(bare, heads[1]!);
  move(bare, heads[2]!);
  assert.equal(readFileSync(join(root, 'copy-of-main'), 'utf8').trim(), heads[0]);
  assert.equal(git(bare, 'rev-parse', MAIN), heads[2]);
});

test('a ref file that holds no object id is an error, never an absent ref', () => {
  const bare = newRepository();
  for (const content of [
    '',
    'ref: refs/heads/other\n',
    `${'g'.repeat(40)}\n`,
    `${'1'.repeat(41)}\n`,
    '\0'.repeat(41),
  ]) {
    writeFileSync(join(bare, MAIN), content);
    assert.throws(() => readRef(bare, MAIN), { code: 'corrupt' }, JSON.stringify(content));
  }
});

test('syncRef waits for a loose ref and for a packed one', async () => {
  const bare = newRepository();
  const [head] = commits(bare, 1) as [Oid];
  move(bare, head);
  await syncRef(bare);
  git(bare, 'pack-refs', '--all');
  await syncRef(bare);
  assert.equal(readRef(bare, MAIN), head);
});

test('the files of the lock are for their owner only', () => {
  const bare = newRepository();
  const heads = commits(bare, 2);
  move(bare, heads[0]!);
  move(bare, heads[1]!);
  assert.equal(statSync(join(bare, MAIN)).mode & 0o777, 0o600);
});

test('whatever packed-refs holds, only an answer or a corrupt error comes out', () => {
  const oid = '1'.repeat(40);
  const part = fc.oneof(
    fc.constantFrom(
      '\n',
      ' ',
      '#',
      '^',
      oid,
      MAIN,
      ` ${MAIN}\n`,
      `${oid} ${MAIN}`,
      '# pack-refs with: peeled\n',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      try {
        const found = findPackedRef(parts.join(''), MAIN);
        assert.ok(found === undefined || /^[0-9a-f]{40}$/.test(found));
      } catch (error) {
        assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
      }
    }),
  );
  assert.equal(findPackedRef(`# x\n${oid} ${MAIN}x\n${oid} ${MAIN}\n^${oid}\n`, MAIN), oid);
});

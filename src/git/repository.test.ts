import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gitEnvironment } from './process.ts';
import { checkRepository, createRepository, mendRepository } from './repository.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-repository-'));
after(() => rmSync(root, { recursive: true, force: true }));

const person = {
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.org',
  GIT_ALLOW_PROTOCOL: 'file',
};

function git(gitDir: string, ...args: string[]): string {
  return execFileSync('git', args, { env: gitEnvironment(gitDir, person), encoding: 'utf8', stdio: 'pipe' });
}

function gitInWorkTree(folder: string, ...args: string[]): string {
  return git(join(folder, '.git'), '-C', folder, `--work-tree=${folder}`, ...args);
}

function newRepository(name: string): string {
  const path = join(root, 'repos', name);
  createRepository(path);
  return path;
}

test('stock git accepts a new repository, pushes into it, packs it and clones it', () => {
  const bare = newRepository('accepted.git');
  assert.equal(git(bare, 'fsck', '--strict'), '');
  assert.equal(git(bare, 'rev-parse', '--is-bare-repository').trim(), 'true');
  const work = join(root, 'work');
  execFileSync('git', ['clone', '-q', bare, work], {
    env: { ...gitEnvironment('', person), GIT_DIR: undefined } as NodeJS.ProcessEnv,
    stdio: 'pipe',
  });
  writeFileSync(join(work, 'a.txt'), 'one\n');
  gitInWorkTree(work, 'add', 'a.txt');
  gitInWorkTree(work, 'commit', '-qm', 'one');
  gitInWorkTree(work, 'push', '-q', bare, 'HEAD:refs/heads/main');
  assert.equal(git(bare, 'log', '--format=%s', 'main').trim(), 'one');
  assert.equal(git(bare, 'count-objects').split(' ')[0], '0', 'a push is kept as a pack');
  git(bare, 'gc', '-q');
  git(bare, 'repack', '-adq');
  git(bare, 'pack-refs', '--all');
  git(bare, 'fsck', '--strict');
  assert.equal(git(bare, 'cat-file', '-p', 'main:a.txt'), 'one\n');
  checkRepository(bare);
});

test('a new repository is for its owner only, and leaves nothing half-made behind', () => {
  const bare = newRepository('modes.git');
  for (const entry of readdirSync(bare, { recursive: true, encoding: 'utf8' })) {
    const stats = statSync(join(bare, entry));
    assert.equal(stats.mode & 0o777, stats.isDirectory() ? 0o700 : 0o600, entry);
  }
  assert.equal(statSync(bare).mode & 0o777, 0o700);
  assert.deepEqual(
    readdirSync(join(root, 'repos')).filter((name) => name.startsWith('.staging-')),
    [],
  );
});

test('a repository is never made over something that stands there', () => {
  const path = join(root, 'repos', 'taken.git');
  mkdirSync(path, { recursive: true });
  assert.throws(() => createRepository(path), { code: 'not-ready' });
  assert.deepEqual(readdirSync(path), []);
  assert.deepEqual(
    readdirSync(join(root, 'repos')).filter((name) => name.startsWith('.staging-')),
    [],
  );
});

const refusals: [string, RegExp, (bare: string) => void][] = [
  ['one that is missing', /missing/, (bare) => rmSync(bare, { recursive: true })],
  ['a folder without HEAD', /not a git repository/, (bare) => rmSync(join(bare, 'HEAD'))],
  [
    'a folder without objects',
    /not a git repository/,
    (bare) => rmSync(join(bare, 'objects'), { recursive: true }),
  ],
  ['an empty HEAD', /HEAD is damaged/, (bare) => writeFileSync(join(bare, 'HEAD'), '')],
  ['SHA-256', /SHA-256/, (bare) => addConfig(bare, '[extensions]\n\tobjectFormat = sha256\n')],
  ['reftable', /reftable/, (bare) => addConfig(bare, '[Extensions] refStorage = "reftable" ; new\n')],
  ['a partial clone', /partial/, (bare) => addConfig(bare, '[extensions]\npartialClone = origin\n')],
  [
    'a later format',
    /version is 2/,
    (bare) => addConfig(bare, '[core]\nrepositoryformatversion=2 # later\n'),
  ],
  ['a shallow one', /shallow/, (bare) => writeFileSync(join(bare, 'shallow'), `${'1'.repeat(40)}\n`)],
  [
    'one with borrowed objects',
    /alternates/,
    (bare) => {
      mkdirSync(join(bare, 'objects/info'));
      writeFileSync(join(bare, 'objects/info/alternates'), '/elsewhere/objects\n');
    },
  ],
];

function addConfig(bare: string, lines: string): void {
  writeFileSync(join(bare, 'config'), lines, { flag: 'a' });
}

for (const [index, [what, reason, damage]] of refusals.entries()) {
  test(`checkRepository refuses ${what}, and says so`, () => {
    const bare = newRepository(`refused-${index}.git`);
    checkRepository(bare);
    damage(bare);
    assert.throws(() => checkRepository(bare), { code: 'not-ready', message: reason });
  });
}

test('checkRepository accepts extensions of stock git that change nothing for us', () => {
  const bare = newRepository('extended.git');
  addConfig(
    bare,
    '[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = sha1\npreciousObjects\n',
  );
  addConfig(bare, '[remote "extensions"]\n\tobjectFormat = sha256\n');
  checkRepository(bare);
});

test('checkRepository says that a real SHA-256 repository cannot be used', () => {
  const bare = join(root, 'sha256.git');
  execFileSync('git', ['init', '-q', '--bare', '--object-format=sha256', bare], { stdio: 'pipe' });
  assert.throws(() => checkRepository(bare), { code: 'not-ready', message: /SHA-256/ });
});

test('a repository whose files lost their bytes in a power loss is mended; a healthy one is left alone', () => {
  const bare = newRepository('mended.git');
  const config = readFileSync(join(bare, 'config'), 'utf8');
  writeFileSync(join(bare, 'HEAD'), '\0'.repeat(21));
  writeFileSync(join(bare, 'config'), '');
  rmSync(join(bare, 'objects/pack'), { recursive: true });
  assert.throws(() => checkRepository(bare), { code: 'not-ready' });
  mendRepository(bare);
  checkRepository(bare);
  assert.equal(readFileSync(join(bare, 'config'), 'utf8'), config);
  assert.equal(git(bare, 'symbolic-ref', 'HEAD').trim(), 'refs/heads/main');
  addConfig(bare, '[user]\n\tname = kept\n');
  mendRepository(bare);
  assert.match(readFileSync(join(bare, 'config'), 'utf8'), /kept/);
  const absent = join(root, 'repos', 'absent.git');
  mendRepository(absent);
  assert.ok(!existsSync(absent));
});

test('git makes the folders that a new repository leaves out', () => {
  const bare = newRepository('folders.git');
  const commit = git(
    bare,
    'commit-tree',
    git(bare, 'hash-object', '-wt', 'tree', '/dev/null').trim(),
    '-m',
    'm',
  );
  git(bare, 'update-ref', 'refs/heads/main', commit.trim());
  git(bare, 'tag', 'v1', 'main');
  git(bare, 'commit-graph', 'write', '--reachable');
  git(bare, 'update-server-info');
  git(bare, 'repack', '-ad');
  assert.equal(git(bare, 'fsck', '--strict'), '');
});

// Backups over a real store: whole while it is written to, incremental, and servable.
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
import { openAccounts } from '../../src/db/open-accounts.ts';
import { openLog } from '../../src/log.ts';
import { NO_PRECONDITION } from '../../src/protocol/conditions.ts';
import { documentPath, parseUserName, type UserName } from '../../src/protocol/paths.ts';
import { type BackupReport, backUp } from '../../src/storage/backup.ts';
import { check } from '../../src/storage/check.ts';
import { claimDataFolder, partsOf } from '../../src/storage/data-folder.ts';
import { openStore, type Store } from '../../src/storage/open-store.ts';
import { bytesOf } from '../open-test-store.ts';

const temporary = mkdtempSync(join(tmpdir(), 'gitstead-backup-test-'));
after(() => rmSync(temporary, { recursive: true, force: true }));
let count = 0;
const newPath = (name: string) => join(temporary, `${count++}-${name}`);
const log = openLog('silent');
const alice = parseUserName('alice')!;
const bob = parseUserName('bob')!;

type Opened = AsyncDisposable & { store: Store; folder: string };

async function openFolder(folder = newPath('data')): Promise<Opened> {
  const stack = new AsyncDisposableStack();
  stack.use(await claimDataFolder(folder));
  const accounts = await openAccounts(partsOf(folder).accounts, Date.now);
  for (const name of [alice, bob]) {
    if (!(await accounts.users.find(name))) {
      await accounts.users.create({ name, password: 'correct horse', isAdmin: false });
    }
  }
  await accounts.close();
  const options = {
    dataFolder: folder,
    host: 'localhost',
    documentLimitBytes: 2 ** 30,
    memoryBytes: 2 ** 24,
  };
  const store = stack.use(await openStore(options, log, Date.now));
  return { store, folder, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function put(store: Store, user: UserName, path: string, body: string): Promise<void> {
  const bytes = Buffer.from(body);
  const result = await store.storage.put(documentPath(user, path.split('/')), {
    type: 'text/plain',
    body: (async function* () {
      yield bytes;
    })(),
    length: bytes.length,
    precondition: NO_PRECONDITION,
    author: { user, app: undefined, grant: undefined },
    quotaBytes: undefined,
  });
  assert.match(result.kind, /created|updated/);
}

async function read(store: Store, user: UserName, path: string): Promise<string | undefined> {
  const document = documentPath(user, path.split('/'));
  return (await bytesOf(store.storage, document))?.toString();
}

function backUpTo(opened: Opened, to: string): Promise<BackupReport> {
  return backUp({
    from: opened.folder,
    to,
    drain: (user, module) => opened.store.storage.drain(user as UserName, module),
    report: () => {},
  });
}

/** `alice notes/a.txt` for each document of the module, as stock git finds them. */
function documentsIn(folder: string, user: UserName, module: string): string[] {
  const gitDir = join(folder, 'repos', user, `${module}.git`);
  const output = execFileSync('git', ['-C', gitDir, 'ls-tree', '-r', '--name-only', 'main'], {
    maxBuffer: 2 ** 28,
  });
  return output
    .toString()
    .split('\n')
    .map((path) => `${user} ${module}/${path}`);
}

async function assertSound({ store, folder }: Opened): Promise<void> {
  const { storage, index } = store;
  const { faults } = await check({ storage, index, repositoriesFolder: partsOf(folder).repositories });
  assert.deepEqual(faults, []);
}

test('a backup is a data folder: accounts, settings, documents and history are in it', async () => {
  await using source = await openFolder();
  writeFileSync(join(source.folder, 'gitstead.yaml'), 'port: 8001\n');
  await put(source.store, alice, 'notes/a/b.txt', 'one');
  await put(source.store, alice, 'notes/a/b.txt', 'two');
  await put(source.store, alice, 'at-the-root.txt', 'root');
  await put(source.store, bob, 'Photos/cat.jpg', 'meow');
  const to = newPath('backup');
  const report = await backUpTo(source, to);
  assert.deepEqual(report.faults, []);
  assert.equal(report.repositories, 3);
  assert.equal(statSync(to).mode & 0o777, 0o700);
  assert.equal(readFileSync(join(to, 'gitstead.yaml'), 'utf8'), 'port: 8001\n');

  await using copy = await openFolder(to);
  assert.equal(await read(copy.store, alice, 'notes/a/b.txt'), 'two');
  assert.equal(await read(copy.store, alice, 'at-the-root.txt'), 'root');
  assert.equal(await read(copy.store, bob, 'Photos/cat.jpg'), 'meow');
  await assertSound(copy);
  const commits = execFileSync('git', [
    '-C',
    join(to, 'repos/alice/notes.git'),
    'rev-list',
    '--count',
    'main',
  ]);
  assert.equal(commits.toString().trim(), '2');
  await put(copy.store, alice, 'notes/a/b.txt', 'three');
  await assertSound(copy);
});

test('the second run copies only what changed, and forgets what was merged or removed', async () => {
  await using source = await openFolder();
  await put(source.store, alice, 'notes/a.txt', 'a');
  await put(source.store, alice, 'other/a.txt', 'a');
  await put(source.store, bob, 'notes/a.txt', 'a');
  const to = newPath('backup');
  const first = await backUpTo(source, to);
  assert.ok(first.copiedFiles > 0);
  const same = await backUpTo(source, to);
  assert.deepEqual([same.copiedFiles, same.copiedBytes], [0, 0]);

  await put(source.store, alice, 'notes/b.txt', 'b');
  const next = await backUpTo(source, to);
  assert.ok(next.copiedFiles > 0 && next.copiedFiles < first.copiedFiles, String(next.copiedFiles));

  const gitDir = join(source.folder, 'repos/alice/notes.git');
  execFileSync('git', ['-C', gitDir, 'repack', '-adq']);
  await source.store.storage.removeUser(bob);
  await backUpTo(source, to);
  const packs = (repository: string) =>
    readdirSync(join(repository, 'objects/pack')).filter((name) => /\.(pack|idx)$/.test(name));
  assert.deepEqual(packs(join(to, 'repos/alice/notes.git')).sort(), packs(gitDir).sort());
  assert.ok(!existsSync(join(to, 'repos/bob/notes.git')));

  await using copy = await openFolder(to);
  assert.equal(await read(copy.store, alice, 'notes/b.txt'), 'b');
  await assertSound(copy);
});

test('a backup under load holds every document that was acknowledged before it began', async () => {
  await using source = await openFolder();
  const acknowledged: string[] = [];
  let isOver = false;
  const write = async (user: UserName, writer: number) => {
    for (let i = 0; !isOver; i++) {
      const path = `load/${writer}/${i % 50}/${i}.txt`;
      await put(source.store, user, path, `${writer} ${i}`);
      acknowledged.push(`${user} ${path}`);
    }
  };
  const writers = Promise.all([write(alice, 0), write(alice, 1), write(bob, 2)]);
  const to = newPath('backup');
  try {
    for (let run = 0; run < 3; run++) {
      await put(source.store, alice, `load/mark/${run}.txt`, 'x');
      const before = acknowledged.slice();
      const report = await backUpTo(source, to);
      assert.deepEqual(report.faults, []);
      const stored = new Set([...documentsIn(to, alice, 'load'), ...documentsIn(to, bob, 'load')]);
      const missing = before.filter((line) => !stored.has(line));
      assert.deepEqual(missing, []);
    }
  } finally {
    isOver = true;
    await writers;
  }
  await using copy = await openFolder(to);
  await assertSound(copy);
});

test('a repository that lacks objects is told, and the copy keeps what it has', async () => {
  await using source = await openFolder();
  await put(source.store, alice, 'notes/a.txt', 'a');
  await put(source.store, alice, 'other/a.txt', 'a');
  const to = newPath('backup');
  await backUpTo(source, to);
  await put(source.store, alice, 'notes/b.txt', 'b');
  await put(source.store, alice, 'other/b.txt', 'b');
  await source.store.storage.drain();
  const packs = join(source.folder, 'repos/alice/notes.git/objects/pack');
  for (const name of readdirSync(packs)) if (!/^\.|keep$/.test(name)) rmSync(join(packs, name));
  const { faults } = await backUpTo(source, to);
  assert.deepEqual(
    faults.map(({ user, module }) => `${user}/${module}`),
    ['alice/notes'],
  );
  const files = (module: string) =>
    execFileSync('git', [
      '-C',
      join(to, `repos/alice/${module}.git`),
      'ls-tree',
      '-r',
      '--name-only',
      'main',
    ]).toString();
  assert.match(files('notes'), /a\.txt/);
  assert.match(files('other'), /b\.txt/);
});

test('a first backup that was not finished has no format file', async () => {
  await using source = await openFolder();
  await put(source.store, alice, 'notes/a.txt', 'a');
  const to = newPath('backup');
  const broken = backUp({
    from: source.folder,
    to,
    drain: async () => {
      throw new Error('cut short');
    },
    report: () => {},
  });
  await assert.rejects(broken, { message: 'cut short' });
  await assert.rejects(claimDataFolder(to), { message: /no format file: .*a backup that was not finished/ });
  await backUpTo(source, to);
  await using copy = await openFolder(to);
  assert.equal(await read(copy.store, alice, 'notes/a.txt'), 'a');
});

test('a folder with other things in it, the data folder itself and one in use are refused', async () => {
  await using source = await openFolder();
  const other = newPath('other');
  mkdirSync(other);
  writeFileSync(join(other, 'thesis.txt'), '');
  await assert.rejects(backUpTo(source, other), { message: /is not empty/ });
  await assert.rejects(backUpTo(source, source.folder), { message: /cannot stand in the data folder/ });
  await assert.rejects(backUpTo(source, join(source.folder, 'backup-here')), { message: /cannot stand in/ });
  const to = newPath('backup');
  await backUpTo(source, to);
  await using _copy = await openFolder(to);
  await assert.rejects(backUpTo(source, to), { message: /in use by another/ });
});

test('git pack-refs, gc and foreign branches are followed', async () => {
  await using source = await openFolder();
  await put(source.store, alice, 'notes/a.txt', 'a');
  await source.store.storage.drain();
  const gitDir = join(source.folder, 'repos/alice/notes.git');
  execFileSync('git', ['-C', gitDir, 'branch', 'side/one', 'main']);
  execFileSync('git', ['-C', gitDir, 'tag', 'v1', 'main']);
  const to = newPath('backup');
  await backUpTo(source, to);
  execFileSync('git', ['-C', gitDir, 'pack-refs', '--all']);
  execFileSync('git', ['-C', gitDir, 'branch', '-D', '-q', 'side/one']);
  execFileSync('git', ['-C', gitDir, 'gc', '-q', '--prune=now']);
  await backUpTo(source, to);
  const refs = (repository: string) => execFileSync('git', ['-C', repository, 'show-ref']).toString();
  assert.equal(refs(join(to, 'repos/alice/notes.git')), refs(gitDir));
  execFileSync('git', ['-C', join(to, 'repos/alice/notes.git'), 'fsck', '--strict'], { stdio: 'pipe' });
});

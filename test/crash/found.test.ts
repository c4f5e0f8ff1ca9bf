// What the crash tests found and a small test can show: each a fault of its own, quick and without a crash.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Index, openIndex } from '../../src/db/open-index.ts';
import { MAIN, readRef } from '../../src/git/refs.ts';
import { openLog } from '../../src/log.ts';
import { NO_PRECONDITION } from '../../src/protocol/conditions.ts';
import { openJournal } from '../../src/storage/journal.ts';
import type { StorageOptions } from '../../src/storage/storage.ts';
import { damageFile } from './damage.ts';
import { openExpectations } from './expectations.ts';
import { MEDDLED, moveMainAside } from './meddle.ts';
import {
  checkAfterCrash,
  checkRepositories,
  leftovers,
  type OpenedStore,
  openAgain,
  removeFolder,
  temporaryDataFolder,
} from './reopened.ts';
import { runWriter } from './run-writer.ts';
import { pathOf, readState, storageTarget } from './workload.ts';

type Started = OpenedStore & { dataFolder: string; put(key: string, text: string): Promise<void> };

async function start(
  t: TestContext,
  { dataFolder = temporaryDataFolder(), ...options }: Partial<StorageOptions> = {},
): Promise<Started> {
  const store = await openAgain(dataFolder, options);
  t.after(async () => {
    await store.close();
    removeFolder(dataFolder);
  });
  const put = (key: string, text: string) => putText(store, key, text);
  return { ...store, dataFolder, put };
}

function putText({ storage }: OpenedStore, key: string, text: string): Promise<void> {
  return storageTarget(storage).write(key, { type: 'text/plain', bytes: Buffer.from(text) });
}

async function textOf({ storage }: OpenedStore, key: string): Promise<string | undefined> {
  return (await readState(storage, key))?.bytes.toString();
}

function fullDisk(): Error {
  return Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
}

test('a repository whose last document goes and comes back within one pack passes fsck', async (t) => {
  const store = await start(t);
  const path = pathOf('alice/notes/a');
  const first = store.put('alice/notes/a', 'first');
  for (let i = 0; i < 100; i++) await undefined; // its body has been taken: the next write shares its turn
  const gone = store.storage.delete(path, {
    precondition: NO_PRECONDITION,
    author: { user: path.user, app: undefined, grant: undefined },
  });
  await first;
  assert.equal((await gone).kind, 'deleted');
  await store.put('alice/notes/b', 'second');
  await checkRepositories(store, store.dataFolder);
});

test('the first document after the last one went brings its type into the tree again', async (t) => {
  const store = await start(t);
  for (const text of ['first', undefined, 'second']) {
    await storageTarget(store.storage).write(
      'alice/notes/a',
      text === undefined ? undefined : { type: 'x/odd', bytes: Buffer.from(text) },
    );
  }
  await checkRepositories(store, store.dataFolder);
  assert.equal((await readState(store.storage, 'alice/notes/a'))?.type, 'x/odd');
});

test('writes go on when the journal fills faster than its segments are settled', async (t) => {
  const store = await start(t, { segmentBytes: 2048 });
  const writes = Array.from({ length: 60 }, (_, number) =>
    store.put(`alice/notes/${number % 7}`, `${number} `.repeat(200)),
  );
  await Promise.all(writes);
  await checkRepositories(store, store.dataFolder);
});

test('a turn that failed leaves the lock on main to others', async (t) => {
  let isFailing = false;
  const store = await start(t, {
    passing: (point) => {
      if (isFailing && point === 'journal.appended') throw fullDisk();
    },
  });
  await store.put('alice/notes/a', 'stands');
  isFailing = true;
  await assert.rejects(store.put('alice/notes/a', 'fails'), { code: 'disk-full' });
  assert.deepEqual(leftovers(store.dataFolder), []);
  isFailing = false;
  await store.put('alice/notes/a', 'stands again');
  assert.equal(await textOf(store, 'alice/notes/a'), 'stands again');
});

test('a write whose index transaction failed is not forgotten by the next one', async (t) => {
  const dataFolder = temporaryDataFolder();
  const index = openIndex(join(dataFolder, 'index.db'));
  let failures = 0;
  const apply: Index['apply'] = (changes) => {
    if (failures-- > 0) throw new Error('on purpose');
    index.apply(changes);
  };
  const store = await start(t, { dataFolder, index: { ...index, apply } });
  await store.put('alice/notes/before', 'before');
  failures = 1;
  // the second joins the pack of the first, while the index is behind
  const first = store.put('alice/notes/first', 'first');
  const second = first.then(() => store.put('alice/notes/second', 'second'));
  await store.put('alice/other/busy', 'keeps the quiet-time rule away');
  await Promise.all([first, second]);
  for (const name of ['before', 'first', 'second'])
    assert.equal(await textOf(store, `alice/notes/${name}`), name);
  await checkRepositories(store, dataFolder);
});

test('a large document whose pack was put into place without its index is found again', async (t) => {
  const store = await start(t);
  await store.put('alice/notes/small', 'small');
  await store.close();
  const run = await runWriter({
    dataFolder: store.dataFolder,
    seed: 1,
    base: 0,
    acks: 5000,
    segmentBytes: 1 << 20,
    stop: { point: 'checkpoint.spool-waiting', time: 1 },
  });
  assert.match(run.lines.at(-1)!, /^stop /);
  const gitDir = join(store.dataFolder, 'repos/alice/photos.git');
  const packs = readdirSync(join(gitDir, 'gitstead/spool')).filter((name) => name.endsWith('.pack'));
  for (const name of packs)
    renameSync(join(gitDir, 'gitstead/spool', name), join(gitDir, 'objects/pack', name));
  assert.ok(packs.length > 0);
  const expectations = openExpectations();
  expectations.add(run.lines);
  await checkAfterCrash(store.dataFolder, expectations);
});

test('the copy of a folder that a killed process had open holds no lock of anybody', async (t) => {
  const dataFolder = temporaryDataFolder();
  const copy = temporaryDataFolder();
  t.after(() => {
    removeFolder(dataFolder);
    removeFolder(copy);
  });
  const stop = { point: 'journal.synced', time: 9 } as const;
  const run = await runWriter({ dataFolder, seed: 5, base: 0, acks: 5000, segmentBytes: 1 << 20, stop });
  const expectations = openExpectations();
  expectations.add(run.lines);
  assert.ok(leftovers(dataFolder).some((path) => path.endsWith('main.lock')));
  cpSync(dataFolder, copy, { recursive: true });
  await checkAfterCrash(copy, expectations);
});

test('a deletion that was acknowledged stands, though main was moved aside after a crash', async (t) => {
  const copy = temporaryDataFolder();
  let isArmed = false;
  const store = await start(t, {
    passing: (point) => {
      if (isArmed && point === 'journal.synced') cpSync(store.dataFolder, copy, { recursive: true });
    },
  });
  t.after(() => removeFolder(copy));
  await store.put('alice/notes/a', 'first');
  await store.storage.drain();
  isArmed = true;
  await storageTarget(store.storage).write('alice/notes/a', undefined);
  moveMainAside(copy);
  const again = await openAgain(copy);
  try {
    assert.equal(await textOf(again, 'alice/notes/a'), undefined);
    assert.equal(await textOf(again, MEDDLED.key), MEDDLED.text);
    await checkRepositories(again, copy);
  } finally {
    await again.close();
  }
});

test('a lock that was deleted by hand while commits were pending is taken again', async (t) => {
  const store = await start(t);
  let isDeleted = false;
  await store.put('alice/notes/a', 'first');
  await store.close();
  const lock = join(store.dataFolder, 'repos/alice/notes.git/refs/heads/main.lock');
  const again = await openAgain(store.dataFolder, {
    passing: (point) => {
      if (point === 'checkpoint.kept' && !isDeleted) {
        rmSync(lock);
        isDeleted = true;
      }
    },
  });
  try {
    await putText(again, 'alice/notes/a', 'second');
    await again.storage.drain();
    assert.ok(isDeleted);
    assert.equal(await textOf(again, 'alice/notes/a'), 'second');
    await checkRepositories(again, store.dataFolder);
  } finally {
    await again.close();
  }
});

test('main and its history taken back by hand, and the rest deleted: the index follows', async (t) => {
  const store = await start(t);
  await store.put('alice/notes/a', 'first');
  const gitDir = join(store.dataFolder, 'repos/alice/notes.git');
  const git = (...args: string[]) =>
    execFileSync('git', ['--git-dir', gitDir, ...args], { encoding: 'utf8' }).trim();
  const first = git('rev-parse', 'main');
  await store.put('alice/notes/b', 'second');
  await store.close();
  git('update-ref', 'refs/heads/main', first);
  git('-c', 'gc.reflogExpire=now', 'gc', '-q', '--prune=now');
  const again = await openAgain(store.dataFolder);
  try {
    assert.equal(await textOf(again, 'alice/notes/a'), 'first');
    assert.equal(await textOf(again, 'alice/notes/b'), undefined);
    await checkRepositories(again, store.dataFolder);
  } finally {
    await again.close();
  }
});

test('a damaged pack that the journal holds only in part is left for a person to mend', async (t) => {
  const store = await start(t);
  await store.put('alice/notes/a', 'first');
  const head = readRef(join(store.dataFolder, 'repos/alice/notes.git'), MAIN)!;
  await store.close();
  const [pack] = globSync('repos/alice/notes.git/objects/pack/*.pack', { cwd: store.dataFolder });
  damageFile(join(store.dataFolder, pack!));
  const journal = openJournal({
    folder: join(store.dataFolder, 'journal'),
    segmentBytes: 4096,
    waitingSegments: 2,
    firstSegment: 1,
    firstSequence: 1,
    settle: () => Promise.reject(new Error('kept')),
    log: openLog('silent'),
    passing: () => {},
  });
  await journal.append([
    {
      user: 'alice',
      module: 'notes',
      oldHead: head,
      newHead: head,
      packName: basename(pack!, '.pack'),
      packOffset: 1000,
      spooled: [],
      time: 0,
      entries: Buffer.alloc(100),
    },
  ]);
  await journal.close();
  const again = await openAgain(store.dataFolder);
  try {
    await assert.rejects(readState(again.storage, 'alice/notes/a'), { code: 'not-ready' });
    assert.ok(existsSync(join(store.dataFolder, pack!)), 'it may hold what stands nowhere else');
  } finally {
    await again.close();
  }
});

test('a lock that somebody left is waited for at the start, and no start is needed when it is gone', async (t) => {
  const { dataFolder, lock } = await lockedAfterCrash(t);
  const again = await openAgain(dataFolder);
  try {
    await assert.rejects(readState(again.storage, 'alice/notes/a'), { code: 'not-ready' });
    await putText(again, 'bob/notes/b', 'others go on');
    rmSync(lock);
    await t.waitFor(async () => assert.equal(await textOf(again, 'alice/notes/a'), 'second'), {
      timeout: 20_000,
    });
    await checkRepositories(again, dataFolder);
  } finally {
    await again.close();
  }
  assert.deepEqual(leftovers(dataFolder), []);
  assert.deepEqual(readdirSync(join(dataFolder, 'journal')), []);
});

test('a user who is removed stays removed, though the journal is kept for the sake of others', async (t) => {
  const { dataFolder, lock } = await lockedAfterCrash(t);
  const first = await openAgain(dataFolder);
  await first.storage.removeUser(pathOf('carol/notes/c').user);
  await first.close();
  const second = await openAgain(dataFolder);
  try {
    assert.equal(await readState(second.storage, 'carol/notes/c'), undefined);
    assert.deepEqual(second.storage.repositories(pathOf('carol/notes/c').user), []);
    rmSync(lock);
    await t.waitFor(async () => assert.equal(await textOf(second, 'alice/notes/a'), 'second'), {
      timeout: 20_000,
    });
  } finally {
    await second.close();
  }
  assert.deepEqual(readdirSync(join(dataFolder, 'journal')), []);
});

/** Of alice a commit is in the journal alone and her repository is locked by somebody else; carol's is in it, too. */
async function lockedAfterCrash(t: TestContext): Promise<{ dataFolder: string; lock: string }> {
  const dataFolder = temporaryDataFolder();
  let isArmed = false;
  const store = await start(t, {
    passing: (point) => {
      if (isArmed && point === 'journal.synced') cpSync(store.dataFolder, dataFolder, { recursive: true });
    },
  });
  t.after(() => removeFolder(dataFolder));
  await store.put('alice/notes/a', 'first');
  await store.put('carol/notes/c', 'carol’s');
  await store.storage.drain();
  isArmed = true;
  await store.put('alice/notes/a', 'second');
  isArmed = false;
  const lock = join(dataFolder, 'repos/alice/notes.git/refs/heads/main.lock');
  rmSync(join(dataFolder, 'journal/running')); // not a copy: the lock is somebody's
  rmSync(lock);
  writeFileSync(lock, '');
  return { dataFolder, lock };
}

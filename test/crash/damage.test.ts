// What a failing disk or a careless hand does while the store is stopped: an index that is gone, cut or garbage is made
// anew; a repository that is damaged answers 503 where it cannot be read, and never that there is nothing. The others go on.
import assert from 'node:assert/strict';
import {
  closeSync,
  globSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { GitsteadError } from '../../src/errors.ts';
import { type FolderPath, folderPath } from '../../src/protocol/paths.ts';
import { damageFile } from './damage.ts';
import {
  checkRepositories,
  type OpenedStore,
  openAgain,
  removeFolder,
  temporaryDataFolder,
} from './reopened.ts';
import { diceOf, pathOf, readState, storageTarget } from './workload.ts';

const SEED = Number(process.env.GITSTEAD_SEED ?? Math.floor(Math.random() * 2 ** 31));

const TEXTS = new Map(
  ['sound', 'damaged'].flatMap((module) =>
    Array.from({ length: 12 }, (_, number) => [
      `alice/${module}/${number % 3}/${number}.txt`,
      `${module} ${number}\n`.repeat(1 + number * 40),
    ]),
  ),
);

/** A store with both modules, each document in its third version, closed again. */
async function makeStore(t: TestContext): Promise<string> {
  const dataFolder = temporaryDataFolder();
  t.after(() => removeFolder(dataFolder));
  const store = await openAgain(dataFolder);
  const target = storageTarget(store.storage);
  for (const version of [2, 1, 0]) {
    const writes = [...TEXTS].map(([key, text]) =>
      target.write(key, { type: 'text/plain', bytes: Buffer.from(text.slice(version)) }),
    );
    await Promise.all(writes);
    await store.storage.drain();
  }
  await store.close();
  return dataFolder;
}

async function checkTexts(store: OpenedStore, module: string): Promise<void> {
  for (const [key, text] of TEXTS) {
    if (!key.startsWith(`alice/${module}/`)) continue;
    assert.equal((await readState(store.storage, key))?.bytes.toString(), text, key);
  }
}

const indexFiles = (dataFolder: string) =>
  globSync('index.db*', { cwd: dataFolder }).map((name) => join(dataFolder, name));

/** Random bytes over a part of a file. */
function scribble(path: string, from: number, bytes: number): void {
  const dice = diceOf(SEED);
  const file = openSync(path, 'r+');
  writeSync(
    file,
    Uint8Array.from({ length: bytes }, () => dice(256)),
    0,
    bytes,
    from,
  );
  closeSync(file);
}

const INDEX_DAMAGES: Record<string, (file: string) => void> = {
  deleted: (file) => rmSync(file),
  'cut to nothing': (file) => truncateSync(file, 0),
  'cut within its header': (file) => truncateSync(file, 60),
  'cut in the middle': (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  'cut by a few bytes': (file) => truncateSync(file, statSync(file).size - 100),
  'replaced by garbage': (file) => writeFileSync(file, 'this is no database\n'.repeat(5000)),
  'replaced by zeros': (file) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
  'scribbled over at its beginning': (file) => scribble(file, 0, 4096),
  'scribbled over in the middle': (file) =>
    scribble(file, 4096, Math.floor(statSync(file).size / 8192) * 4096),
  'scribbled over at its end': (file) => scribble(file, statSync(file).size - 8192, 8192),
};

for (const [what, damage] of Object.entries(INDEX_DAMAGES)) {
  test(`an index that is ${what} is made anew`, async (t) => {
    t.diagnostic(`seed ${SEED}`);
    const dataFolder = await makeStore(t);
    damage(join(dataFolder, 'index.db'));
    const store = await openAgain(dataFolder);
    try {
      for (const module of ['sound', 'damaged']) await checkTexts(store, module);
      await checkRepositories(store, dataFolder);
    } finally {
      await store.close();
    }
  });
}

test('an index whose log is garbage, or of another index, is as good as one without a log', async (t) => {
  const dataFolder = await makeStore(t);
  for (const log of [Buffer.from('no log at all'.repeat(999)), readFileSync(join(dataFolder, 'index.db'))]) {
    writeFileSync(join(dataFolder, 'index.db-wal'), log);
    const store = await openAgain(dataFolder);
    try {
      await checkTexts(store, 'sound');
      await checkRepositories(store, dataFolder);
    } finally {
      await store.close();
    }
  }
});

const packs = (gitDir: string, ending: string) =>
  globSync(`objects/pack/*.${ending}`, { cwd: gitDir }).map((name) => join(gitDir, name));

function each(paths: readonly string[], damage: (path: string) => void): void {
  for (const path of paths) damage(path);
}

type RepositoryDamage = {
  damage: (gitDir: string) => void;
  /** what is left is a repository like any other: without an index nobody can know better */
  isSilentWithoutIndex?: boolean;
};

const REPOSITORY_DAMAGES: Record<string, RepositoryDamage> = {
  'bytes of its packs changed': {
    damage: (gitDir) => {
      const dice = diceOf(SEED);
      for (const path of packs(gitDir, 'pack')) damageFile(path, { at: dice(1000) / 1000 });
    },
  },
  'the middle of its packs garbage': {
    damage: (gitDir) => {
      for (const path of packs(gitDir, 'pack'))
        damageFile(path, { bytes: Math.min(2000, statSync(path).size / 2) });
    },
  },
  'its packs cut': {
    damage: (gitDir) => {
      for (const path of packs(gitDir, 'pack')) truncateSync(path, Math.floor(statSync(path).size / 2));
    },
  },
  'its packs gone': { damage: (gitDir) => each(packs(gitDir, 'pack'), (path) => rmSync(path)) },
  'the indexes of its packs gone': {
    damage: (gitDir) => each(packs(gitDir, 'idx'), (path) => rmSync(path)),
  },
  'the indexes of its packs changed': {
    damage: (gitDir) => each(packs(gitDir, 'idx'), (path) => damageFile(path)),
  },
  'one pack gone': { damage: (gitDir) => rmSync(packs(gitDir, 'pack')[0]!) },
  'garbage for a HEAD': { damage: (gitDir) => writeFileSync(join(gitDir, 'HEAD'), 'garbage') },
  'no HEAD': { damage: (gitDir) => rmSync(join(gitDir, 'HEAD')) },
  'garbage for its main': { damage: (gitDir) => writeFileSync(join(gitDir, 'refs/heads/main'), 'garbage') },
  'an empty main': { damage: (gitDir) => truncateSync(join(gitDir, 'refs/heads/main'), 0) },
  'a main that nobody has': {
    damage: (gitDir) => writeFileSync(join(gitDir, 'refs/heads/main'), `${'ab'.repeat(20)}\n`),
  },
  'no main': { damage: (gitDir) => rmSync(join(gitDir, 'refs/heads/main')) },
  'no objects': { damage: (gitDir) => rmSync(join(gitDir, 'objects'), { recursive: true }) },
  'no refs': { damage: (gitDir) => rmSync(join(gitDir, 'refs'), { recursive: true }) },
  'no folder': { damage: (gitDir) => rmSync(gitDir, { recursive: true }), isSilentWithoutIndex: true },
  'a file for a folder': {
    damage: (gitDir) => {
      rmSync(gitDir, { recursive: true });
      writeFileSync(gitDir, 'a file');
    },
  },
  'the format of another git': {
    damage: (gitDir) =>
      writeFileSync(
        join(gitDir, 'config'),
        '[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n',
      ),
  },
};

/** What an app gets: the truth, or 503; a stream may also break off. */
async function orRefused<T>(answer: Promise<T>): Promise<T | 'refused'> {
  try {
    return await answer;
  } catch (error) {
    assert.ok(error instanceof GitsteadError, String(error));
    assert.ok(['not-ready', 'corrupt'].includes(error.code), error.code);
    return 'refused';
  }
}

async function namesIn(store: OpenedStore, path: FolderPath): Promise<string[]> {
  const { body } = await store.storage.listing(path);
  return Object.keys(JSON.parse(body.toString()).items);
}

for (const [what, { damage, isSilentWithoutIndex = false }] of Object.entries(REPOSITORY_DAMAGES)) {
  for (const isIndexKept of isSilentWithoutIndex ? [true] : [true, false]) {
    test(`a repository with ${what}, and ${isIndexKept ? 'an' : 'no'} index: the truth or 503, and the others go on`, async (t) => {
      t.diagnostic(`seed ${SEED}`);
      const dataFolder = await makeStore(t);
      damage(join(dataFolder, 'repos/alice/damaged.git'));
      if (!isIndexKept) for (const file of indexFiles(dataFolder)) rmSync(file);
      const store = await openAgain(dataFolder);
      try {
        await judgeDamaged(store);
        await checkTexts(store, 'sound');
        const target = storageTarget(store.storage);
        await target.write('alice/sound/new', { type: 'text/plain', bytes: Buffer.from('new') });
        await target.write('bob/damaged/new', { type: 'text/plain', bytes: Buffer.from('new') });
      } finally {
        await store.close();
      }
    });
  }
}

async function judgeDamaged(store: OpenedStore): Promise<void> {
  const { user } = pathOf('alice/damaged/x');
  let refusals = 0;
  const note = <T>(answer: T | 'refused'): answer is T => {
    if (answer === 'refused') refusals++;
    return answer !== 'refused';
  };
  for (const [key, text] of TEXTS) {
    if (!key.startsWith('alice/damaged/')) continue;
    const found = await orRefused(readState(store.storage, key));
    if (note(found)) assert.equal(found?.bytes.toString(), text, `${key} is there`);
  }
  for (const folder of [['damaged'], ['damaged', '1']]) {
    const names = await orRefused(namesIn(store, folderPath(user, folder)));
    if (note(names)) assert.equal(names.length, folder.length === 1 ? 3 : 4, 'the listing is whole');
  }
  const root = await orRefused(namesIn(store, folderPath(user, [])));
  if (note(root)) assert.deepEqual(root.sort(), ['damaged/', 'sound/']);
  const write = storageTarget(store.storage).write('alice/damaged/1/new.txt', {
    type: 'text/plain',
    bytes: Buffer.from('new'),
  });
  const isWritten = note(await orRefused(write.then(() => true)));
  if (isWritten)
    assert.equal((await readState(store.storage, 'alice/damaged/1/new.txt'))?.bytes.toString(), 'new');
  if (refusals > 0) assert.ok(store.errors.length > 0, 'the log says what is wrong');
}

test('a lock on main that another program holds or left: 503 after a while, and the other repositories go on', async (t) => {
  const dataFolder = await makeStore(t);
  const store = await openAgain(dataFolder);
  const write = (key: string, text: string) =>
    storageTarget(store.storage).write(key, { type: 'text/plain', bytes: Buffer.from(text) });
  const lock = join(dataFolder, 'repos/alice/damaged.git/refs/heads/main.lock');
  writeFileSync(lock, '');
  try {
    let isOver = false;
    const refused = orRefused(write('alice/damaged/new', 'waits')).finally(() => {
      isOver = true;
    });
    for (let number = 0; number < 5; number++) {
      await write('alice/sound/new', `${number}`);
      await checkTexts(store, 'damaged');
    }
    assert.equal(isOver, false, 'it was waited for all the while');
    assert.equal(await refused, 'refused');
    rmSync(lock);
    await write('alice/damaged/new', 'written');
    assert.equal((await readState(store.storage, 'alice/damaged/new'))?.bytes.toString(), 'written');
    await checkRepositories(store, dataFolder);
  } finally {
    await store.close();
  }
});

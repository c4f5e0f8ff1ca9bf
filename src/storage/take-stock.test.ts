import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openIndex } from '../db/open-index.ts';
import { createRepository } from '../git/repository.ts';
import { openLog } from '../log.ts';
import { NO_PRECONDITION } from '../protocol/conditions.ts';
import { documentPath, parseStoragePath, parseUserName } from '../protocol/paths.ts';
import { repositoryFolder } from './repository-folders.ts';
import { openStorage } from './storage.ts';
import { takeStock } from './take-stock.ts';
import type { Storage } from './types.ts';

const log = openLog('silent');
const CLEAN = { wasKilled: false, isCopy: false, remove: () => {} };

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-stock-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function withStorage(dataFolder: string, work: (storage: Storage) => Promise<void>): Promise<void> {
  using index = openIndex(join(dataFolder, 'index.db'));
  await using storage = await openStorage({ dataFolder, index, log, host: 'localhost' });
  await work(storage);
}

function itemsOf(listing: Buffer): string[] {
  return Object.keys((JSON.parse(listing.toString()) as { items: object }).items);
}

function rootOf(user: string) {
  const path = parseStoragePath(`/storage/${user}/`);
  assert.equal(path.kind, 'folder');
  return path as Extract<typeof path, { kind: 'folder' }>;
}

test('what was put there by hand while nothing ran is served and listed from the first request on', async (t) => {
  const folder = temporaryFolder(t);
  const [alice, bob] = [parseUserName('alice')!, parseUserName('bob')!];
  await withStorage(folder, async (storage) => {
    await storage.put(documentPath(alice, ['notes', 'a.txt']), {
      type: 'text/plain',
      body: (async function* () {
        yield Buffer.from('text');
      })(),
      length: 4,
      precondition: NO_PRECONDITION,
      author: { user: alice, app: undefined, grant: undefined },
      quotaBytes: undefined,
    });
  });
  const repositories = join(folder, 'repos');
  const place = (user: string, module: string) => repositoryFolder(repositories, user, module);
  cpSync(place('alice', 'notes'), place('alice', 'copied'), { recursive: true });
  cpSync(place('alice', 'notes'), place('bob', 'notes'), { recursive: true });
  writeFileSync(join(repositories, 'a-file'), 'nobody’s');
  await withStorage(folder, async (storage) => {
    const listing = await storage.listing(rootOf('alice'));
    assert.deepEqual(itemsOf(listing.body), ['copied/', 'notes/']);
    assert.equal((await storage.document(documentPath(bob, ['notes', 'a.txt'])))?.size, 4);
    assert.deepEqual(itemsOf((await storage.listing(rootOf('bob'))).body), ['notes/']);
  });
});

test('users are looked at once, those first who are asked for, and no more when it is over', async (t) => {
  const folder = temporaryFolder(t);
  using index = openIndex(join(folder, 'index.db'));
  const repositories = join(folder, 'repos');
  for (const user of ['alice', 'bob', 'carol']) {
    mkdirSync(join(repositories, user), { recursive: true });
    createRepository(repositoryFolder(repositories, user, 'notes'));
  }
  const stock = takeStock(repositories, index, CLEAN, new Map(), log);
  assert.deepEqual(index.repositories.listAll(), []);
  stock.look('bob');
  assert.deepEqual(
    index.repositories.listAll().map(({ user }) => user),
    ['bob'],
  );
  index.repositories.remove(index.repositories.find('bob', 'notes')!.id);
  stock.look('bob');
  stock.look('nobody');
  assert.deepEqual(index.repositories.listAll(), []);
  assert.equal((await stock.lookAtAll(() => true)).length, 1);
  const found = await stock.lookAtAll(() => false);
  assert.deepEqual(
    found.map(({ user, module }) => `${user}/${module}`),
    ['bob/notes', 'alice/notes', 'carol/notes'],
  );
  assert.equal(stock.leftovers.left(), 0);
});

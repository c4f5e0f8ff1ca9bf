// What the crash tests found and a small test can show: each a fault of its own, quick and without a crash.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { NO_PRECONDITION } from '../../src/protocol/conditions.ts';
import type { StorageOptions } from '../../src/storage/storage.ts';
import {
  checkRepositories,
  type OpenedStore,
  openAgain,
  removeFolder,
  temporaryDataFolder,
} from './reopened.ts';
import { pathOf, readState, storageTarget } from './workload.ts';

type Started = OpenedStore & {
  dataFolder: string;
  put(key: string, text: string, type?: string): Promise<void>;
};

async function start(t: TestContext, options: Partial<StorageOptions> = {}): Promise<Started> {
  const dataFolder = temporaryDataFolder();
  const store = await openAgain(dataFolder, options);
  t.after(async () => {
    await store.close();
    removeFolder(dataFolder);
  });
  const put = (key: string, text: string, type = 'text/plain') =>
    storageTarget(store.storage).write(key, { type, bytes: Buffer.from(text) });
  return { ...store, dataFolder, put };
}

test('a repository whose last document goes and comes back within one pack passes fsck', async (t) => {
  const store = await start(t);
  const author = { user: pathOf('alice/notes/a').user, app: undefined, grant: undefined };
  const request = { precondition: NO_PRECONDITION, author };
  await Promise.all([
    store.put('alice/notes/a', 'first'),
    store.storage.delete(pathOf('alice/notes/a'), request),
    store.put('alice/notes/b', 'second'),
  ]);
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

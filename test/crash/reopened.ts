// A data folder after a crash: opened again in this process, compared with what must stand, judged by git, closed, and
// looked through for what a stopped process may have left.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Index, openIndex } from '../../src/db/open-index.ts';
import { openLog } from '../../src/log.ts';
import { check } from '../../src/storage/check.ts';
import { openStorage, type StorageOptions } from '../../src/storage/storage.ts';
import type { Storage } from '../../src/storage/types.ts';
import type { Expectations } from './expectations.ts';

export type OpenedStore = {
  storage: Storage;
  index: Index;
  /** messages of level error, with what they are about */
  errors: string[];
  close(): Promise<void>;
};

export async function openAgain(
  dataFolder: string,
  options: Partial<StorageOptions> = {},
): Promise<OpenedStore> {
  const errors: string[] = [];
  const log = openLog('error', {
    write(line: string) {
      errors.push(line);
    },
  });
  const index = options.index ?? openIndex(join(dataFolder, 'index.db'));
  try {
    const storage = await openStorage({ host: 'crash.example', ...options, dataFolder, index, log });
    let isClosed = false;
    const close = async () => {
      if (isClosed) return;
      isClosed = true;
      await storage[Symbol.asyncDispose]();
      index.close();
    };
    return { storage, index, errors, close };
  } catch (error) {
    index.close();
    throw error;
  }
}

/** Everything that must hold after a crash, whatever the moment. `mayComplain`: errors in the log are expected. */
export async function checkAfterCrash(
  dataFolder: string,
  expectations: Expectations,
  { mayComplain = false } = {},
): Promise<void> {
  const store = await openAgain(dataFolder);
  try {
    await expectations.check(store.storage);
    await checkRepositories(store, dataFolder);
    assert.deepEqual(leftovers(dataFolder), []);
    if (!mayComplain) assert.deepEqual(store.errors, []);
  } catch (error) {
    const log = store.errors.join('').slice(0, 4000);
    throw new Error(`${(error as Error).message}\nthe store said: ${log}`, { cause: error });
  } finally {
    await store.close();
  }
  assert.deepEqual(readdirSync(join(dataFolder, 'journal')), [], 'a clean close leaves no journal');
  assert.deepEqual(leftovers(dataFolder), []);
}

/** `git fsck --strict` of all repositories, and the index against their trees. */
export async function checkRepositories({ storage, index }: OpenedStore, dataFolder: string): Promise<void> {
  const { faults } = await check({ storage, index, repositoriesFolder: join(dataFolder, 'repos') });
  assert.deepEqual(faults, []);
}

/** Paths of what only a running process may have: locks, staging files, uploads, shields of packs. */
export function leftovers(dataFolder: string): string[] {
  return readdirSync(join(dataFolder, 'repos'), { recursive: true, encoding: 'utf8' }).filter(
    (path) =>
      path.endsWith('.lock') ||
      path.endsWith('.keep') ||
      path.includes('.staging-') ||
      /\/gitstead\/spool\/./.test(path) ||
      /\/objects\/pack\/tmp_/.test(path),
  );
}

export function temporaryDataFolder(): string {
  return mkdtempSync(join(tmpdir(), 'gitstead-crash-'));
}

/** With GITSTEAD_KEEP set it stays, to be looked at. */
export function removeFolder(folder: string): void {
  if (!process.env.GITSTEAD_KEEP) rmSync(folder, { recursive: true, force: true });
}

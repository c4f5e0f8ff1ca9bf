// The lock of a data folder: an SQLite file held in BEGIN EXCLUSIVE. The system frees it with its process, also on
// kill -9; Node itself has no file lock. Nobody may open `lock` by other means: closing any other descriptor of it
// within this process would free the lock (POSIX locks belong to the process). What it guards is left to storage.
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { GitsteadError } from '../errors.ts';

const SQLITE_BUSY = 5;

export interface FolderLock extends Disposable {
  release(): void;
}

/**
 * Takes the lock at `file`, which is made when missing. Never waits.
 * @returns undefined when another process (or this one) holds it
 * @throws not-ready when the file can be neither read nor made
 */
export function takeFolderLock(file: string): FolderLock | undefined {
  let database: DatabaseSync | undefined;
  try {
    makePrivate(file);
    database = new DatabaseSync(file);
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE;');
  } catch (error) {
    database?.close();
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) return undefined;
    throw new GitsteadError('not-ready', 'the data folder’s lock cannot be taken', { cause: error });
  }
  const held = database;
  const release = () => {
    if (held.isOpen) held.close();
  };
  return { release, [Symbol.dispose]: release };
}

/** A file that is there already is not opened: see above. */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

// The index and the storage of a data folder, opened together and closed in reverse, for the one process that holds
// the folder's lock: a server, or a command when no server runs.
import { type Index, openIndex } from '../db/open-index.ts';
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import { partsOf } from './data-folder.ts';
import type { MeasuredStorage } from './measures.ts';
import { sharesOf } from './memory-budget.ts';
import { openStorage } from './storage.ts';

export type StoreOptions = {
  dataFolder: string;
  /** host of the authors' addresses in commits */
  host: string;
  documentLimitBytes: number;
  /** for what is kept and queued, see memory-budget.ts */
  memoryBytes: number;
};

export interface Store extends AsyncDisposable {
  readonly index: Index;
  readonly storage: MeasuredStorage;
  close(): Promise<void>;
}

export async function openStore(options: StoreOptions, log: Log, now: () => number): Promise<Store> {
  const index = openOwnIndex(options, log);
  try {
    const storage = await openStorage({ ...options, index, log, now });
    const close = async () => {
      await storage[Symbol.asyncDispose]();
      index.close();
    };
    return { index, storage, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    index.close();
    throw error;
  }
}

/** SQLite's codes for files that it may not write, or not even open. */
const NOT_ALLOWED = [3, 8, 14];

function openOwnIndex({ dataFolder, memoryBytes }: StoreOptions, log: Log): Index {
  const { rows, pages } = sharesOf(memoryBytes);
  const file = partsOf(dataFolder).index;
  try {
    return openIndex(file, log, { rowBytes: rows, pageBytes: pages });
  } catch (error) {
    if (!NOT_ALLOWED.includes(((error as { errcode?: number }).errcode ?? 0) & 0xff)) throw error;
    const what = `this user cannot write ${file}, or ${file}-wal and ${file}-shm beside it`;
    throw new GitsteadError('not-ready', what, { cause: error });
  }
}

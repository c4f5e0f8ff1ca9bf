// The index and the storage of a data folder, opened together and closed in reverse, for the one process that holds
// the folder's lock: a server, or a command when no server runs.
import { type Index, openIndex } from '../db/open-index.ts';
import type { Log } from '../log.ts';
import { partsOf } from './data-folder.ts';
import type { MeasuredStorage } from './measures.ts';
import { openStorage } from './storage.ts';

export type StoreOptions = {
  dataFolder: string;
  /** host of the authors' addresses in commits */
  host: string;
  documentLimitBytes: number;
  /** for bodies and listings kept in memory */
  cacheBytes: number;
};

export interface Store extends AsyncDisposable {
  readonly index: Index;
  readonly storage: MeasuredStorage;
  close(): Promise<void>;
}

export async function openStore(options: StoreOptions, log: Log, now: () => number): Promise<Store> {
  const index = openIndex(partsOf(options.dataFolder).index, log);
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

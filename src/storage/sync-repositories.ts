// Before a journal segment may go, what it holds must be on the disk in packs and refs. Of a few repositories these are synced
// one by one; of many, the whole file system is: that takes about as long for ten thousand as for a hundred, where file by
// file each would take five syncs.
import { existsSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { packFolder } from '../git/pack-files.ts';
import { syncFileSystem } from '../git/process.ts';
import { syncPacksAndMain } from './checkpoint.ts';

/** A repository, and the names of the packs that must stay. */
export type Unsynced = { folder: string; packs: ReadonlySet<string> };

const SYNC_WHOLE_ABOVE = 64;
/** Looked at between two turns of the event loop. */
const LOOK_AT_ONCE = 64;

/**
 * Waits until packs, indexes and mains of all of them are on the disk. Of one that is gone (an account that was removed)
 * nothing is left to wait for.
 * @param repositoriesFolder what is on its file system is synced as a whole when there are many
 */
export async function syncRepositories(
  repositoriesFolder: string,
  unsynced: readonly Unsynced[],
  syncWhole: (path: string) => Promise<boolean> = syncFileSystem,
): Promise<void> {
  const isWhole = unsynced.length > SYNC_WHOLE_ABOVE && (await syncWhole(repositoriesFolder));
  const left = isWhole ? await elsewhere(repositoriesFolder, unsynced) : unsynced;
  for (const { folder, packs } of left) if (existsSync(folder)) await syncPacksAndMain(folder, packs);
}

/** Those that somebody put on another disk, with a link in their place. */
async function elsewhere(
  repositoriesFolder: string,
  unsynced: readonly Unsynced[],
): Promise<readonly Unsynced[]> {
  const { dev } = statSync(repositoriesFolder);
  const found: Unsynced[] = [];
  for (const [position, each] of unsynced.entries()) {
    const parts = [packFolder(each.folder), `${each.folder}/refs/heads`];
    if (parts.some((part) => statSync(part, { throwIfNoEntry: false })?.dev !== dev)) found.push(each);
    if (position % LOOK_AT_ONCE === 0) await setImmediate();
  }
  return found;
}

// What stands on the disk when the store is opened, beside what the index knows; and what a crash left is cleared up.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Index } from '../db/open-index.ts';
import { clearStaging } from '../git/durable.ts';
import type { Log } from '../log.ts';
import { type Leftovers, type MayHoldLeftovers, openLeftovers } from './leftovers.ts';
import { removeLeftovers } from './recovery.ts';
import { listRepositoryFolders } from './repository-folders.ts';
import type { RunningMark } from './running-mark.ts';

export type Stock = {
  /** repositories that the index has no commit of */
  unknown: { user: string; module: string }[];
  /** after a crash: where something may be left */
  leftovers: Leftovers;
};

/** Compares the repositories on disk with the index's rows, by name, and begins to clear up after a crash. */
export function takeStock(
  repositoriesFolder: string,
  index: Index,
  { wasKilled, isCopy }: RunningMark,
  faults: ReadonlyMap<string, string>,
  log: Log,
): Stock {
  const known = new Map(index.repositories.listAll().map((row) => [`${row.user}/${row.module}`, row.head]));
  const unknown: Stock['unknown'] = [];
  const suspect: MayHoldLeftovers[] = [];
  for (const { user, module, folder } of listRepositoryFolders(repositoriesFolder)) {
    // what a faulty one's journal still needs is no leftover
    if (wasKilled && !faults.has(`${user}/${module}`)) suspect.push({ user, module, folder });
    if ((known.get(`${user}/${module}`) ?? null) !== null) continue;
    index.repositories.ensure(user, module);
    unknown.push({ user, module });
  }
  if (wasKilled) removeStaging(repositoriesFolder);
  // the locks in a copy are nobody's only until somebody works in it
  const atStart = isCopy ? suspect.length : undefined;
  const leftovers = openLeftovers(suspect, (folder) => removeLeftovers(folder, isCopy), log, atStart);
  return { unknown, leftovers };
}

/** Repositories that were being made, and users that were being removed. */
function removeStaging(repositoriesFolder: string): void {
  for (const folder of [repositoriesFolder, ...userFolders(repositoriesFolder)]) clearStaging(folder);
}

function userFolders(repositoriesFolder: string): string[] {
  return readdirSync(repositoriesFolder)
    .filter((name) => !name.startsWith('.'))
    .map((name) => join(repositoriesFolder, name));
}

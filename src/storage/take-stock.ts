// What stands on the disk when the store is opened, beside what the index knows; and what a crash left is cleared up.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Index } from '../db/open-index.ts';
import { clearStaging } from '../git/durable.ts';
import { removeLeftovers } from './recovery.ts';
import { listRepositoryFolders } from './repository-folders.ts';
import type { RunningMark } from './running-mark.ts';

/**
 * Compares the repositories on disk with the index's rows, by name, and clears up after a crash.
 * @returns those that the index has no commit of
 */
export function takeStock(
  repositoriesFolder: string,
  index: Index,
  { wasKilled, isCopy }: RunningMark,
  faults: ReadonlyMap<string, string>,
): { user: string; module: string }[] {
  const known = new Map(index.repositories.listAll().map((row) => [`${row.user}/${row.module}`, row.head]));
  const unknown: { user: string; module: string }[] = [];
  for (const { user, module, folder } of listRepositoryFolders(repositoriesFolder)) {
    // what a faulty one's journal still needs is no leftover
    if (wasKilled && !faults.has(`${user}/${module}`)) removeLeftovers(folder, isCopy);
    if ((known.get(`${user}/${module}`) ?? null) !== null) continue;
    index.repositories.ensure(user, module);
    unknown.push({ user, module });
  }
  if (wasKilled) removeStaging(repositoriesFolder);
  return unknown;
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

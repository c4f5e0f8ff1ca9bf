// What stands on the disk when the store is opened, beside what the index knows; and what a crash left is cleared up. After a
// clean stop only a stranger can have put something there: then each user is looked at in the background, and at the latest
// before anybody is told which modules the user has.
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Index } from '../db/open-index.ts';
import { clearStaging } from '../git/durable.ts';
import type { Log } from '../log.ts';
import { type Leftovers, type MayHoldLeftovers, openLeftovers } from './leftovers.ts';
import { removeLeftovers } from './recovery.ts';
import { listRepositoryFolders, listUserFolders } from './repository-folders.ts';
import type { RunningMark } from './running-mark.ts';

/** The event loop is given up to others after so much looking at a stretch. */
const SLICE_MS = 5;

type Found = { user: string; module: string };

export interface Stock {
  /** Looks at a user, unless that was done: rows for all repositories that stand there. */
  look(user: string): void;
  /**
   * Looks at all users, while requests are served, until `isOver`.
   * @returns the repositories that the index has no commit of
   */
  lookAtAll(isOver: () => boolean): Promise<readonly Found[]>;
  /** after a crash: where something may be left */
  leftovers: Leftovers;
}

/** Begins to compare the repositories on disk with the index's rows, by name, and to clear up after a crash. */
export function takeStock(
  repositoriesFolder: string,
  index: Index,
  { wasKilled, isCopy }: RunningMark,
  faults: ReadonlyMap<string, string>,
  log: Log,
): Stock {
  const users = new Set(listUserFolders(repositoriesFolder));
  const unknown: Found[] = [];

  function look(user: string): void {
    if (!users.has(user)) return;
    const found = [...listRepositoryFolders(repositoriesFolder, user)];
    const known = new Map(index.repositories.list(user).map(({ module, head }) => [module, head]));
    for (const { module } of found) {
      if ((known.get(module) ?? null) !== null) continue;
      index.repositories.ensure(user, module);
      unknown.push({ user, module });
    }
    users.delete(user);
  }

  async function lookAtAll(isOver: () => boolean): Promise<readonly Found[]> {
    let since = performance.now();
    for (const user of [...users]) {
      if (isOver()) break;
      try {
        look(user);
      } catch (error) {
        log.error({ err: error, user }, 'the repositories of this user cannot be listed');
      }
      if (performance.now() - since < SLICE_MS) continue;
      await setImmediate();
      since = performance.now();
    }
    return unknown;
  }

  return { look, lookAtAll, leftovers: leftoversIn(repositoriesFolder, wasKilled, isCopy, faults, log) };
}

function leftoversIn(
  repositoriesFolder: string,
  wasKilled: boolean,
  isCopy: boolean,
  faults: ReadonlyMap<string, string>,
  log: Log,
): Leftovers {
  const suspect: MayHoldLeftovers[] = [];
  if (wasKilled) {
    for (const each of listRepositoryFolders(repositoriesFolder)) {
      // what a faulty one's journal still needs is no leftover
      if (!faults.has(`${each.user}/${each.module}`)) suspect.push(each);
    }
    removeStaging(repositoriesFolder);
  }
  // the locks in a copy are nobody's only until somebody works in it
  const atStart = isCopy ? suspect.length : undefined;
  return openLeftovers(suspect, (folder) => removeLeftovers(folder, isCopy), log, atStart);
}

/** Repositories that were being made, and users that were being removed. */
function removeStaging(repositoriesFolder: string): void {
  const users = listUserFolders(repositoriesFolder).map((name) => join(repositoriesFolder, name));
  for (const folder of [repositoriesFolder, ...users]) clearStaging(folder);
}

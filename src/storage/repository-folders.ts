// Where a repository stands: `repos/<user>/<module>.git`, with names that a disk which ignores case can hold.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT_MODULE } from '../protocol/paths.ts';
import { escapeRepositoryName, unescapeRepositoryName } from './item-names.ts';

/** The repository of the documents that stand directly in a user's root; no module can have this name on disk. */
const ROOT_FOLDER = '@root';
const ENDING = '.git';

export function repositoryFolder(repositoriesFolder: string, user: string, module: string): string {
  const name = module === ROOT_MODULE ? ROOT_FOLDER : escapeRepositoryName(module);
  return join(repositoriesFolder, user, name + ENDING);
}

/** Every repository that stands on disk, of one user or of all. */
export function* listRepositoryFolders(
  repositoriesFolder: string,
  ofUser?: string,
): Generator<{ user: string; module: string; folder: string }> {
  for (const user of ofUser === undefined ? listUserFolders(repositoriesFolder) : [ofUser]) {
    const userFolder = join(repositoriesFolder, user);
    for (const entry of entriesOf(userFolder)) {
      if (!entry.endsWith(ENDING)) continue;
      const name = entry.slice(0, -ENDING.length);
      const module = name === ROOT_FOLDER ? ROOT_MODULE : unescapeRepositoryName(name);
      if (module !== undefined) yield { user, module, folder: join(userFolder, entry) };
    }
  }
}

/** The users who have a folder. */
export function listUserFolders(repositoriesFolder: string): string[] {
  return readdirSync(repositoriesFolder).filter((name) => !name.startsWith('.'));
}

/** Nothing for who has no folder, and for a file that somebody put there. */
function entriesOf(userFolder: string): string[] {
  try {
    return readdirSync(userFolder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

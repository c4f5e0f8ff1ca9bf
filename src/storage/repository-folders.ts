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
  for (const user of readdirSync(repositoriesFolder, { withFileTypes: true })) {
    if (!user.isDirectory() || user.name.startsWith('.')) continue;
    if (ofUser !== undefined && user.name !== ofUser) continue;
    const userFolder = join(repositoriesFolder, user.name);
    for (const entry of readdirSync(userFolder)) {
      if (!entry.endsWith(ENDING)) continue;
      const name = entry.slice(0, -ENDING.length);
      const module = name === ROOT_FOLDER ? ROOT_MODULE : unescapeRepositoryName(name);
      if (module !== undefined) yield { user: user.name, module, folder: join(userFolder, entry) };
    }
  }
}

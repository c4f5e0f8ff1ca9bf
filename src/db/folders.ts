// The table of folders: each folder with a document below it, its tree's object id (which is its ETag), and
// the number of the last change below it (the key under which its listing may be cached).
import type { DatabaseSync } from 'node:sqlite';
import type { KnownRows, Scan, When } from './known-rows.ts';

/**
 * A folder as the engine knows it. `id` is set by the index once the row stands, so that the next turn
 * finds it without a look-up; undefined: not known yet.
 */
export type FolderRow = {
  id: number | undefined;
  /** decoded names joined by '/'; '' is the repository's root */
  path: string;
  /** decoded name; '' for the root */
  name: string;
  parent: FolderRow | undefined;
};

export type FolderState = { id: number; tree: string; changed: number };

export interface Folders {
  find(repository: number, path: string): FolderState | undefined;
  /** writes the folder's tree; sets `row.id`, so that a folder without one is only written now */
  put(repository: number, row: FolderRow, tree: string, changed: number, when: When): void;
  /** takes the row out, now; forgets `row.id` */
  remove(repository: number, row: FolderRow): void;
  /** `{"name/": {"ETag": …}, …}` of the folders in a folder, as JSON text */
  listingJson(folder: number): string;
  /** every folder of a repository, for comparing with its tree */
  listAll(repository: number): { id: number; path: string; tree: string }[];
}

/**
 * @param known its rows, told what becomes of the changes
 */
export function openFolders(database: DatabaseSync, known: KnownRows<FolderState>, scan: Scan): Folders {
  const find = database.prepare('SELECT id, tree, changed FROM folders WHERE repository = ? AND path = ?');
  const update = database.prepare('UPDATE folders SET tree = ?, changed = ? WHERE id = ?');
  const insert = database.prepare(`
    INSERT INTO folders (repository, path, parent, name, tree, changed) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (repository, path) DO UPDATE SET tree = excluded.tree, changed = excluded.changed
    RETURNING id`);
  const remove = database.prepare('DELETE FROM folders WHERE id = ?');
  const listing = database.prepare(
    `SELECT json_group_object(name || '/', json_object('ETag', tree)) AS items FROM folders WHERE parent = ?`,
  );
  const listAll = database.prepare('SELECT id, path, tree FROM folders WHERE repository = ? ORDER BY path');

  return {
    find: (repository, path) =>
      known.find(`${repository}/${path}`, () => find.get(repository, path) as FolderState | undefined),
    put(repository, row, tree, changed, when) {
      let isWritten = false;
      if (row.id === undefined) {
        const parent = row.parent?.id ?? null;
        const inserted = insert.get(repository, row.path, parent, row.name, tree, changed) as { id: number };
        row.id = inserted.id;
        isWritten = true;
      }
      const { id } = row;
      const run = isWritten ? () => {} : () => void update.run(tree, changed, id);
      known.change(`${repository}/${row.path}`, { id, tree, changed }, when, run);
    },
    remove(repository, row) {
      const { id } = row;
      if (id === undefined) return;
      known.change(`${repository}/${row.path}`, null, 'now', () => remove.run(id));
      row.id = undefined;
    },
    listingJson: (folder) => scan(() => listing.get(folder) as { items: string }).items,
    listAll: (repository) =>
      scan(() => listAll.all(repository) as { id: number; path: string; tree: string }[]),
  };
}

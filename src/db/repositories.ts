// The table of repositories: which exist, the commit that their rows equal, and what they hold.
import type { DatabaseSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import type { KnownRows, Scan, When } from './known-rows.ts';

const MAX_IDS = 16_384;

export type RepositoryRow = {
  id: number;
  user: string;
  module: string;
  /** the commit that the rows of folders and documents equal; null: none yet */
  head: string | null;
  documents: number;
  bytes: number;
};

export interface Repositories {
  find(user: string, module: string): RepositoryRow | undefined;
  /** the row of a repository, made when it is missing */
  ensure(user: string, module: string): RepositoryRow;
  /** a user's repositories in the order of their names, each with the tree of its root folder (null: no document) */
  list(user: string): (RepositoryRow & { tree: string | null; changed: number | null })[];
  listAll(): RepositoryRow[];
  usage(user: string): { documents: number; bytes: number };
  /** sets the head and adds to the counts */
  move(id: number, head: string | null, documents: number, bytes: number, when: When): void;
  /** takes out a repository with its folders and documents */
  remove(id: number): void;
  /** takes out the rows of folders and documents, and the head: the repository will be read in again */
  clear(id: number): void;
}

/**
 * @param known its rows, told what becomes of the changes
 * @param index.write writes what waits to be written
 * @param index.forget called when many rows of all tables went at once
 */
export function openRepositories(
  database: DatabaseSync,
  known: KnownRows<RepositoryRow>,
  index: {
    scan: Scan;
    write: () => void;
    inTransaction: (work: () => void) => void;
    forget: () => void;
  },
): Repositories {
  const { scan, write, inTransaction, forget } = index;
  /** by 'user/module' */
  const ids = new LRUCache<string, number>({ max: MAX_IDS });
  const findByName = database.prepare('SELECT * FROM repositories WHERE user = ? AND module = ?');
  const insert = database.prepare(
    'INSERT INTO repositories (user, module) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  const list = database.prepare(`
    SELECT r.*, f.tree, f.changed FROM repositories r
    LEFT JOIN folders f ON f.repository = r.id AND f.path = ''
    WHERE r.user = ? ORDER BY r.module`);
  const listAll = database.prepare('SELECT * FROM repositories ORDER BY user, module');
  const usage = database.prepare(
    'SELECT coalesce(sum(documents), 0) AS documents, coalesce(sum(bytes), 0) AS bytes FROM repositories WHERE user = ?',
  );
  const findById = database.prepare('SELECT * FROM repositories WHERE id = ?');
  const move = database.prepare('UPDATE repositories SET head = ?, documents = ?, bytes = ? WHERE id = ?');
  const removeDocuments = database.prepare(
    'DELETE FROM documents WHERE folder IN (SELECT id FROM folders WHERE repository = ?)',
  );
  const removeFolders = database.prepare('DELETE FROM folders WHERE repository = ?');
  const remove = database.prepare('DELETE FROM repositories WHERE id = ?');
  const reset = database.prepare(
    'UPDATE repositories SET head = NULL, documents = 0, bytes = 0 WHERE id = ?',
  );

  function removeRows(id: number, last: typeof remove): void {
    write();
    try {
      inTransaction(() => {
        removeDocuments.run(id);
        removeFolders.run(id);
        last.run(id);
      });
    } finally {
      ids.clear();
      forget();
    }
  }

  function rowOf(id: number): RepositoryRow | undefined {
    return known.find(`${id}`, () => findById.get(id) as RepositoryRow | undefined);
  }

  function findRow(user: string, module: string): RepositoryRow | undefined {
    const name = `${user}/${module}`;
    const id = ids.get(name);
    if (id !== undefined) return rowOf(id);
    const row = findByName.get(user, module) as RepositoryRow | undefined;
    if (!row) return undefined;
    ids.set(name, row.id);
    // what waits to be written is newer
    return known.find(`${row.id}`, () => row);
  }

  return {
    find: findRow,
    ensure(user, module) {
      const row = findRow(user, module);
      if (row) return row;
      insert.run(user, module);
      return findRow(user, module)!;
    },
    list: (user) =>
      scan(() => list.all(user) as (RepositoryRow & { tree: string | null; changed: number | null })[]),
    listAll: () => scan(() => listAll.all() as RepositoryRow[]),
    usage: (user) => scan(() => usage.get(user) as { documents: number; bytes: number }),
    move(id, head, documents, bytes, when) {
      const before = rowOf(id);
      if (!before) return;
      const row = { ...before, head, documents: before.documents + documents, bytes: before.bytes + bytes };
      known.change(`${id}`, row, when, () => move.run(head, row.documents, row.bytes, id));
    },
    remove: (id) => removeRows(id, remove),
    clear: (id) => removeRows(id, reset),
  };
}

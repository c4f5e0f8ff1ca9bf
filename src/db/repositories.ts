// The table of repositories: which exist, the commit that their rows equal, and what they hold.
import type { DatabaseSync } from 'node:sqlite';
import type { KnownRows } from './known-rows.ts';

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
  /** sets the head and adds to the counts, in a transaction */
  move(id: number, head: string | null, documents: number, bytes: number): void;
  /** takes out a repository with its folders and documents */
  remove(id: number): void;
  /** takes out the rows of folders and documents, and the head: the repository will be read in again */
  clear(id: number): void;
}

/**
 * @param known its rows, told of every transaction's end
 * @param forget called when many rows of all tables go at once
 */
export function openRepositories(
  database: DatabaseSync,
  known: KnownRows<RepositoryRow>,
  forget: () => void,
): Repositories {
  const find = database.prepare('SELECT * FROM repositories WHERE user = ? AND module = ?');
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
  const move = database.prepare(
    'UPDATE repositories SET head = ?, documents = documents + ?, bytes = bytes + ? WHERE id = ? RETURNING *',
  );
  const removeDocuments = database.prepare(
    'DELETE FROM documents WHERE folder IN (SELECT id FROM folders WHERE repository = ?)',
  );
  const removeFolders = database.prepare('DELETE FROM folders WHERE repository = ?');
  const remove = database.prepare('DELETE FROM repositories WHERE id = ?');
  const reset = database.prepare(
    'UPDATE repositories SET head = NULL, documents = 0, bytes = 0 WHERE id = ?',
  );

  function inTransaction(id: number, last: typeof remove): void {
    database.exec('BEGIN IMMEDIATE');
    try {
      removeDocuments.run(id);
      removeFolders.run(id);
      last.run(id);
      database.exec('COMMIT');
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    } finally {
      forget();
    }
  }

  function findRow(user: string, module: string): RepositoryRow | undefined {
    return known.find(`${user}/${module}`, () => find.get(user, module) as RepositoryRow | undefined);
  }

  return {
    find: findRow,
    ensure(user, module) {
      const row = findRow(user, module);
      if (row) return row;
      insert.run(user, module);
      return findRow(user, module)!;
    },
    list: (user) => list.all(user) as (RepositoryRow & { tree: string | null; changed: number | null })[],
    listAll: () => listAll.all() as RepositoryRow[],
    usage: (user) => usage.get(user) as { documents: number; bytes: number },
    move(id, head, documents, bytes) {
      const row = move.get(head, documents, bytes, id) as RepositoryRow | undefined;
      if (row) known.change(`${row.user}/${row.module}`, row);
    },
    remove: (id) => inTransaction(id, remove),
    clear: (id) => inTransaction(id, reset),
  };
}

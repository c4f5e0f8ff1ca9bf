// The table of documents: one row per current document.
import type { DatabaseSync } from 'node:sqlite';

export type DocumentRow = {
  /** `<blob id>-<8 hex digits of the type's SHA-1>`, without quotes */
  etag: string;
  type: string;
  /** bytes */
  size: number;
  /** HTTP-date of the document's last commit */
  modified: string;
};

export interface Documents {
  /** one look-up for a GET: user, module, folder path within the repository ('' its root), name */
  find(user: string, module: string, folder: string, name: string): DocumentRow | undefined;
  size(folder: number, name: string): number | undefined;
  put(folder: number, name: string, document: DocumentRow): void;
  remove(folder: number, name: string): void;
  /** `{"name": {"ETag": …, "Content-Type": …, …}, …}` of the documents in a folder, as JSON text */
  listingJson(folder: number): string;
  list(folder: number): (DocumentRow & { name: string })[];
}

export function openDocuments(database: DatabaseSync): Documents {
  const find = database.prepare(`
    SELECT d.etag, d.type, d.size, d.modified FROM repositories r
    JOIN folders f ON f.repository = r.id AND f.path = ?
    JOIN documents d ON d.folder = f.id AND d.name = ?
    WHERE r.user = ? AND r.module = ?`);
  const size = database.prepare('SELECT size FROM documents WHERE folder = ? AND name = ?');
  const put = database.prepare(`
    INSERT INTO documents (folder, name, etag, type, size, modified) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (folder, name) DO UPDATE
    SET etag = excluded.etag, type = excluded.type, size = excluded.size, modified = excluded.modified`);
  const remove = database.prepare('DELETE FROM documents WHERE folder = ? AND name = ?');
  const listing = database.prepare(`
    SELECT json_group_object(name, json_object(
      'ETag', etag, 'Content-Type', type, 'Content-Length', size, 'Last-Modified', modified)) AS items
    FROM documents WHERE folder = ?`);
  const list = database.prepare(
    'SELECT name, etag, type, size, modified FROM documents WHERE folder = ? ORDER BY name',
  );

  return {
    find: (user, module, folder, name) => find.get(folder, name, user, module) as DocumentRow | undefined,
    size: (folder, name) => (size.get(folder, name) as { size: number } | undefined)?.size,
    put: (folder, name, d) => void put.run(folder, name, d.etag, d.type, d.size, d.modified),
    remove: (folder, name) => void remove.run(folder, name),
    listingJson: (folder) => (listing.get(folder) as { items: string }).items,
    list: (folder) => list.all(folder) as (DocumentRow & { name: string })[],
  };
}

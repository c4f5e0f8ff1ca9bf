// The table of documents: one row per current document.
import type { DatabaseSync } from 'node:sqlite';
import type { Folders } from './folders.ts';
import type { KnownRows, Scan, When } from './known-rows.ts';

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
  /** for a GET: the repository's row, the folder's path within it ('' its root), the document's name */
  find(repository: number, folder: string, name: string): DocumentRow | undefined;
  /** the same within a folder's row */
  findIn(folder: number, name: string): DocumentRow | undefined;
  put(folder: number, name: string, document: DocumentRow, when: When): void;
  remove(folder: number, name: string, when: When): void;
  /** `{"name": {"ETag": …, "Content-Type": …, …}, …}` of the documents in a folder, as JSON text */
  listingJson(folder: number): string;
  list(folder: number): (DocumentRow & { name: string })[];
}

/**
 * @param known its rows, told what becomes of the changes
 */
export function openDocuments(
  database: DatabaseSync,
  folders: Folders,
  known: KnownRows<DocumentRow>,
  scan: Scan,
): Documents {
  const find = database.prepare(
    'SELECT etag, type, size, modified FROM documents WHERE folder = ? AND name = ?',
  );
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

  function findIn(folder: number, name: string): DocumentRow | undefined {
    return known.find(`${folder}/${name}`, () => find.get(folder, name) as DocumentRow | undefined);
  }

  return {
    find(repository, path, name) {
      const folder = folders.find(repository, path);
      return folder && findIn(folder.id, name);
    },
    findIn,
    put(folder, name, document, when) {
      const { etag, type, size, modified } = document;
      known.change(`${folder}/${name}`, document, when, () =>
        put.run(folder, name, etag, type, size, modified),
      );
    },
    remove(folder, name, when) {
      known.change(`${folder}/${name}`, null, when, () => remove.run(folder, name));
    },
    listingJson: (folder) => scan(() => listing.get(folder) as { items: string }).items,
    list: (folder) => scan(() => list.all(folder) as (DocumentRow & { name: string })[]),
  };
}

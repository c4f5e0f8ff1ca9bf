// index.db: one row per current document, one per folder, one per repository. Derived from the
// repositories and never the truth: delete it, and it is rebuilt. Statements stand beside their table,
// in repositories.ts, folders.ts and documents.ts; this file opens the database and writes turns to it.
import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type DocumentRow, type Documents, openDocuments } from './documents.ts';
import { type FolderRow, type FolderState, type Folders, openFolders } from './folders.ts';
import { KnownRows, type When } from './known-rows.ts';
import { openLogCopier } from './log-copier.ts';
import type { CacheMeasures } from './measures.ts';
import { openRepositories, type Repositories, type RepositoryRow } from './repositories.ts';

/** The layout below. A file of another layout is dropped and rebuilt from the repositories. */
const INDEX_VERSION = 2;

const SCHEMA = `
CREATE TABLE repositories (
  id INTEGER PRIMARY KEY,
  user TEXT NOT NULL,
  module TEXT NOT NULL,
  head TEXT,
  documents INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  UNIQUE (user, module)
);
CREATE TABLE folders (
  id INTEGER PRIMARY KEY,
  repository INTEGER NOT NULL,
  path TEXT NOT NULL,
  parent INTEGER,
  name TEXT NOT NULL,
  tree TEXT NOT NULL,
  changed INTEGER NOT NULL,
  UNIQUE (repository, path)
);
CREATE INDEX folders_by_parent ON folders (parent) WHERE parent IS NOT NULL;
CREATE TABLE documents (
  folder INTEGER NOT NULL,
  name TEXT NOT NULL,
  etag TEXT NOT NULL,
  type TEXT NOT NULL,
  size INTEGER NOT NULL,
  modified TEXT NOT NULL,
  PRIMARY KEY (folder, name)
) WITHOUT ROWID;
CREATE TABLE opened (times INTEGER NOT NULL);
INSERT INTO opened VALUES (0);
`;

/** Changes wait so long, or until so many rows wait, and are written in one transaction. */
const WRITE_AFTER_MS = 30;
const WRITE_AT_ROWS = 512;
const WRITE_AGAIN_MS = 1000;
/** Memory for rows that are known, in three tables, and for SQLite's pages, unless told otherwise. */
const DEFAULT_MEMORY: IndexMemory = { rowBytes: 16 << 20, pageBytes: 32 << 20 };
/** The log's size in pages at which the main thread would copy it: only if the thread cannot keep up. */
const LOG_LIMIT_PAGES = 16_000;

/** What one turn (or a catch-up) changes: the repository's new head and every row that differs. */
export type IndexChange = {
  /** the repository's row */
  repository: number;
  /** the commit that the rows equal afterwards; null for a repository without a commit */
  head: string | null;
  /** every folder whose tree changed, ancestors before descendants; `tree: null` takes it out */
  folders: readonly { row: FolderRow; tree: string | null }[];
  /** every document that changed; `document: null` takes it out */
  documents: readonly { folder: FolderRow; name: string; document: DocumentRow | null }[];
};

/** What the index may keep in memory, in bytes. */
export type IndexMemory = { rowBytes: number; pageBytes: number };

export type IndexMeasures = {
  rows: CacheMeasures;
  /** rows that wait to be written, and those that were written behind since the index was opened */
  waiting: number;
  written: number;
};

export interface Index extends Disposable {
  readonly repositories: Repositories;
  readonly folders: Folders;
  readonly documents: Documents;
  /** true when the file was made anew by this opening: every repository must be read in again */
  readonly isNew: boolean;
  /**
   * Makes the changes: all of them or, when it throws, none. They are seen at once, and written together with others soon
   * after; a crash before leaves the rows of an older commit, as `head` tells.
   */
  apply(changes: readonly IndexChange[]): void;
  /** Writes what waits to be written. */
  write(): void;
  /** Runs `read` in one snapshot. */
  snapshot<T>(read: () => T): T;
  measures(): IndexMeasures;
  close(): void;
}

/**
 * Opens the index at `file`, making it anew when it is missing, of another layout, or damaged.
 * @param log is told when changes cannot be written
 * @throws what SQLite throws when the file can be neither read nor made
 */
export function openIndex(file: string, log?: Log, memory = DEFAULT_MEMORY): Index {
  const usable = openUsable(file, memory, log);
  if (usable) return usable;
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
  return indexOver(create(file, memory), file, true, memory, log);
}

function openUsable(file: string, memory: IndexMemory, log?: Log): Index | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    configure(database, memory);
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    const { quick_check: check } = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    // a table that is missing shows when its statements are prepared
    if (version === INDEX_VERSION && check === 'ok') return indexOver(database, file, false, memory, log);
  } catch (error) {
    if (!isDamage(error)) {
      database?.close();
      throw error;
    }
  }
  database?.close();
  return undefined;
}

/** SQLITE_ERROR (a table is missing), SQLITE_CORRUPT and SQLITE_NOTADB: what a rebuilt file mends. */
function isDamage(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode ?? 0;
  return [1, 11, 26].includes(code & 0xff);
}

function create(file: string, memory: IndexMemory): DatabaseSync {
  const database = new DatabaseSync(file);
  configure(database, memory);
  database.exec(`BEGIN; ${SCHEMA} PRAGMA user_version = ${INDEX_VERSION}; COMMIT;`);
  return database;
}

/** NORMAL, not FULL: a power cut may take the newest transactions, and catch-up brings them back. */
function configure(database: DatabaseSync, { pageBytes }: IndexMemory): void {
  database.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  database.exec(`PRAGMA cache_size = -${Math.ceil(pageBytes / 1024)}`);
  database.exec(`PRAGMA wal_autocheckpoint = ${LOG_LIMIT_PAGES}`);
}

function indexOver(
  database: DatabaseSync,
  file: string,
  isNew: boolean,
  memory: IndexMemory,
  log: Log | undefined,
): Index {
  const { times } = database.prepare('UPDATE opened SET times = times + 1 RETURNING times').get() as {
    times: number;
  };
  // Change numbers never repeat: they begin anew, above all earlier ones, each time the index is opened.
  let changeNumber = times * 2 ** 32;
  const rowBytes = Math.floor(memory.rowBytes / 3);
  const known = {
    repositories: new KnownRows<RepositoryRow>(rowBytes, ({ user, module }) => user + module),
    folders: new KnownRows<FolderState>(rowBytes),
    documents: new KnownRows<DocumentRow>(rowBytes, ({ type }) => type),
  };
  const tables = Object.values(known);
  const repositories = openRepositories(database, known.repositories, { scan, write, inTransaction, forget });
  const folders = openFolders(database, known.folders, scan);
  const documents = openDocuments(database, folders, known.documents, scan);
  const begin = database.prepare('BEGIN IMMEDIATE');
  const beginRead = database.prepare('BEGIN');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  const logCopier = openLogCopier(file);
  let timer: NodeJS.Timeout | undefined;
  let written = 0;

  function waiting(): number {
    return tables.reduce((sum, rows) => sum + rows.waiting, 0);
  }

  function applyOne(change: IndexChange, when: When, added: FolderRow[]): void {
    changeNumber++;
    for (const { row, tree } of change.folders) {
      if (row.id === undefined) added.push(row);
      if (tree === null) row.id ??= folders.find(change.repository, row.path)?.id;
      else folders.put(change.repository, row, tree, changeNumber, when);
    }
    let count = 0;
    let bytes = 0;
    for (const { folder, name, document } of change.documents) {
      if (folder.id === undefined) continue; // a folder that came and went within the turn
      const before = documents.findIn(folder.id, name)?.size;
      if (before !== undefined) {
        count--;
        bytes -= before;
      }
      if (document) {
        documents.put(folder.id, name, document, when);
        count++;
        bytes += document.size;
      } else if (before !== undefined) {
        documents.remove(folder.id, name, when);
      }
    }
    for (const { row, tree } of change.folders) if (tree === null) folders.remove(change.repository, row);
    repositories.move(change.repository, change.head, count, bytes, when);
  }

  function apply(changes: readonly IndexChange[]): void {
    const canWait = changes.every(isPlain);
    if (!canWait || waiting() >= WRITE_AT_ROWS) write();
    const added: FolderRow[] = [];
    const applyAll = (when: When) => {
      for (const change of changes) applyOne(change, when, added);
    };
    try {
      if (canWait) applyAll('later');
      else inTransaction(() => applyAll('now'));
    } catch (error) {
      for (const rows of tables) rows.drop();
      for (const row of added) row.id = undefined;
      throw error;
    }
    if (canWait) {
      for (const rows of tables) rows.putOff();
      writeSoon(WRITE_AFTER_MS);
    } else {
      for (const rows of tables) rows.settle();
      logCopier.note(changes.length);
    }
  }

  function write(): void {
    const count = waiting();
    if (count === 0) return;
    inTransaction(() => {
      for (const rows of tables) rows.writeWaiting();
    });
    for (const rows of tables) rows.settleWaiting();
    written += count;
    logCopier.note(count);
  }

  function writeSoon(milliseconds: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      try {
        write();
      } catch (error) {
        log?.error({ err: error }, 'the index cannot be written now; it is tried again');
        writeSoon(WRITE_AGAIN_MS);
      }
    }, milliseconds).unref();
  }

  /** Reads rows that nobody named: what waits must be among them. On a full disk it is, for this reading. */
  function scan<T>(read: () => T): T {
    if (database.isTransaction) return read();
    try {
      write();
    } catch {
      return readWithWaiting(read);
    }
    return read();
  }

  function readWithWaiting<T>(read: () => T): T {
    try {
      begin.run();
      for (const rows of tables) rows.writeWaiting();
    } catch (error) {
      if (database.isTransaction) rollback.run();
      throw new GitsteadError('not-ready', 'the index cannot be read now', { cause: error });
    }
    try {
      return read();
    } finally {
      if (database.isTransaction) rollback.run();
    }
  }

  function forget(): void {
    for (const rows of tables) rows.forget();
  }

  function inTransaction(work: () => void): void {
    begin.run();
    try {
      work();
      commit.run();
    } catch (error) {
      // of some errors, such as a full disk, SQLite has rolled back by itself
      if (database.isTransaction) rollback.run();
      throw error;
    }
  }

  function snapshot<T>(read: () => T): T {
    return scan(() => {
      if (database.isTransaction) return read();
      beginRead.run();
      try {
        return read();
      } finally {
        commit.run();
      }
    });
  }

  function measures(): IndexMeasures {
    const sum = (count: (rows: (typeof tables)[number]) => number) =>
      tables.reduce((total, rows) => total + count(rows), 0);
    const kept = { hits: sum(({ hits }) => hits), misses: sum(({ misses }) => misses) };
    return {
      rows: { ...kept, held: sum(({ held }) => held), limit: sum(({ limit }) => limit) },
      waiting: waiting(),
      written,
    };
  }

  const close = () => {
    clearTimeout(timer);
    try {
      if (database.isOpen) write();
    } catch (error) {
      log?.warn(
        { err: error },
        'the index could not be written to its end; the next start reads in the rest',
      );
    }
    logCopier.close();
    if (database.isOpen) database.close();
  };
  const tablesOf = { repositories, folders, documents };
  return { ...tablesOf, isNew, apply, write, snapshot, measures, close, [Symbol.dispose]: close };
}

/** True when it only replaces rows: nothing is to be made or taken out that others refer to. */
function isPlain({ folders, documents }: IndexChange): boolean {
  return (
    folders.every(({ row, tree }) => tree !== null && row.id !== undefined) &&
    documents.every(({ folder }) => folder.id !== undefined)
  );
}

// index.db: one row per current document, one per folder, one per repository. Derived from the
// repositories and never the truth: delete it, and it is rebuilt. Statements stand beside their table,
// in repositories.ts, folders.ts and documents.ts; this file opens the database and writes turns to it.
import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { type DocumentRow, type Documents, openDocuments } from './documents.ts';
import { type FolderRow, type FolderState, type Folders, openFolders } from './folders.ts';
import { KnownRows } from './known-rows.ts';
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

/** After so many changes the log is copied into the file, aside from the main thread. */
const COPY_LOG_AFTER_CHANGES = 2000;
/** How long closing waits for a copy under way. */
const MAX_COPY_MS = 5000;
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

export interface Index extends Disposable {
  readonly repositories: Repositories;
  readonly folders: Folders;
  readonly documents: Documents;
  /** true when the file was made anew by this opening: every repository must be read in again */
  readonly isNew: boolean;
  /** Writes the changes in one transaction: all of them or, when it throws, none. */
  apply(changes: readonly IndexChange[]): void;
  /** Runs `read` in one snapshot. */
  snapshot<T>(read: () => T): T;
  close(): void;
}

/**
 * Opens the index at `file`, making it anew when it is missing, of another layout, or damaged.
 * @throws what SQLite throws when the file can be neither read nor made
 */
export function openIndex(file: string): Index {
  const usable = openUsable(file);
  if (usable) return usable;
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
  return indexOver(create(file), file, true);
}

function openUsable(file: string): Index | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    configure(database);
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    const { quick_check: check } = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    // a table that is missing shows when its statements are prepared
    if (version === INDEX_VERSION && check === 'ok') return indexOver(database, file, false);
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

function create(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  configure(database);
  database.exec(`BEGIN; ${SCHEMA} PRAGMA user_version = ${INDEX_VERSION}; COMMIT;`);
  return database;
}

/** NORMAL, not FULL: a power cut may take the newest transactions, and catch-up brings them back. */
function configure(database: DatabaseSync): void {
  database.exec(
    'PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768',
  );
  database.exec(`PRAGMA wal_autocheckpoint = ${LOG_LIMIT_PAGES}`);
}

function indexOver(database: DatabaseSync, file: string, isNew: boolean): Index {
  const { times } = database.prepare('UPDATE opened SET times = times + 1 RETURNING times').get() as {
    times: number;
  };
  // Change numbers never repeat: they begin anew, above all earlier ones, each time the index is opened.
  let changeNumber = times * 2 ** 32;
  const known = {
    repositories: new KnownRows<RepositoryRow>(),
    folders: new KnownRows<FolderState>(),
    documents: new KnownRows<DocumentRow>(),
  };
  const repositories = openRepositories(database, known.repositories, () => {
    for (const rows of Object.values(known)) rows.clear();
  });
  const folders = openFolders(database, known.folders);
  const documents = openDocuments(database, folders, known.documents);
  const begin = database.prepare('BEGIN IMMEDIATE');
  const beginRead = database.prepare('BEGIN');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  const logCopier = openLogCopier(file);

  function applyOne(change: IndexChange, added: FolderRow[]): void {
    changeNumber++;
    for (const { row, tree } of change.folders) {
      if (row.id === undefined) added.push(row);
      if (tree === null) row.id ??= folders.find(change.repository, row.path)?.id;
      else folders.put(change.repository, row, tree, changeNumber);
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
        documents.put(folder.id, name, document);
        count++;
        bytes += document.size;
      } else if (before !== undefined) {
        documents.remove(folder.id, name);
      }
    }
    for (const { row, tree } of change.folders) if (tree === null) folders.remove(change.repository, row);
    repositories.move(change.repository, change.head, count, bytes);
  }

  function apply(changes: readonly IndexChange[]): void {
    const added: FolderRow[] = [];
    begin.run();
    try {
      for (const change of changes) applyOne(change, added);
      commit.run();
      settleKnown(true);
      logCopier.note(changes.length);
    } catch (error) {
      settleKnown(false);
      for (const row of added) row.id = undefined;
      if (database.isTransaction) rollback.run();
      throw error;
    }
  }

  function settleKnown(isCommitted: boolean): void {
    for (const rows of Object.values(known)) rows.settle(isCommitted);
  }

  function snapshot<T>(read: () => T): T {
    beginRead.run();
    try {
      return read();
    } finally {
      commit.run();
    }
  }

  const close = () => {
    logCopier.close();
    if (database.isOpen) database.close();
  };
  return { repositories, folders, documents, isNew, apply, snapshot, close, [Symbol.dispose]: close };
}

interface LogCopier {
  /** so many changes were written */
  note(changes: number): void;
  close(): void;
}

/** Copies the log into the file now and then, in a thread that is started when there is something to copy. */
function openLogCopier(file: string): LogCopier {
  /** 1 while the thread has the file open, see wal-worker.ts */
  const state = new Int32Array(new SharedArrayBuffer(4));
  let worker: Worker | undefined;
  let pending = 0;
  return {
    note(changes) {
      pending += changes;
      if (pending < COPY_LOG_AFTER_CHANGES || Atomics.load(state, 0) === 1) return;
      worker ??= startLogCopier(file, state);
      pending = 0;
      Atomics.store(state, 0, 1);
      worker.postMessage('copy');
    },
    close() {
      // a thread ended in the middle would leave the file locked
      Atomics.wait(state, 0, 1, MAX_COPY_MS);
      void worker?.terminate();
    },
  };
}

/** The thread runs this file's neighbour, as source or as built. When it fails, the main thread copies at the limit. */
function startLogCopier(file: string, state: Int32Array): Worker {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const worker = new Worker(new URL(`./wal-worker${ending}`, import.meta.url), {
    workerData: { file, state },
  });
  worker.on('error', () => {});
  worker.unref();
  return worker;
}

// The storage alone, without HTTP, in a temporary folder: for tests that want to be close to it. It can be closed and
// opened again, with or without its index; and what it complains of in its log is kept, since a store that answers
// well and complains is not well.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Index, openIndex } from '../src/db/open-index.ts';
import { openLog } from '../src/log.ts';
import type { Precondition } from '../src/protocol/conditions.ts';
import { NO_PRECONDITION } from '../src/protocol/conditions.ts';
import type { UserName } from '../src/protocol/paths.ts';
import { type DocumentPath, documentPath, folderPath, parseUserName } from '../src/protocol/paths.ts';
import { openStorage, type StorageOptions } from '../src/storage/storage.ts';
import type { Body, Storage, WriteResult } from '../src/storage/types.ts';

export type TestStoreOptions = Partial<Omit<StorageOptions, 'dataFolder' | 'index' | 'log'>>;

export interface TestStore extends AsyncDisposable {
  readonly folder: string;
  readonly storage: Storage;
  readonly index: Index;
  /** messages of level warn and above since the last call */
  complaints(): string[];
  /** @param options.meanwhile is called while it is closed */
  reopen(options?: { withoutIndex?: boolean; meanwhile?: () => void }): Promise<void>;
  close(): Promise<void>;
}

export async function openTestStore(options: TestStoreOptions = {}): Promise<TestStore> {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-store-'));
  const indexFile = join(folder, 'index.db');
  let heard: string[] = [];
  const log = openLog('warn', {
    write(line: string) {
      const { msg, err } = JSON.parse(line) as { msg: string; err?: { message?: string; stack?: string } };
      heard.push(err ? `${msg}: ${err.stack ?? err.message}` : msg);
    },
  });

  async function open() {
    const index = openIndex(indexFile);
    const storage = await openStorage({ host: 'example.org', ...options, dataFolder: folder, index, log });
    return { index, storage };
  }

  let opened = await open();

  async function shut(): Promise<void> {
    await opened.storage[Symbol.asyncDispose]();
    opened.index.close();
  }

  async function close(): Promise<void> {
    await shut();
    rmSync(folder, { recursive: true, force: true });
  }

  return {
    folder,
    get storage() {
      return opened.storage;
    },
    get index() {
      return opened.index;
    },
    complaints() {
      const said = heard;
      heard = [];
      return said;
    },
    async reopen({ withoutIndex = false, meanwhile = () => {} } = {}) {
      await shut();
      if (withoutIndex)
        for (const ending of ['', '-wal', '-shm']) rmSync(indexFile + ending, { force: true });
      meanwhile();
      opened = await open();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

export function user(name: string): UserName {
  const parsed = parseUserName(name);
  if (parsed === undefined) throw new Error(`${name} is no user name`);
  return parsed;
}

export const ALICE = user('alice');

/** A document's path: `doc('notes/a/b.txt')`, of alice. */
export function doc(path: string, owner: UserName = ALICE): DocumentPath {
  return documentPath(owner, path.split('/'));
}

/** A folder's path: `dir('notes/a')`, of alice; `dir('')` is the root. */
export function dir(path: string, owner: UserName = ALICE) {
  return folderPath(owner, path === '' ? [] : path.split('/'));
}

export async function* chunksOf(...chunks: (Buffer | string)[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

type WriteOptions = { type?: string; precondition?: Precondition };

export function put(
  storage: Storage,
  path: DocumentPath,
  body: Buffer | string,
  { type = 'text/plain', precondition = NO_PRECONDITION }: WriteOptions = {},
): Promise<WriteResult> {
  return storage.put(path, {
    type,
    body: chunksOf(body),
    length: Buffer.byteLength(body),
    precondition,
    author: { user: path.user, app: 'https://app.example', grant: '*:rw' },
    quotaBytes: undefined,
  });
}

export function remove(
  storage: Storage,
  path: DocumentPath,
  precondition: Precondition = NO_PRECONDITION,
): Promise<WriteResult> {
  return storage.delete(path, {
    precondition,
    author: { user: path.user, app: undefined, grant: undefined },
  });
}

/** A document's bytes as text; undefined when there is none. */
export async function textOf(storage: Storage, path: DocumentPath): Promise<string | undefined> {
  return (await bytesOf(storage, path))?.toString();
}

export async function bytesOf(
  storage: Storage,
  path: DocumentPath,
  range?: { start: number; end: number },
): Promise<Buffer | undefined> {
  const info = await storage.document(path);
  if (!info) return undefined;
  return wholeBody(await storage.body(path, info, range));
}

/** What `Storage.body` gave, to its end. */
export async function wholeBody(body: Body): Promise<Buffer> {
  if (typeof body === 'string') return Buffer.from(body, 'latin1');
  if (Buffer.isBuffer(body)) return body;
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

export type ListedItem = {
  ETag: string;
  'Content-Type'?: string;
  'Content-Length'?: number;
  'Last-Modified'?: string;
};

/** A folder's items, by name (a folder's with a slash). */
export async function itemsOf(
  storage: Storage,
  path: ReturnType<typeof dir>,
): Promise<Record<string, ListedItem>> {
  const { body } = await storage.listing(path);
  return (JSON.parse(body.toString()) as { items: Record<string, ListedItem> }).items;
}

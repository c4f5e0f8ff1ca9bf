// The storage as a Map: what the draft's section 3 asks for and nothing of git. The model that the real one is
// compared with, and a storage for tests of what stands above it.
import { createHash } from 'node:crypto';
import { GitsteadError } from '../src/errors.ts';
import { EMPTY_TREE, hashObject } from '../src/git/object-id.ts';
import { permitsWrite } from '../src/protocol/conditions.ts';
import { formatHttpDate } from '../src/protocol/http-date.ts';
import {
  type DocumentPath,
  type FolderPath,
  moduleOf,
  ROOT_MODULE,
  type UserName,
} from '../src/protocol/paths.ts';
import { escapeName, escapeRepositoryName } from '../src/storage/item-names.ts';
import type { DocumentInfo, PutRequest, Storage, WriteResult } from '../src/storage/types.ts';

type StoredDocument = DocumentInfo & { body: Buffer };
/** By decoded segments, joined with slashes. */
type Documents = Map<string, StoredDocument>;

export type MemoryStorageOptions = {
  documentBytes?: number;
  now?: () => number;
  /** bodies above this are given out as streams */
  streamAboveBytes?: number;
};

type Call = 'document' | 'body' | 'folderTag' | 'listing' | 'put' | 'delete';

export interface MemoryStorage extends Storage {
  /** what the next call of each kind fails with, once */
  readonly failNext: Map<Call, unknown>;
  /** what was written, in order: for tests of what the storage is told */
  readonly writes: { path: DocumentPath; request: Omit<PutRequest, 'body' | 'length'> | undefined }[];
}

export function openMemoryStorage(options: MemoryStorageOptions = {}): MemoryStorage {
  const { documentBytes = 64 << 20, now = Date.now, streamAboveBytes = 1 << 20 } = options;
  const users = new Map<UserName, Documents>();
  const failNext: MemoryStorage['failNext'] = new Map();
  const writes: MemoryStorage['writes'] = [];

  const documentsOf = (user: UserName): Documents => users.get(user) ?? new Map();

  function failIfTold(call: Call): void {
    if (!failNext.has(call)) return;
    const failure = failNext.get(call);
    failNext.delete(call);
    throw failure;
  }

  function judge(path: DocumentPath, precondition: PutRequest['precondition']) {
    const documents = documentsOf(path.user);
    const key = path.segments.join('/');
    const current = documents.get(key);
    return { documents, key, current, isStale: !permitsWrite(precondition, current?.etag) };
  }

  return {
    failNext,
    writes,
    async document(path) {
      failIfTold('document');
      return documentsOf(path.user).get(path.segments.join('/'));
    },
    body(_path, info, range) {
      failIfTold('body');
      const { body } = info as StoredDocument;
      const part = range ? body.subarray(range.start, range.end + 1) : body;
      return part.length > streamAboveBytes ? Object.assign(chunksOf(part), { close() {} }) : part;
    },
    async folderTag(path) {
      failIfTold('folderTag');
      return describe(documentsOf(path.user), path).etag;
    },
    async listing(path) {
      failIfTold('listing');
      const { etag, items } = describe(documentsOf(path.user), path);
      const description = { '@context': 'http://remotestorage.io/spec/folder-description', items };
      return { etag, body: Buffer.from(JSON.stringify(description)) };
    },
    async put(path, { sender, body: source, length, ...request }) {
      failIfTold('put');
      checkNames(path);
      const body = await readAll(source, documentBytes);
      if (length !== undefined && length !== body.length)
        throw new GitsteadError('bad-request', 'another length');
      await sender?.confirm();
      writes.push({ path, request });
      const { documents, key, current, isStale } = judge(path, request.precondition);
      if (isStale) return { kind: 'stale', current: current?.etag };
      const at = clashOf(documents, path);
      if (at !== undefined) return { kind: 'clash', at };
      checkQuota(documents, body.length - (current?.size ?? 0), request.quotaBytes);
      const blob = hashObject('blob', body);
      const etag = `${blob}-${createHash('sha1').update(request.type).digest('hex').slice(0, 8)}`;
      const lastModified = formatHttpDate(now());
      documents.set(key, { etag, type: request.type, size: body.length, lastModified, blob, body });
      users.set(path.user, documents);
      return { kind: current ? 'updated' : 'created', etag, lastModified };
    },
    async delete(path, { precondition }): Promise<WriteResult> {
      failIfTold('delete');
      writes.push({ path, request: undefined });
      const { documents, key, current, isStale } = judge(path, precondition);
      if (isStale) return { kind: 'stale', current: current?.etag };
      if (!current) return { kind: 'missing' };
      documents.delete(key);
      return { kind: 'deleted', etag: current.etag };
    },
    usage(user) {
      const documents = documentsOf(user);
      return { bytes: bytesOf(documents), documents: documents.size };
    },
    modules(user) {
      const modules = new Map<string, { module: string; documents: number; bytes: number }>();
      for (const [key, { size }] of documentsOf(user)) {
        const module = key.includes('/') ? key.slice(0, key.indexOf('/')) : ROOT_MODULE;
        const known = modules.get(module) ?? { module, documents: 0, bytes: 0 };
        modules.set(module, { module, documents: known.documents + 1, bytes: known.bytes + size });
      }
      return [...modules.values()];
    },
    async drain() {},
    repositoryFolder: () => undefined,
    repositories: () => [],
    reindex: async () => ({ repositories: 0, documents: 0 }),
    async removeUser(user) {
      users.delete(user);
    },
    async [Symbol.asyncDispose]() {},
  };
}

function checkNames(path: DocumentPath): void {
  escapeRepositoryName(moduleOf(path)!);
  for (const segment of path.segments) escapeName(segment);
}

/** Draft, section 4: a name is a document's or a folder's, never both. */
function clashOf(documents: Documents, { segments }: DocumentPath): string | undefined {
  for (let depth = 1; depth < segments.length; depth++) {
    const above = segments.slice(0, depth).join('/');
    if (documents.has(above)) return above;
  }
  const key = segments.join('/');
  return documents.keys().some((other) => other.startsWith(`${key}/`)) ? key : undefined;
}

type Item = { ETag: string; 'Content-Type'?: string; 'Content-Length'?: number; 'Last-Modified'?: string };

/** What stands in a folder and below makes its tag, times excepted. */
function describe(documents: Documents, { segments }: Pick<FolderPath, 'segments'>) {
  const prefix = segments.map((segment) => `${segment}/`).join('');
  const items = new Map<string, Item>();
  for (const [key, { etag, type, size, lastModified }] of documents) {
    if (!key.startsWith(prefix)) continue;
    const rest = key.slice(prefix.length);
    const slash = rest.indexOf('/');
    if (slash < 0) {
      items.set(rest, {
        ETag: etag,
        'Content-Type': type,
        'Content-Length': size,
        'Last-Modified': lastModified,
      });
    } else if (!items.has(rest.slice(0, slash + 1))) {
      const below = describe(documents, { segments: [...segments, rest.slice(0, slash)] });
      items.set(rest.slice(0, slash + 1), { ETag: below.etag });
    }
  }
  const tags = [...items].map(([name, { ETag }]) => `${name}\0${ETag}\0`).sort();
  const etag = items.size === 0 ? EMPTY_TREE : createHash('sha1').update(tags.join('')).digest('hex');
  return { etag, items: Object.fromEntries(items) };
}

function bytesOf(documents: Documents): number {
  return documents.values().reduce((sum, { size }) => sum + size, 0);
}

function checkQuota(documents: Documents, added: number, quotaBytes: number | undefined): void {
  if (quotaBytes !== undefined && added > 0 && bytesOf(documents) + added > quotaBytes) {
    throw new GitsteadError('over-quota', 'the account is full');
  }
}

async function readAll(source: AsyncIterable<Buffer>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) throw new GitsteadError('too-large', `documents here have at most ${limit} bytes`);
  }
  return Buffer.concat(chunks);
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += 65_536) yield bytes.subarray(start, start + 65_536);
}

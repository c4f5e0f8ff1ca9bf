// Reads: a document's row from the index, its bytes from memory, pending commits or disk. Looks at the ref at most once
// a second, so that a push is noticed, and answers 503 while a repository is not ready.
import { LRUCache } from 'lru-cache';
import type { DocumentRow } from '../db/documents.ts';
import type { CacheMeasures } from '../db/measures.ts';
import { GitsteadError } from '../errors.ts';
import { inOwnMemory } from '../git/free-memory.ts';
import type { Oid } from '../git/object-id.ts';
import { MAIN, refStamp } from '../git/refs.ts';
import { type DocumentPath, type FolderPath, moduleOf, ROOT_MODULE } from '../protocol/paths.ts';
import { readKind } from './folder-trees.ts';
import type { Listings } from './listings.ts';
import { type OpenRepository, readObject } from './open-repository.ts';
import { type Engine, enqueue } from './queue.ts';
import type { Registry } from './registry.ts';
import type { Stock } from './take-stock.ts';
import { blobOfTag } from './turn.ts';
import type { Body, ByteRange, DocumentInfo, Storage } from './types.ts';

const LOOK_AT_REF_AFTER_MS = 1000;
/** Larger bodies are streamed when they are read, and never kept. */
const KEEP_UP_TO_BYTES = 256 << 10;
/** Up to here they are kept as strings, which spares each GET a conversion, and an entry half of its room. */
const KEEP_AS_STRING_BYTES = 8 << 10;
/** What a kept body takes beside its bytes: measured. */
const STRING_ENTRY_BYTES = 350;
const BUFFER_ENTRY_BYTES = 700;

export type ReadsOptions = {
  engine: Engine;
  registry: Registry;
  stock: Pick<Stock, 'look'>;
  listings: Listings;
  cacheBytes: number;
};

export interface Reads extends Pick<Storage, 'document' | 'body' | 'folderTag' | 'listing'> {
  /** waits until the index has what the repository has; throws not-ready or corrupt when it cannot */
  whenReady(user: string, module: string): Promise<void>;
  /** of the bodies that are kept */
  measures(): CacheMeasures;
}

export function openReads({ engine, registry, stock, listings, cacheBytes }: ReadsOptions): Reads {
  /** Those that were read: to keep what is written, too, would make a small write a tenth to a fifth slower. */
  const bodies = new LRUCache<string, string | Buffer>({
    maxSize: cacheBytes,
    sizeCalculation: (kept) =>
      kept.length + (typeof kept === 'string' ? STRING_ENTRY_BYTES : BUFFER_ENTRY_BYTES),
  });

  let hits = 0;
  let misses = 0;

  /** undefined: there is no such repository */
  function ready(user: string, module: string): OpenRepository | undefined | Promise<OpenRepository> {
    const repository = registry.find(user, module);
    if (!repository) return undefined;
    noticePush(repository);
    return repository.indexed === repository.head ? repository : caughtUp(repository);
  }

  /** A ref that was moved by others is read in; readers that come meanwhile still see the state before. */
  function noticePush(repository: OpenRepository): void {
    if (performance.now() - repository.stampedAt < LOOK_AT_REF_AFTER_MS || repository.locked) return;
    repository.stampedAt = performance.now();
    if (refStamp(repository.folder, MAIN) === repository.stamp) return;
    caughtUp(repository).catch((error) =>
      engine.log.error(
        { err: error, user: repository.user, module: repository.module },
        'a push could not be read in',
      ),
    );
  }

  /** Before a document is said to be absent: true when a push that nobody had noticed was read in. */
  async function readInPush(user: string, module: string): Promise<boolean> {
    const repository = registry.find(user, module);
    if (!repository || repository.locked || refStamp(repository.folder, MAIN) === repository.stamp)
      return false;
    await caughtUp(repository);
    return true;
  }

  async function caughtUp(repository: OpenRepository): Promise<OpenRepository> {
    try {
      await new Promise<void>((resolve, reject) =>
        enqueue(engine, repository, { kind: 'catch-up', resolve, reject }),
      );
      return repository;
    } catch (error) {
      throw notReady(repository, error);
    }
  }

  /** What cannot be read is not absent: 503, whatever the cause. */
  function notReady(repository: OpenRepository, cause: unknown): GitsteadError {
    const { user, module } = repository;
    engine.log.error({ err: cause, user, module }, 'this repository cannot be read');
    return new GitsteadError('not-ready', 'this folder cannot be read now; the server log says why', {
      cause,
    });
  }

  async function whenReady(user: string, module: string): Promise<void> {
    await ready(user, module);
  }

  /** For the root's listing: all of a user's repositories. */
  async function allReady(user: string): Promise<void> {
    stock.look(user);
    for (const { module } of engine.index.repositories.list(user)) await ready(user, module);
  }

  function document(path: DocumentPath): DocumentInfo | undefined | Promise<DocumentInfo | undefined> {
    const opened = ready(path.user, moduleOf(path));
    if (opened instanceof Promise) return opened.then((repository) => documentIn(repository, path));
    return opened && documentIn(opened, path);
  }

  function documentIn(
    { row, module }: OpenRepository,
    path: DocumentPath,
  ): DocumentInfo | Promise<DocumentInfo | undefined> {
    const found = findDocument(row, path);
    if (found) return infoOf(found);
    return readInPush(path.user, module).then((isReadIn) => {
      const pushed = isReadIn ? findDocument(row, path) : undefined;
      return pushed && infoOf(pushed);
    });
  }

  function findDocument(repository: number, { segments }: DocumentPath): DocumentRow | undefined {
    return engine.index.documents.find(repository, segments.slice(1, -1).join('/'), segments.at(-1)!);
  }

  function body(path: DocumentPath, info: DocumentInfo, range?: ByteRange): Body {
    const { blob } = info;
    const kept = bodies.get(blob);
    if (kept !== undefined) {
      hits++;
      return partOf(kept, range);
    }
    misses++;
    const repository = registry.find(path.user, moduleOf(path));
    if (!repository) throw new GitsteadError('not-ready', 'the repository is gone');
    try {
      if (info.size > KEEP_UP_TO_BYTES && !repository.pack?.builder.has(blob)) {
        return repository.store.stream(blob, range?.start ?? 0, range?.end ?? info.size - 1);
      }
      const bytes = readKind((oid) => readObject(repository, oid), blob, 'blob');
      return partOf(keep(blob, bytes), range);
    } catch (error) {
      throw notReady(repository, error);
    }
  }

  function keep(blob: Oid, bytes: Buffer): string | Buffer {
    if (bytes.length > KEEP_UP_TO_BYTES) return bytes;
    const kept = bytes.length > KEEP_AS_STRING_BYTES ? inOwnMemory(bytes) : bytes.toString('latin1');
    bodies.set(blob, kept);
    return kept;
  }

  /** What `look` says once the folder's index is up to date. */
  function inReadyFolder<T>(path: FolderPath, look: () => T): T | Promise<T> {
    const [module] = path.segments;
    const waiting = module === undefined ? allReady(path.user) : ready(path.user, module);
    return waiting instanceof Promise ? waiting.then(look) : look();
  }

  function rootTree(user: string): (tree: Oid) => Buffer {
    return (tree) => {
      const repository = registry.find(user, ROOT_MODULE);
      if (!repository) throw new GitsteadError('not-ready', 'the repository is gone');
      try {
        return readKind((oid) => readObject(repository, oid), tree, 'tree');
      } catch (error) {
        throw notReady(repository, error);
      }
    };
  }

  return {
    document,
    body,
    folderTag: (path) => inReadyFolder(path, () => listings.tag(path, rootTree(path.user))),
    listing: (path) => inReadyFolder(path, () => listings.describe(path, rootTree(path.user))),
    whenReady,
    measures: () => ({ hits, misses, held: bodies.calculatedSize, limit: cacheBytes }),
  };
}

function partOf(body: string | Buffer, range: ByteRange | undefined): string | Buffer {
  if (!range) return body;
  const end = range.end + 1;
  return typeof body === 'string' ? body.slice(range.start, end) : body.subarray(range.start, end);
}

function infoOf({ etag, type, size, modified }: DocumentRow): DocumentInfo {
  return { etag, type, size, lastModified: modified, blob: blobOfTag(etag) };
}

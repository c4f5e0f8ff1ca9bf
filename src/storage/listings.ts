// Folder descriptions (draft, section 4): made by the index as JSON, kept by (folder, number of its last change), so
// that a poll of an unchanged folder costs two look-ups.
import { LRUCache } from 'lru-cache';
import type { CacheMeasures } from '../db/measures.ts';
import type { Index } from '../db/open-index.ts';
import { inOwnMemory } from '../git/free-memory.ts';
import { EMPTY_TREE, hashObject, type Oid } from '../git/object-id.ts';
import { encodeTree, parseTree, type TreeEntry } from '../git/tree.ts';
import { type FolderPath, ROOT_MODULE } from '../protocol/paths.ts';
import { escapeName } from './item-names.ts';
import type { Listing } from './types.ts';

/** The draft's value; the one in an example of its section 12.7 means an older format to clients. */
const CONTEXT = 'http://remotestorage.io/spec/folder-description';
const NO_ITEMS = '{}';
/** What a kept listing takes beside its text, in bytes: measured. */
const ENTRY_BYTES = 1000;

export interface Listings {
  tag(path: FolderPath, readTree: ReadRootTree): string;
  describe(path: FolderPath, readTree: ReadRootTree): Listing;
  measures(): CacheMeasures;
}

/** The tree of the user's root documents, by its id. */
export type ReadRootTree = (tree: Oid) => Buffer;

/** @param memoryBytes the budget for bodies that are kept */
export function openListings(index: Index, memoryBytes: number): Listings {
  const kept = new LRUCache<string, Listing>({
    maxSize: memoryBytes,
    sizeCalculation: ({ body }) => body.buffer.byteLength + ENTRY_BYTES,
  });
  let hits = 0;
  let misses = 0;
  const empty = listing(EMPTY_TREE, NO_ITEMS);

  function findFolder(path: FolderPath) {
    const [module, ...folders] = path.segments;
    const repository = index.repositories.find(path.user, module!);
    return repository && index.folders.find(repository.id, folders.join('/'));
  }

  function describeFolder(path: FolderPath): Listing {
    const folder = findFolder(path);
    if (!folder) return empty;
    return keep(`${folder.id}:${folder.changed}`, () =>
      listing(
        folder.tree,
        joined(index.documents.listingJson(folder.id), index.folders.listingJson(folder.id)),
      ),
    );
  }

  /** The user's root: its documents, and one folder for each module that holds a document; read in one snapshot. */
  function describeRoot(path: FolderPath, readTree: ReadRootTree): Listing {
    return index.snapshot(() => {
      const stored = index.repositories.list(path.user).filter(({ tree }) => tree !== null);
      if (stored.length === 0) return empty;
      const key = `${path.user}:${stored.map(({ id, changed }) => `${id}.${changed}`).join(':')}`;
      return keep(key, () => {
        const root = stored.find(({ module }) => module === ROOT_MODULE);
        const modules = stored.filter(({ module }) => module !== ROOT_MODULE);
        const entries: TreeEntry[] = root ? parseTree(readTree(root.tree as Oid)) : [];
        for (const { module, tree } of modules) {
          entries.push({ mode: 0o40000, name: escapeName(module), oid: tree as Oid });
        }
        const folderId = root && index.folders.find(root.id, '')?.id;
        const documents = folderId === undefined ? NO_ITEMS : index.documents.listingJson(folderId);
        const folders = JSON.stringify(
          Object.fromEntries(modules.map(({ module, tree }) => [`${module}/`, { ETag: tree }])),
        );
        return listing(hashObject('tree', encodeTree(entries)), joined(documents, folders));
      });
    });
  }

  function keep(key: string, make: () => Listing): Listing {
    const known = kept.get(key);
    if (known) {
      hits++;
      return known;
    }
    misses++;
    const { etag, body } = make();
    const made = { etag, body: inOwnMemory(body) };
    kept.set(key, made);
    return made;
  }

  return {
    tag(path, readTree) {
      if (path.segments.length === 0) return describeRoot(path, readTree).etag;
      return findFolder(path)?.tree ?? EMPTY_TREE;
    },
    measures: () => ({ hits, misses, held: kept.calculatedSize, limit: memoryBytes }),
    describe: (path, readTree) =>
      path.segments.length === 0 ? describeRoot(path, readTree) : describeFolder(path),
  };
}

function listing(etag: string, items: string): Listing {
  return { etag, body: Buffer.from(`{"@context":"${CONTEXT}","items":${items}}`) };
}

/** Two JSON objects as one; their keys differ (a folder's ends in '/'). */
function joined(first: string, second: string): string {
  if (first === NO_ITEMS) return second;
  return second === NO_ITEMS ? first : `${first.slice(0, -1)},${second.slice(1)}`;
}

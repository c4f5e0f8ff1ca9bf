// Catch-up: index rows for what stands in the repository but not in the index: after a push, a crash, or when the
// index was made anew. The trees of the commit that the rows equal and of the newest one are compared; when a
// document was last written is found by walking the commits between the two.
import type { DocumentRow } from '../db/documents.ts';
import type { FolderRow } from '../db/folders.ts';
import type { Index, IndexChange } from '../db/open-index.ts';
import { GitsteadError } from '../errors.ts';
import { treeOfCommit } from '../git/commit.ts';
import { walkCommits } from '../git/history.ts';
import type { Oid } from '../git/object-id.ts';
import { parseTree, type TreeEntry } from '../git/tree.ts';
import { diffTrees, type TreeChange } from '../git/tree-diff.ts';
import type { Log } from '../log.ts';
import { formatHttpDate } from '../protocol/http-date.ts';
import { parseCommitMessage } from './commit-message.ts';
import { emptyTypes, type FolderTypes, TYPES_FILE, typeOf } from './content-types.ts';
import { itemOf, type ReadObject, readKind, readTypes, rootRow, rowBelow } from './folder-trees.ts';
import { escapeName, unescapeName } from './item-names.ts';
import { type OpenRepository, readObject } from './open-repository.ts';
import { documentTag } from './turn.ts';

/** The loop is given up to others after so much work at a stretch. */
const SLICE_MS = 5;

type Found = {
  repository: OpenRepository;
  index: Index;
  read: ReadObject;
  folders: { row: FolderRow; tree: string | null }[];
  documents: { folder: FolderRow; name: string; document: DocumentRow | null }[];
  /** documents whose date is wanted, by path */
  undated: Map<string, DocumentRow>;
};

/**
 * Brings the index to the repository's newest commit, in one transaction.
 * @throws corrupt when an object is missing or unreadable
 */
export async function catchUp(engine: { index: Index; log: Log }, repository: OpenRepository): Promise<void> {
  const { index } = engine;
  const target = repository.head;
  const found: Found = {
    repository,
    index,
    read: (oid) => readObject(repository, oid),
    folders: [],
    documents: [],
    undated: new Map(),
  };
  const from = repository.indexed !== null && isPruned(engine, repository) ? null : repository.indexed;
  if (target !== null) {
    const before = from === null ? undefined : treeOfCommit(readKind(found.read, from, 'commit'));
    const after = treeOfCommit(readKind(found.read, target, 'commit'));
    const slice = startSlice();
    await compareFolder(found, rootRow(), before, after, slice);
    await dateDocuments(found, target, from, slice);
  }
  found.folders.sort((a, b) => a.row.path.length - b.row.path.length);
  const change: IndexChange = {
    repository: repository.row,
    head: target,
    folders: found.folders,
    documents: found.documents,
  };
  if (from === null) index.repositories.clear(repository.row);
  index.apply([change]);
  repository.indexed = target;
  repository.root = undefined;
}

/** Whether the commit that the index equals is gone: history was taken back by hand, and pruned. */
function isPruned({ log }: { log: Log }, repository: OpenRepository): boolean {
  if (readObject(repository, repository.indexed!) !== undefined) return false;
  const { user, module, indexed } = repository;
  log.warn(
    { user, module, indexed },
    'the commit that the index equals is gone; reading the repository in anew',
  );
  return true;
}

type Slice = { rest(): Promise<void> | undefined };

function startSlice(): Slice {
  let start = performance.now();
  return {
    rest() {
      if (performance.now() - start < SLICE_MS) return undefined;
      return new Promise((resolve) =>
        setImmediate(() => {
          start = performance.now();
          resolve();
        }),
      );
    },
  };
}

/**
 * Compares one folder with what the index has of it, and those below it.
 * @returns true when a document stands in it or below it afterwards
 */
async function compareFolder(
  found: Found,
  row: FolderRow,
  before: Oid | undefined,
  after: Oid | undefined,
  slice: Slice,
): Promise<boolean> {
  await slice.rest();
  const old = readItems(found.read, before);
  const now = readItems(found.read, after);
  let holdsDocument = false;
  for (const [name, entry] of now.items) {
    const was = old.items.get(name);
    if (itemOf(entry).kind === 'folder') {
      const wasFolder = was && itemOf(was).kind === 'folder' ? was.oid : undefined;
      if (was && wasFolder === undefined) removeDocument(found, row, name);
      if (await compareChild(found, row, name, wasFolder, entry.oid, slice)) holdsDocument = true;
      continue;
    }
    if (was && itemOf(was).kind === 'folder')
      await compareFolder(found, rowBelow(row, name), was.oid, undefined, slice);
    holdsDocument = true;
    const type = typeOf(now.types, entry.name);
    const wasSame =
      was?.oid === entry.oid && itemOf(was).kind === 'document' && typeOf(old.types, entry.name) === type;
    if (!wasSame) putDocument(found, row, name, entry, type);
  }
  for (const [name, entry] of old.items) {
    if (now.items.has(name)) continue;
    if (itemOf(entry).kind === 'folder')
      await compareFolder(found, rowBelow(row, name), entry.oid, undefined, slice);
    else removeDocument(found, row, name);
  }
  if (before !== after) found.folders.push({ row, tree: holdsDocument ? after! : null });
  return holdsDocument;
}

async function compareChild(
  found: Found,
  parent: FolderRow,
  name: string,
  before: Oid | undefined,
  after: Oid,
  slice: Slice,
): Promise<boolean> {
  const row = rowBelow(parent, name);
  if (before === after) return found.index.folders.find(found.repository.row, row.path) !== undefined;
  return compareFolder(found, row, before, after, slice);
}

type Items = { items: Map<string, TreeEntry>; types: FolderTypes };

/** The documents and folders of a tree by decoded name. What no item name stands for (a link, a foreign spelling) is not served. */
function readItems(read: ReadObject, tree: Oid | undefined): Items {
  const items = new Map<string, TreeEntry>();
  let types = emptyTypes();
  if (tree === undefined) return { items, types };
  for (const entry of parseTree(readKind(read, tree, 'tree'))) {
    const { kind } = itemOf(entry);
    if (kind === 'other') continue;
    if (entry.name === TYPES_FILE) {
      if (kind === 'document') types = readTypes(read, entry.oid);
      continue;
    }
    const name = unescapeName(entry.name);
    if (name !== undefined) items.set(name, entry);
  }
  return { items, types };
}

function putDocument(found: Found, folder: FolderRow, name: string, entry: TreeEntry, type: string): void {
  const stat = found.repository.pack?.builder.read(entry.oid);
  const size = stat ? stat.body.length : found.repository.store.stat(entry.oid)?.size;
  if (size === undefined) throw new GitsteadError('corrupt', `the blob ${entry.oid} is missing`);
  const document = { etag: documentTag(entry.oid, type), type, size, modified: '' };
  found.documents.push({ folder, name, document });
  found.undated.set(rowBelow(folder, name).path, document);
}

function removeDocument(found: Found, folder: FolderRow, name: string): void {
  found.documents.push({ folder, name, document: null });
}

/**
 * Dates the documents by the newest commit that wrote each or gave it another type: by the subject where the commit is one
 * of ours (a PUT of what stood already changes no tree), by the trees' difference elsewhere. Merges only pass on what
 * others wrote. What a push changed and changed back keeps its date: nobody asks for that here.
 */
async function dateDocuments(found: Found, from: Oid, until: Oid | null, slice: Slice): Promise<void> {
  const { read, undated } = found;
  const isKnown = (oid: Oid) => oid === until;
  let newest: string | undefined;
  for (const { commit } of walkCommits(read, from, isKnown)) {
    if (undated.size === 0) return;
    const rest = slice.rest();
    if (rest) await rest;
    const date = formatHttpDate(commit.committer.time * 1000);
    newest ??= date;
    if (commit.parents.length > 1) continue;
    const own = commit.committer.name === 'Gitstead' ? parseCommitMessage(commit.message) : undefined;
    if (own?.kind === 'PUT') give(undated, own.path, date);
    if (own?.kind === 'PUT' || own?.kind === 'DELETE') continue;
    const parent = commit.parents[0];
    const before = parent === undefined ? undefined : treeOfCommit(readKind(read, parent, 'commit'));
    for (const change of diffTrees(read, before, commit.tree)) {
      const isTypes = change.path.at(-1) === TYPES_FILE;
      const names = (isTypes ? change.path.slice(0, -1) : change.path).map(unescapeName);
      if (names.includes(undefined)) continue; // a foreign spelling, of whatever name
      if (isTypes) giveRetyped(read, undated, names.join('/'), change, date);
      else if (change.after && !isSameDocument(change)) give(undated, names.join('/'), date);
    }
  }
  for (const document of undated.values()) document.modified = newest ?? formatHttpDate(0);
}

/** True when only the mode changed: a document that became a program, or is none any more, is what it was. */
function isSameDocument({ before, after }: TreeChange): boolean {
  return before !== undefined && before.oid === after?.oid && itemOf(before).kind === itemOf(after).kind;
}

/** Dates those documents of a folder that have another type by the file of types that a commit put there. */
function giveRetyped(
  read: ReadObject,
  undated: Map<string, DocumentRow>,
  folder: string,
  { before, after }: TreeChange,
  date: string,
): void {
  const [was, is] = [before, after].map((entry) =>
    entry && itemOf(entry).kind === 'document' ? readTypes(read, entry.oid) : emptyTypes(),
  ) as [FolderTypes, FolderTypes];
  for (const path of undated.keys()) {
    const slash = path.lastIndexOf('/');
    if (path.slice(0, Math.max(slash, 0)) !== folder) continue;
    const entry = escapeName(path.slice(slash + 1));
    if (typeOf(was, entry) !== typeOf(is, entry)) give(undated, path, date);
  }
}

function give(undated: Map<string, DocumentRow>, path: string, date: string): void {
  const document = undated.get(path);
  if (!document) return;
  document.modified = date;
  undated.delete(path);
}

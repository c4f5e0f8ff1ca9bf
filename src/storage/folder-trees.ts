// The folders of one repository as the engine holds them while it writes: each folder's git tree as a buffer
// edited in place, its content types, and its row in the index. Loaded as paths are walked, and forgotten as a
// whole when a turn fails: what is on disk and in the pending pack is then read again.
import type { FolderRow } from '../db/folders.ts';
import { GitsteadError } from '../errors.ts';
import { treeOfCommit } from '../git/commit.ts';
import { encodeSpliceDelta } from '../git/delta.ts';
import { EMPTY_TREE, type GitObject, type Oid } from '../git/object-id.ts';
import type { PackBuilder } from '../git/pack-builder.ts';
import type { Told } from '../git/splice-log.ts';
import { EditableTree, parseTree, type TreeEntry } from '../git/tree.ts';
import { emptyTypes, type FolderTypes, parseTypes, TYPES_FILE } from './content-types.ts';
import { escapeName, unescapeName } from './item-names.ts';

const MODE_FOLDER = 0o40000;
const MODE_KIND = 0o170000;
const MODE_REGULAR = 0o100000;

export type ReadObject = (oid: Oid) => GitObject | undefined;

export type Folder = {
  row: FolderRow;
  tree: EditableTree;
  types: FolderTypes;
  /** the loaded ones of its folders, by decoded name */
  children: Map<string, Folder>;
  /** the version that was loaded or written last: the base of the next version's delta, where the pack holds it */
  written: Oid | undefined;
  /** of a large tree: the version that was last written whole, which its edits are told against as well */
  whole: Oid | undefined;
};

/** What stands at a name in a folder. `other`: a symbolic link or submodule that somebody pushed. */
export type Item = { kind: 'document'; blob: Oid } | { kind: 'folder'; tree: Oid } | { kind: 'other' };

export function itemOf(entry: TreeEntry): Item {
  if (entry.mode === MODE_FOLDER) return { kind: 'folder', tree: entry.oid };
  return (entry.mode & MODE_KIND) === MODE_REGULAR
    ? { kind: 'document', blob: entry.oid }
    : { kind: 'other' };
}

/** The folder whose tree is `tree` (undefined: a new, empty one). */
export function loadFolder(read: ReadObject, tree: Oid | undefined, row: FolderRow): Folder {
  const edited = tree === undefined ? EditableTree.empty() : EditableTree.parse(readKind(read, tree, 'tree'));
  const typesEntry = edited.find(TYPES_FILE);
  const types =
    typesEntry && itemOf(typesEntry).kind === 'document' ? readTypes(read, typesEntry.oid) : emptyTypes();
  return { row, tree: edited, types, children: new Map(), written: tree, whole: undefined };
}

/** The root of the repository whose newest commit is `head`; null: there is none yet. */
export function loadRoot(read: ReadObject, head: Oid | null): Folder {
  const tree = head === null ? undefined : treeOfCommit(readKind(read, head, 'commit'));
  return loadFolder(read, tree, rootRow());
}

export function readTypes(read: ReadObject, blob: Oid): FolderTypes {
  return parseTypes(readKind(read, blob, 'blob'));
}

/** The body of an object that must be there. */
export function readKind(read: ReadObject, oid: Oid, kind: GitObject['kind']): Buffer {
  if (oid === EMPTY_TREE && kind === 'tree') return Buffer.alloc(0); // git knows it without storing it
  const object = read(oid);
  if (object?.kind === kind) return object.body;
  throw new GitsteadError('corrupt', `the ${kind} ${oid} is ${object ? `a ${object.kind}` : 'missing'}`);
}

/** What stands at `name` in the folder, by the decoded name. */
export function findItem(folder: Folder, name: string): Item | undefined {
  const entry = folder.tree.find(escapeName(name));
  return entry && itemOf(entry);
}

/** The loaded folder called `name`, loading it when it is not. Its tree must be an entry of `folder`. */
export function childFolder(read: ReadObject, folder: Folder, name: string, tree: Oid): Folder {
  const loaded = folder.children.get(name);
  if (loaded) return loaded;
  const child = loadFolder(read, tree, rowBelow(folder.row, name));
  folder.children.set(name, child);
  return child;
}

/** A new folder called `name`; it enters its parent's tree when it is written. */
export function newFolder(folder: Folder, name: string, row: FolderRow | undefined): Folder {
  const child = loadFolder(() => undefined, undefined, row ?? rowBelow(folder.row, name));
  folder.children.set(name, child);
  return child;
}

export function rootRow(): FolderRow {
  return { id: undefined, path: '', name: '', parent: undefined };
}

export function rowBelow(parent: FolderRow, name: string): FolderRow {
  return { id: undefined, path: parent.path === '' ? name : `${parent.path}/${name}`, name, parent };
}

/** The tree entry names of the folder's documents. */
export function* documentEntries(folder: Folder): Iterable<string> {
  for (const entry of folder.tree.entries()) {
    if (entry.name !== TYPES_FILE && itemOf(entry).kind === 'document') yield entry.name;
  }
}

/** True when neither document nor folder is left in it: only its file of types may be. */
export function isEmptyFolder(folder: Folder): boolean {
  return folder.tree.count === 0 || (folder.tree.count === 1 && folder.tree.find(TYPES_FILE) !== undefined);
}

/**
 * Whether a document stands in the folder or below it. One without, where somebody pushed links, foreign spellings or lone
 * files of types, is served as if it were not there, and so is whatever holds only such folders.
 */
export function holdsDocument(read: ReadObject, entries: Iterable<TreeEntry>): boolean {
  for (const entry of entries) {
    if (unescapeName(entry.name) === undefined) continue;
    const item = itemOf(entry);
    if (item.kind === 'document') return true;
    if (item.kind === 'folder' && holdsDocument(read, parseTree(readKind(read, item.tree, 'tree'))))
      return true;
  }
  return false;
}

/** Memory that a loaded folder takes beside its tree and types, in bytes: measured. */
const FOLDER_BYTES = 2048;

/** About the memory that the folder and those loaded below it take, in bytes; counting ends above `limit`. */
export function loadedBytes(folder: Folder, limit: number): number {
  let bytes = FOLDER_BYTES + folder.tree.capacity + folder.types.file.length;
  for (const child of folder.children.values()) {
    if (bytes > limit) break;
    bytes += loadedBytes(child, limit - bytes);
  }
  return bytes;
}

/** Larger trees are told by the whole one in their pack when a chain of deltas has become too long. */
const ANCHOR_ABOVE_BYTES = 2 << 10;
/** of the whole tree's length, above which a delta is not worth its chain */
const WORTH_IT = 0.75;

/** Adds the folder's current tree to the pack, as a delta of the version before where that stands in the same pack. */
export function writeFolder(folder: Folder, pack: PackBuilder): Oid {
  const { tree } = folder;
  const oid = tree.hash();
  const edit = tree.takeSplices();
  if (!pack.has(oid)) {
    const isTold =
      addAsDelta(pack, tree, folder.written, edit) ||
      (folder.whole !== undefined && addAsDelta(pack, tree, folder.whole, tree.splicesSinceAnchor()));
    if (!isTold) {
      pack.addBody(oid, 'tree', tree.body());
      folder.whole = tree.length > ANCHOR_ABOVE_BYTES ? oid : undefined;
      if (folder.whole) tree.anchor();
    }
  }
  folder.written = oid;
  return oid;
}

/**
 * @returns false when it cannot be told so (the base is not in the pack, the chain is too long), when that saves little, or
 * when git would refuse it: a delta of so few bytes that it can only tell of nothing
 */
function addAsDelta(
  pack: PackBuilder,
  tree: EditableTree,
  base: Oid | undefined,
  edit: Told | undefined,
): boolean {
  if (base === undefined || !pack.has(base)) return false;
  if (tree.length === 0 || edit === undefined || edit.baseLength === 0) return false;
  const delta = encodeSpliceDelta(edit.baseLength, edit.splices);
  return delta.length < WORTH_IT * tree.length && pack.addDelta(tree.hash(), base, delta);
}

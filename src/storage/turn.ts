// A turn: all writes that wait for one repository, judged in order against its newest state, each accepted one
// a commit of its own in the repository's open pack. No file is touched here but to read objects: what comes
// out is the old and the new head, the pack entries between them, and the index rows that differ.
import { createHash } from 'node:crypto';
import type { DocumentRow } from '../db/documents.ts';
import type { FolderRow } from '../db/folders.ts';
import type { IndexChange } from '../db/open-index.ts';
import { encodeCommit, type Person } from '../git/commit.ts';
import { hashObject, type Oid } from '../git/object-id.ts';
import type { PackBuilder } from '../git/pack-builder.ts';
import { type Precondition, permitsWrite } from '../protocol/conditions.ts';
import { formatHttpDate } from '../protocol/http-date.ts';
import { formatCommitMessage } from './commit-message.ts';
import {
  emptyTypes,
  encodeTypes,
  type FolderTypes,
  TYPES_FILE,
  typeOf,
  withoutName,
  withType,
} from './content-types.ts';
import {
  childFolder,
  documentEntries,
  type Folder,
  findItem,
  holdsDocument,
  isEmptyFolder,
  newFolder,
  type ReadObject,
  writeFolder,
} from './folder-trees.ts';
import type { TakenBody } from './intake.ts';
import { escapeName } from './item-names.ts';
import type { Author, WriteResult } from './types.ts';

/** One write that waits for its repository's turn. */
export type Write = {
  /** the path within the repository, decoded */
  segments: readonly string[];
  precondition: Precondition;
  author: Author;
  /** what the user may store in all; undefined: no quota */
  quotaBytes: number | undefined;
  /** what is to stand there; undefined: the document is to go */
  document: { type: string; body: TakenBody } | undefined;
};

/** What a turn works on: the repository's newest state. */
export type TurnState = {
  root: Folder;
  head: Oid | null;
  pack: PackBuilder;
  read: ReadObject;
  /** host of the author's address */
  host: string;
  /** Unix milliseconds */
  now: number;
  /** the module's path from the user's root, with a slash; '' for the root's own documents */
  prefix: string;
  /** a document of the user's root (or, judging the root, a module) that has this name */
  clashesOutside: (write: Write) => string | undefined;
  /** throws GitsteadError when the write would exceed the author's quota */
  checkQuota: (write: Write, addedBytes: number) => void;
};

export type Turn = {
  /** for each write its result, or the error that it alone gets */
  results: (WriteResult | Error)[];
  /** how many were accepted: one commit each */
  commits: number;
  head: Oid | null;
  folders: IndexChange['folders'];
  documents: IndexChange['documents'];
};

type Changes = {
  folders: Map<string, { row: FolderRow; tree: string | null }>;
  documents: Map<string, { folder: FolderRow; name: string; document: DocumentRow | null }>;
  addedBytes: number;
};

/** Judges the writes one after the other. Whatever it throws ends the whole turn: the caller drops it. */
export function takeTurn(state: TurnState, writes: readonly Write[]): Turn {
  const changes: Changes = { folders: new Map(), documents: new Map(), addedBytes: 0 };
  let commits = 0;
  const results = writes.map((write) => {
    const judged = judge(state, write, changes);
    if (!('accept' in judged)) return judged.refuse;
    commits++;
    return accept(state, write, judged.accept, changes);
  });
  const folders = [...changes.folders.values()].sort((a, b) => a.row.path.length - b.row.path.length);
  return { results, commits, head: state.head, folders, documents: [...changes.documents.values()] };
}

/** The way to a document: the folders that stand, from the root on, and the tag of what stands at its end. */
type Place = { folders: Folder[]; name: string; current: string | undefined };

/** 412 before 409 before 404; the binding judgement of a precondition is this one. */
function judge(
  state: TurnState,
  write: Write,
  changes: Changes,
): { accept: Place } | { refuse: WriteResult | Error } {
  const found = findPlace(state, write.segments);
  const current = 'clash' in found ? undefined : found.current;
  if (!permitsWrite(write.precondition, current)) return { refuse: { kind: 'stale', current } };
  if (!write.document) {
    return 'clash' in found || current === undefined ? { refuse: { kind: 'missing' } } : { accept: found };
  }
  if ('clash' in found) return { refuse: { kind: 'clash', at: state.prefix + found.clash } };
  const outside = current === undefined ? state.clashesOutside(write) : undefined;
  if (outside !== undefined) return { refuse: { kind: 'clash', at: outside } };
  try {
    state.checkQuota(write, changes.addedBytes);
  } catch (error) {
    return { refuse: error as Error };
  }
  return { accept: found };
}

function findPlace(state: TurnState, segments: readonly string[]): Place | { clash: string } {
  const folders = [state.root];
  let folder = state.root;
  for (const [depth, name] of segments.slice(0, -1).entries()) {
    const item = findItem(folder, name);
    if (!item) return { folders, name: segments.at(-1)!, current: undefined };
    if (item.kind !== 'folder') return { clash: segments.slice(0, depth + 1).join('/') };
    folder = childFolder(state.read, folder, name, item.tree);
    folders.push(folder);
  }
  const name = segments.at(-1)!;
  const item = findItem(folder, name);
  if (!item) return { folders, name, current: undefined };
  if (item.kind !== 'document') return { clash: segments.join('/') };
  return { folders, name, current: documentTag(item.blob, typeOf(folder.types, escapeName(name))) };
}

function accept(state: TurnState, write: Write, place: Place, changes: Changes): WriteResult {
  const folders = [...place.folders];
  for (const name of write.segments.slice(folders.length - 1, -1)) {
    const path = write.segments.slice(0, folders.length).join('/');
    folders.push(newFolder(folders.at(-1)!, name, changes.folders.get(path)?.row));
  }
  const leaf = folders.at(-1)!;
  const lastModified = formatHttpDate(state.now);
  const document = write.document ? putDocument(state, leaf, place.name, write.document, lastModified) : null;
  if (!document) deleteDocument(state, leaf, place.name);
  changes.documents.set(`${leaf.row.path}/${place.name}`, { folder: leaf.row, name: place.name, document });
  if (write.document) changes.addedBytes += write.document.body.size;
  writeUpwards(state, folders, changes, document);
  state.head = writeCommit(state, write);
  if (!document) return { kind: 'deleted', etag: place.current! };
  return { kind: place.current === undefined ? 'created' : 'updated', etag: document.etag, lastModified };
}

function putDocument(
  state: TurnState,
  folder: Folder,
  name: string,
  document: NonNullable<Write['document']>,
  modified: string,
): DocumentRow {
  const { body, type } = document;
  if (body.kind === 'inline') {
    if (body.stream) state.pack.add(body.oid, 'blob', body.size, body.stream);
    else state.pack.addBody(body.oid, 'blob', body.bytes);
  }
  const entry = escapeName(name);
  const wasEmpty = isEmptyFolder(folder);
  folder.tree.set(entry, 'blob', body.oid);
  writeTypes(
    state,
    folder,
    withType(folder.types, entry, type, wasEmpty, () => documentEntries(folder)),
  );
  return { etag: documentTag(body.oid, type), type, size: body.size, modified };
}

function deleteDocument(state: TurnState, folder: Folder, name: string): void {
  const entry = escapeName(name);
  folder.tree.delete(entry);
  writeTypes(state, folder, withoutName(folder.types, entry));
}

function writeTypes(state: TurnState, folder: Folder, types: FolderTypes): void {
  if (types === folder.types) return;
  folder.types = types;
  const file = encodeTypes(types);
  if (file.length === 0) {
    if (folder.tree.find(TYPES_FILE)) folder.tree.delete(TYPES_FILE);
    return;
  }
  const oid = hashObject('blob', file);
  state.pack.addBody(oid, 'blob', file);
  folder.tree.set(TYPES_FILE, 'blob', oid);
}

/**
 * New trees from the changed folder up to the root; a folder in which nothing is left leaves its parent, and one in which
 * no document is left (but links, say, that somebody pushed) leaves the index.
 */
function writeUpwards(
  state: TurnState,
  folders: readonly Folder[],
  changes: Changes,
  document: DocumentRow | null,
): void {
  let isServed = document !== null;
  for (let depth = folders.length - 1; depth >= 0; depth--) {
    const folder = folders[depth]!;
    const parent = folders[depth - 1];
    if (isEmptyFolder(folder)) {
      if (folder.tree.count > 0) folder.tree.delete(TYPES_FILE);
      folder.types = emptyTypes();
      changes.folders.set(folder.row.path, { row: folder.row, tree: null });
      if (parent) {
        if (findItem(parent, folder.row.name)) parent.tree.delete(escapeName(folder.row.name));
        parent.children.delete(folder.row.name);
      } else {
        writeFolder(folder, state.pack);
      }
      continue;
    }
    const tree = writeFolder(folder, state.pack);
    isServed ||= holdsDocument(state.read, folder.tree.entries());
    changes.folders.set(folder.row.path, { row: folder.row, tree: isServed ? tree : null });
    parent?.tree.set(escapeName(folder.row.name), 'tree', tree);
  }
}

function writeCommit(state: TurnState, write: Write): Oid {
  const { author } = write;
  const time = Math.floor(state.now / 1000);
  const person = (name: string): Person => ({
    name,
    email: `${name.toLowerCase()}@${state.host}`,
    time,
    zone: '+0000',
  });
  const body = encodeCommit({
    tree: state.root.written!,
    parents: state.head === null ? [] : [state.head],
    author: person(author.user),
    committer: person('Gitstead'),
    message: formatCommitMessage({
      kind: write.document ? 'PUT' : 'DELETE',
      path: write.segments.join('/'),
      app: author.app,
      grant: author.grant,
    }),
  });
  const oid = hashObject('commit', body);
  state.pack.addBody(oid, 'commit', body);
  return oid;
}

const typeDigests = new Map<string, string>();

/** A document's ETag without quotes: `<blob id>-<8 hex digits of the type's SHA-1>`. */
export function documentTag(blob: Oid, type: string): string {
  let digest = typeDigests.get(type);
  if (digest === undefined) {
    digest = createHash('sha1').update(type).digest('hex').slice(0, 8);
    if (typeDigests.size >= 1000) typeDigests.clear();
    typeDigests.set(type, digest);
  }
  return `${blob}-${digest}`;
}

/** The blob that a document's ETag names. */
export function blobOfTag(etag: string): Oid {
  return etag.slice(0, 40) as Oid;
}

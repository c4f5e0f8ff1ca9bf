// One user's storage as a Map, and what each request must be answered with: the draft's rules (sections 4 to 7) in their
// plainest form, without git, index or folders. Tags and dates are computed here anew.
import { createHash } from 'node:crypto';
import { type Precondition, permitsWrite } from '../../src/protocol/conditions.ts';
import type { WriteResult } from '../../src/storage/types.ts';

export type StoredDocument = { body: Buffer; type: string; lastModified: string };

export type Model = {
  /** by path from the user's root, segments joined by '/' */
  documents: Map<string, StoredDocument>;
  /** accepted writes by repository ('' is the root's): each is a commit */
  writes: Map<string, number>;
};

export function emptyModel(): Model {
  return { documents: new Map(), writes: new Map() };
}

export function tagOf({ body, type }: Pick<StoredDocument, 'body' | 'type'>): string {
  const blob = createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex');
  return `${blob}-${createHash('sha1').update(type).digest('hex').slice(0, 8)}`;
}

export type ModelWrite = {
  path: string;
  precondition: Precondition;
  /** undefined: DELETE */
  put: { body: Buffer; type: string } | undefined;
};

/** What the write is answered with, but for the date. */
export type Expected =
  | { kind: 'created' | 'updated' | 'deleted'; etag: string }
  | Extract<WriteResult, { kind: 'missing' | 'stale' | 'clash' }>;

/** Judges a write and, when it is accepted, makes it. The date is to be filled in by the caller. */
export function write(model: Model, { path, precondition, put }: ModelWrite): Expected {
  const current = model.documents.get(path);
  const tag = current && tagOf(current);
  if (!permitsWrite(precondition, tag)) return { kind: 'stale', current: tag };
  if (!put) {
    if (tag === undefined) return { kind: 'missing' };
    model.documents.delete(path);
    count(model, path);
    return { kind: 'deleted', etag: tag };
  }
  const at = inTheWay(model, path);
  if (at !== undefined) return { kind: 'clash', at };
  model.documents.set(path, { ...put, lastModified: '' });
  count(model, path);
  return { kind: tag === undefined ? 'created' : 'updated', etag: tagOf(put) };
}

/** A document where a folder is needed, or a folder where the document would be. */
function inTheWay(model: Model, path: string): string | undefined {
  for (const ancestor of foldersOf(path)) if (model.documents.has(ancestor)) return ancestor;
  for (const other of model.documents.keys()) if (other.startsWith(`${path}/`)) return path;
  return undefined;
}

function count(model: Model, path: string): void {
  const repository = repositoryOf(path);
  model.writes.set(repository, (model.writes.get(repository) ?? 0) + 1);
}

/** The module of a document; '' for one in the user's root. */
export function repositoryOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

/** The folders on the way to a document, outermost first, without the root: `a/b/c` → `a`, `a/b`. */
export function foldersOf(path: string): string[] {
  const segments = path.split('/').slice(0, -1);
  return segments.map((_, depth) => segments.slice(0, depth + 1).join('/'));
}

/** Every folder with a document below it; '' is the root. */
export function folders(model: Model): Set<string> {
  return new Set(['', ...[...model.documents.keys()].flatMap(foldersOf)]);
}

/** The items of a folder: documents by name, folders (with a slash) as undefined. */
export function items(model: Model, folder: string): Map<string, StoredDocument | undefined> {
  const found = new Map<string, StoredDocument | undefined>();
  const prefix = folder === '' ? '' : `${folder}/`;
  for (const [path, document] of model.documents) {
    if (!path.startsWith(prefix)) continue;
    const [name, below] = path.slice(prefix.length).split('/');
    if (below === undefined) found.set(name!, document);
    else found.set(`${name}/`, undefined);
  }
  return found;
}

/** All that a folder's tag stands for: the documents below it with their tags. */
export function stateBelow(model: Model, folder: string): string {
  const prefix = folder === '' ? '' : `${folder}/`;
  return [...model.documents]
    .filter(([path]) => path.startsWith(prefix))
    .map(([path, document]) => `${path.slice(prefix.length)}\0${tagOf(document)}`)
    .sort()
    .join('\n');
}

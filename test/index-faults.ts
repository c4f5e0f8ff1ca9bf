// What the index says against what the repository holds, read object by object through the store's own reader of packs:
// cheap enough to be asked after every sequence of a property test. Walks the whole tree and every commit, so a missing
// object shows as well. Stock git is the other judge, where a process per repository is not too slow.
import type { Index } from '../src/db/open-index.ts';
import { parseCommit } from '../src/git/commit.ts';
import { walkCommits } from '../src/git/history.ts';
import { EMPTY_TREE, type GitObject, type Oid } from '../src/git/object-id.ts';
import { ObjectStore, OpenFiles } from '../src/git/object-store.ts';
import { runGit } from '../src/git/process.ts';
import { MAIN, readRef } from '../src/git/refs.ts';
import { parseTree } from '../src/git/tree.ts';
import { emptyTypes, parseTypes, TYPES_FILE, typeOf } from '../src/storage/content-types.ts';
import { unescapeName } from '../src/storage/item-names.ts';
import { documentTag } from '../src/storage/turn.ts';
import type { Storage } from '../src/storage/types.ts';

/** Of one repository, by path: documents as `<etag> <type> <size>`, folders as their tree's id. */
export type Content = { documents: Map<string, string>; folders: Map<string, string>; commits: number };

/** What stands in a repository's main, as the store has to serve it. No branch: nothing. */
export function contentOf(folder: string): Content & { head: Oid | undefined } {
  const files = new OpenFiles(16);
  const store = new ObjectStore(folder, files);
  const content: Content = { documents: new Map(), folders: new Map(), commits: 0 };
  try {
    const head = readRef(folder, MAIN);
    if (head === undefined) return { ...content, head };
    for (const _ of walkCommits((oid) => store.read(oid), head)) content.commits++;
    addFolder(store, content, '', parseCommit(get(store, head, 'commit')).tree);
    return { ...content, head };
  } finally {
    store.close();
    files.closeAll();
  }
}

function get(store: ObjectStore, oid: Oid, kind: GitObject['kind']): Buffer {
  const object = store.read(oid);
  if (object?.kind !== kind) throw new Error(`the ${kind} ${oid} is missing`);
  return object.body;
}

/** @returns whether a document stands in it or below */
function addFolder(store: ObjectStore, content: Content, path: string, tree: Oid): boolean {
  const entries = tree === EMPTY_TREE ? [] : parseTree(get(store, tree, 'tree'));
  const typesEntry = entries.find(({ name, mode }) => name === TYPES_FILE && mode >> 12 === 8);
  const types = typesEntry ? parseTypes(get(store, typesEntry.oid, 'blob')) : emptyTypes();
  let holds = false;
  for (const { mode, name, oid } of entries) {
    const decoded = unescapeName(name);
    if (decoded === undefined || name === TYPES_FILE) continue;
    const below = path === '' ? decoded : `${path}/${decoded}`;
    if (mode === 0o40000) holds = addFolder(store, content, below, oid) || holds;
    if (mode >> 12 !== 8) continue;
    const type = typeOf(types, name);
    const size = store.stat(oid)?.size;
    if (size === undefined) throw new Error(`the blob ${oid} is missing`);
    content.documents.set(below, `${documentTag(oid, type)} ${type} ${size}`);
    holds = true;
  }
  if (holds) content.folders.set(path, tree);
  return holds;
}

/** The same, as the index has it. */
export function indexedContent(index: Index, user: string, module: string) {
  const documents = new Map<string, string>();
  const dates = new Map<string, string>();
  const folders = new Map<string, string>();
  const row = index.repositories.find(user, module);
  for (const folder of row ? index.folders.listAll(row.id) : []) {
    folders.set(folder.path, folder.tree);
    for (const { name, etag, type, size, modified } of index.documents.list(folder.id)) {
      const path = folder.path === '' ? name : `${folder.path}/${name}`;
      documents.set(path, `${etag} ${type} ${size}`);
      dates.set(path, modified);
    }
  }
  return { row, documents, folders, dates };
}

/** Where index and repository differ; drained before, so that main is where the index should be. */
export function indexFaults(index: Index, folder: string, user: string, module: string): string[] {
  const stored = contentOf(folder);
  const indexed = indexedContent(index, user, module);
  const faults = [
    ...differences('folder', indexed.folders, stored.folders),
    ...differences('document', indexed.documents, stored.documents),
  ];
  if ((indexed.row?.head ?? undefined) !== stored.head) faults.push('the index equals another commit');
  const bytes = [...stored.documents.values()].reduce((sum, text) => sum + Number(text.split(' ').at(-1)), 0);
  if ((indexed.row?.documents ?? 0) !== stored.documents.size)
    faults.push('the number of documents is wrong');
  if ((indexed.row?.bytes ?? 0) !== bytes) faults.push('the number of bytes is wrong');
  return faults;
}

function differences(what: string, indexed: Map<string, string>, stored: Map<string, string>): string[] {
  const paths = new Set([...indexed.keys(), ...stored.keys()]);
  return [...paths]
    .filter((path) => indexed.get(path) !== stored.get(path))
    .map((path) => `${what} ${JSON.stringify(path)}: ${indexed.get(path)} should be ${stored.get(path)}`);
}

/**
 * What `git fsck --strict` says of a repository; nothing: it is sound. A merge may take packs away from under a running fsck:
 * what is wrong is wrong twice.
 */
export async function fsckFaults(folder: string): Promise<string[]> {
  const faults = await fsckOnce(folder);
  return faults.length === 0 ? faults : fsckOnce(folder);
}

async function fsckOnce(folder: string): Promise<string[]> {
  const { code, stdout, stderr } = await runGit(folder, [
    'fsck',
    '--strict',
    '--no-dangling',
    '--no-progress',
  ]);
  const said = `${stderr}${stdout}`.split('\n').filter((line) => line !== '' && !line.startsWith('notice:'));
  return code === 0 && said.length === 0 ? [] : [`git fsck ended with ${code}`, ...said];
}

/** Everything wrong with a user's repositories, or all: by stock git and by comparing them with the index. */
export async function storeFaults(
  { storage, index }: { storage: Storage; index: Index },
  options: { fsck?: boolean; user?: Parameters<Storage['repositories']>[0] } = {},
): Promise<string[]> {
  await storage.drain(options.user);
  const faults: string[] = [];
  for (const { user, module, folder } of storage.repositories(options.user)) {
    const found = indexFaults(index, folder, user, module);
    if (options.fsck !== false) found.push(...(await fsckFaults(folder)));
    faults.push(...found.map((fault) => `${user}/${module}: ${fault}`));
  }
  return faults;
}

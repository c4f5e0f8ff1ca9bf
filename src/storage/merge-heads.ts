// What happens when main stands elsewhere than it should, moved by a program that ignores git's lock: the pending
// commits are not forced over it. Their changes are written again on top of what stands there, and a merge commit
// keeps both lines of history, so that nothing is lost by the conflict.
import { encodeCommit, parseCommit, treeOfCommit } from '../git/commit.ts';
import { isAncestor } from '../git/history.ts';
import { hashObject, type Oid } from '../git/object-id.ts';
import { dropKeep } from '../git/pack-files.ts';
import { MAIN, moveRef, readRef } from '../git/refs.ts';
import { diffTrees, type TreeChange } from '../git/tree-diff.ts';
import { NO_PRECONDITION } from '../protocol/conditions.ts';
import type { UserName } from '../protocol/paths.ts';
import { catchUp } from './catch-up.ts';
import { noteStamp, syncPacks, writePack } from './checkpoint.ts';
import { emptyTypes, TYPES_FILE, typeOf } from './content-types.ts';
import {
  documentEntries,
  type Folder,
  itemOf,
  loadFolder,
  type ReadObject,
  readKind,
  readTypes,
  rootRow,
} from './folder-trees.ts';
import { inlineBody } from './intake.ts';
import { unescapeName } from './item-names.ts';
import { type OpenRepository, openPack, readObject } from './open-repository.ts';
import type { Engine } from './queue.ts';
import { takeTurn, type Write } from './turn.ts';

export type Merged = { head: Oid; pack: Buffer; index: Buffer; packName: string; lost: string[] };

/** Merges the pending commits with what main was moved to, moves main there, and catches the index up. The lock is ours. */
export async function mergeForeignHead(engine: Engine, repository: OpenRepository): Promise<void> {
  const ours = repository.head!;
  const theirs = readRef(repository.folder, MAIN);
  const read: ReadObject = (oid) => readObject(repository, oid);
  const context = { user: repository.user, module: repository.module, ours, theirs };
  engine.log.error(
    context,
    'a program that ignores locks moved main; merging it with the writes that were acknowledged',
  );
  const merged =
    theirs === undefined || isAncestor(read, theirs, ours)
      ? undefined
      : mergeHeads(engine, repository.user, read, repository.refHead, ours, theirs);
  if (merged) {
    await writePack(repository.folder, merged.packName, merged.pack, merged.index, engine.passing);
    for (const path of merged.lost)
      engine.log.error({ ...context, path }, 'this document is in the history only: another took its place');
  }
  // it stands in no journal: durable before main points at it
  if (merged) await syncPacks(repository.folder, [merged.packName]);
  moveRef(repository.folder, merged?.head ?? ours);
  for (const pack of [repository.pack!, ...(merged ? [{ name: merged.packName, spooled: [] }] : [])]) {
    dropKeep(repository.folder, pack.name);
    for (const spool of pack.spooled) dropKeep(repository.folder, spool.name);
  }
  repository.store.rescan();
  repository.pack = undefined;
  repository.root = undefined;
  repository.locked = false;
  repository.head = merged?.head ?? ours;
  repository.refHead = repository.head;
  noteStamp(repository);
  await catchUp(engine, repository);
}

/**
 * The changes of base → ours on top of theirs, and a merge commit over both.
 * @param base the commit where the two lines parted; null: the beginning
 */
export function mergeHeads(
  engine: { host: string; now: () => number },
  user: string,
  read: ReadObject,
  base: Oid | null,
  ours: Oid,
  theirs: Oid,
): Merged {
  const treeOf = (commit: Oid) => treeOfCommit(readKind(read, commit, 'commit'));
  const pack = openPack();
  const readBoth: ReadObject = (oid) => pack.builder.read(oid) ?? read(oid);
  const writes = documentsChanged(read, user, base === null ? undefined : treeOf(base), treeOf(ours));
  const state = {
    root: loadFolder(readBoth, treeOf(theirs), rootRow()),
    head: theirs as Oid | null,
    pack: pack.builder,
    read: readBoth,
    host: engine.host,
    now: engine.now(),
    prefix: '',
    clashesOutside: () => undefined,
    checkQuota: () => {},
  };
  const turn = takeTurn(state, writes);
  const lost = writes.flatMap((write, position) => {
    const result = turn.results[position]!;
    return result instanceof Error || result.kind === 'clash' ? [write.segments.join('/')] : [];
  });
  const last = parseCommit(readKind(readBoth, state.head!, 'commit'));
  const person = { ...last.committer, name: 'Gitstead' };
  const body = encodeCommit({
    tree: last.tree,
    parents: [state.head!, ours],
    author: person,
    committer: person,
    message: 'MERGE main, which was moved by a program that ignores its lock\n',
  });
  const head = hashObject('commit', body);
  pack.builder.addBody(head, 'commit', body);
  const finished = pack.builder.finish();
  return { head, pack: finished.pack, index: finished.index, packName: pack.name, lost };
}

/**
 * The difference between two trees as writes of documents, deletions first so that what took a folder's place fits. Where
 * a folder's types changed, the documents that have another type now are among them.
 */
function documentsChanged(read: ReadObject, user: string, before: Oid | undefined, after: Oid): Write[] {
  const changed = new Map<string, { path: string[]; blob: Oid | undefined }>();
  for (const change of diffTrees(read, before, after)) {
    const note = (path: string[], blob: Oid | undefined) => changed.set(path.join('/'), { path, blob });
    if (change.path.at(-1) !== TYPES_FILE) note(change.path, change.after?.oid);
    else for (const [path, blob] of retyped(read, after, change)) note(path, blob);
  }
  const writes = [...changed.values()].flatMap(({ path, blob }): Write[] => {
    const segments = path.map((part) => unescapeName(part));
    if (segments.includes(undefined)) return [];
    return [
      {
        segments: segments as string[],
        precondition: NO_PRECONDITION,
        author: { user: user as UserName, app: undefined, grant: undefined },
        quotaBytes: undefined,
        document: blob && documentOf(read, after, path, blob),
      },
    ];
  });
  return writes.sort((a, b) => Number(a.document !== undefined) - Number(b.document !== undefined));
}

/** The documents of a folder that have another type by its new file of types than by the old one. */
function* retyped(
  read: ReadObject,
  root: Oid,
  { path, before, after }: TreeChange,
): Generator<[path: string[], blob: Oid]> {
  const folder = folderAt(read, root, path.slice(0, -1));
  if (!folder) return;
  const was = before ? readTypes(read, before.oid) : emptyTypes();
  const is = after ? readTypes(read, after.oid) : emptyTypes();
  for (const name of documentEntries(folder)) {
    const changes = typeOf(was, name) !== typeOf(is, name);
    if (changes) yield [[...path.slice(0, -1), name], folder.tree.find(name)!.oid];
  }
}

function documentOf(
  read: ReadObject,
  root: Oid,
  path: readonly string[],
  blob: Oid,
): NonNullable<Write['document']> {
  const { types } = folderAt(read, root, path.slice(0, -1))!;
  return { type: typeOf(types, path.at(-1)!), body: inlineBody(blob, readKind(read, blob, 'blob')) };
}

/** A folder by the names of its entries; undefined: there is none. */
function folderAt(read: ReadObject, root: Oid, path: readonly string[]): Folder | undefined {
  let folder = loadFolder(read, root, rootRow());
  for (const part of path) {
    const entry = folder.tree.find(part);
    const item = entry && itemOf(entry);
    if (item?.kind !== 'folder') return undefined;
    folder = loadFolder(read, item.tree, rootRow());
  }
  return folder;
}

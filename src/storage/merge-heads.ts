// What happens when main stands elsewhere than it should, moved by a program that ignores git's lock: the pending
// commits are not forced over it. Their changes are written again on top of what stands there, and a merge commit
// keeps both lines of history, so that nothing is lost by the conflict.
import { encodeCommit, parseCommit } from '../git/commit.ts';
import { isAncestor } from '../git/history.ts';
import { hashObject, type Oid } from '../git/object-id.ts';
import { dropKeep } from '../git/pack-files.ts';
import { MAIN, moveRef, readRef } from '../git/refs.ts';
import { diffTrees } from '../git/tree-diff.ts';
import { NO_PRECONDITION } from '../protocol/conditions.ts';
import type { UserName } from '../protocol/paths.ts';
import { catchUp, commitTree } from './catch-up.ts';
import { noteStamp, writePack } from './checkpoint.ts';
import { TYPES_FILE, typeOf } from './content-types.ts';
import { loadFolder, type ReadObject, readKind, readTypes, rootRow } from './folder-trees.ts';
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
  const treeOf = (commit: Oid) => commitTree(readKind(read, commit, 'commit'));
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

/** The difference between two trees as writes of documents, deletions first so that what took a folder's place fits. */
function documentsChanged(read: ReadObject, user: string, before: Oid | undefined, after: Oid): Write[] {
  const writes: Write[] = [];
  for (const { path, after: entry } of diffTrees(read, before, after)) {
    const segments = path.map((part) => unescapeName(part));
    if (path.at(-1) === TYPES_FILE || segments.some((segment) => segment === undefined)) continue;
    writes.push({
      segments: segments as string[],
      precondition: NO_PRECONDITION,
      author: { user: user as UserName, app: undefined, grant: undefined },
      quotaBytes: undefined,
      document: entry && documentOf(read, after, path, entry.oid),
    });
  }
  return writes.sort((a, b) => Number(a.document !== undefined) - Number(b.document !== undefined));
}

function documentOf(
  read: ReadObject,
  root: Oid,
  path: readonly string[],
  blob: Oid,
): NonNullable<Write['document']> {
  let folder = loadFolder(read, root, rootRow());
  for (const part of path.slice(0, -1)) folder = loadFolder(read, folder.tree.find(part)!.oid, rootRow());
  const typesEntry = folder.tree.find(TYPES_FILE);
  const types = typesEntry ? readTypes(read, typesEntry.oid) : folder.types;
  const bytes = readKind(read, blob, 'blob');
  return {
    type: typeOf(types, path.at(-1)!),
    body: inlineBody(blob, bytes),
  };
}

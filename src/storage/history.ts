// A repository's history as a list of what happened to its documents, newest first: one line per PUT and DELETE of ours,
// one per document that any other commit (a push, an import) changed. Reads the repository alone, so pending commits must
// be drained before; any process may read while a server writes.

import { GitsteadError } from '../errors.ts';
import { type Commit, treeOfCommit } from '../git/commit.ts';
import { walkCommits } from '../git/history.ts';
import type { GitObject, Oid } from '../git/object-id.ts';
import { ObjectStore, OpenFiles } from '../git/object-store.ts';
import { MAIN, readRef } from '../git/refs.ts';
import { checkRepository } from '../git/repository.ts';
import { diffTrees } from '../git/tree-diff.ts';
import { parseCommitMessage } from './commit-message.ts';
import { TYPES_FILE } from './content-types.ts';
import { unescapeName } from './item-names.ts';

export type HistoryEntry = {
  commit: Oid;
  /** Unix seconds */
  time: number;
  author: string;
  /** origin of the app; undefined: none, or a commit that is not ours */
  app: string | undefined;
  /** the scope that allowed it: `notes:rw` */
  grant: string | undefined;
  kind: 'PUT' | 'DELETE';
  /** within the module, decoded names joined by '/' */
  path: string;
};

type ReadObject = (oid: Oid) => GitObject | undefined;

const MAX_OPEN_FILES = 64;
/** The committer of Gitstead's own commits: their messages can be believed. */
export const OWN_COMMITTER = 'Gitstead';

/**
 * What happened in the repository at `folder`, newest first.
 * @param path a document, or a folder with all below it ('a/b' is both); undefined: everything
 * @throws not-ready or corrupt when the repository cannot be read
 */
export function* readHistory(folder: string, path?: string): Generator<HistoryEntry, void, undefined> {
  checkRepository(folder);
  const head = readRef(folder, MAIN);
  if (head === undefined) return;
  const files = new OpenFiles(MAX_OPEN_FILES);
  const store = new ObjectStore(folder, files);
  const read: ReadObject = (oid) => store.read(oid);
  const isAsked = asked(path);
  try {
    for (const { oid, commit } of walkCommits(read, head)) {
      for (const change of changesOf(read, commit)) {
        if (!isAsked(change.path)) continue;
        yield { commit: oid, time: commit.committer.time, author: commit.author.name, ...change };
      }
    }
  } finally {
    store.close();
    files.closeAll();
  }
}

type Change = Pick<HistoryEntry, 'app' | 'grant' | 'kind' | 'path'>;

function* changesOf(read: ReadObject, commit: Commit): Generator<Change, void, undefined> {
  const own = commit.committer.name === OWN_COMMITTER ? parseCommitMessage(commit.message) : undefined;
  if (own && (own.kind === 'PUT' || own.kind === 'DELETE')) {
    yield { kind: own.kind, path: own.path, app: own.app, grant: own.grant };
    return;
  }
  // what a merge brings in is told by the commits that it merges
  const [parent, other] = commit.parents;
  if (other !== undefined) return;
  const before = parent && treeOf(read, parent);
  for (const { path, after } of diffTrees(read, before, commit.tree)) {
    if (path.at(-1) === TYPES_FILE) continue;
    const names = path.map((name) => unescapeName(name) ?? name);
    yield { kind: after ? 'PUT' : 'DELETE', path: names.join('/'), app: undefined, grant: undefined };
  }
}

function treeOf(read: ReadObject, commit: Oid): Oid {
  const object = read(commit);
  if (!object) throw new GitsteadError('corrupt', `the commit ${commit} is missing`);
  return treeOfCommit(object.body);
}

function asked(path: string | undefined): (path: string) => boolean {
  const wanted = path?.replace(/\/+$/, '');
  if (!wanted) return () => true;
  return (found) => found === wanted || found.startsWith(`${wanted}/`);
}

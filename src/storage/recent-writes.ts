// What each app changed lately, for the page on which people judge their apps: told by the `App:` trailers of our own
// commits. Bounded, so that a long history costs no more than a short one; nothing is drained, so what was written in
// the last moment may still be missing.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { asGitsteadError } from '../errors.ts';
import type { Commit } from '../git/commit.ts';
import { walkCommits } from '../git/history.ts';
import { ObjectStore, OpenFiles } from '../git/object-store.ts';
import { MAIN, readRef } from '../git/refs.ts';
import { checkRepository } from '../git/repository.ts';
import { ROOT_MODULE, type UserName } from '../protocol/paths.ts';
import type { Scope } from '../protocol/scopes.ts';
import { type CommitMessage, parseCommitMessage } from './commit-message.ts';
import { OWN_COMMITTER } from './history.ts';
import type { Storage } from './types.ts';

/** An app and what it may do: only modules that it may write are looked at. */
export type WritingApp = { app: string; scopes: readonly Scope[] };

/** The newest change of a document by an app. */
export type RecentWrite = {
  /** from the user's root, decoded names joined by '/' */
  path: string;
  kind: 'PUT' | 'DELETE';
  /** Unix milliseconds */
  time: number;
};

export type RecentWrites = {
  /** by app: newest first, each document once; an app without any is left out */
  byApp: ReadonlyMap<string, readonly RecentWrite[]>;
  /** modules whose history cannot be read now */
  unreadable: readonly string[];
};

export type ReadRecentWrites = (user: UserName, apps: readonly WritingApp[]) => Promise<RecentWrites>;

/** A pushed commit may name any time; this is the last that is a date. */
const LAST_DATE_MS = 8.64e15;
const WRITES_PER_APP = 3;
const COMMITS_PER_MODULE = 200;
/** Of more, those that were written last. */
const MAX_MODULES = 16;
const MAX_OPEN_FILES = 64;

/** Looks at the 200 newest commits of a module, and at no more than 16 modules. */
export function recentWritesIn(storage: Pick<Storage, 'repositories'>): ReadRecentWrites {
  return async (user, apps) => {
    const found = new Map<string, RecentWrite[]>();
    const unreadable: string[] = [];
    for (const { module, folder } of lastWritten(storage.repositories(user), apps)) {
      const writers = apps.filter(({ scopes }) => mayWrite(scopes, module)).map(({ app }) => app);
      try {
        for (const [app, writes] of writesIn(folder, module, writers)) {
          found.set(app, [...(found.get(app) ?? []), ...writes]);
        }
      } catch (error) {
        // one repository that is being repaired must not hide the apps: the page says which it is
        if (!['not-ready', 'corrupt'].includes(asGitsteadError(error).code)) throw error;
        unreadable.push(module);
      }
      // requests for documents come between
      await setImmediate();
    }
    return { byApp: new Map([...found].map(([app, writes]) => [app, newest(writes)])), unreadable };
  };
}

type Repository = { module: string; folder: string };

function lastWritten(repositories: readonly Repository[], apps: readonly WritingApp[]): Repository[] {
  const wanted = repositories.filter(({ module }) => apps.some(({ scopes }) => mayWrite(scopes, module)));
  if (wanted.length <= MAX_MODULES) return wanted;
  const changedAt = ({ folder }: Repository) =>
    statSync(join(folder, MAIN), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return wanted
    .map((repository) => ({ repository, time: changedAt(repository) }))
    .sort((a, b) => b.time - a.time)
    .slice(0, MAX_MODULES)
    .map(({ repository }) => repository);
}

/** Below `public` every module has its part (draft, section 9). */
function mayWrite(scopes: readonly Scope[], module: string): boolean {
  return scopes.some(
    (scope) =>
      scope.level === 'rw' && (scope.module === '*' || scope.module === module || module === 'public'),
  );
}

/** The newest changes by each of `apps` in one repository. @throws not-ready, corrupt */
function writesIn(folder: string, module: string, apps: readonly string[]): Map<string, RecentWrite[]> {
  const found = new Map<string, RecentWrite[]>();
  checkRepository(folder);
  const head = readRef(folder, MAIN);
  if (head === undefined) return found;
  const files = new OpenFiles(MAX_OPEN_FILES);
  const store = new ObjectStore(folder, files);
  try {
    for (const { commit } of walkCommits((oid) => store.read(oid), head).take(COMMITS_PER_MODULE)) {
      const change = ownChange(commit);
      if (change?.app === undefined || !apps.includes(change.app)) continue;
      const writes = found.get(change.app) ?? [];
      const path = module === ROOT_MODULE ? change.path : `${module}/${change.path}`;
      if (writes.length === WRITES_PER_APP || writes.some((write) => write.path === path)) continue;
      const kind = change.kind === 'DELETE' ? 'DELETE' : 'PUT';
      const time = Math.min(commit.committer.time * 1000, LAST_DATE_MS);
      found.set(change.app, [...writes, { path, kind, time }]);
      if (apps.every((app) => found.get(app)?.length === WRITES_PER_APP)) break;
    }
  } finally {
    store.close();
    files.closeAll();
  }
  return found;
}

function ownChange(commit: Commit): CommitMessage | undefined {
  if (commit.committer.name !== OWN_COMMITTER) return undefined;
  const message = parseCommitMessage(commit.message);
  return message?.kind === 'PUT' || message?.kind === 'DELETE' ? message : undefined;
}

/** What each repository tells is in order already, and the sort keeps it. */
function newest(writes: readonly RecentWrite[]): RecentWrite[] {
  return writes.toSorted((a, b) => b.time - a.time).slice(0, WRITES_PER_APP);
}

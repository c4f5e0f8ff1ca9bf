// One repository while it is open: what the engine knows of it between two requests. Only the repository's own
// queue changes these fields; reads look at them.
import { randomBytes } from 'node:crypto';
import type { RepositoryRow } from '../db/repositories.ts';
import type { GitObject, Oid } from '../git/object-id.ts';
import type { ObjectStore } from '../git/object-store.ts';
import { PackBuilder } from '../git/pack-builder.ts';
import type { SpooledBlob } from '../git/spool-pack.ts';
import type { Folder } from './folder-trees.ts';
import type { Write } from './turn.ts';
import type { WriteResult } from './types.ts';

/** Acknowledged commits that are not in a pack yet; served from memory until they are. */
export type OpenPack = {
  /** the name that the pack will have (`pack-…`), known to the journal from its first turn on */
  name: string;
  builder: PackBuilder;
  /** spooled bodies that its commits refer to */
  spooled: SpooledBlob[];
  /** names of those that stand under objects/ already */
  placed: Set<string>;
  /** the memory that it takes, as it was after the last turn */
  bytes: number;
  /** how many commits it holds, likewise */
  commits: number;
  /** when its first commit was journaled, in the engine's monotonic milliseconds; undefined: none yet */
  since: number | undefined;
};

export type Job =
  | { kind: 'write'; write: Write; resolve: (result: WriteResult) => void; reject: (error: unknown) => void }
  /** pending commits to packs and refs */
  | { kind: 'drain'; resolve: () => void; reject: (error: unknown) => void }
  /** the index up to the ref */
  | { kind: 'catch-up'; resolve: () => void; reject: (error: unknown) => void };

export type OpenRepository = {
  readonly user: string;
  readonly module: string;
  readonly folder: string;
  readonly row: number;
  readonly store: ObjectStore;
  /** the newest commit that was made durable; null: none */
  head: Oid | null;
  /** where main stood when it was last read under the lock, or moved */
  refHead: Oid | null;
  /** the commit that the index rows equal */
  indexed: Oid | null;
  /** whether git's lock on main is ours */
  locked: boolean;
  /** the lock is not taken again before this (monotonic milliseconds): a `git push` gets its turn */
  freeUntil: number;
  root: Folder | undefined;
  pack: OpenPack | undefined;
  jobs: Job[];
  running: boolean;
  timer: NodeJS.Timeout | undefined;
  /** the ref file as it was when last looked at, and when (monotonic milliseconds) */
  stamp: string;
  stampedAt: number;
  /** the registry gave it up: whoever still holds it has to find it anew, or two would work on one folder */
  isClosed: boolean;
  /** why it cannot be used now, and since when; answers are 503 */
  fault: { reason: string; at: number } | undefined;
};

export function repositoryState(
  row: RepositoryRow,
  folder: string,
  store: ObjectStore,
  head: Oid | null,
  stamp: string,
): OpenRepository {
  return {
    user: row.user,
    module: row.module,
    folder,
    row: row.id,
    store,
    head,
    refHead: head,
    indexed: row.head as Oid | null,
    locked: false,
    freeUntil: 0,
    root: undefined,
    pack: undefined,
    jobs: [],
    running: false,
    timer: undefined,
    stamp,
    stampedAt: performance.now(),
    isClosed: false,
    fault: undefined,
  };
}

export function openPack(): OpenPack {
  return {
    name: `pack-${randomBytes(20).toString('hex')}`,
    builder: new PackBuilder(),
    spooled: [],
    placed: new Set(),
    bytes: 0,
    commits: 0,
    since: undefined,
  };
}

/** An object of the repository: pending ones from memory, the others from disk. */
export function readObject(repository: OpenRepository, oid: Oid): GitObject | undefined {
  return repository.pack?.builder.read(oid) ?? repository.store.read(oid);
}

export function hasPending(repository: OpenRepository): boolean {
  return repository.pack?.since !== undefined;
}

export function isIdle(repository: OpenRepository): boolean {
  return !repository.running && repository.jobs.length === 0 && !hasPending(repository);
}

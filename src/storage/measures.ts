// What the store counts while it works: plain numbers, which whoever adds to them owns, and which are read when somebody
// asks. How they are told to the world is left to the rooms above.
import type { CacheMeasures } from '../db/measures.ts';
import type { Storage } from './types.ts';

/** Observations in buckets: to add one costs an increment, so it may stand where every request passes. */
export class Buckets {
  /** upper ends, ascending */
  readonly bounds: readonly number[];
  /** for each bound those at most as large and larger than the one before; the last: larger than all */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    const { bounds } = this;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.counts[at]!++;
    this.sum += value;
  }
}

/** in milliseconds: from a look-up in memory to a disk that hangs */
const DURATIONS_MS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000];
const TURN_WRITES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const PACKS = [1, 2, 4, 8, 16, 24, 32, 48, 64, 128];

export function durations(): Buckets {
  return new Buckets(DURATIONS_MS);
}

/** What the parts of the engine count. */
export type Counters = {
  /** writes in each turn */
  turnWrites: Buckets;
  /** milliseconds of an append to the journal with its sync */
  journal: Buckets;
  /** milliseconds of a checkpoint */
  checkpoints: Buckets;
  /** milliseconds of a merge of packs, from the order to its end */
  merges: Buckets;
  mergesFailed: number;
  /** milliseconds of making git's aids for readers */
  readingAids: Buckets;
  readingAidsFailed: number;
  /** how often a turn found its repository's folders in memory, and how often it had to load them */
  treeHits: number;
  treeMisses: number;
};

export function openCounters(): Counters {
  return {
    turnWrites: new Buckets(TURN_WRITES),
    journal: durations(),
    checkpoints: durations(),
    merges: durations(),
    mergesFailed: 0,
    readingAids: durations(),
    readingAidsFailed: 0,
    treeHits: 0,
    treeMisses: 0,
  };
}

/** The store as it is now, and what it has counted since it was opened. */
export type StorageMeasures = Omit<Counters, 'treeHits' | 'treeMisses'> & {
  caches: Record<'bodies' | 'listings' | 'trees', CacheMeasures>;
  /** what else is bounded in bytes, by the memory budget */
  memory: Record<'pending' | 'writes' | 'packIndexes', { held: number; limit: number }>;
  /** of packs in memory, and the commits in them */
  pendingBytes: number;
  pendingCommits: number;
  /** writes that wait for memory */
  waitingWrites: number;
  openRepositories: number;
  openFiles: number;
  /** over the repositories that are open, as many as each has */
  packs: Buckets;
};

export interface MeasuredStorage extends Storage {
  measures(): StorageMeasures;
}

/** How many packs each of the repositories has, as far as it knows. */
export function packsOf(repositories: Iterable<{ store: { packCount: number } }>): Buckets {
  const packs = new Buckets(PACKS);
  for (const { store } of repositories) packs.add(store.packCount);
  return packs;
}

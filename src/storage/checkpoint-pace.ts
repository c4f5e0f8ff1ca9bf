// How long pending commits wait for their checkpoint. One costs some ten system calls, whatever is in it, a new pack that is
// to be merged with others, and a whole copy of each folder that was changed. So the interval grows with the number of
// repositories that wait, with what was written whole, and with the packs that wait to be merged.

/** With few repositories; under load git's view lags behind by half of it at the median. */
const MIN_INTERVAL_MS = 75;
/** Whatever waits. */
const MAX_INTERVAL_MS = 1000;
/** of the time that checkpoints may take, with the packs that they make */
const SHARE = 0.06;
/** weight of the newest checkpoint in the mean, and the longest time that counts: a slow disk is not more work */
const WEIGHT = 0.05;
const MAX_COST_MS = 5;
/** Whole trees may be written at this rate: one of 10,000 documents takes 400 KB, and 0.1 s. */
const WHOLE_BYTES_PER_MS = 4096;
/** With more packs than this, merging is behind: each further one lengthens the interval by a third. */
const CALM_PACKS = 20;
const GROWTH_PER_PACK = 4 / 3;
/** What is written whole may be written again at once up to this size. */
const LIGHT_TREE_BYTES = 64 << 10;

/** What of a repository's state its interval depends on. */
export type Waiting = {
  /** on disk */
  packs: number;
  /** bytes of the trees that are whole in the open pack */
  wholeTreeBytes: number;
};

export interface CheckpointPace {
  /** ms from a repository's first pending commit to its checkpoint */
  interval(waiting: Waiting): number;
  /**
   * Whether a checkpoint may come before its time, for somebody who looks at once.
   * @param sinceLastMs since the repository's last one
   */
  mayHurry(waiting: Waiting, sinceLastMs: number): boolean;
  /** a repository has its first pending commit */
  opened(): void;
  /** it has none any more; `tookMs`: what its checkpoint took */
  sealed(tookMs: number): void;
}

export function openCheckpointPace(): CheckpointPace {
  let waitingRepositories = 0;
  let costMs = 0.5;
  function interval({ packs, wholeTreeBytes }: Waiting): number {
    const forOthers = (waitingRepositories * costMs) / SHARE;
    const forTrees = wholeTreeBytes / WHOLE_BYTES_PER_MS;
    const calm = Math.max(MIN_INTERVAL_MS, forOthers, forTrees);
    return Math.min(MAX_INTERVAL_MS, calm * GROWTH_PER_PACK ** Math.max(0, packs - CALM_PACKS));
  }

  return {
    interval,
    mayHurry(waiting, sinceLastMs) {
      if (waiting.packs > CALM_PACKS) return false;
      return waiting.wholeTreeBytes <= LIGHT_TREE_BYTES || sinceLastMs >= interval(waiting);
    },
    opened() {
      waitingRepositories++;
    },
    sealed(tookMs) {
      waitingRepositories--;
      costMs += (Math.min(tookMs, MAX_COST_MS) - costMs) * WEIGHT;
    },
  };
}

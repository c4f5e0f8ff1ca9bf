// How long pending commits wait for their checkpoint. One costs some ten system calls, whatever is in it: with many
// repositories written at once, checkpoints at a fixed interval would take most of the time that writes need. So the
// interval grows with the number of repositories that wait, as far as checkpoints stay a fixed share of the time.

/** With few repositories; under load git's view lags behind by half of it at the median. */
const MIN_INTERVAL_MS = 75;
/** However many there are. */
const MAX_INTERVAL_MS = 500;
/** of the time that checkpoints may take */
const SHARE = 0.15;
/** weight of the newest checkpoint in the mean, and the longest time that counts: a slow disk is not more work */
const WEIGHT = 0.05;
const MAX_COST_MS = 5;

export interface CheckpointPace {
  /** ms from a repository's first pending commit to its checkpoint */
  interval(): number;
  /** a repository has its first pending commit */
  opened(): void;
  /** it has none any more; `tookMs`: what its checkpoint took */
  sealed(tookMs: number): void;
}

export function openCheckpointPace(): CheckpointPace {
  let waiting = 0;
  let costMs = 0.5;
  return {
    interval: () => Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, (waiting * costMs) / SHARE)),
    opened() {
      waiting++;
    },
    sealed(tookMs) {
      waiting--;
      costMs += (Math.min(tookMs, MAX_COST_MS) - costMs) * WEIGHT;
    },
  };
}

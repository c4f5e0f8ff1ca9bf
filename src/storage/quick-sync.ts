// How a journal's file is synced: in another thread, so that the event loop goes on meanwhile. A quick disk is done before
// that thread has begun and told of its end, though: a lone write on such a disk is synced right here (W1 of the engine
// bench: 1.4 times the writes).
import { fdatasync, fdatasyncSync } from 'node:fs';
import { promisify } from 'node:util';

const syncAside = promisify(fdatasync);
/** A disk is quick while its syncs take less than this on average, with the way to the other thread and back. */
const QUICK_MS = 0.5;
/** of the newest sync in the average: after one that took 8 ms, the next dozen are done aside */
const WEIGHT = 1 / 16;

export interface QuickSync {
  /** @param isAlone nothing else is to be done meanwhile, as far as the caller knows */
  sync(file: number, isAlone: boolean): Promise<void>;
}

/** @param now milliseconds, monotonic */
export function openQuickSync(
  now = () => performance.now(),
  { here, aside } = { here: fdatasyncSync, aside: syncAside },
): QuickSync {
  let averageMs = 2 * QUICK_MS;
  return {
    async sync(file, isAlone) {
      const start = now();
      if (isAlone && averageMs < QUICK_MS) here(file);
      else await aside(file);
      averageMs += (now() - start - averageMs) * WEIGHT;
    },
  };
}

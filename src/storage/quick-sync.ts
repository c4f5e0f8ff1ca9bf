// How a journal's file is synced: in another thread, so that the event loop goes on meanwhile. A quick disk is done before
// that thread has begun and told of its end, though: a lone write on such a disk is synced right here (W1 of the engine
// bench: 1.4 times the writes). What the way to the other thread takes says nothing of the disk, and is the longer the idler
// the machine: so a disk is judged by syncs made here (PUTs of one writer over HTTP: 1.2 times as many).
import { fdatasync, fdatasyncSync } from 'node:fs';
import { promisify } from 'node:util';

const syncAside = promisify(fdatasync);
/** A disk is quick while syncs made here take less than this on average. */
const QUICK_MS = 1;
/** of the newest sync in an average: after one that took 8 ms, the next ones are made aside */
const WEIGHT = 1 / 8;
/** One that is not known as quick is tried here at every so many lone writes, … */
const TRY_EVERY = 8;
/** … unless its syncs take longer than this aside: they would hold up others too long. */
const TRIED_BELOW_MS = 4;

export interface QuickSync {
  /** @param isAlone nothing else is to be done meanwhile, as far as the caller knows */
  sync(file: number, isAlone: boolean): Promise<void>;
}

/** @param now milliseconds, monotonic */
export function openQuickSync(
  now = () => performance.now(),
  { here, aside } = { here: fdatasyncSync, aside: syncAside },
): QuickSync {
  let hereMs = Infinity;
  let asideMs = Infinity;
  let untilTry = 0;

  function isTried(): boolean {
    if (asideMs >= TRIED_BELOW_MS) return false;
    untilTry = (untilTry || TRY_EVERY) - 1;
    return untilTry === 0;
  }

  return {
    async sync(file, isAlone) {
      const isQuick = hereMs < QUICK_MS;
      const start = now();
      if (isAlone && (isQuick || isTried())) {
        here(file);
        hereMs = average(isQuick ? hereMs : Infinity, now() - start);
      } else {
        await aside(file);
        asideMs = average(asideMs, now() - start);
      }
    },
  };
}

/** @param before infinite when nothing is known yet */
function average(before: number, newest: number): number {
  return Number.isFinite(before) ? before + (newest - before) * WEIGHT : newest;
}

// How a journal's file is synced: in another thread, so that the event loop goes on meanwhile, unless the disk is done
// before that thread has begun and told of its end: then right here (PUTs of one writer over HTTP: 1.2 times as many, without
// HTTP 1.7; with 32 repositories a fifth less of the processor). The way to the other thread is the longer the idler the machine,
// and says nothing of the disk: so that is judged by syncs made here.
import { fdatasync, fdatasyncSync } from 'node:fs';
import { promisify } from 'node:util';

const syncAside = promisify(fdatasync);
/** A disk is quick while syncs made here take less than this on average: of a single small write, … */
const QUICK_MS = 1;
const SINGLE_BYTES = 4 << 10;
/** … and of more. Others are likely to wait then, and a disk with much to do (packs are merged) is slow every now and then. */
const SHARED_QUICK_MS = 0.5;
/** What is larger takes longer than the way to another thread on any disk, and others have work meanwhile. */
const QUICK_BYTES = 256 << 10;
/** of the newest sync in an average: after one that took 4 ms, the next ones are made aside */
const WEIGHT = 1 / 4;
/** One that is not known as quick is tried here at every so many of them, … */
const TRY_EVERY = 8;
/** … unless its syncs take longer than this aside: they would hold up others too long. */
const TRIED_BELOW_MS = 4;

export interface QuickSync {
  /** @param bytes that were written to the file since its last sync */
  sync(file: number, bytes: number): Promise<void>;
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
    async sync(file, bytes) {
      const isQuick = hereMs < (bytes <= SINGLE_BYTES ? QUICK_MS : SHARED_QUICK_MS);
      const start = now();
      if (bytes <= QUICK_BYTES && (isQuick || isTried())) {
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

// When repositories that rest get their reading aids (git/reading-aids.ts): one repository at a time, for a hundredth of its
// time at most, and not while its packs are merged. And a look at those that were made lately: a repack of somebody else's
// that was under way takes packs away that it does not know to be named.
import { setImmediate } from 'node:timers/promises';
import { mendMultiPackIndex } from '../git/multi-pack-index.ts';
import { makeReadingAids, wantsReadingAids } from '../git/reading-aids.ts';
import type { Log } from '../log.ts';
import type { Counters } from './measures.ts';
import type { OpenRepository } from './open-repository.ts';

/** A making that took a second is followed by none for so many. */
const PAUSE_FACTOR = 100;
/** Where it failed (a damaged repository, a full disk, no git) it is not tried for so long. */
const FAILED_AGAIN_MS = 10 * 60_000;
const LOOK_EVERY_MS = 60_000;
/** No repack that began before takes longer. */
const LOOK_FOR_MS = 3_600_000;
/** The event loop is given up to others after so much looking at a stretch. */
const SLICE_MS = 5;

export type ReadingAidsOptions = {
  log: Log;
  counters: Counters;
  /** undefined: what git/reading-aids.ts finds worth it */
  worthObjects?: number | undefined;
  lookEveryMs?: number | undefined;
};

export interface ReadingAidsWork {
  /** Whether the repository is to get new ones now. Removes those that are of no use any more. */
  areDue(repository: OpenRepository): boolean;
  /** @param mergeMs what merging its packs for this took: a part of their price */
  add(repository: OpenRepository, mergeMs: number): void;
  /** Ends the making under way if it is this repository's: when this resolves, nothing works in it. */
  giveUp(repository: OpenRepository): Promise<void>;
  /** ends the making under way at once, and starts no other */
  close(): Promise<void>;
}

type Making = { repository: OpenRepository; end: AbortController; over: Promise<void> };

export function openReadingAids({
  log,
  counters,
  worthObjects,
  lookEveryMs,
}: ReadingAidsOptions): ReadingAidsWork {
  /** with the milliseconds that merging took */
  const waiting = new Map<OpenRepository, number>();
  /** by folder, as a repository may be closed and opened meanwhile: monotonic milliseconds */
  const notBefore = new Map<string, number>();
  /** folders whose aids are new, and until when they are looked at */
  const watched = new Map<string, number>();
  let making: Making | undefined;
  let timer: NodeJS.Timeout | undefined;
  let hasWarned = false;
  let isClosing = false;

  function makeNext(): void {
    if (making || isClosing) return;
    const [next] = waiting;
    if (!next) return;
    const [repository, mergeMs] = next;
    waiting.delete(repository);
    const end = new AbortController();
    const over = make(repository, mergeMs, end.signal).finally(() => {
      making = undefined;
      makeNext();
    });
    making = { repository, end, over };
  }

  async function make(repository: OpenRepository, mergeMs: number, signal: AbortSignal): Promise<void> {
    const { user, module, folder } = repository;
    const start = performance.now();
    let pauseMs = 0;
    try {
      const outcome = await makeReadingAids(folder, signal);
      log.debug({ user, module, outcome }, 'aids for readers');
      if (outcome.kind === 'made') {
        counters.readingAids.add(performance.now() - start);
        hasWarned = false;
        watch(folder);
      }
    } catch (error) {
      counters.readingAidsFailed++;
      pauseMs = FAILED_AGAIN_MS;
      log[hasWarned ? 'debug' : 'warn'](
        { err: error, user, module },
        'git could not write its index and graph for readers; nothing is lost',
      );
      hasWarned = true;
    }
    const now = performance.now();
    notBefore.set(folder, now + Math.max(pauseMs, PAUSE_FACTOR * (mergeMs + now - start)));
    startTimer();
  }

  function watch(folder: string): void {
    watched.set(folder, performance.now() + LOOK_FOR_MS);
  }

  function startTimer(): void {
    if (!isClosing) timer ??= setTimeout(() => void lookAtAll(), lookEveryMs ?? LOOK_EVERY_MS).unref();
  }

  async function lookAtAll(): Promise<void> {
    let since = performance.now();
    for (const [folder, until] of watched) {
      if (isClosing) return;
      mend(folder);
      if (since > until) watched.delete(folder);
      if (performance.now() - since < SLICE_MS) continue;
      await setImmediate();
      since = performance.now();
    }
    for (const [folder, at] of notBefore) if (at < since) notBefore.delete(folder);
    timer = undefined;
    if (watched.size + notBefore.size > 0) startTimer();
  }

  function mend(folder: string): void {
    try {
      if (mendMultiPackIndex(folder)) log.info({ folder }, 'an index of packs that are gone was removed');
    } catch (error) {
      // a folder that went, or a disk that fails: others tell of that
      log.debug({ err: error, folder }, 'aids for readers cannot be looked at');
    }
  }

  return {
    areDue({ folder }) {
      if (isClosing) return false;
      mend(folder);
      if (performance.now() < (notBefore.get(folder) ?? 0)) return false;
      try {
        return wantsReadingAids(folder, worthObjects);
      } catch {
        return false; // as above
      }
    },
    add(repository, mergeMs) {
      waiting.set(repository, mergeMs);
      makeNext();
    },
    async giveUp(repository) {
      waiting.delete(repository);
      if (making?.repository !== repository) return;
      making.end.abort();
      await making.over;
    },
    async close() {
      isClosing = true;
      waiting.clear();
      clearTimeout(timer);
      making?.end.abort();
      await making?.over;
    },
  };
}

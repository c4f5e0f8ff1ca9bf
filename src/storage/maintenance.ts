// Work in the background: merging small packs, one repository at a time and in a thread of its own, so that none ever has
// more than a few dozen. One that rests is given aids for git's readers afterwards (reading-aids.ts).
import { Worker } from 'node:worker_threads';
import { GitsteadError } from '../errors.ts';
import { choosePacks, mergeablePacks, QUIET_GROWTH } from '../git/merge-packs.ts';
import type { Log } from '../log.ts';
import type { Counters } from './measures.ts';
import type { MergeNews, MergeOrder, MergeThreadData } from './merge-worker.ts';
import { isIdle, type OpenRepository } from './open-repository.ts';
import { openReadingAids } from './reading-aids.ts';

/** Of a repository that is written to, so many packs are left alone. */
const BUSY_ABOVE_PACKS = 15;
/** When nobody has written for so long, fewer packs are worth it: whoever clones reads each. */
const QUIET_AFTER_MS = 10_000;
const QUIET_ABOVE_PACKS = 3;
/** After so long it rests, and if it is worth that, one pack is to hold most of it: a clone is sent that as it lies there. */
const REST_AFTER_MS = 20_000;
const REST_ABOVE_PACKS = 1;
/** A repository whose packs could not be merged (a damaged one, a full disk) is left alone for so long. */
const MERGE_AGAIN_MS = 10 * 60_000;

/** Whether somebody writes to a repository. */
type State = 'busy' | 'quiet' | 'resting';

const LEFT_ALONE: Record<State, number> = {
  busy: BUSY_ABOVE_PACKS,
  quiet: QUIET_ABOVE_PACKS,
  resting: REST_ABOVE_PACKS,
};

export interface Maintenance {
  /** called after each checkpoint; cheap */
  consider: (repository: OpenRepository) => void;
  /** called when it is closed: it may go */
  forget: (repository: OpenRepository) => void;
  /** gives up what is under way, and starts nothing */
  close(): Promise<void>;
}

export type MaintenanceOptions = {
  log: Log;
  counters: Counters;
  quietAfterMs?: number;
  restAfterMs?: number;
  /** fewer objects are not worth aids for readers */
  worthObjects?: number;
};

export function openMaintenance(options: MaintenanceOptions): Maintenance {
  const { log, counters, quietAfterMs = QUIET_AFTER_MS, restAfterMs = REST_AFTER_MS, worthObjects } = options;
  const aids = openReadingAids({ log, counters, worthObjects });
  const waiting = new Map<OpenRepository, State>();
  /** those that were written to, with the time of their last checkpoint */
  const written = new Map<OpenRepository, number>();
  /** those that are quiet and do not rest yet, with the same */
  const quiet = new Map<OpenRepository, number>();
  let timer: NodeJS.Timeout | undefined;
  const notBefore = new WeakMap<OpenRepository, number>();
  let worker: Worker | undefined;
  let running: Promise<void> | undefined;
  const givenUp = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let isClosing = false;

  async function run(): Promise<void> {
    for (const [repository, state] of waiting) {
      waiting.delete(repository);
      if (isClosing) return;
      if (repository.isClosed) continue;
      try {
        const start = performance.now();
        await mergeOnce(repository, state);
        if (state === 'resting') aids.add(repository, performance.now() - start);
      } catch (error) {
        const { user, module } = repository;
        counters.mergesFailed++;
        notBefore.set(repository, performance.now() + MERGE_AGAIN_MS);
        log.warn({ err: error, user, module }, 'merging packs failed; nothing is lost');
      }
    }
  }

  async function mergeOnce(repository: OpenRepository, state: State): Promise<void> {
    const packs = mergeablePacks(repository.folder);
    const names =
      state === 'busy'
        ? choosePacks(packs)
        : choosePacks(packs, LEFT_ALONE[state] + 1, QUIET_GROWTH, Number.POSITIVE_INFINITY);
    if (!names) return;
    await aids.giveUp(repository);
    worker ??= startWorker({ givenUp }, (ended) => {
      if (worker === ended) worker = undefined;
    });
    const start = performance.now();
    await askWorker(worker, { folder: repository.folder, names }, repository);
    counters.merges.add(performance.now() - start);
    repository.store.rescan();
  }

  function mergeLater(repository: OpenRepository, state: State): void {
    if (repository.store.packCount <= LEFT_ALONE[state]) return;
    workLater(repository, state);
  }

  function workLater(repository: OpenRepository, state: State): void {
    if (isClosing || repository.isClosed) return;
    if (performance.now() < (notBefore.get(repository) ?? 0)) return;
    waiting.set(repository, state);
    running ??= run().finally(() => {
      running = undefined;
      endIdleWorker();
    });
  }

  function look(): void {
    timer = undefined;
    const now = performance.now();
    for (const [repository, at] of written) {
      if (at > now - quietAfterMs) continue;
      written.delete(repository);
      quiet.set(repository, at);
      mergeLater(repository, 'quiet');
    }
    for (const [repository, at] of quiet) {
      if (at > now - restAfterMs) continue;
      quiet.delete(repository);
      if (isIdle(repository) && !repository.isClosed && aids.areDue(repository))
        workLater(repository, 'resting');
    }
    if (written.size + quiet.size > 0) startTimer();
    endIdleWorker();
  }

  /** When nobody writes any more: what the thread still holds of the last merges is tens of MiB. */
  function endIdleWorker(): void {
    if (running || written.size + quiet.size > 0) return;
    void worker?.terminate();
    worker = undefined;
  }

  function startTimer(): void {
    timer ??= setTimeout(look, quietAfterMs).unref();
  }

  return {
    consider(repository) {
      if (isClosing) return;
      quiet.delete(repository);
      written.set(repository, performance.now());
      startTimer();
      mergeLater(repository, 'busy');
    },
    forget(repository) {
      for (const known of [waiting, written, quiet]) known.delete(repository);
      void aids.giveUp(repository);
    },
    async close() {
      isClosing = true;
      clearTimeout(timer);
      Atomics.store(givenUp, 0, 1);
      await aids.close();
      await running;
      await worker?.terminate();
    },
  };
}

/** The thread runs this file's neighbour, as source or as built. */
function startWorker(workerData: MergeThreadData, over: (ended: Worker) => void): Worker {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const worker = new Worker(new URL(`./merge-worker${ending}`, import.meta.url), { workerData });
  const ended = () => over(worker);
  worker.on('error', ended).on('exit', ended);
  worker.unref();
  return worker;
}

function askWorker(worker: Worker, order: MergeOrder, repository: OpenRepository): Promise<void> {
  return new Promise((resolve, reject) => {
    const onNews = (news: MergeNews) => {
      if (news.kind === 'placed') repository.store.addPack(news.name, Buffer.from(news.index.buffer));
      else if (news.kind === 'over') settle();
      else settle(new GitsteadError('internal', news.message));
    };
    const onError = (error: unknown) => settle(error);
    const onExit = () => settle(new GitsteadError('internal', 'the thread that merges packs has ended'));
    const settle = (error?: unknown) => {
      worker.off('message', onNews).off('error', onError).off('exit', onExit);
      if (error === undefined) resolve();
      else reject(error);
    };
    worker.on('message', onNews).on('error', onError).on('exit', onExit);
    worker.postMessage(order);
  });
}

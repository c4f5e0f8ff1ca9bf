// Work in the background: merging small packs, one repository at a time and in a thread of its own, so that none ever has
// more than a few dozen.
import { Worker } from 'node:worker_threads';
import { GitsteadError } from '../errors.ts';
import { choosePacks, mergeablePacks, QUIET_GROWTH } from '../git/merge-packs.ts';
import type { Log } from '../log.ts';
import type { Counters } from './measures.ts';
import type { MergeNews, MergeOrder, MergeThreadData } from './merge-worker.ts';
import type { OpenRepository } from './open-repository.ts';

/** Of a repository that is written to, so many packs are left alone. */
const BUSY_ABOVE_PACKS = 15;
/** When nobody has written for so long, fewer packs are worth it: whoever clones reads each. */
const QUIET_AFTER_MS = 10_000;
const QUIET_ABOVE_PACKS = 3;
/** A repository whose packs could not be merged (a damaged one, a full disk) is left alone for so long. */
const MERGE_AGAIN_MS = 10 * 60_000;

/** Whether somebody writes to a repository. */
type State = 'busy' | 'quiet';

export interface Maintenance {
  /** called after each checkpoint; cheap */
  consider: (repository: OpenRepository) => void;
  /** gives up the merge under way, and starts no other */
  close(): Promise<void>;
}

export function openMaintenance(log: Log, counters: Counters, quietAfterMs = QUIET_AFTER_MS): Maintenance {
  const waiting = new Map<OpenRepository, State>();
  /** those that were written to, with the time of their last checkpoint */
  const written = new Map<OpenRepository, number>();
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
        await mergeOnce(repository, state);
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
      state === 'busy' ? choosePacks(packs) : choosePacks(packs, QUIET_ABOVE_PACKS + 1, QUIET_GROWTH);
    if (!names) return;
    worker ??= startWorker({ givenUp }, () => {
      worker = undefined;
    });
    const start = performance.now();
    await askWorker(worker, { folder: repository.folder, names }, repository);
    counters.merges.add(performance.now() - start);
    repository.store.rescan();
  }

  function mergeLater(repository: OpenRepository, state: State): void {
    const most = state === 'busy' ? BUSY_ABOVE_PACKS : QUIET_ABOVE_PACKS;
    if (isClosing || repository.isClosed || repository.store.packCount <= most) return;
    if (performance.now() < (notBefore.get(repository) ?? 0)) return;
    waiting.set(repository, state);
    running ??= run().finally(() => {
      running = undefined;
    });
  }

  function lookForQuiet(): void {
    timer = undefined;
    const before = performance.now() - quietAfterMs;
    for (const [repository, at] of written) {
      if (at > before) continue;
      written.delete(repository);
      mergeLater(repository, 'quiet');
    }
    if (written.size > 0) startTimer();
  }

  function startTimer(): void {
    timer ??= setTimeout(lookForQuiet, quietAfterMs).unref();
  }

  return {
    consider(repository) {
      written.set(repository, performance.now());
      startTimer();
      mergeLater(repository, 'busy');
    },
    async close() {
      isClosing = true;
      clearTimeout(timer);
      Atomics.store(givenUp, 0, 1);
      await running;
      await worker?.terminate();
    },
  };
}

/** The thread runs this file's neighbour, as source or as built. */
function startWorker(workerData: MergeThreadData, ended: () => void): Worker {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const worker = new Worker(new URL(`./merge-worker${ending}`, import.meta.url), { workerData });
  worker.on('error', ended).on('exit', ended);
  worker.unref();
  return worker;
}

function askWorker(worker: Worker, order: MergeOrder, repository: OpenRepository): Promise<void> {
  return new Promise((resolve, reject) => {
    const onNews = (news: MergeNews) => {
      if (news.kind === 'placed') repository.store.addPack(news.name, Buffer.from(news.index));
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

// Work in the background: merging small packs, one repository at a time and in a thread of its own, so that none ever has
// more than a few dozen.
import { Worker } from 'node:worker_threads';
import { GitsteadError } from '../errors.ts';
import { choosePacks, mergeablePacks } from '../git/merge-packs.ts';
import type { Log } from '../log.ts';
import type { Counters } from './measures.ts';
import type { MergeNews, MergeOrder, MergeThreadData } from './merge-worker.ts';
import type { OpenRepository } from './open-repository.ts';

/** Fewer packs than this are not worth a look. */
const LOOK_ABOVE_PACKS = 15;
/** A repository whose packs could not be merged (a damaged one, a full disk) is left alone for so long. */
const MERGE_AGAIN_MS = 10 * 60_000;

export interface Maintenance {
  /** called after each checkpoint; cheap */
  consider: (repository: OpenRepository) => void;
  /** gives up the merge under way, and starts no other */
  close(): Promise<void>;
}

export function openMaintenance(log: Log, counters: Counters): Maintenance {
  const waiting = new Set<OpenRepository>();
  const notBefore = new WeakMap<OpenRepository, number>();
  let worker: Worker | undefined;
  let running: Promise<void> | undefined;
  const givenUp = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let isClosing = false;

  async function run(): Promise<void> {
    for (const repository of waiting) {
      waiting.delete(repository);
      if (isClosing) return;
      try {
        await mergeOnce(repository);
      } catch (error) {
        const { user, module } = repository;
        counters.mergesFailed++;
        notBefore.set(repository, performance.now() + MERGE_AGAIN_MS);
        log.warn({ err: error, user, module }, 'merging packs failed; nothing is lost');
      }
    }
  }

  async function mergeOnce(repository: OpenRepository): Promise<void> {
    const names = choosePacks(mergeablePacks(repository.folder));
    if (!names) return;
    worker ??= startWorker({ givenUp }, () => {
      worker = undefined;
    });
    const start = performance.now();
    await askWorker(worker, { folder: repository.folder, names }, repository);
    counters.merges.add(performance.now() - start);
    repository.store.rescan();
  }

  return {
    consider(repository) {
      if (isClosing || repository.store.packCount <= LOOK_ABOVE_PACKS) return;
      if (performance.now() < (notBefore.get(repository) ?? 0)) return;
      waiting.add(repository);
      running ??= run().finally(() => {
        running = undefined;
      });
    },
    async close() {
      isClosing = true;
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

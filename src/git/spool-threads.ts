// The few threads in which large bodies become packs, seen from the thread that reads the bodies: memory to fill, and an
// answer at the end. Threads are started when needed, and end after a rest or with the store. What they do is
// spool-worker.ts's.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { GitsteadError } from '../errors.ts';
import type { PackedBlob } from './blob-pack.ts';
import { freeMemory } from './free-memory.ts';
import type { SpoolNews, SpoolOrder } from './spool-worker.ts';

/** Four blocks of 65,535 bytes: what is made of them stays in a core's cache. */
const PART_BYTES = 4 * 0xffff;
/** One is filled while the thread works on the others. */
const PARTS = 3;
const MAX_THREADS = 4;
/** A thread takes some 15 MiB, and its start some 30 ms. */
const END_AFTER_MS = 60_000;

/** Where a body goes: into the file `pack`; with a size that is not known by way of the file `raw`. */
export type SpoolPlace = { pack: string; size: number } | { pack: string; raw: string };

/** One body on its way into a file. Holds at most 768 KiB of memory, and a slow body less. */
export interface SpoolingBody {
  /**
   * Memory for the next part, to be filled from its beginning; waits for the thread when that is behind.
   * @throws what went wrong with the parts before
   */
  room(): Buffer | Promise<Buffer>;
  /** Hands over the first `length` bytes of what `room` gave: all of it, unless it is the last part. */
  hand(part: Buffer, length: number): void;
  /** Ends the body and waits until the pack is on the disk. Throws what went wrong. */
  end(): Promise<PackedBlob>;
  /** Ends it in whichever state it is; when this is done nobody writes to the files any more. They are not removed. */
  giveUp(): Promise<void>;
}

export interface SpoolThreads {
  begin(place: SpoolPlace): SpoolingBody;
  /** ends the threads; bodies that are on their way fail */
  close(): Promise<void>;
}

type Listener = (news: SpoolNews | { kind: 'ended'; cause: unknown }) => void;
type Thread = {
  worker: Worker;
  listeners: Map<number, Listener>;
  /** while it has nothing to do: ends it */
  timer: NodeJS.Timeout | undefined;
};

/**
 * @param limit of threads: by default one fewer than there are processors, at most four
 * @param endAfterMs a thread that had nothing to do for so long is ended
 */
export function openSpoolThreads(
  limit = Math.max(1, Math.min(MAX_THREADS, availableParallelism() - 1)),
  endAfterMs = END_AFTER_MS,
): SpoolThreads {
  const threads = new Set<Thread>();
  let bodies = 0;

  /** The thread with the least to do; a new one while all are busy and there may be more. */
  function pick(): Thread {
    let best: Thread | undefined;
    for (const thread of threads) if (!best || thread.listeners.size < best.listeners.size) best = thread;
    if (best && (best.listeners.size === 0 || threads.size >= limit)) return best;
    const thread = startThread(() => threads.delete(thread));
    threads.add(thread);
    return thread;
  }

  function rest(thread: Thread): void {
    thread.timer = setTimeout(() => {
      threads.delete(thread);
      void thread.worker.terminate();
    }, endAfterMs).unref();
  }

  return {
    begin(place) {
      bodies++;
      const thread = pick();
      clearTimeout(thread.timer);
      return spoolingBody(thread, bodies, place, rest);
    },
    async close() {
      await Promise.all([...threads].map(({ worker }) => worker.terminate()));
    },
  };
}

/** The thread runs this file's neighbour, as source or as built. */
function startThread(ended: () => void): Thread {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const worker = new Worker(new URL(`./spool-worker${ending}`, import.meta.url));
  const listeners = new Map<number, Listener>();
  const over = (cause: unknown) => {
    ended();
    for (const listener of [...listeners.values()]) listener({ kind: 'ended', cause });
    listeners.clear();
  };
  worker.on('message', (news: SpoolNews) => listeners.get(news.body)?.(news));
  worker.on('error', over).on('exit', over);
  worker.unref();
  return { worker, listeners, timer: undefined };
}

function spoolingBody(
  thread: Thread,
  body: number,
  place: SpoolPlace,
  rest: (thread: Thread) => void,
): SpoolingBody {
  const { worker, listeners } = thread;
  const free: Buffer[] = [];
  let made = 0;
  let failure: unknown;
  const packed = Promise.withResolvers<PackedBlob>();
  const closed = Promise.withResolvers<void>();
  let waiting: { resolve: (part: Buffer) => void; reject: (error: unknown) => void } | undefined;
  packed.promise.catch(() => {}); // who asks for the end, or for room, is told

  function over(error?: unknown): void {
    listeners.delete(body);
    for (const part of free.splice(0)) freeMemory(part);
    if (listeners.size === 0) {
      worker.unref();
      rest(thread);
    }
    closed.resolve();
    if (error === undefined) return;
    failure = error;
    packed.reject(error);
    waiting?.reject(error);
    waiting = undefined;
  }

  function order(message: SpoolOrder, handedOver: ArrayBuffer[] = []): void {
    worker.postMessage(message, handedOver);
  }

  function take(part: Buffer): void {
    if (waiting) waiting.resolve(part);
    else free.push(part);
    waiting = undefined;
  }

  listeners.set(body, (news) => {
    if (news.kind === 'taken') return take(Buffer.from(news.memory));
    if (news.kind === 'failed') return over(Object.assign(new Error(news.message), { code: news.code }));
    if (news.kind === 'ended') return over(threadEnded(news.cause));
    if (news.kind === 'done') packed.resolve(news.blob);
    over();
  });
  worker.ref();
  order({ kind: 'begin', body, ...place });

  return {
    room() {
      if (failure !== undefined) throw failure;
      const part = free.pop();
      if (part) return part;
      if (made < PARTS) {
        made++;
        return Buffer.allocUnsafeSlow(PART_BYTES);
      }
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
      });
    },
    hand(part, length) {
      const memory = part.buffer as ArrayBuffer;
      order({ kind: 'part', body, memory, length }, [memory]);
    },
    end() {
      order({ kind: 'end', body });
      return packed.promise;
    },
    giveUp() {
      order({ kind: 'give-up', body });
      return closed.promise;
    },
  };
}

function threadEnded(cause: unknown): GitsteadError {
  const why = 'the thread that writes large documents has ended; nothing of this one was kept';
  return new GitsteadError('internal', why, { cause });
}

// Copies the index's write-ahead log into its file, in a thread: on the main thread it would hold up every request.
import { Worker } from 'node:worker_threads';

/** After so many rows the log is copied. */
const COPY_LOG_AFTER_ROWS = 5000;
/** How long closing waits for a copy under way. */
const MAX_COPY_MS = 5000;
/** A thread that had nothing to copy for so long is ended: it takes some 15 MiB, and its start some 30 ms. */
const END_AFTER_MS = 60_000;

export interface LogCopier {
  /** so many rows were written */
  note(rows: number): void;
  close(): void;
}

/** Copies the log into the file now and then, in a thread that is started when there is something to copy, and ends after a rest. */
export function openLogCopier(file: string): LogCopier {
  /** 1 while the thread has the file open, see wal-worker.ts */
  const state = new Int32Array(new SharedArrayBuffer(4));
  let worker: Worker | undefined;
  let timer: NodeJS.Timeout | undefined;
  let pending = 0;

  function endIdle(): void {
    if (Atomics.load(state, 0) === 1) return; // whoever has rows to note comes again
    void worker?.terminate();
    worker = undefined;
  }

  return {
    note(rows) {
      pending += rows;
      if (pending < COPY_LOG_AFTER_ROWS || Atomics.load(state, 0) === 1) return;
      worker ??= startLogCopier(file, state);
      pending = 0;
      Atomics.store(state, 0, 1);
      worker.postMessage('copy');
      clearTimeout(timer);
      timer = setTimeout(endIdle, END_AFTER_MS).unref();
    },
    close() {
      clearTimeout(timer);
      // a thread ended in the middle would leave the file locked
      Atomics.wait(state, 0, 1, MAX_COPY_MS);
      void worker?.terminate();
    },
  };
}

/** The thread runs this file's neighbour, as source or as built. When it fails, the main thread copies at the limit. */
function startLogCopier(file: string, state: Int32Array): Worker {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const worker = new Worker(new URL(`./wal-worker${ending}`, import.meta.url), {
    workerData: { file, state },
  });
  worker.on('error', () => {});
  worker.unref();
  return worker;
}

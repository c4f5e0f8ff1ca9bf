// The floor of one writer who wants each write on the disk: a process of its own that appends a record of the size of a
// small document's and its line in a journal, and calls fdatasync, one at a time. The file has its length and its blocks
// beforehand, on the disk where the data folders stand, so that a sync writes data and nothing else.
// As a program it is given jobs (job-process.ts): node append.ts FILE
import { fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { answerJobs, openJobProcess } from './job-process.ts';
import { countTimes } from './latencies.ts';
import { removeFolder, temporaryFolder } from './processes.ts';
import type { Measured } from './results.ts';
import { quantile } from './statistics.ts';

export const APPEND = 'append';
const RECORD_BYTES = 300;
const FILE_BYTES = 16 * 2 ** 20;

const LIMIT_MS = 60_000;

type Job = { seconds: number; warmupSeconds: number };
export type Appender = { measure(job: Job): Promise<Measured>; close(): Promise<void> };

/** Measures appends per second, one at a time, each synced; the process and its file stay until it is closed. */
export function openAppender(): Appender {
  const folder = temporaryFolder('append');
  const appender = openJobProcess<Job, Measured>(import.meta.filename, [join(folder, 'file')]);
  return {
    measure: (job) => appender.ask(job, (job.seconds + job.warmupSeconds) * 1000 + LIMIT_MS),
    async close() {
      await appender.close();
      removeFolder(folder);
    },
  };
}

function makeFile(file: string): number {
  const descriptor = openSync(file, 'w+');
  const block = Buffer.alloc(1 << 20);
  for (let at = 0; at < FILE_BYTES; at += block.length) writeSync(descriptor, block, 0, block.length, at);
  fsyncSync(descriptor);
  return descriptor;
}

const record = Buffer.alloc(RECORD_BYTES, 7);
let offset = 0;

function append(descriptor: number, { seconds, warmupSeconds }: Job): Measured {
  const latencies: number[] = [];
  const from = performance.now() + warmupSeconds * 1000;
  const until = from + seconds * 1000;
  for (let start = performance.now(); start < until; start = performance.now()) {
    if (offset + RECORD_BYTES > FILE_BYTES) offset = 0;
    writeSync(descriptor, record, 0, RECORD_BYTES, offset);
    fdatasyncSync(descriptor);
    offset += RECORD_BYTES;
    if (start >= from) latencies.push(performance.now() - start);
  }
  latencies.sort((a, b) => a - b);
  const value = latencies.length / seconds;
  const times = { p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) };
  return { value, seconds, ...times, latencies: countTimes(latencies) };
}

if (import.meta.main) {
  const descriptor = makeFile(process.argv[2]!);
  await answerJobs<Job>((job) => append(descriptor, job));
}

// The floor of one writer who wants each write on the disk: a process of its own that appends a record of the size of a
// small document's and its line in a journal, and calls fdatasync, one at a time. The file has its length and its blocks
// beforehand, on the disk where the data folders stand, so that a sync writes data and nothing else.
// As a program: node append.ts FILE SECONDS WARMUP-SECONDS prints one line of JSON.
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, removeFolder, temporaryFolder } from './processes.ts';
import type { Round } from './results.ts';
import { quantile } from './statistics.ts';

export const APPEND = 'append';
const RECORD_BYTES = 300;
const FILE_BYTES = 16 * 2 ** 20;

/** Appends per second, one at a time, each synced. */
export async function measureAppend(seconds: number, warmupSeconds: number): Promise<Round> {
  const folder = temporaryFolder('append');
  try {
    const args = [import.meta.filename, join(folder, 'file'), String(seconds), String(warmupSeconds)];
    return JSON.parse(await mustRun(process.execPath, args, { limitMs: (seconds + 60) * 1000 })) as Round;
  } finally {
    removeFolder(folder);
  }
}

function append(file: string, seconds: number, warmupSeconds: number): Round {
  const descriptor = openSync(file, 'w+');
  const block = Buffer.alloc(1 << 20);
  for (let at = 0; at < FILE_BYTES; at += block.length) writeSync(descriptor, block, 0, block.length, at);
  fsyncSync(descriptor);
  const record = Buffer.alloc(RECORD_BYTES, 7);
  const latencies: number[] = [];
  const from = performance.now() + warmupSeconds * 1000;
  const until = from + seconds * 1000;
  let offset = 0;
  for (let start = performance.now(); start < until; start = performance.now()) {
    if (offset + RECORD_BYTES > FILE_BYTES) offset = 0;
    writeSync(descriptor, record, 0, RECORD_BYTES, offset);
    fdatasyncSync(descriptor);
    offset += RECORD_BYTES;
    if (start >= from) latencies.push(performance.now() - start);
  }
  closeSync(descriptor);
  latencies.sort((a, b) => a - b);
  const value = latencies.length / seconds;
  return { value, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) };
}

if (import.meta.main) {
  const [file, seconds, warmupSeconds] = process.argv.slice(2);
  console.log(JSON.stringify(append(file!, Number(seconds), Number(warmupSeconds))));
}

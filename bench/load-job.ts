// What the load generator is told and what it tells. The generator is a process of its own (load.ts), so that
// its work is not the server's and its figures are not the harness's; it stays for as many jobs as there are.
import { join } from 'node:path';
import { type JobProcess, openJobProcess } from './job-process.ts';

/** Where one connection sends its requests. */
export type Target = { folder: string; authorization: string };

/** A closed loop: each connection sends its next request when the last one was answered. */
export type LoopJob = {
  kind: 'loop';
  port: number;
  method: 'GET' | 'PUT';
  /** one connection each */
  targets: Target[];
  /** documents of each folder to choose from, at random; 0: the folder itself is asked for */
  documents: number;
  ifNoneMatch?: string;
  expect: number[];
  warmupSeconds: number;
  /** longer for a side that gives few answers, see slice-clock.ts */
  seconds: number;
};

/** An open loop: requests are due at a fixed rate, over as many connections as there are targets; times count from then. */
export type OpenJob = Omit<LoopJob, 'kind'> & {
  kind: 'open';
  /** requests per second */
  rate: number;
};

/** Every document of each folder written once, the connections sharing the work. */
export type FillJob = {
  kind: 'fill';
  port: number;
  targets: Target[];
  documents: number;
  connections: number;
};

/** One large document up or down. */
export type TransferJob = {
  kind: 'transfer';
  port: number;
  method: 'GET' | 'PUT';
  target: Target;
  name: string;
  bytes: number;
};

export type LoadJob = LoopJob | OpenJob | FillJob | TransferJob;

export type LoadResult = {
  /** answered as expected, within the measured time */
  requests: number;
  /** all that were sent, those of the warm-up too */
  sent: number;
  /** answered otherwise, or not at all */
  errors: number;
  firstError?: string;
  /** measured */
  seconds: number;
  /** requests per second */
  rate: number;
  p50Ms: number;
  p99Ms: number;
  /** of all answers, to be pooled with others: see latencies.ts */
  latencies: string;
  /** processor time of the generator per second: near 1, and the generator was the limit */
  generatorLoad: number;
  /** of an open loop: by how much the generator itself was late, at the median; the times hold it */
  lateMs?: number;
};

const GRACE_MS = 60_000;

export type Generator = JobProcess<LoadJob, LoadResult>;

export function openGenerator(): Generator {
  return openJobProcess(join(import.meta.dirname, 'load.ts'));
}

/** @throws Error when nothing was answered as expected */
export async function generate(generator: Generator, job: LoadJob): Promise<LoadResult> {
  const timed = job.kind === 'loop' || job.kind === 'open';
  const allowed = timed ? (job.warmupSeconds + job.seconds) * 1000 + GRACE_MS : 2 * GRACE_MS;
  const result = await generator.ask(job, allowed);
  if (result.requests === 0) throw new Error(result.firstError ?? 'no answer within the measured time');
  return result;
}

/** Runs one job in a process of its own. @throws Error when nothing was answered as expected */
export async function runLoad(job: LoadJob): Promise<LoadResult> {
  const generator = openGenerator();
  try {
    return await generate(generator, job);
  } finally {
    await generator.close();
  }
}

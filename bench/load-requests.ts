// The load generator's requests as text, and its count of what came back.
import { DOCUMENT_BYTES, DOCUMENT_TYPE, documentName, makeDocument, pickBelow } from './documents.ts';
import { countTimes } from './latencies.ts';
import type { LoadResult, LoopJob, OpenJob, Target } from './load-job.ts';
import { quantile } from './statistics.ts';

export type Tally = {
  latencies: number[];
  /** as expected, within the measured time */
  answered: number;
  errors: number;
  firstError: string | undefined;
  sent: number;
};

export function emptyTally(): Tally {
  return { latencies: [], answered: 0, errors: 0, firstError: undefined, sent: 0 };
}

export function note(tally: Tally, message: string): void {
  tally.errors += 1;
  tally.firstError ??= message;
}

export function headOf(method: string, port: number, target: Target, path: string, more: string): string {
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${target.authorization}\r\n${more}\r\n`;
}

export function putHead(
  port: number,
  target: Target,
  name: string,
  bytes: number,
  type = DOCUMENT_TYPE,
): string {
  const headers = `Content-Type: ${type}\r\nContent-Length: ${bytes}\r\n`;
  return headOf('PUT', port, target, target.folder + name, headers);
}

let drivers = 0;

/** A function that gives the next request of one connection, as text. No two of them pick the same documents in the same order. */
export function requestsOf(job: LoopJob | OpenJob, index: number): () => string {
  const target = job.targets[index]!;
  drivers += 1;
  const pick = pickBelow(Math.max(1, job.documents), drivers + process.pid);
  if (job.method === 'PUT') {
    return () => putHead(job.port, target, documentName(pick()), DOCUMENT_BYTES) + makeDocument();
  }
  const condition = job.ifNoneMatch ? `If-None-Match: ${job.ifNoneMatch}\r\n` : '';
  return () => {
    const path = target.folder + (job.documents > 0 ? documentName(pick()) : '');
    return headOf('GET', job.port, target, path, condition);
  };
}

export function summarise(tally: Tally, seconds: number, generatorLoad: number): LoadResult {
  const sorted = tally.latencies.sort((a, b) => a - b);
  return {
    requests: tally.answered,
    sent: tally.sent,
    errors: tally.errors,
    ...(tally.firstError === undefined ? {} : { firstError: tally.firstError }),
    seconds,
    rate: tally.answered / seconds,
    latencies: countTimes(sorted),
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    generatorLoad: Number(generatorLoad.toFixed(2)),
  };
}

// The load of many accounts, a process that is told their folders once, and then given jobs (job-process.ts): some connections,
// each request to a folder picked at random.
import { DOCUMENT_BYTES, DOCUMENT_TYPE, documentName, makeDocument, pickBelow } from '../documents.ts';
import { answerJobs } from '../job-process.ts';
import { countTimes } from '../latencies.ts';
import type { Target } from '../load-job.ts';
import { type Lane, openLanes } from '../load-lanes.ts';
import { type SliceClock, startSliceClock } from '../slice-clock.ts';
import { quantile } from '../statistics.ts';

/** What the jobs that follow ask for. */
export type KnowJob = {
  kind: 'know';
  targets: readonly Target[];
  /** in each folder, to choose from at random */
  documents: number;
};

export type SpreadJob = {
  kind: 'spread';
  port: number;
  method: 'GET' | 'PUT';
  /** the first so many of the folders */
  folders: number;
  connections: number;
  /** the measured time begins after so long */
  warmupSeconds: number;
  /** it ends after so long (see slice-clock.ts), or once as many answers have come */
  seconds: number;
  answers?: number;
};

export type SpreadResult = {
  perSecond: number;
  /** requests, those of the warm-up too */
  sent: number;
  p50Ms: number;
  p99Ms: number;
  latencies: string;
  errors: number;
  firstError?: string;
};

const SEEDS = 1_000_003;
let known: Omit<KnowJob, 'kind'> = { targets: [], documents: 0 };
let drivers = 0;

await answerJobs<KnowJob | SpreadJob>((job) => {
  if (job.kind === 'spread') return spread(job);
  known = job;
  return {};
});

type Slice = {
  job: SpreadJob;
  clock: SliceClock;
  from: number;
  latencies: number[];
  answered: number;
  errors: string[];
  sent: number;
};

async function spread(job: SpreadJob): Promise<SpreadResult> {
  const lanes = await openLanes(job.port, job.connections);
  const from = performance.now() + job.warmupSeconds * 1000;
  const clock = startSliceClock(from, job.seconds);
  const slice: Slice = { job, clock, from, latencies: [], answered: 0, errors: [], sent: 0 };
  await Promise.all(lanes.map((lane) => drive(slice, lane)));
  const end = Math.min(performance.now(), from + clock.seconds * 1000);
  const sorted = slice.latencies.sort((a, b) => a - b);
  const [firstError] = slice.errors;
  return {
    perSecond: slice.answered / ((end - from) / 1000),
    sent: slice.sent,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    latencies: countTimes(sorted),
    errors: slice.errors.length,
    ...(firstError === undefined ? {} : { firstError }),
  };
}

async function drive(slice: Slice, { connection }: Lane): Promise<void> {
  const { job, clock, from, latencies, errors } = slice;
  drivers += 1;
  const pickTarget = pickBelow(job.folders, (process.pid * 64 + drivers) % SEEDS);
  const pickDocument = pickBelow(known.documents, drivers);
  const expected = job.method === 'GET' ? [200] : [200, 201];
  while (!clock.isOver && slice.answered < (job.answers ?? Number.POSITIVE_INFINITY)) {
    const request = requestTo(job, known.targets[pickTarget()]!, documentName(pickDocument()));
    slice.sent += 1;
    const start = performance.now();
    const { status } = await connection.request(request);
    const end = performance.now();
    clock.tick(end);
    if (!expected.includes(status)) {
      errors.push(`answered ${status}`);
      continue;
    }
    if (start >= from) latencies.push(end - start);
    if (clock.take(end)) slice.answered += 1;
  }
}

function requestTo({ method, port }: SpreadJob, { folder, authorization }: Target, name: string): string {
  const head = `${method} ${folder}${name} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${authorization}\r\n`;
  if (method === 'GET') return `${head}\r\n`;
  return `${head}Content-Type: ${DOCUMENT_TYPE}\r\nContent-Length: ${DOCUMENT_BYTES}\r\n\r\n${makeDocument()}`;
}

// The load of many accounts, a process of its own: some connections, each request to a folder picked at random. Reads a job
// from stdin, prints the result as one line of JSON.
import { text } from 'node:stream/consumers';
import { DOCUMENT_BYTES, DOCUMENT_TYPE, documentName, makeDocument, pickBelow } from '../documents.ts';
import { Connection } from '../http-connection.ts';
import type { Target } from '../load-job.ts';
import { quantile } from '../statistics.ts';

export type SpreadJob = {
  port: number;
  method: 'GET' | 'PUT';
  targets: Target[];
  /** in each folder, to choose from at random */
  documents: number;
  connections: number;
  /** the measured time begins after so long */
  warmupSeconds: number;
  /** it ends after so long, or once as many answers have come */
  seconds: number;
  answers?: number;
};

export type SpreadResult = {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  errors: number;
  firstError?: string;
};

const SEEDS = 1_000_003;

const job = JSON.parse(await text(process.stdin)) as SpreadJob;
const latencies: number[] = [];
const errors: string[] = [];
const from = performance.now() + job.warmupSeconds * 1000;
const until = from + job.seconds * 1000;
await Promise.all(Array.from({ length: job.connections }, (_, connection) => drive(connection)));
const sorted = latencies.sort((a, b) => a - b);
const result: SpreadResult = {
  perSecond: sorted.length / ((Math.min(performance.now(), until) - from) / 1000),
  p50Ms: quantile(sorted, 0.5),
  p99Ms: quantile(sorted, 0.99),
  errors: errors.length,
  ...(errors[0] === undefined ? {} : { firstError: errors[0] }),
};
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));

async function drive(number: number): Promise<void> {
  const connection = await Connection.open(job.port);
  const pickTarget = pickBelow(job.targets.length, (process.pid * 64 + number) % SEEDS);
  const pickDocument = pickBelow(job.documents, number);
  const expected = job.method === 'GET' ? [200] : [200, 201];
  while (performance.now() < until && latencies.length < (job.answers ?? Number.POSITIVE_INFINITY)) {
    const request = requestTo(job.targets[pickTarget()]!, documentName(pickDocument()));
    const start = performance.now();
    const { status } = await connection.request(request);
    const end = performance.now();
    if (!expected.includes(status)) errors.push(`answered ${status}`);
    else if (end >= from && end <= until) latencies.push(end - start);
  }
  connection.close();
}

function requestTo({ folder, authorization }: Target, name: string): string {
  const head = `${job.method} ${folder}${name} HTTP/1.1\r\nHost: 127.0.0.1:${job.port}\r\nAuthorization: ${authorization}\r\n`;
  if (job.method === 'GET') return `${head}\r\n`;
  return `${head}Content-Type: ${DOCUMENT_TYPE}\r\nContent-Length: ${DOCUMENT_BYTES}\r\n\r\n${makeDocument()}`;
}

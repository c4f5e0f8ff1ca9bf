// The load generator: reads one job from stdin, sends its requests over raw sockets, prints the result as one
// line of JSON. Bounded in time and number; on a connection no request is sent before
// the last one was answered. The open loop stands in load-open.ts.
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { DOCUMENT_BYTES, documentName, makeDocument } from './documents.ts';
import { type Answer, Connection } from './http-connection.ts';
import type { FillJob, LoadJob, LoadResult, LoopJob, TransferJob } from './load-job.ts';
import { openLoop } from './load-open.ts';
import { emptyTally, headOf, note, putHead, requestsOf, summarise, type Tally } from './load-requests.ts';

const MAX_REQUESTS = 2_000_000;
const MAX_ERRORS = 1_000;
/** After the measured time, what is still under way gets this long; then its connection is closed. */
const LEFTOVER_MS = 5_000;
const TRANSFER_PART_BYTES = 1 << 20;

const job = JSON.parse(await text(process.stdin)) as LoadJob;
const result = await perform(job);
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));

function perform(job: LoadJob): Promise<LoadResult> {
  switch (job.kind) {
    case 'loop':
      return loop(job);
    case 'open':
      return openLoop(job);
    case 'fill':
      return fill(job);
    case 'transfer':
      return transfer(job);
  }
}

async function loop(job: LoopJob): Promise<LoadResult> {
  const tally = emptyTally();
  const from = performance.now() + job.warmupSeconds * 1000;
  const until = from + job.seconds * 1000;
  const open = new Set<Connection>();
  let processor = process.cpuUsage();
  const warm = setTimeout(() => {
    processor = process.cpuUsage();
  }, job.warmupSeconds * 1000);
  const leftover = setTimeout(() => closeAll(open), until - performance.now() + LEFTOVER_MS);
  const drivers = job.targets.map((_, index) => drive(job, index, { from, until, tally, open }));
  await new Promise((resolve) => setTimeout(resolve, until - performance.now()));
  const used = process.cpuUsage(processor);
  await Promise.all(drivers);
  clearTimeout(warm);
  clearTimeout(leftover);
  return summarise(tally, job.seconds, (used.user + used.system) / 1e6 / job.seconds);
}

type Window = { from: number; until: number; tally: Tally; open: Set<Connection> };

async function drive(job: LoopJob, index: number, window: Window): Promise<void> {
  const { from, until, tally, open } = window;
  const next = requestsOf(job, index);
  let connection: Connection | undefined;
  while (performance.now() < until && tally.sent < MAX_REQUESTS && tally.errors < MAX_ERRORS) {
    const request = next();
    tally.sent += 1;
    try {
      connection ??= await Connection.open(job.port);
      open.add(connection);
      const start = performance.now();
      const answer = await connection.request(request);
      const end = performance.now();
      if (end < from || end > until) continue;
      if (job.expect.includes(answer.status)) tally.latencies.push(end - start);
      else note(tally, `answered ${answer.status}`);
    } catch (error) {
      const late = performance.now() > until;
      if (!late || tally.latencies.length === 0) note(tally, (error as Error).message);
      if (connection) open.delete(connection);
      connection = undefined;
    }
  }
  connection?.close();
}

async function fill(job: FillJob): Promise<LoadResult> {
  const tally = emptyTally();
  const total = job.documents * job.targets.length;
  const start = performance.now();
  const write = async () => {
    const connection = await Connection.open(job.port);
    while (tally.sent < total) {
      const target = job.targets[tally.sent % job.targets.length]!;
      const name = documentName(Math.floor(tally.sent / job.targets.length));
      tally.sent += 1;
      const begin = performance.now();
      const head = putHead(job.port, target, name, DOCUMENT_BYTES);
      const answer = await connection.request(head + makeDocument());
      if (answer.status >= 300) throw new Error(`PUT of ${name} answered ${answer.status}`);
      tally.latencies.push(performance.now() - begin);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: Math.min(job.connections, total) }, write));
  return summarise(tally, (performance.now() - start) / 1000, 0);
}

async function transfer(job: TransferJob): Promise<LoadResult> {
  const connection = await Connection.open(job.port);
  const part = randomBytes(TRANSFER_PART_BYTES);
  const start = performance.now();
  const answer = job.method === 'PUT' ? await upload(job, connection, part) : await download(job, connection);
  const seconds = (performance.now() - start) / 1000;
  connection.close();
  if (answer.status >= 300) throw new Error(`${job.method} of ${job.name} answered ${answer.status}`);
  if (job.method === 'GET' && answer.bodyBytes !== job.bytes) {
    throw new Error(`GET of ${job.name} brought ${answer.bodyBytes} bytes instead of ${job.bytes}`);
  }
  return summarise({ ...emptyTally(), latencies: [seconds * 1000], sent: 1 }, seconds, 0);
}

async function upload(job: TransferJob, connection: Connection, part: Buffer): Promise<Answer> {
  const answer = connection.answer();
  answer.catch(() => {}); // a failure while sending is reported by the sending
  await connection.send(putHead(job.port, job.target, job.name, job.bytes, 'application/octet-stream'));
  for (let sent = 0; sent < job.bytes; sent += part.length) {
    await connection.send(part.subarray(0, Math.min(part.length, job.bytes - sent)));
  }
  return answer;
}

function download(job: TransferJob, connection: Connection): Promise<Answer> {
  return connection.request(headOf('GET', job.port, job.target, job.target.folder + job.name, ''));
}

function closeAll(open: Set<Connection>): void {
  for (const connection of open) connection.close();
}

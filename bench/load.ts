// The load generator: a process that is given jobs, one after the other (job-process.ts), and sends their requests over raw
// sockets. On a connection no request is sent before the last one was answered. The loops stand in load-loop.ts and
// load-open.ts; filling and large documents here.
import { randomBytes } from 'node:crypto';
import { DOCUMENT_BYTES, documentName, makeDocument } from './documents.ts';
import { type Answer, Connection } from './http-connection.ts';
import { answerJobs } from './job-process.ts';
import type { FillJob, LoadJob, LoadResult, TransferJob } from './load-job.ts';
import { closedLoop } from './load-loop.ts';
import { openLoop } from './load-open.ts';
import { emptyTally, headOf, putHead, summarise } from './load-requests.ts';

const TRANSFER_PART_BYTES = 1 << 20;

await answerJobs(perform);

function perform(job: LoadJob): Promise<LoadResult> {
  switch (job.kind) {
    case 'loop':
      return closedLoop(job);
    case 'open':
      return openLoop(job);
    case 'fill':
      return fill(job);
    case 'transfer':
      return transfer(job);
  }
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
      tally.answered += 1;
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
  return summarise({ ...emptyTally(), latencies: [seconds * 1000], answered: 1, sent: 1 }, seconds, 0);
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

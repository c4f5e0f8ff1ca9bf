// The clients of the background suite, a process of their own: writers in a closed loop, and readers that pause between their
// requests, so that they do not fill the machine. Reads a job from stdin, prints each request's start and duration as JSON.
import { text } from 'node:stream/consumers';
import { DOCUMENT_BYTES, documentName, makeDocument, pickBelow } from '../documents.ts';
import { Connection } from '../http-connection.ts';
import type { BackgroundJob, Sample } from './background.ts';

const READ_AGAIN_MS = 2;

const job = JSON.parse(await text(process.stdin)) as BackgroundJob;
const result = await load(job);
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));

async function load(job: BackgroundJob): Promise<{ puts: Sample[]; gets: Sample[] }> {
  const puts: Sample[] = [];
  const gets: Sample[] = [];
  const until = performance.now() + job.seconds * 1000;
  const drive = async (samples: Sample[], next: () => string, pauseMs: number) => {
    const connection = await Connection.open(job.port);
    while (performance.now() < until) {
      const start = performance.now();
      const { status } = await connection.request(next());
      if (status !== 200 && status !== 201) throw new Error(`answered ${status}`);
      samples.push([performance.timeOrigin + start, performance.now() - start]);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    connection.close();
  };
  await Promise.all([
    ...Array.from({ length: job.writers }, (_, seed) => drive(puts, writes(job, seed), 0)),
    ...Array.from({ length: job.readers }, (_, seed) => drive(gets, reads(job, seed), READ_AGAIN_MS)),
  ]);
  return { puts, gets };
}

function headOf(job: BackgroundJob, method: string, index: number, more: string): string {
  const { folder, authorization } = job.target;
  const path = folder + documentName(index);
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${job.port}\r\nAuthorization: ${authorization}\r\n${more}\r\n`;
}

function writes(job: BackgroundJob, seed: number): () => string {
  const pick = pickBelow(job.documents, seed);
  const headers = `Content-Type: application/json\r\nContent-Length: ${DOCUMENT_BYTES}\r\n`;
  return () => headOf(job, 'PUT', pick(), headers) + makeDocument();
}

function reads(job: BackgroundJob, seed: number): () => string {
  const pick = pickBelow(job.documents, seed + job.writers);
  return () => headOf(job, 'GET', pick(), '');
}

// The clients of the background suite, a process of their own: writers in a closed loop, and readers that pause between their
// requests, so that they do not fill the machine. Tells each request's start and duration.
import { DOCUMENT_BYTES, documentName, makeDocument, pickBelow } from '../documents.ts';
import { answerJobs } from '../job-process.ts';
import { type Lane, openLanes } from '../load-lanes.ts';
import type { BackgroundJob, BackgroundSamples, Sample } from './background.ts';

const READ_AGAIN_MS = 2;

await answerJobs<BackgroundJob>(load);

async function load(job: BackgroundJob): Promise<BackgroundSamples> {
  const lanes = await openLanes(job.port, job.writers + job.readers);
  const puts: Sample[] = [];
  const gets: Sample[] = [];
  const until = performance.now() + job.seconds * 1000;
  const drive = async ({ connection }: Lane, samples: Sample[], next: () => string, pauseMs: number) => {
    while (performance.now() < until) {
      const start = performance.now();
      const { status } = await connection.request(next());
      if (status !== 200 && status !== 201) throw new Error(`answered ${status}`);
      samples.push([performance.timeOrigin + start, performance.now() - start]);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  await Promise.all(
    lanes.map((lane, seed) =>
      seed < job.writers
        ? drive(lane, puts, writes(job, seed), 0)
        : drive(lane, gets, reads(job, seed), READ_AGAIN_MS),
    ),
  );
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
  const pick = pickBelow(job.documents, seed);
  return () => headOf(job, 'GET', pick(), '');
}

// One process of the engine bench: opens the storage of a data folder through its door, writes, closes it. Reads a
// job from stdin, prints the result as one line of JSON.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { openIndex } from '../src/db/open-index.ts';
import { openLog } from '../src/log.ts';
import { NO_PRECONDITION } from '../src/protocol/conditions.ts';
import { documentPath, parseUserName } from '../src/protocol/paths.ts';
import { openStorage } from '../src/storage/storage.ts';
import type { Storage } from '../src/storage/types.ts';
import { DOCUMENT_TYPE, documentPathParts, makeDocument, makeLargeDocument, pickBelow } from './documents.ts';
import { MODULE, type WorkerJob, type WorkerResult } from './engine-workloads.ts';
import { userName } from './sides/side.ts';
import { quantile } from './statistics.ts';

/** Writers that fill a folder at first: turns of many are quick, of many large documents they take memory. */
const FILL_WRITERS = 256;
const FILL_WRITERS_LARGE = 4;

const job = JSON.parse(await text(process.stdin)) as WorkerJob;
const result = await open(job, job.kind === 'fill' ? fill : measure);
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));

async function open<T>(job: WorkerJob, work: (storage: Storage, job: WorkerJob) => Promise<T>): Promise<T> {
  mkdirSync(job.dataFolder, { recursive: true, mode: 0o700 });
  const index = openIndex(join(job.dataFolder, 'index.db'));
  const storage = await openStorage({
    dataFolder: job.dataFolder,
    index,
    log: openLog('warn'),
    now: Date.now,
    host: 'bench.localhost',
  });
  try {
    return await work(storage, job);
  } finally {
    await storage[Symbol.asyncDispose]();
    index.close();
  }
}

async function* once(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}

async function put(storage: Storage, repository: number, index: number): Promise<void> {
  const user = parseUserName(userName(repository))!;
  const { isLarge = false, isDeep = false } = job.shape;
  const path = documentPath(user, [MODULE, ...documentPathParts(index, isDeep)]);
  const body = isLarge ? makeLargeDocument() : Buffer.from(makeDocument());
  const result = await storage.put(path, {
    type: DOCUMENT_TYPE,
    body: once(body),
    length: body.length,
    precondition: NO_PRECONDITION,
    author: { user, app: 'http://bench.example', grant: '*:rw' },
    quotaBytes: undefined,
  });
  if (result.kind !== 'created' && result.kind !== 'updated') throw new Error(`PUT was ${result.kind}`);
}

async function fill(storage: Storage, job: WorkerJob): Promise<WorkerResult> {
  const total = job.repositories * job.shape.documents;
  const start = performance.now();
  let next = 0;
  const write = async () => {
    while (next < total) {
      const current = next;
      next += 1;
      await put(storage, current % job.repositories, Math.floor(current / job.repositories));
    }
  };
  await Promise.all(Array.from({ length: job.shape.isLarge ? FILL_WRITERS_LARGE : FILL_WRITERS }, write));
  const rate = total / ((performance.now() - start) / 1000);
  const unknown = { p50Ms: Number.NaN, p99Ms: Number.NaN, processorMsPerCommit: Number.NaN };
  return { commits: total, allCommits: total, rate, ...unknown };
}

async function measure(storage: Storage, job: WorkerJob): Promise<WorkerResult> {
  // One write each opens the repositories: opening is not what is measured.
  for (let repository = 0; repository < job.repositories; repository += 1) await put(storage, repository, 0);
  const latencies: number[] = [];
  const processor = process.cpuUsage();
  const start = performance.now();
  const until = start + job.seconds * 1000;
  const write = async (writer: number) => {
    const pick = pickBelow(job.shape.documents, writer);
    while (performance.now() < until) {
      const begin = performance.now();
      await put(storage, writer % job.repositories, pick());
      latencies.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: job.writers }, (_, writer) => write(writer)));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(processor);
  const commits = latencies.length;
  latencies.sort((a, b) => a - b);
  return {
    commits,
    allCommits: commits + job.repositories,
    rate: commits / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    processorMsPerCommit: (user + system) / 1000 / commits,
  };
}

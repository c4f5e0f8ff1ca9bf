// One process of the engine bench: opens the storage of a data folder through its door, writes as its jobs say
// (job-process.ts), closes it. As a program: node engine-worker.ts DATA-FOLDER
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openIndex } from '../src/db/open-index.ts';
import type { BodySource } from '../src/git/spool-pack.ts';
import { openLog } from '../src/log.ts';
import { NO_PRECONDITION } from '../src/protocol/conditions.ts';
import { documentPath, parseUserName } from '../src/protocol/paths.ts';
import { openStorage } from '../src/storage/storage.ts';
import { DOCUMENT_TYPE, documentPathParts, makeDocument, makeLargeDocument, pickBelow } from './documents.ts';
import { MODULE, type Shape, type WorkerJob, type WorkerResult } from './engine-workloads.ts';
import { answerJobs } from './job-process.ts';
import { countTimes } from './latencies.ts';
import { userName } from './sides/side.ts';
import { quantile } from './statistics.ts';

/** Writers that fill a folder at first: turns of many are quick, of many large documents they take memory. */
const FILL_WRITERS = 256;
const FILL_WRITERS_LARGE = 4;

const dataFolder = process.argv[2]!;
mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
const index = openIndex(join(dataFolder, 'index.db'));
const storage = await openStorage({
  ...{ dataFolder, index, log: openLog('warn') },
  now: Date.now,
  host: 'bench.localhost',
});
let isOpened = false;
let jobs = 0;

await answerJobs<WorkerJob>(
  (job) => (job.kind === 'fill' ? fill(job) : measure(job)),
  async () => {
    await storage[Symbol.asyncDispose]();
    index.close();
  },
);

/** As the HTTP room hands a body over: nobody else holds it. */
function given(body: Buffer): BodySource {
  async function* once() {
    yield body;
  }
  return Object.assign(once(), { isGivenAway: true });
}

async function put(
  { isLarge = false, isDeep = false }: Shape,
  repository: number,
  index: number,
): Promise<void> {
  const user = parseUserName(userName(repository))!;
  const path = documentPath(user, [MODULE, ...documentPathParts(index, isDeep)]);
  const body = isLarge ? makeLargeDocument() : Buffer.from(makeDocument());
  const result = await storage.put(path, {
    type: DOCUMENT_TYPE,
    body: given(body),
    length: body.length,
    precondition: NO_PRECONDITION,
    author: { user, app: 'http://bench.example', grant: '*:rw' },
    quotaBytes: undefined,
  });
  if (result.kind !== 'created' && result.kind !== 'updated') throw new Error(`PUT was ${result.kind}`);
}

async function fill({ repositories, shape }: WorkerJob): Promise<WorkerResult> {
  const total = repositories * shape.documents;
  const start = performance.now();
  let next = 0;
  const write = async () => {
    while (next < total) {
      const current = next;
      next += 1;
      await put(shape, current % repositories, Math.floor(current / repositories));
    }
  };
  await Promise.all(Array.from({ length: shape.isLarge ? FILL_WRITERS_LARGE : FILL_WRITERS }, write));
  const rate = total / ((performance.now() - start) / 1000);
  const unknown = { p50Ms: Number.NaN, p99Ms: Number.NaN, processorMsPerCommit: Number.NaN };
  return { allCommits: total, rate, latencies: '', ...unknown };
}

async function measure({ repositories, shape, writers, ...times }: WorkerJob): Promise<WorkerResult> {
  let allCommits = 0;
  if (!isOpened) {
    // One write each opens the repositories: opening is not what is measured.
    for (let repository = 0; repository < repositories; repository += 1) await put(shape, repository, 0);
    allCommits += repositories;
    isOpened = true;
  }
  jobs += 1;
  const latencies: number[] = [];
  const from = performance.now() + times.warmupSeconds * 1000;
  const until = from + times.seconds * 1000;
  let processor: NodeJS.CpuUsage | undefined;
  const write = async (writer: number) => {
    const pick = pickBelow(shape.documents, writer + writers * jobs);
    for (let begin = performance.now(); begin < until; begin = performance.now()) {
      await put(shape, writer % repositories, pick());
      allCommits += 1;
      if (performance.now() < from) continue;
      processor ??= process.cpuUsage();
      latencies.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  const seconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(processor);
  const commits = latencies.length;
  latencies.sort((a, b) => a - b);
  return {
    allCommits,
    rate: commits / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    latencies: countTimes(latencies),
    processorMsPerCommit: (user + system) / 1000 / commits,
  };
}

// The engine rows as data, and what the worker process (engine-worker.ts) is told and tells.
import { join } from 'node:path';
import { type JobProcess, openJobProcess } from './job-process.ts';
import { mustRun } from './processes.ts';
import { userName } from './sides/side.ts';

/** What is written, and into what. */
export type Shape = {
  /** in each repository */
  documents: number;
  /** 1 MiB each instead of 200 B */
  isLarge?: boolean;
  /** below five folders, which are several at each level, instead of one */
  isDeep?: boolean;
};

export type Workload = Shape & {
  id: string;
  title: string;
  /** one repository for each, the writers spread over them */
  repositories: number;
  writers: number;
};

export const STREAM = 'fast-import';
export const CHECKPOINTS = 'fast-import, checkpoint each';

export const WORKLOADS: readonly Workload[] = [
  { id: 'W1', title: 'W1: 1 writer, folder of 100', repositories: 1, documents: 100, writers: 1 },
  { id: 'W2', title: 'W2: 32 writers, one folder of 100', repositories: 1, documents: 100, writers: 32 },
  { id: 'W3', title: 'W3: 1 writer, folder of 10,000', repositories: 1, documents: 10_000, writers: 1 },
  { id: 'W4', title: 'W4: 32 writers, 32 repositories', repositories: 32, documents: 100, writers: 32 },
  {
    id: 'W5',
    title: 'W5: 1 writer, 50 documents of 1 MiB',
    repositories: 1,
    documents: 50,
    writers: 1,
    isLarge: true,
  },
  {
    id: 'W6',
    title: 'W6: 1 writer, 100 documents five folders deep',
    repositories: 1,
    documents: 100,
    writers: 1,
    isDeep: true,
  },
];

export type WorkerJob = {
  /** `fill` makes the documents; `measure` writes over them for `seconds` */
  kind: 'fill' | 'measure';
  repositories: number;
  shape: Shape;
  writers: number;
  warmupSeconds: number;
  seconds: number;
};

export type WorkerResult = {
  /** all that this job made, with those of its warm-up and those that opened the repositories */
  allCommits: number;
  /** of those within the clock */
  rate: number;
  p50Ms: number;
  p99Ms: number;
  latencies: string;
  /** processor time of the process for each commit, all threads: varies less than the rate when others use the machine */
  processorMsPerCommit: number;
};

export const MODULE = 'bench';

/**
 * A process that has the storage of a data folder open, from its first job until it is closed.
 * @param flags for Node, as for a profile
 */
export function openWorker(
  dataFolder: string,
  flags: readonly string[] = [],
): JobProcess<WorkerJob, WorkerResult> {
  return openJobProcess(join(import.meta.dirname, 'engine-worker.ts'), [dataFolder], flags);
}

/** The commits that stock git finds in the repositories of a data folder. */
export async function countCommits(dataFolder: string, repositories: number): Promise<number> {
  let commits = 0;
  for (let user = 0; user < repositories; user += 1) {
    const folder = join(dataFolder, 'repos', userName(user), `${MODULE}.git`);
    const count = await mustRun('git', ['-C', folder, 'rev-list', '--count', 'main'], { limitMs: 60_000 });
    commits += Number(count);
  }
  return commits;
}

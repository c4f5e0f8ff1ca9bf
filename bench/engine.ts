// The engine without HTTP, through the door of src/storage, beside `git fast-import` (and, with --beside, any command:
// it is called COMMAND ROW WRITERS SECONDS, and the last line that it prints is JSON with "rate", commits per second). After each round stock git counts the commits: a figure stands only if all are there.
import { join } from 'node:path';
import {
  CHECKPOINTS,
  countCommits,
  runWorker,
  STREAM,
  type WorkerJob,
  type Workload,
} from './engine-workloads.ts';
import { measureFastImport } from './fast-import.ts';
import { mustRun, removeFolder, temporaryFolder } from './processes.ts';
import { addRound, type Round, type RowResult } from './results.ts';

export const OURS = 'gitstead';
export const BESIDE = 'beside';
export type EngineOptions = {
  workloads: readonly Workload[];
  seconds: number;
  rounds: number;
  beside: string | undefined;
};

/** Measures the workloads, all sides in turn in each round. */
export async function measureEngine(options: EngineOptions): Promise<RowResult[]> {
  const templates = temporaryFolder('engine');
  const results: RowResult[] = [];
  for (const workload of options.workloads) {
    const row: RowResult = {
      id: `engine-${workload.id}`,
      title: workload.title,
      unit: '/s',
      better: 'more',
      cells: {},
    };
    results.push(row);
    const template = join(templates, workload.id);
    for (let round = 0; round < options.rounds; round += 1) {
      await addRound(row, OURS, async () => {
        if (round === 0) await runWorker(jobOf('fill', workload, template, options.seconds));
        return measureOurs(workload, template, options.seconds);
      });
      await addRound(row, STREAM, () => measureFastImport(workload, options.seconds));
      if (workload.writers === 1) {
        await addRound(row, CHECKPOINTS, () => measureFastImport(workload, options.seconds, 'checkpoints'));
      }
      const { beside } = options;
      if (beside) await addRound(row, BESIDE, () => measureBeside(beside, workload, options.seconds));
    }
    console.error(`measured: ${workload.title}`);
  }
  removeFolder(templates);
  return results;
}

function jobOf(kind: 'fill' | 'measure', workload: Workload, dataFolder: string, seconds: number): WorkerJob {
  const { repositories, writers, documents, isLarge = false, isDeep = false } = workload;
  return { kind, dataFolder, repositories, writers, seconds, shape: { documents, isLarge, isDeep } };
}

/** Every round begins on a copy of the same filled folder. */
async function measureOurs(workload: Workload, template: string, seconds: number): Promise<Round> {
  const folder = temporaryFolder('engine-round');
  try {
    const data = join(folder, 'data');
    await mustRun('cp', ['-a', template, data], { limitMs: 60_000 });
    const before = await countCommits(data, workload.repositories);
    const result = await runWorker(jobOf('measure', workload, data, seconds));
    const found = (await countCommits(data, workload.repositories)) - before;
    if (found !== result.allCommits) {
      throw new Error(`git finds ${found} new commits, and ${result.allCommits} were acknowledged`);
    }
    const { rate, p50Ms, p99Ms, processorMsPerCommit } = result;
    return { value: rate, seconds, p50Ms, p99Ms, processorMs: processorMsPerCommit };
  } finally {
    removeFolder(folder);
  }
}

async function measureBeside(command: string, workload: Workload, seconds: number): Promise<Round> {
  const args = [workload.id, String(workload.writers), String(seconds)];
  const stdout = await mustRun(command, args, { limitMs: (seconds + 120) * 1000 });
  const { rate } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { rate?: unknown };
  if (typeof rate !== 'number') throw new Error('the command printed no rate');
  return { value: rate };
}

// The engine without HTTP, through the door of src/storage, beside `git fast-import` (and, with --beside, any command: it is
// called COMMAND ROW WRITERS SECONDS, and the last line that it prints is JSON with "rate", commits per second). All of them
// take turns. At the end stock git counts the commits: the figures stand only if all are there.
import { join } from 'node:path';
import {
  CHECKPOINTS,
  countCommits,
  openWorker,
  STREAM,
  type WorkerJob,
  type Workload,
} from './engine-workloads.ts';
import { openFastImport } from './fast-import.ts';
import { mustRun, removeFolder, temporaryFolder } from './processes.ts';
import type { Measured, Round, RowResult } from './results.ts';
import type { Plan } from './suite.ts';
import { COMPILE_SECONDS, type Times, type Turn, takeTurns } from './turns.ts';

export const OURS = 'gitstead';
export const BESIDE = 'beside';
const BESIDE_LIMIT_MS = 120_000;
const WORKER_LIMIT_MS = 120_000;

export async function measureEngine(workloads: readonly Workload[], plan: Plan): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const workload of workloads) {
    results.push(await measureWorkload(workload, plan));
    console.error(`measured: ${workload.title}`);
  }
  return results;
}

async function measureWorkload(workload: Workload, plan: Plan): Promise<RowResult> {
  const row: RowResult = {
    id: `engine-${workload.id}`,
    title: workload.title,
    unit: '/s',
    better: 'more',
    cells: {},
  };
  const { beside } = plan;
  const ours = openOurs(workload, beside !== undefined);
  const stream = openFastImport(workload);
  const checkpoints = openFastImport(workload, 'checkpoints');
  const turns: Turn[] = [
    { row, side: OURS, firstWarmupSeconds: COMPILE_SECONDS, measure: (_, times) => ours.measure(times) },
    { row, side: STREAM, measure: (_, { seconds }) => stream.measure(seconds) },
  ];
  if (workload.writers === 1) {
    turns.push({ row, side: CHECKPOINTS, measure: (_, { seconds }) => checkpoints.measure(seconds) });
  }
  if (beside)
    turns.push({ row, side: BESIDE, measure: (_, times) => measureBeside(beside, workload, times) });
  await takeTurns(turns, plan);
  await Promise.all([stream.close(), checkpoints.close()]);
  const cell = row.cells[OURS];
  try {
    await ours.close();
  } catch (error) {
    if (cell?.kind === 'measured')
      row.cells[OURS] = { ...cell, kind: 'failed', reason: (error as Error).message };
  }
  return row;
}

/**
 * One process with one data folder, which is held still while others are measured.
 * @param isFresh a process of its own for each slice, without a warm-up: so is a command that is measured beside it
 */
function openOurs(workload: Workload, isFresh: boolean) {
  const { repositories, writers, documents, isLarge = false, isDeep = false } = workload;
  const folder = temporaryFolder('engine');
  const data = join(folder, 'data');
  const worker = openWorker(data);
  const ask = (kind: WorkerJob['kind'], times: Times) => {
    const shape = { documents, isLarge, isDeep };
    const limitMs = times.seconds * 1000 + WORKER_LIMIT_MS;
    return worker.ask({ kind, repositories, writers, shape, ...times }, limitMs);
  };
  let before: number | undefined;
  let acknowledged = 0;
  return {
    async measure(times: Times): Promise<Measured> {
      if (before === undefined) {
        await ask('fill', times);
        await worker.close();
        before = await countCommits(data, repositories);
      }
      const warmupSeconds = isFresh ? 0 : times.warmupSeconds;
      const result = await ask('measure', { ...times, warmupSeconds });
      const { allCommits, rate, processorMsPerCommit, ...latencies } = result;
      acknowledged += allCommits;
      if (isFresh) await worker.close();
      else worker.hold();
      return { value: rate, seconds: times.seconds, ...latencies, processorMs: processorMsPerCommit };
    },
    /** @throws Error if not all commits are there */
    async close(): Promise<void> {
      await worker.close();
      const found = before === undefined ? 0 : (await countCommits(data, repositories)) - before;
      removeFolder(folder);
      if (found !== acknowledged)
        throw new Error(`git finds ${found} new commits, and ${acknowledged} were acknowledged`);
    },
  };
}

async function measureBeside(command: string, workload: Workload, { seconds }: Times): Promise<Round> {
  const args = [workload.id, String(workload.writers), String(seconds)];
  const stdout = await mustRun(command, args, { limitMs: seconds * 1000 + BESIDE_LIMIT_MS });
  const { rate } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { rate?: unknown };
  if (typeof rate !== 'number') throw new Error('the command printed no rate');
  return { value: rate };
}

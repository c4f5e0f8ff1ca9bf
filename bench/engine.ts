// `node bench/engine.ts`: the engine without HTTP, through the door of src/storage, beside `git fast-import` (and,
// with --beside, any command). After each round stock git counts the commits: a figure stands only if all are there.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  CHECKPOINTS,
  countCommits,
  runWorker,
  STREAM,
  WORKLOADS,
  type WorkerJob,
  type Workload,
} from './engine-workloads.ts';
import { measureFastImport } from './fast-import.ts';
import { describeMachine, type Machine } from './machine.ts';
import { mustRun, removeFolder, temporaryFolder } from './processes.ts';
import { formatMachine, formatProcessor, formatRemarks, formatTable, keepResults } from './report.ts';
import { addRound, type Round, type RowResult } from './results.ts';

const OURS = 'gitstead';
const BESIDE = 'beside';
const USAGE = `node bench/engine.ts [options]
  --only ROW[,ROW]   ${WORKLOADS.map(({ id }) => id).join(' ')}
  --seconds N        measured time of each round (default 3)
  --rounds N         rounds of each row (default 3)
  --quick            1 round of 1 second: to see that all runs, not to compare
  --beside COMMAND   another engine in the same rounds, called COMMAND ROW WRITERS SECONDS;
                     the last line that it prints is JSON with "rate" (commits per second)`;

export type EngineOptions = {
  workloads: readonly Workload[];
  seconds: number;
  rounds: number;
  beside: string | undefined;
};

function readOptions(): EngineOptions {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      beside: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const only = values.only?.split(',');
  const workloads = WORKLOADS.filter(({ id }) => !only || only.includes(id));
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 3));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (workloads.length === 0 || !(seconds > 0) || !(rounds >= 1)) throw new Error(USAGE);
  return { workloads, seconds, rounds, beside: values.beside };
}

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
      await addRound(row, STREAM, () => measureFastImport(workload.documents, options.seconds));
      if (workload.writers === 1) {
        await addRound(row, CHECKPOINTS, () =>
          measureFastImport(workload.documents, options.seconds, 'checkpoints'),
        );
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
  const { repositories, documents, writers } = workload;
  return { kind, dataFolder, repositories, documents, writers, seconds };
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
    return { value: rate, p50Ms, p99Ms, processorMs: processorMsPerCommit };
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

/** Prints the engine's table and keeps its figures. */
export function reportEngine(rows: RowResult[], options: EngineOptions, machine: Machine): void {
  const sides = [OURS, STREAM, CHECKPOINTS, ...(options.beside ? [BESIDE] : [])];
  console.log(
    `\ncommits per second without HTTP, fsync on: median of ${options.rounds} rounds of ${options.seconds} s, sides in turn\n`,
  );
  const goalsOf = ({ id }: RowResult) =>
    WORKLOADS.find((workload) => id === `engine-${workload.id}`)?.goals ?? {};
  console.log(formatTable(rows, sides, OURS, goalsOf));
  for (const block of [formatProcessor(rows, [OURS]), formatRemarks(rows)])
    if (block) console.log(`\n${block}`);
  const { seconds, rounds, beside } = options;
  const run = { date: new Date(), machine, seconds, rounds, beside, rows };
  console.log(`kept in ${keepResults('engine', run)}`);
}

async function main(): Promise<void> {
  const options = readOptions();
  const probe = temporaryFolder('probe');
  const machine = await describeMachine(probe);
  console.log(formatMachine(machine));
  const rows = await measureEngine(options);
  reportEngine(rows, options, machine);
  process.exitCode = rows.some(({ cells }) => Object.values(cells).some(({ kind }) => kind === 'failed'))
    ? 1
    : 0;
}

if (import.meta.main) await main();

// What clients feel of the work in the background: the times of requests that began while packs were being merged, beside
// those that began at other times of the same load. A merge shows by its staging file in the repository.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { STAGING_PREFIX } from '../../src/git/durable.ts';
import { CORNER } from '../../src/git/repository.ts';
import type { Goal } from '../goals.ts';
import { type JobProcess, openJobProcess } from '../job-process.ts';
import { countTimes } from '../latencies.ts';
import type { Target } from '../load-job.ts';
import { mustRun, removeFolder, temporaryFolder } from '../processes.ts';
import { addRound, type Measured, type RowResult } from '../results.ts';
import { buildGitstead } from '../sides/gitstead.ts';
import { quantile } from '../statistics.ts';
import type { Plan, Suite } from '../suite.ts';
import type { CheckpointTimes } from './background-checkpoints.ts';
import { MANY_WRITERS, makeHistory, makeModules } from './growth-repository.ts';
import { type GrowthServer, openGrowthServer } from './growth-server.ts';
import { untilIdle } from './waiting.ts';

export type BackgroundJob = {
  port: number;
  target: Target;
  writers: number;
  readers: number;
  documents: number;
  seconds: number;
};
/** start (Unix milliseconds, with fractions) and duration (ms) of a request */
export type Sample = [start: number, tookMs: number];
export type BackgroundSamples = { puts: Sample[]; gets: Sample[] };

type Interval = { from: number; until: number };

const ALONE = 'alone';
const MEANWHILE = 'meanwhile';
const MODULE = 'bench';
const DOCUMENTS = 100;
/** Merges of a repository with a history copy more than those of a new one. */
const HISTORY = 20_000;
const WRITERS = 8;
const READERS = 4;
/** Of the plan's: merges come a few times in a second, and a round is to hold some, and times without. */
const ROUNDS_SHARE = 0.6;
const TIMES_SECONDS = 12;
const CHECKPOINTS_TIMES_SECONDS = 3;
const LOOK_MS = 8;
/** A staging file that is there for a single look may be a checkpoint's. */
const LEAST_LOOKS = 2;
/** around what was seen of a merge: its indexes are read before there is a file, its old packs removed afterwards */
const MARGIN_MS = 25;
const LEAST_SAMPLES = 200;
const LOAD_LIMIT_MS = 60_000;
const MOST_TIMES = 2;

export const backgroundSuite: Suite = {
  id: 'background',
  title: 'p99 of clients with work in the background, and without it under the same load',
  seconds: 25,
  run: async (plan) => {
    await buildGitstead();
    const server = await openGrowthServer('background');
    await makeModules(server, [MODULE], DOCUMENTS);
    await makeHistory(server, MODULE, DOCUMENTS, HISTORY, MANY_WRITERS);
    await untilIdle(server);
    const rows = [row('background-put', `PUT, ${WRITERS} writers`), row('background-get', 'GET beside them')];
    const clients: Clients = openJobProcess(join(import.meta.dirname, 'background-load.ts'));
    const rounds = Math.ceil(plan.slices * ROUNDS_SHARE);
    for (let round = 0; round < rounds; round += 1) await measureRound(server, clients, plan, rows);
    await clients.close();
    await server.generator.close();
    await server.stop();
    removeFolder(server.folder);
    const checkpoints = row('background-checkpoint', `PUT without HTTP, ${WRITERS} writers, checkpoints`);
    for (let round = 0; round < rounds; round += 1) await measureCheckpoints(plan, checkpoints);
    return [...rows, checkpoints];
  },
};

function row(id: string, title: string): RowResult {
  return { id, title: `${title}: p99`, unit: 'ms', better: 'less', cells: {} };
}

type Clients = JobProcess<BackgroundJob, BackgroundSamples>;

async function measureRound(
  server: GrowthServer,
  clients: Clients,
  plan: Plan,
  rows: RowResult[],
): Promise<void> {
  const watch = watchMerges(server.repository(MODULE));
  const target = server.target(MODULE);
  const load = { writers: WRITERS, readers: READERS, documents: DOCUMENTS };
  const job: BackgroundJob = { ...load, port: server.port, target, seconds: plan.seconds * TIMES_SECONDS };
  const told = await clients.ask(job, LOAD_LIMIT_MS).catch((error: Error) => error);
  const merges = watch();
  const isMeanwhile = ([start]: Sample) =>
    merges.some(({ from, until }) => start >= from - MARGIN_MS && start <= until + MARGIN_MS);
  for (const [position, what] of (['puts', 'gets'] as const).entries()) {
    const side = async (wanted: boolean) => {
      if (told instanceof Error) throw told;
      return roundOf(told[what].filter((sample) => isMeanwhile(sample) === wanted));
    };
    await addRound(rows[position]!, ALONE, () => side(false));
    await addRound(rows[position]!, MEANWHILE, () => side(true));
  }
}

/** The whole period, as clients see it, beside the writes of the same period during which no checkpoint ran. */
async function measureCheckpoints(plan: Plan, result: RowResult): Promise<void> {
  const folder = temporaryFolder('checkpoints');
  const program = join(import.meta.dirname, 'background-checkpoints.ts');
  const seconds = String(plan.seconds * CHECKPOINTS_TIMES_SECONDS);
  const measured = mustRun(process.execPath, [program, folder, seconds], { limitMs: LOAD_LIMIT_MS });
  measured.catch(() => {}); // told by both sides
  const timesOf = async () => JSON.parse(await measured) as CheckpointTimes;
  await addRound(result, ALONE, async () => roundOfTimes((await timesOf()).alone));
  await addRound(result, MEANWHILE, async () => roundOfTimes((await timesOf()).all));
  removeFolder(folder);
}

function roundOf(samples: readonly Sample[]): Measured {
  return roundOfTimes(samples.map(([, tookMs]) => tookMs));
}

function roundOfTimes(times: readonly number[]): Measured {
  if (times.length < LEAST_SAMPLES) throw new Error(`only ${times.length} requests began then`);
  const sorted = times.toSorted((a, b) => a - b);
  const p99Ms = quantile(sorted, 0.99);
  return { value: p99Ms, p50Ms: quantile(sorted, 0.5), p99Ms, latencies: countTimes(sorted) };
}

/** Looks for staging files until the returned function is called, which tells when merges were under way. */
function watchMerges(repository: string): () => Interval[] {
  const seen = new Map<string, Interval & { looks: number }>();
  const corner = join(repository, CORNER);
  const look = () => {
    const now = performance.timeOrigin + performance.now();
    for (const name of readdirSync(corner).filter((name) => name.startsWith(STAGING_PREFIX))) {
      const known = seen.get(name);
      if (known) Object.assign(known, { until: now, looks: known.looks + 1 });
      else seen.set(name, { from: now, until: now, looks: 1 });
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return () => {
    clearInterval(timer);
    return [...seen.values()].filter(({ looks }) => looks >= LEAST_LOOKS);
  };
}

function calmGoal(id: string, what: string): Goal {
  return {
    what: `p99 of ${what}`,
    goal: `≤ ${MOST_TIMES} × without`,
    measured: (rows) => rows.ratio(id, MEANWHILE, ALONE),
    holds: (measured) => measured <= MOST_TIMES,
  };
}

export const goals: Goal[] = [
  calmGoal('background-put', `PUTs by ${WRITERS} writers while packs are merged`),
  calmGoal('background-checkpoint', `PUTs by ${WRITERS} writers with checkpoints`),
  calmGoal('background-get', 'GETs beside them while packs are merged'),
];

// `node bench/soak.ts [minutes]`: a mixed load for a quarter of an hour, or as long as wanted, and whether the server's memory,
// open files and packs stay what they were: judged in the second half. What the server keeps of documents is filled
// beforehand, else its filling would be all that is seen. Exits with 1 if a goal is missed. The server's settings can be
// given in the environment: GITSTEAD_MEMORY_BUDGET=64MiB node bench/soak.ts
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { generate } from './load-job.ts';
import { describeMachine, readMemory } from './machine.ts';
import { removeFolder, run, temporaryFolder, track } from './processes.ts';
import type { RowResult } from './results.ts';
import { describeSource, keepRun } from './run-file.ts';
import { buildGitstead } from './sides/gitstead.ts';
import type { SoakJob, SoakPeriod } from './soak-load.ts';
import { type Sample, SOAK_ROWS, verdictsOf } from './soak-verdict.ts';
import { type GrowthServer, measureLoop, openGrowthServer } from './suites/growth-server.ts';

const USERS = 20;
const CONNECTIONS = 8;
const MODULE = 'soak';
const PERIOD_SECONDS = 10;
const CLONE_EVERY_MS = 15_000;
const CLONE_LIMIT_MS = 120_000;
const DEFAULT_MINUTES = 15;
/** Documents of this module, written and read again as fast as it goes, fill the cache of bodies. */
const FILLING = { module: 'filling', documents: 500, connections: 32, seconds: 2, most: 90 };
const FULL = 0.95;
const MIB = 2 ** 20;

function countFiles(folder: string, ending = ''): number {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(ending)).length;
  } catch {
    return 0; // not there yet
  }
}

function mostPacks(server: GrowthServer): number {
  const packs = Array.from({ length: USERS }, (_, user) =>
    countFiles(join(server.repository(MODULE, user), 'objects/pack'), '.pack'),
  );
  return Math.max(...packs);
}

type Held = {
  /** MiB that JavaScript's objects take */
  heap: number;
  /** of the memory budget, MiB */
  kept: number;
  /** 1: the cache of bodies is full */
  bodies: number;
};

/** As the server's own metrics tell it. */
async function readHeld(server: GrowthServer): Promise<Held> {
  const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  const metrics = await answer.text();
  const sum = (name: string, labels = '') => {
    const lines = metrics.matchAll(new RegExp(`^${name}(?:\\{${labels}.*\\})? (\\S+)$`, 'gm'));
    return [...lines].reduce((total, [, value]) => total + Number(value), 0);
  };
  return {
    heap: sum('nodejs_heap_size_used_bytes') / MIB,
    kept: sum('gitstead_memory_bytes') / MIB,
    bodies:
      sum('gitstead_memory_bytes', 'part="bodies"') / sum('gitstead_memory_limit_bytes', 'part="bodies"'),
  };
}

async function fillBodies(server: GrowthServer): Promise<void> {
  const { module, documents, connections, seconds, most } = FILLING;
  const users = Array.from({ length: USERS }, (_, user) => server.target(module, user));
  await generate(server.generator, {
    kind: 'fill',
    port: server.port,
    targets: users,
    documents,
    connections,
  });
  const targets = Array.from({ length: connections }, (_, each) => users[each % USERS]!);
  for (let taken = 0; taken < most && (await readHeld(server)).bodies < FULL; taken += 2 * seconds) {
    for (const method of ['PUT', 'GET'] as const) {
      await measureLoop(server, { method, targets, documents, warmupSeconds: 0, seconds });
    }
  }
}

async function takeSample(server: GrowthServer, period: SoakPeriod): Promise<Sample> {
  const { pid } = server.process;
  const { heap, kept } = await readHeld(server);
  return {
    rate: period.requests / PERIOD_SECONDS,
    p99: period.p99Ms,
    errors: period.errors,
    memory: (readMemory(pid)?.nowBytes ?? Number.NaN) / MIB,
    heap,
    kept,
    files: countFiles(`/proc/${pid}/fd`),
    packs: mostPacks(server),
  };
}

/** One user's repository after the other, as somebody who keeps a copy of it does. */
async function cloneNowAndThen(server: GrowthServer, isOver: () => boolean): Promise<string[]> {
  const failures: string[] = [];
  for (let user = 0; !isOver(); user = (user + 1) % USERS) {
    await new Promise((resolve) => setTimeout(resolve, CLONE_EVERY_MS));
    if (isOver()) break;
    const folder = temporaryFolder('soak-clone');
    const args = ['clone', '--quiet', '--no-local', '--bare', server.repository(MODULE, user), folder];
    const finished = await run('git', args, { limitMs: CLONE_LIMIT_MS });
    if (finished.code !== 0) failures.push(finished.stderr.trim());
    removeFolder(folder);
  }
  return failures;
}

async function soak(server: GrowthServer, seconds: number): Promise<Sample[]> {
  const targets = Array.from({ length: USERS }, (_, user) => server.target(MODULE, user));
  const job: SoakJob = {
    ...{ port: server.port, targets, connections: CONNECTIONS },
    ...{ seconds, periodSeconds: PERIOD_SECONDS },
  };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'soak-load.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let isOver = false;
  const ended = track(child).then(() => {
    isOver = true;
  });
  child.stdin.end(JSON.stringify(job));
  const clones = cloneNowAndThen(server, () => isOver);
  const samples: Sample[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const period = JSON.parse(line) as SoakPeriod;
    if (period.firstError) console.error(`! ${period.errors} errors, the first: ${period.firstError}`);
    const sample = await takeSample(server, period);
    samples.push(sample);
    const told = Object.entries(sample).map(([name, value]) => `${name} ${value.toFixed(1)}`);
    console.log(`${String(samples.length * PERIOD_SECONDS).padStart(5)} s  ${told.join('  ')}`);
  }
  await ended;
  if (child.exitCode !== 0) throw new Error('the load failed');
  for (const failure of await clones) console.error(`! git clone: ${failure}`);
  return samples;
}

async function main(): Promise<void> {
  const minutes = Number(process.argv[2] ?? DEFAULT_MINUTES);
  if (!(minutes > 0)) throw new Error('node bench/soak.ts [minutes]');
  const scratch = temporaryFolder('probe');
  const machine = await describeMachine(scratch);
  removeFolder(scratch);
  await buildGitstead();
  const server = await openGrowthServer('soak', USERS);
  await fillBodies(server);
  const samples = await soak(server, minutes * 60);
  await server.stop();
  const rows = SOAK_ROWS.map(
    ({ name, ...row }): RowResult => ({
      ...row,
      cells: {
        gitstead: { kind: 'measured', rounds: samples.map((sample) => ({ value: sample[name] })) },
      },
    }),
  );
  const goals = verdictsOf(samples);
  for (const { what, goal, measured, met } of goals) {
    console.log(`${what}: ${measured?.toFixed(1)} (${goal}: ${met ? 'met' : 'MISSED'})`);
  }
  const plan = { rounds: samples.length, seconds: PERIOD_SECONDS, warmupSeconds: 0 };
  const run = { ...(await describeSource()), machine, plan, suites: ['soak'], broken: [], rows, goals };
  console.log(`kept in ${keepRun({ date: new Date().toISOString(), ...run })}`);
  process.exitCode = goals.every(({ met }) => met === true) ? 0 : 1;
}

await main();

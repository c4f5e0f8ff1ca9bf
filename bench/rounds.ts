// Runs the HTTP rows: every side in turn, slice after slice, each in the same way. While one is measured the others are held
// still, so that none pays for another's background work; its own is done in its own slices.
import { APPEND, type Appender, openAppender } from './append.ts';
import { Connection } from './http-connection.ts';
import {
  type Generator,
  generate,
  type LoadResult,
  type LoopJob,
  type OpenJob,
  openGenerator,
} from './load-job.ts';
import { readProcessorMs } from './machine.ts';
import { pause, resume } from './processes.ts';
import type { Measured, RowResult } from './results.ts';
import { LARGE_FOLDER, type Row, SMALL_FOLDER } from './rows.ts';
import { MODULES, type Side } from './sides/side.ts';
import type { Plan } from './suite.ts';
import { COMPILE_SECONDS, planOfReads, type Times, type Turn, takeTurns } from './turns.ts';

/** Fills a side with what its rows need: 100 documents for each user, 10,000 in one folder, whose listing is checked. */
export async function prepare(side: Side, rows: readonly Row[]): Promise<void> {
  const own = rows.filter(({ sides }) => sides.includes(side.name));
  const users = Math.max(1, ...own.map((row) => row.users ?? 1));
  await side.fill([...Array(users).keys()], MODULES.small, SMALL_FOLDER);
  if (!own.some(({ largeFolder }) => largeFolder)) return;
  await side.fill([0], MODULES.folder, LARGE_FOLDER);
  await checkListing(side);
}

async function checkListing(side: Side): Promise<void> {
  const { folder, authorization } = side.target(0, MODULES.folder);
  const connection = await Connection.open(side.port);
  const head = `GET ${folder} HTTP/1.1\r\nHost: 127.0.0.1:${side.port}\r\n`;
  const answer = await connection.request(`${head}Authorization: ${authorization}\r\n\r\n`, true);
  connection.close();
  if (answer.status !== 200) throw new Error(`the listing answered ${answer.status}`);
  const listing = JSON.parse((answer.body ?? Buffer.alloc(0)).toString()) as { items?: object };
  const count = Object.keys(listing.items ?? {}).length;
  if (count !== LARGE_FOLDER) throw new Error(`the listing has ${count} items instead of ${LARGE_FOLDER}`);
}

/** Measures rows that are compared with each other: all of them and all their sides take turns, Gitstead first. */
export async function measureRows(
  rows: readonly Row[],
  sides: readonly Side[],
  plan: Plan,
): Promise<RowResult[]> {
  const generator = openGenerator();
  const appender = openAppender();
  const measured = rows.map((row) => turnsOf(row, { sides, generator, appender }));
  await takeTurns(
    measured.flatMap(({ turns }) => turns),
    rows.every(({ reads }) => reads) ? planOfReads(plan) : plan,
  );
  for (const side of sides) resume(side.process);
  await generator.close();
  await appender.close();
  return measured.map(({ result }) => result);
}

/** Those that are compared to the last tenth: how long their first warm-up takes. */
const FIRST_WARMUP_SECONDS: Record<string, number> = { gitstead: COMPILE_SECONDS, bare: COMPILE_SECONDS / 2 };
/** One client makes too few requests in a warm-up for V8 to compile what they need: so many come first. */
const WARMUP_CONNECTIONS = 32;

type Bench = { sides: readonly Side[]; generator: Generator; appender: Appender };

function turnsOf(row: Row, bench: Bench): { result: RowResult; turns: Turn[] } {
  const result: RowResult = {
    id: row.id,
    title: row.title,
    unit: row.open ? 'ms' : '/s',
    better: row.open ? 'less' : 'more',
    cells: {},
  };
  const longer = (times: Times): Times => ({ ...times, seconds: times.seconds * (row.longer ?? 1) });
  let due = { slice: -1, rate: 0 };
  const turns = bench.sides
    .filter(({ name }) => row.sides.includes(name))
    .map((side): Turn => {
      let job: LoopJob | undefined;
      const measure: Turn['measure'] = async (slice, times) => {
        holdAllBut(side, bench.sides);
        job ??= { kind: 'loop', ...(await row.job(side)), ...times };
        const loop: LoopJob = { ...job, ...longer(times) };
        if (slice === 0 && loop.targets.length === 1) await warmUp(loop, bench.generator);
        if (!row.open) return measureLoop(side, loop, bench.generator);
        if (due.slice !== slice)
          due = { slice, rate: (await measureLoop(side, loop, bench.generator)).value / 2 };
        return measureOpen({ ...loop, kind: 'open', rate: due.rate }, bench.generator);
      };
      const firstWarmupSeconds = FIRST_WARMUP_SECONDS[side.name];
      return { row: result, side: side.name, measure, ...(firstWarmupSeconds && { firstWarmupSeconds }) };
    });
  if (!row.append) return { result, turns };
  const append: Turn['measure'] = (_, times) => {
    holdAllBut(undefined, bench.sides);
    return bench.appender.measure(longer(times));
  };
  return { result, turns: [...turns, { row: result, side: APPEND, measure: append }] };
}

async function warmUp(job: LoopJob, generator: Generator): Promise<void> {
  const targets = Array.from({ length: WARMUP_CONNECTIONS }, () => job.targets[0]!);
  await generate(generator, { ...job, targets, seconds: job.warmupSeconds, warmupSeconds: 0 });
}

function holdAllBut(side: Side | undefined, sides: readonly Side[]): void {
  for (const other of sides) if (other !== side) pause(other.process);
  if (side) resume(side.process);
}

async function measureLoop(side: Side, job: LoopJob, generator: Generator): Promise<Measured> {
  const before = readProcessorMs(side.process.pid);
  const result = await generate(generator, job);
  const after = readProcessorMs(side.process.pid);
  const used = before === undefined || after === undefined ? undefined : after - before;
  return {
    value: result.rate,
    ...whatElse(result, job.seconds),
    ...(used === undefined ? {} : { processorMs: used / result.sent }),
  };
}

/** Its value is the p99, from when the requests were due. */
async function measureOpen(job: OpenJob, generator: Generator): Promise<Measured> {
  const result = await generate(generator, job);
  return {
    value: result.p99Ms,
    ...whatElse(result, job.seconds),
    dueRate: job.rate,
    ...(result.lateMs === undefined ? {} : { lateMs: result.lateMs }),
  };
}

/** @param seconds as they were asked for: runs are compared if they asked alike */
function whatElse(result: LoadResult, seconds: number): Omit<Measured, 'value'> {
  return {
    seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    latencies: result.latencies,
    generatorLoad: result.generatorLoad,
    ...(result.errors > 0 ? { errors: result.errors } : {}),
    ...(result.firstError === undefined ? {} : { firstError: result.firstError }),
  };
}

// Runs the HTTP rows: every side in turn, round after round (A B C, A B C, A B C), each in the same way. While one
// is measured the others are held still, so that none pays for another's background work.
import { APPEND, measureAppend } from './append.ts';
import { Connection } from './http-connection.ts';
import { type LoadResult, runLoad } from './load-job.ts';
import { readProcessorMs } from './machine.ts';
import { pause, resume } from './processes.ts';
import { addRound, type Round, type RowResult } from './results.ts';
import { LARGE_FOLDER, type Row, SMALL_FOLDER } from './rows.ts';
import { MODULES, type Side } from './sides/side.ts';
import type { Plan } from './suite.ts';

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

/** Measures one row on its sides, Gitstead first. */
export async function measureRow(row: Row, sides: readonly Side[], plan: Plan): Promise<RowResult> {
  const open = row.open ?? false;
  const result: RowResult = {
    id: row.id,
    title: row.title,
    unit: open ? 'ms' : '/s',
    better: open ? 'less' : 'more',
    cells: {},
  };
  for (let round = 0; round < plan.rounds; round += 1) {
    let dueRate: number | undefined;
    for (const side of sides.filter(({ name }) => row.sides.includes(name))) {
      await addRound(result, side.name, () =>
        alone(side, sides, async () => {
          if (!open) return measureLoop(row, side, plan);
          dueRate ??= (await measureLoop(row, side, plan)).value / 2;
          return measureOpen(row, side, plan, dueRate);
        }),
      );
    }
    if (!row.append) continue;
    for (const side of sides) pause(side.process);
    await addRound(result, APPEND, () => measureAppend(plan.seconds, plan.warmupSeconds));
  }
  for (const side of sides) resume(side.process);
  return result;
}

async function alone<T>(side: Side, sides: readonly Side[], measure: () => Promise<T>): Promise<T> {
  for (const other of sides) {
    if (other !== side) pause(other.process);
  }
  resume(side.process);
  return measure();
}

async function measureLoop(row: Row, side: Side, plan: Plan): Promise<Round> {
  const job = await row.job(side);
  const before = readProcessorMs(side.process.pid);
  const { warmupSeconds, seconds } = plan;
  const result = await runLoad({ kind: 'loop', ...job, warmupSeconds, seconds });
  const after = readProcessorMs(side.process.pid);
  const used = before === undefined || after === undefined ? undefined : after - before;
  return {
    value: result.rate,
    ...latenciesOf(result),
    ...(used === undefined ? {} : { processorMs: used / result.sent }),
  };
}

/** Its value is the p99, from when the requests were due. */
async function measureOpen(row: Row, side: Side, plan: Plan, dueRate: number): Promise<Round> {
  const job = await row.job(side);
  const { warmupSeconds, seconds } = plan;
  const result = await runLoad({ kind: 'open', ...job, rate: dueRate, warmupSeconds, seconds });
  return {
    value: result.p99Ms,
    ...latenciesOf(result),
    dueRate,
    ...(result.lateMs === undefined ? {} : { lateMs: result.lateMs }),
  };
}

function latenciesOf(result: LoadResult): Omit<Round, 'value'> {
  return {
    seconds: result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    generatorLoad: result.generatorLoad,
    ...(result.errors > 0 ? { errors: result.errors } : {}),
    ...(result.firstError === undefined ? {} : { firstError: result.firstError }),
  };
}

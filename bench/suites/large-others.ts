// What others feel while one client sends or fetches a document of 1 GiB: the p99 of small requests of other users, at a
// fixed rate, beside what it is without that client; with more slices than the default in several turns.
import type { Goal } from '../goals.ts';
import { type Generator, generate, openGenerator } from '../load-job.ts';
import { largeName } from '../recorded-answers.ts';
import { addRound, type Measured, type RowResult } from '../results.ts';
import { MODULES, type Side } from '../sides/side.ts';
import type { Plan } from '../suite.ts';

const GET = 'large-others-get';
const PUT = 'large-others-put';
export const OTHERS: readonly string[] = [GET, PUT];

const ALONE = 'alone';
const WHILES = { PUT: 'while a PUT', GET: 'while a GET' } as const;
const MOST_TIMES = 3;
const MEBIBYTES = 1024;
const DOCUMENTS = 100;
const USERS = [1, 2, 3, 4];
/** Requests per second: far from what the server can do, so that waiting is for the transfer and not for each other. */
const RATES = { GET: 400, PUT: 200 } as const;
const SECONDS = 0.75;
const WARMUP_SECONDS = 0.1;
/** A transfer takes some seconds, so each turn has six slices. */
const SLICES_EACH = 6;
/** of the plan's slices */
const TURNS_SHARE = 0.15;

export const goals: Goal[] = OTHERS.flatMap((id) =>
  Object.values(WHILES).map((side) => ({
    what: `${id === GET ? 'GET' : 'PUT'} of others ${side} of 1 GiB: p99 × alone`,
    goal: `≤ ${MOST_TIMES}`,
    measured: (rows: Parameters<Goal['measured']>[0]) => rows.ratio(id, side, ALONE),
    holds: (measured: number) => measured <= MOST_TIMES,
  })),
);

type Loads = { GET: Generator; PUT: Generator; transfer: Generator };

export async function measureOthers(side: Side | Error, plan: Plan): Promise<RowResult[]> {
  const rows = { GET: row(GET, 'GET 200 B of others'), PUT: row(PUT, 'PUT 200 B of others') };
  const loads = { GET: openGenerator(), PUT: openGenerator(), transfer: openGenerator() };
  try {
    if (side instanceof Error) throw side;
    await side.restart();
    await side.fill(USERS, MODULES.small, DOCUMENTS);
    await transfer(side, loads, 'PUT');
    for (let turn = 0; turn < Math.ceil(plan.slices * TURNS_SHARE); turn += 1) {
      await measureTurn(side, loads, rows, ALONE, undefined);
      for (const method of ['PUT', 'GET'] as const) {
        await measureTurn(side, loads, rows, WHILES[method], method);
      }
    }
  } catch (error) {
    const reason = (error as Error).message;
    for (const { cells } of Object.values(rows)) cells[ALONE] = { kind: 'failed', reason, rounds: [] };
  }
  await Promise.all(Object.values(loads).map((generator) => generator.close()));
  console.error('measured: others beside large documents');
  return Object.values(rows);
}

function row(id: string, title: string): RowResult {
  return { id, title: `${title}: p99`, unit: 'ms', better: 'less', cells: {} };
}

/** Slices of the others' loads, with transfers under way all the while, if any: as many as it takes. */
async function measureTurn(
  side: Side,
  loads: Loads,
  rows: Record<'GET' | 'PUT', RowResult>,
  cell: string,
  method: 'GET' | 'PUT' | undefined,
): Promise<void> {
  let isOver = false;
  const others = (['GET', 'PUT'] as const).map(async (each) => {
    for (let slice = 0; slice < SLICES_EACH; slice += 1) {
      await addRound(rows[each], cell, () => measureOne(side, loads, each));
    }
    isOver = true;
  });
  while (method && !isOver) await transfer(side, loads, method);
  await Promise.all(others);
}

/** Its value is the p99. */
async function measureOne(side: Side, loads: Loads, method: 'GET' | 'PUT'): Promise<Measured> {
  const targets = USERS.map((user) => side.target(user, MODULES.small));
  const times = { seconds: SECONDS, warmupSeconds: WARMUP_SECONDS };
  const job = { port: side.port, method, targets, documents: DOCUMENTS, ...times };
  const result = await generate(loads[method], {
    ...{ kind: 'open', ...job },
    ...{ rate: RATES[method], expect: [200, 201] },
  });
  const { p50Ms, p99Ms, latencies, errors, firstError, lateMs } = result;
  return {
    value: p99Ms,
    ...{ seconds: SECONDS, p50Ms, p99Ms, latencies },
    ...(errors > 0 ? { errors } : {}),
    ...(firstError === undefined ? {} : { firstError }),
    ...(lateMs === undefined ? {} : { lateMs }),
  };
}

async function transfer(side: Side, { transfer }: Loads, method: 'GET' | 'PUT'): Promise<void> {
  const target = side.target(0, MODULES.large);
  const document = { name: largeName(MEBIBYTES), bytes: MEBIBYTES * 2 ** 20 };
  await generate(transfer, { kind: 'transfer', port: side.port, method, target, ...document });
}

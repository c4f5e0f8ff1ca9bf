// What others feel while one client sends or fetches a document of 1 GiB: the p99 of small requests of other users, at a
// fixed rate, beside what it is without that client.
import { type Goal, ratio } from '../goals.ts';
import { type LoadResult, runLoad } from '../load-job.ts';
import { largeName } from '../recorded-answers.ts';
import { addRound, type Round, type RowResult } from '../results.ts';
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
const RATES = { GET: 400, PUT: 100 } as const;

export const goals: Goal[] = OTHERS.flatMap((id) =>
  Object.values(WHILES).map((side) => ({
    what: `${id === GET ? 'GET' : 'PUT'} of others ${side} of 1 GiB: p99 × alone`,
    goal: `≤ ${MOST_TIMES}`,
    measured: (rows: Parameters<Goal['measured']>[0]) => ratio(rows.p99(id, side), rows.p99(id, ALONE)),
    holds: (measured: number) => measured <= MOST_TIMES,
  })),
);

export async function measureOthers(side: Side | Error, plan: Plan): Promise<RowResult[]> {
  const rows = [row(GET, 'GET 200 B of others'), row(PUT, 'PUT 200 B of others')] as const;
  try {
    if (side instanceof Error) throw side;
    await side.restart();
    await side.fill(USERS, MODULES.small, DOCUMENTS);
    await transfer(side, 'PUT');
  } catch (error) {
    for (const each of rows) each.cells[ALONE] = { kind: 'failed', reason: String(error), rounds: [] };
    return [...rows];
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    await measureRound(side, plan, rows, ALONE, undefined);
    for (const method of ['PUT', 'GET'] as const)
      await measureRound(side, plan, rows, WHILES[method], method);
  }
  console.error('measured: others beside large documents');
  return [...rows];
}

function row(id: string, title: string): RowResult {
  return { id, title: `${title}: p99`, unit: 'ms', better: 'less', cells: {} };
}

async function measureRound(
  side: Side,
  plan: Plan,
  rows: readonly [RowResult, RowResult],
  cell: string,
  method: 'GET' | 'PUT' | undefined,
): Promise<void> {
  const loads = Promise.all([load(side, plan, 'GET'), load(side, plan, 'PUT')]);
  let isOver = false;
  const over = loads.then(
    () => {
      isOver = true;
    },
    () => {
      isOver = true;
    },
  );
  while (method && !isOver) await transfer(side, method);
  await over;
  for (const each of [0, 1] as const) {
    await addRound(rows[each], cell, async () => roundOf((await loads)[each]));
  }
}

function load(side: Side, { seconds, warmupSeconds }: Plan, method: 'GET' | 'PUT'): Promise<LoadResult> {
  const targets = USERS.map((user) => side.target(user, MODULES.small));
  const job = { port: side.port, method, targets, documents: DOCUMENTS, seconds, warmupSeconds };
  return runLoad({ kind: 'open', ...job, rate: RATES[method], expect: [200, 201] });
}

function roundOf(result: LoadResult): Round {
  const { p50Ms, p99Ms, errors, firstError, lateMs } = result;
  return {
    value: p99Ms,
    ...{ p50Ms, p99Ms },
    ...(errors > 0 ? { errors } : {}),
    ...(firstError === undefined ? {} : { firstError }),
    ...(lateMs === undefined ? {} : { lateMs }),
  };
}

function transfer(side: Side, method: 'GET' | 'PUT'): Promise<LoadResult> {
  const target = side.target(0, MODULES.large);
  const bytes = MEBIBYTES * 2 ** 20;
  return runLoad({ kind: 'transfer', port: side.port, method, target, name: largeName(MEBIBYTES), bytes });
}

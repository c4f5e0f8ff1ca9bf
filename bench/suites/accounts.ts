// What many accounts cost: 10,000 users with three modules each, 600,000 documents in all. A start, memory at rest, the rates
// of requests to random users beside those of one user alone, and open files.
import { join } from 'node:path';
import type { Goal } from '../goals.ts';
import { readMemory } from '../machine.ts';
import { removeLater, temporaryFolder } from '../processes.ts';
import { addRound, type RowResult } from '../results.ts';
import { buildGitstead } from '../sides/gitstead.ts';
import type { Plan, Suite } from '../suite.ts';
import { type Turn, takeTurns } from '../turns.ts';
import { ACCOUNTS_DOCUMENTS, ACCOUNTS_MODULES, makeAccountsFolder } from './accounts-data.ts';
import {
  type AccountsServer,
  mostOpenFiles,
  openSpreadLoad,
  type SpreadLoad,
  startAccountsServer,
  targetsOf,
} from './accounts-server.ts';
import { pauseFor, untilIdle } from './waiting.ts';

const ACCOUNTS = 10_000;
const FOLDERS = ACCOUNTS * ACCOUNTS_MODULES.length;
const SIDE = 'gitstead';
const QUIET_MS = 5_000;
const MIB = 1 << 20;
/** Requests to random repositories: nearly all of them touch another one. */
const TOUCHES = { GET: 8_000, PUT: 3_000 };
const TOUCH_LIMIT_SECONDS = 8;
/** What writes to many repositories leave to be done is waited for so long. */
const IDLE_LIMIT_MS = 1_500;
/** Reads first: they leave nothing to be done. */
const LOADS = [
  { row: 'accounts-get', method: 'GET', connections: 8 },
  { row: 'accounts-put', method: 'PUT', connections: 32 },
] as const;

const row = (id: string, title: string, unit: string, better: RowResult['better']): RowResult => ({
  ...{ id, title, unit, better },
  cells: {},
});

function emptyRows() {
  return {
    startup: row('accounts-startup', 'start with 10,000 accounts', 'ms', 'less'),
    memory: row('accounts-memory', 'resident memory, 5 s after the start', 'MiB', 'less'),
    files: row('accounts-files', 'open files at most, while thousands are touched', 'files', 'less'),
    'accounts-put': row('accounts-put', 'PUT, random users, 32 connections', 'req/s', 'more'),
    'accounts-put-one': row('accounts-put-one', 'PUT, one user, 32 connections', 'req/s', 'more'),
    'accounts-get': row('accounts-get', 'GET, random users, 8 connections', 'req/s', 'more'),
    'accounts-get-one': row('accounts-get-one', 'GET, one user, 8 connections', 'req/s', 'more'),
  };
}

type AccountsRows = ReturnType<typeof emptyRows>;

export const accountsSuite: Suite = {
  id: 'accounts',
  title: '10,000 accounts, 30,000 repositories, 600,000 documents',
  seconds: 60,
  rows: Object.values(emptyRows()).map(({ id }) => id),
  async run(plan) {
    await buildGitstead();
    const folder = temporaryFolder('accounts');
    const rows = emptyRows();
    const tokens = await makeAccountsFolder(join(folder, 'data'), ACCOUNTS);
    console.error('accounts: ready');
    for (let round = 1; round < plan.rounds; round += 1) await addStart(rows, folder);
    await addStart(rows, folder, async (server) => {
      await addMemory(rows, server);
      const load = await openSpreadLoad({ targets: targetsOf(tokens), documents: ACCOUNTS_DOCUMENTS });
      await addRates(rows, server, load, plan);
      await addRound(rows.files, SIDE, async () => ({ value: await touchMany(server, load) }));
      await load.close();
    });
    console.error('accounts: measured');
    removeLater(folder);
    return Object.values(rows);
  },
};

/** A start as a round; then `work`, if any, and a stop. */
async function addStart(
  { startup }: AccountsRows,
  folder: string,
  work?: (server: AccountsServer) => Promise<void>,
): Promise<void> {
  let server: AccountsServer | undefined;
  await addRound(startup, SIDE, async () => {
    server = await startAccountsServer(folder);
    return { value: server.startedInMs };
  });
  if (!server) return;
  await work?.(server);
  await server.stop();
}

async function addMemory({ memory }: AccountsRows, server: AccountsServer): Promise<void> {
  await pauseFor(QUIET_MS);
  await addRound(memory, SIDE, async () => {
    const bytes = readMemory(server.process.pid)?.nowBytes;
    if (bytes === undefined) throw new Error('the memory of the process cannot be read here');
    return { value: bytes / MIB };
  });
}

/** One user's folders and those of all users take turns. */
async function addRates(
  rows: AccountsRows,
  server: AccountsServer,
  load: SpreadLoad,
  plan: Plan,
): Promise<void> {
  for (const { row, ...requests } of LOADS) {
    const turnOf = (row: RowResult, folders: number): Turn => ({
      ...{ row, side: SIDE },
      measure: async (_, times) => {
        if (requests.method === 'PUT') await untilIdle(server, IDLE_LIMIT_MS);
        return load.measure(server, { ...requests, ...times, folders });
      },
    });
    await takeTurns([turnOf(rows[`${row}-one`], ACCOUNTS_MODULES.length), turnOf(rows[row], FOLDERS)], plan);
  }
}

function touchMany(server: AccountsServer, load: SpreadLoad): Promise<number> {
  const limits = { warmupSeconds: 0, seconds: TOUCH_LIMIT_SECONDS, connections: 32, folders: FOLDERS };
  return mostOpenFiles(server, async () => {
    for (const method of ['GET', 'PUT'] as const) {
      await load.measure(server, { method, ...limits, answers: TOUCHES[method] });
    }
  });
}

const MAX_START_MS = 2_000;
const MAX_IDLE_MIB = 250;
/** Packs 512, and what a process has beside: databases, sockets, the journal. */
const MAX_FILES = 1_000;
const SPREAD_SHARE = 0.8;

function spreadGoal(what: string, row: string): Goal {
  return {
    what: `${what} spread over 10,000 users`,
    goal: `≥ ${SPREAD_SHARE} × of one user's`,
    measured: (rows) => rows.ratioOfRows(row, `${row}-one`, SIDE),
    holds: (measured) => measured >= SPREAD_SHARE,
  };
}

function atMost(what: string, rowId: string, most: number, unit: string): Goal {
  return {
    what,
    goal: `≤ ${most.toLocaleString('en-US')} ${unit}`,
    measured: (rows) => rows.value(rowId, SIDE),
    holds: (measured) => measured <= most,
  };
}

export const goals: Goal[] = [
  atMost('start with 10,000 accounts', 'accounts-startup', MAX_START_MS, 'ms'),
  atMost('memory at rest with 10,000 accounts', 'accounts-memory', MAX_IDLE_MIB, 'MiB'),
  spreadGoal('PUT', 'accounts-put'),
  spreadGoal('GET', 'accounts-get'),
  atMost('open files, thousands of repositories touched', 'accounts-files', MAX_FILES, 'files'),
];

// The server that serves many accounts, and what the suite asks of its process: the time of a start, memory, descriptors,
// and rates under load from a process of its own.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../load-job.ts';
import { mustRun, type Started, startServer, stop } from '../processes.ts';
import type { Round } from '../results.ts';
import { freePort } from '../sides/side.ts';
import { ACCOUNTS_DOCUMENTS, ACCOUNTS_MODULES, accountName } from './accounts-data.ts';
import type { SpreadJob, SpreadResult } from './accounts-load.ts';
import { untilAnswers, untilIdle } from './waiting.ts';

const entry = join(import.meta.dirname, '../../bin/gitstead.js');
const LOAD_GRACE_MS = 60_000;
const IDLE_LIMIT_MS = 4_000;
const LOOK_AT_FILES_MS = 20;

export type AccountsServer = {
  process: Started;
  port: number;
  /** from the spawn to the first 200 of `/health` */
  startedInMs: number;
  stop(): Promise<void>;
};

/**
 * @param folder holds `data`, the data folder
 * @param nodeFlags for a profile: put before the program's name
 */
export async function startAccountsServer(folder: string, nodeFlags: string[] = []): Promise<AccountsServer> {
  const port = await freePort();
  const serve = ['serve', '--data', join(folder, 'data'), '--host', '127.0.0.1', '--port', String(port)];
  const begin = performance.now();
  const started = startServer([...nodeFlags, entry, ...serve], {
    cwd: folder,
    logFile: join(folder, 'output.log'),
  });
  await untilAnswers({ process: started, port }, '/health');
  return { process: started, port, startedInMs: performance.now() - begin, stop: () => stop(started) };
}

/** The folders of the accounts `from` up to `to`. */
export function targetsOf(tokens: readonly string[], from: number, to = tokens.length): Target[] {
  return tokens.slice(from, to).flatMap((token, at) =>
    ACCOUNTS_MODULES.map((module) => ({
      folder: `/storage/${accountName(from + at)}/${module}/docs/`,
      authorization: `Bearer ${token}`,
    })),
  );
}

export type Spread = Pick<SpreadJob, 'method' | 'connections' | 'warmupSeconds' | 'seconds'> & {
  targets: readonly Target[];
  answers?: number;
};

/** Requests to folders picked at random, as a round in requests per second; then waits for what it left to be done. */
export async function measureSpread(server: AccountsServer, spread: Spread): Promise<Round> {
  const job = { port: server.port, documents: ACCOUNTS_DOCUMENTS, ...spread };
  const limitMs = (spread.warmupSeconds + spread.seconds) * 1000 + LOAD_GRACE_MS;
  const load = join(import.meta.dirname, 'accounts-load.ts');
  const said = await mustRun(process.execPath, [load], { input: JSON.stringify(job), limitMs });
  const { perSecond, ...round } = JSON.parse(said) as SpreadResult;
  await untilIdle(server, IDLE_LIMIT_MS);
  return { value: perSecond, ...round };
}

/** The most descriptors that the server has open while `work` goes on. Linux only. */
export async function mostOpenFiles(server: AccountsServer, work: () => Promise<unknown>): Promise<number> {
  let most = 0;
  const look = () => {
    most = Math.max(most, readdirSync(`/proc/${server.process.pid}/fd`).length);
  };
  look();
  const timer = setInterval(look, LOOK_AT_FILES_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return most;
}

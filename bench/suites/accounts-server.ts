// The server that serves many accounts, and what the suite asks of its process: the time of a start, memory, descriptors,
// and rates under load from a process of its own.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type JobProcess, openJobProcess } from '../job-process.ts';
import type { Target } from '../load-job.ts';
import { readProcessorMs } from '../machine.ts';
import { type Started, startServer, stop } from '../processes.ts';
import type { Measured } from '../results.ts';
import { freePort } from '../sides/side.ts';
import { ACCOUNTS_MODULES, accountName } from './accounts-data.ts';
import type { KnowJob, SpreadJob, SpreadResult } from './accounts-load.ts';
import { untilAnswers } from './waiting.ts';

const entry = join(import.meta.dirname, '../../bin/gitstead.js');
const LOAD_GRACE_MS = 60_000;
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
export function targetsOf(tokens: readonly string[], from = 0, to = tokens.length): Target[] {
  return tokens.slice(from, to).flatMap((token, at) =>
    ACCOUNTS_MODULES.map((module) => ({
      folder: `/storage/${accountName(from + at)}/${module}/docs/`,
      authorization: `Bearer ${token}`,
    })),
  );
}

export type SpreadLoad = {
  measure(server: AccountsServer, job: Omit<SpreadJob, 'kind' | 'port'>): Promise<Measured>;
  close(): Promise<void>;
};

/** Requests to folders picked at random, as rounds in requests per second. */
export async function openSpreadLoad(know: Omit<KnowJob, 'kind'>): Promise<SpreadLoad> {
  const program = join(import.meta.dirname, 'accounts-load.ts');
  const load: JobProcess<KnowJob | SpreadJob, SpreadResult> = openJobProcess(program);
  await load.ask({ kind: 'know', ...know }, LOAD_GRACE_MS);
  return {
    async measure(server, job) {
      const limitMs = (job.warmupSeconds + job.seconds) * 1000 + LOAD_GRACE_MS;
      const used = () => readProcessorMs(server.process.pid) ?? Number.NaN;
      const before = used();
      const result = await load.ask({ kind: 'spread', port: server.port, ...job }, limitMs);
      const { perSecond, sent, errors, ...round } = result;
      const processorMs = (used() - before) / sent;
      return {
        ...{ value: perSecond, seconds: job.seconds, ...round },
        ...(errors > 0 ? { errors } : {}),
        ...(Number.isFinite(processorMs) ? { processorMs } : {}),
      };
    },
    close: () => load.close(),
  };
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

// Large documents, up and down: Gitstead beside its peer, a server that keeps nothing, nginx with sendfile, and `cp` with a
// sync. The server's memory is watched; a fresh process does each row. What others feel meanwhile is large-others.ts's.

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { atLeast, type Goal } from '../goals.ts';
import { runLoad } from '../load-job.ts';
import { readMemory, resetPeak } from '../machine.ts';
import { mustRun, pause, removeFolder, resume, stop, temporaryFolder } from '../processes.ts';
import { largeName, plainAnswers } from '../recorded-answers.ts';
import { addRound, type Round, type RowResult } from '../results.ts';
import { startArmadietto } from '../sides/armadietto.ts';
import { startBare } from '../sides/bare.ts';
import { buildGitstead, startGitstead } from '../sides/gitstead.ts';
import { startNginx } from '../sides/nginx.ts';
import { MODULES, type Side, type SideName } from '../sides/side.ts';
import { type Plan, type Suite, wants } from '../suite.ts';
import { measureOthers, OTHERS, goals as othersGoals } from './large-others.ts';

type Row = { id: string; title: string; method: 'GET' | 'PUT'; mebibytes: number; sides: SideName[] };

const MIB = 2 ** 20;
const COPY = 'cp';
const MEMORY_SAMPLE_MS = 20;
const MAX_GROWTH_MIB = 64;
/** A row of a GiB has at most so many: it takes some seconds each time. */
const LONG_ROUNDS = 2;
const LONG_MIB = 1024;
const LIMIT_MS = 60_000;

const ROWS: readonly Row[] = [
  row('put-100mib', 'PUT of 100 MiB', 'PUT', 100, ['gitstead', 'armadietto', 'bare']),
  row('get-100mib', 'GET of 100 MiB', 'GET', 100, ['gitstead', 'armadietto', 'bare', 'nginx']),
  row('put-1gib', 'PUT of 1 GiB', 'PUT', LONG_MIB, ['gitstead']),
  row('get-1gib', 'GET of 1 GiB', 'GET', LONG_MIB, ['gitstead', 'nginx']),
];

function row(what: string, title: string, method: Row['method'], mebibytes: number, sides: SideName[]): Row {
  return { id: `large-${what}`, title, method, mebibytes, sides };
}

const growthOf = (id: string) => `${id}-growth`;

export const goals: Goal[] = [
  ...ROWS.map(({ id, title, method }) => atLeast(title, 0.5, id, method === 'PUT' ? COPY : 'nginx')),
  ...ROWS.map(({ id, title }) => ({
    what: `${title}: growth of memory, MiB`,
    goal: `< ${MAX_GROWTH_MIB}`,
    measured: (rows: Parameters<Goal['measured']>[0]) => rows.value(growthOf(id), 'gitstead'),
    holds: (measured: number) => measured < MAX_GROWTH_MIB,
  })),
  ...othersGoals,
];

export const largeSuite: Suite = {
  id: 'large',
  title: 'large documents',
  seconds: 100,
  rows: [...ROWS.flatMap(({ id }) => [id, growthOf(id)]), ...OTHERS],
  run: async (plan) => {
    const rows = ROWS.filter(({ id }) => wants(plan, id) || wants(plan, growthOf(id)));
    const results: RowResult[] = [];
    await buildGitstead();
    const folder = temporaryFolder('copy');
    const sides = new Map<SideName, Side | Error>();
    const starts = { gitstead: startGitstead, armadietto: startArmadietto, nginx: startNginx } as const;
    for (const name of ['gitstead', 'armadietto', 'bare', 'nginx'] as const) {
      const isNeeded = name === 'gitstead' || rows.some((each) => each.sides.includes(name));
      const start = name === 'bare' ? () => startBare(plainAnswers(0)) : starts[name];
      if (isNeeded) sides.set(name, await start().catch((error: Error) => error));
    }
    for (const each of rows) results.push(...(await measureRow(each, sides, folder, plan)));
    const gitstead = sides.get('gitstead')!;
    if (OTHERS.some((id) => wants(plan, id))) results.push(...(await measureOthers(gitstead, plan)));
    for (const side of sides.values()) if (!(side instanceof Error)) await stop(side.process);
    removeFolder(folder);
    return results;
  },
};

async function measureRow(
  { id, title, method, mebibytes, sides: names }: Row,
  sides: ReadonlyMap<SideName, Side | Error>,
  folder: string,
  plan: Plan,
): Promise<RowResult[]> {
  const rate: RowResult = { id, title, unit: 'MiB/s', better: 'more', cells: {} };
  const growth: RowResult = {
    ...{ id: growthOf(id), title: `${title}: growth of memory`, unit: 'MiB', better: 'less' },
    cells: {},
  };
  const open = names.map((name) => [name, sides.get(name)!] as const);
  const started = open.flatMap(([, side]) => (side instanceof Error ? [] : [side]));
  for (const side of started) await makeReady(side, method, mebibytes);
  const source = join(folder, 'source');
  if (method === 'PUT') writeNoise(source, mebibytes);
  const rounds = mebibytes < LONG_MIB ? plan.rounds : Math.min(LONG_ROUNDS, plan.rounds);
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, side] of open) {
      for (const other of sides.values()) if (!(other instanceof Error)) pause(other.process);
      if (!(side instanceof Error)) resume(side.process);
      await addRound(rate, name, () => transfer(side, method, mebibytes));
    }
    if (method === 'PUT') await addRound(rate, COPY, () => copy(source, mebibytes));
  }
  for (const side of sides.values()) if (!(side instanceof Error)) resume(side.process);
  // the first round grows most, and it is the one that counts
  const grown = rate.cells.gitstead?.rounds.flatMap(({ growthBytes }) => growthBytes ?? []) ?? [];
  const most = { value: Math.max(...grown) / MIB };
  if (grown.length > 0) growth.cells.gitstead = { kind: 'measured', rounds: [most] };
  rmSync(source, { force: true });
  console.error(`measured: ${title}`);
  return [rate, growth];
}

/** A fresh process after a few small requests: what grew before is not hidden in its memory. */
async function makeReady(side: Side, method: Row['method'], mebibytes: number): Promise<void> {
  if (method === 'GET' && side.name === 'nginx') await put(side, mebibytes);
  await side.restart();
  await side.fill([0], MODULES.small, 100);
}

function put(side: Side, mebibytes: number): Promise<unknown> {
  const target = side.target(0, MODULES.large);
  const name = largeName(mebibytes);
  return runLoad({ kind: 'transfer', port: side.port, method: 'PUT', target, name, bytes: mebibytes * MIB });
}

/** Also by how much the server's resident memory rose meanwhile. */
async function transfer(side: Side | Error, method: Row['method'], mebibytes: number): Promise<Round> {
  if (side instanceof Error) throw side;
  const { pid } = side.process;
  const before = readMemory(pid);
  if (before) resetPeak(pid);
  let sampled = 0;
  const sampler = setInterval(() => {
    sampled = Math.max(sampled, readMemory(pid)?.nowBytes ?? 0);
  }, MEMORY_SAMPLE_MS);
  try {
    const target = side.target(0, MODULES.large);
    const job = { kind: 'transfer', port: side.port, method, target, name: largeName(mebibytes) } as const;
    const { seconds } = await runLoad({ ...job, bytes: mebibytes * MIB });
    const peak = Math.max(sampled, readMemory(pid)?.peakBytes ?? 0);
    const value = mebibytes / seconds;
    return before ? { value, growthBytes: Math.max(0, peak - before.nowBytes) } : { value };
  } finally {
    clearInterval(sampler);
  }
}

function writeNoise(path: string, mebibytes: number): void {
  const descriptor = openSync(path, 'w');
  const noise = randomBytes(MIB);
  for (let at = 0; at < mebibytes; at += 1) writeSync(descriptor, noise);
  fsyncSync(descriptor);
  closeSync(descriptor);
}

/** `cp` of a file that is in the page cache, then a sync: what the same bytes cost without a server. */
async function copy(source: string, mebibytes: number): Promise<Round> {
  const target = `${source}.copy`;
  const start = performance.now();
  await mustRun('cp', [source, target], { limitMs: LIMIT_MS });
  const descriptor = openSync(target, 'r+');
  fsyncSync(descriptor);
  closeSync(descriptor);
  const seconds = (performance.now() - start) / 1000;
  rmSync(target);
  return { value: mebibytes / seconds };
}

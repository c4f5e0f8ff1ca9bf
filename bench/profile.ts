// node bench/profile.ts [NAME…]: what bounds a row. Runs a row's load against a Gitstead that is profiled, and prints, for
// each request, how the time of the server's main thread was spent, and how much the other threads worked. `--page` writes the
// tables into docs/performance.md as well; the engine's workloads, which have no HTTP, have one of their own. The profile makes
// all of it slower by some percent; shares are what it tells.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type CpuProfile, GROUPS, type Group, readProfile, timesByGroup } from './cpu-profile.ts';
import { openWorker, WORKLOADS } from './engine-workloads.ts';
import { runLoad } from './load-job.ts';
import { removeFolder, stop, temporaryFolder } from './processes.ts';
import { largeName } from './recorded-answers.ts';
import { prepare } from './rounds.ts';
import { ROWS } from './rows.ts';
import { buildGitstead, startGitstead } from './sides/gitstead.ts';
import { MODULES } from './sides/side.ts';
import { ACCOUNTS_DOCUMENTS, makeAccountsFolder } from './suites/accounts-data.ts';
import { openSpreadLoad, startAccountsServer, targetsOf } from './suites/accounts-server.ts';
import { formatMarkdown, writeMarker } from './tables.ts';

const SAMPLE_MICROSECONDS = 200;
const WARM_SECONDS = 3;
const SECONDS = 4;
const ACCOUNTS = 2_000;
const LARGE_BYTES = 100 << 20;
const TRANSFERS = 8;
/** Groups that took less of every load are left out. */
const SHOWN_SHARE = 0.01;
/** The main thread handles HTTP, or where there is none judges writes: it has called one of these. */
const MAIN_FUNCTIONS = ['parserOnIncoming', 'takeTurn'];
/** What the names of the engine's workloads begin with. */
const ENGINE = 'engine-';
const FILL_LIMIT_MS = 60_000;
const NAMES = [
  'http-put-1',
  'http-put-32-users',
  'http-get',
  'http-get-304',
  'http-list-304',
  'large-put-100mib',
  'accounts-get',
  'accounts-put',
  ...WORKLOADS.map(({ id }) => ENGINE + id),
];

type Measured = {
  name: string;
  requests: number;
  seconds: number;
  main: Map<Group, number>;
  others: Map<Group, number>;
};
/** What a load did: between these moments, in microseconds of `process.hrtime`. */
type Window = { from: number; until: number; requests: number };

const now = () => Number(process.hrtime.bigint() / 1000n);

async function profiled(name: string): Promise<Measured> {
  const folder = temporaryFolder('profile');
  const profiles = join(folder, 'profiles');
  mkdirSync(profiles);
  const flags = ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-interval=${SAMPLE_MICROSECONDS}`];
  const window = await loadOf(name)(name, folder, flags);
  const threads = readdirSync(profiles).map((file) => readProfile(join(profiles, file)));
  removeFolder(folder);
  return { name, ...summarise(threads, window) };
}

type Load = (name: string, folder: string, flags: string[]) => Promise<Window>;

function loadOf(name: string): Load {
  if (name.startsWith(ENGINE)) return engineLoad;
  return name.startsWith('accounts-') ? spreadLoad : rowLoad;
}

function summarise(threads: CpuProfile[], { from, until, requests }: Window): Omit<Measured, 'name'> {
  const isMain = ({ nodes }: CpuProfile) =>
    nodes.some(({ callFrame }) => MAIN_FUNCTIONS.includes(callFrame.functionName));
  const main = threads.find(isMain);
  if (!main) throw new Error('no profile of the main thread was written');
  const others = new Map<Group, number>();
  for (const thread of threads) {
    if (thread === main) continue;
    for (const [group, took] of timesByGroup(thread, from, until)) {
      if (group !== 'nothing to do') others.set(group, (others.get(group) ?? 0) + took);
    }
  }
  return { requests, seconds: (until - from) / 1e6, main: timesByGroup(main, from, until), others };
}

async function rowLoad(name: string, _folder: string, flags: string[]): Promise<Window> {
  const side = await startGitstead(flags);
  try {
    if (name === 'large-put-100mib') {
      const job = { kind: 'transfer', port: side.port, method: 'PUT', bytes: LARGE_BYTES } as const;
      const put = (count: number) =>
        runLoad({ ...job, target: side.target(0, MODULES.large), name: largeName(count) });
      await put(0);
      const from = now();
      for (let count = 1; count <= TRANSFERS; count += 1) await put(count);
      return { from, until: now(), requests: TRANSFERS };
    }
    const row = ROWS.find(({ id }) => id === name)!;
    await prepare(side, [row]);
    const job = await row.job(side);
    await runLoad({ kind: 'loop', ...job, warmupSeconds: 0, seconds: WARM_SECONDS });
    const from = now();
    const { sent } = await runLoad({ kind: 'loop', ...job, warmupSeconds: 0, seconds: SECONDS });
    return { from, until: now(), requests: sent };
  } finally {
    await stop(side.process);
  }
}

async function engineLoad(name: string, folder: string, flags: string[]): Promise<Window> {
  const shape = WORKLOADS.find(({ id }) => ENGINE + id === name)!;
  const { repositories, writers } = shape;
  const worker = openWorker(join(folder, 'data'), flags);
  const work = (kind: 'fill' | 'measure', seconds: number) =>
    worker.ask({ kind, repositories, shape, writers, warmupSeconds: 0, seconds }, FILL_LIMIT_MS);
  await work('fill', 0);
  await work('measure', WARM_SECONDS);
  const from = now();
  const { allCommits } = await work('measure', SECONDS);
  const window = { from, until: now(), requests: allCommits };
  await worker.close();
  return window;
}

async function spreadLoad(name: string, folder: string, flags: string[]): Promise<Window> {
  const tokens = await makeAccountsFolder(join(folder, 'data'), ACCOUNTS);
  const server = await startAccountsServer(folder, flags);
  try {
    const load =
      name === 'accounts-put'
        ? ({ method: 'PUT', connections: 32 } as const)
        : ({ method: 'GET', connections: 8 } as const);
    const spread = async (from: number, to: number, seconds: number) => {
      const targets = targetsOf(tokens, from, to);
      const clients = await openSpreadLoad({ targets, documents: ACCOUNTS_DOCUMENTS });
      const begin = now();
      const { value } = await clients.measure(server, {
        ...{ ...load, folders: targets.length },
        ...{ warmupSeconds: 0, seconds },
      });
      const window = { from: begin, until: now(), requests: Math.round(value * seconds) };
      await clients.close();
      return window;
    };
    // the other half is left for what is measured: it is to find nobody's repository open
    const half = tokens.length / 2;
    await spread(0, half, WARM_SECONDS);
    return await spread(half, tokens.length, SECONDS);
  } finally {
    await server.stop();
  }
}

function tableOf(measured: readonly Measured[]): string[][] {
  const us = (time: number, { requests }: Measured) => {
    const each = time / requests;
    return each >= 100_000 ? `${(each / 1000).toFixed(0)} ms` : each.toFixed(each < 10 ? 1 : 0);
  };
  const line = (title: string, cell: (each: Measured) => string) => [title, ...measured.map(cell)];
  const shareOf = (time: number, each: Measured) =>
    time > 0 ? `${us(time, each)} (${Math.round(time / each.seconds / 1e4)} %)` : '–';
  const linesOf = (threads: 'main' | 'others', title: (group: Group) => string) =>
    GROUPS.filter((group) =>
      measured.some((each) => (each[threads].get(group) ?? 0) > SHOWN_SHARE * each.seconds * 1e6),
    ).map((group) => line(title(group), (each) => shareOf(each[threads].get(group) ?? 0, each)));
  return [
    line('µs of the main thread for each request (share of its time)', ({ name }) => name),
    ...linesOf('main', (group) => group),
    ...linesOf('others', (group) => `other threads: ${group}`),
    line('requests', ({ requests }) => requests.toLocaleString('en-US')),
  ];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { page: { type: 'boolean', default: false } },
});
const names = positionals.length > 0 ? positionals : NAMES;
const unknown = names.find((name) => !NAMES.includes(name));
if (unknown !== undefined) {
  console.error(`${unknown} cannot be profiled; these can: ${NAMES.join(', ')}`);
  process.exit(2);
}
await buildGitstead();
const measured: Measured[] = [];
for (const name of names) {
  measured.push(await profiled(name));
  console.error(`profiled: ${name}`);
}
for (const [marker, isOf] of [
  ['profile', (name: string) => !name.startsWith(ENGINE)],
  ['engineprofile', (name: string) => name.startsWith(ENGINE)],
] as const) {
  const shown = measured.filter(({ name }) => isOf(name));
  if (shown.length === 0) continue;
  const table = formatMarkdown(tableOf(shown));
  console.log(table);
  if (values.page) writeMarker(marker, table);
}

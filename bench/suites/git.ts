// What stock git sees of a repository that grew by 100,000 PUTs: how many packs it ever has, and what reading it costs beside
// the same repository after `git gc`. It is read after a minute's rest: by then it has its index over all packs, with a bitmap,
// and its commit graph. Packs are counted before that, and the gc runs meanwhile, in a copy.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Goal } from '../goals.ts';
import { mustRun, removeFolder, temporaryFolder } from '../processes.ts';
import { addRound, type Round, type RowResult } from '../results.ts';
import { buildGitstead } from '../sides/gitstead.ts';
import type { Suite } from '../suite.ts';
import {
  checkObjects,
  cloneIt,
  copyAndGc,
  copySide,
  GC,
  type GitSide,
  listBlobs,
  measureDisk,
  OURS,
  readBlobs,
  readLog,
} from './git-sides.ts';
import { HISTORY_WRITERS } from './growth-repository.ts';
import { type GrowthServer, openGrowthServer } from './growth-server.ts';
import { writeLongHistory } from './long-history.ts';
import { pauseFor } from './waiting.ts';

const MODULE = 'history';
const LOOK_AT_PACKS_MS = 50;
const MOST_PACKS = 30;
const COUNT_LIMIT_MS = 60_000;
const AIDS_LIMIT_MS = 180_000;
const AIDS_LOOK_MS = 100;
const AIDS = ['objects/info/commit-graph', 'objects/pack/multi-pack-index'];

const LOAD_ROWS = [
  { id: 'git-load', title: '100,000 commits by 32 writers over HTTP', unit: '/s', better: 'more' },
  { id: 'git-packs', title: 'packs meanwhile, the most', unit: 'packs', better: 'less' },
  { id: 'git-packs-after', title: 'packs afterwards', unit: 'packs', better: 'less' },
  { id: 'git-aids', title: 'rest until git has its index and graph', unit: 's', better: 'less' },
] as const;

const READ_ROWS = [
  { id: 'git-log', title: 'git log --oneline, all', unit: 'ms' },
  { id: 'git-clone', title: 'git clone --bare --no-local', unit: 'ms' },
  { id: 'git-cat-file', title: 'git cat-file --batch-check, all objects', unit: 'ms' },
  { id: 'git-blobs', title: 'git cat-file --batch, 20,000 blobs', unit: 'ms' },
  { id: 'git-disk', title: 'on the disk', unit: 'MiB' },
] as const;

type ReadRow = (typeof READ_ROWS)[number]['id'];

/** Each clones all of it twice. */
const MOST_ROUNDS = 2;

export const gitSuite: Suite = {
  id: 'git',
  title: 'what stock git sees after 100,000 commits, once the repository rested',
  seconds: 85,
  rows: [...LOAD_ROWS, ...READ_ROWS].map(({ id }) => id),
  run: async (plan) => {
    await buildGitstead();
    const server = await openGrowthServer('git');
    const folder = temporaryFolder('git');
    const { rows: loaded, copy } = await load(server);
    const rested = addRound(loaded.at(-1)!, OURS, () => untilAids(server));
    const [collected] = await Promise.all([copyAndGc(folder, copy), rested]);
    await server.stop();
    const sides = [copySide(folder, OURS, server.repository(MODULE)), collected];
    removeFolder(server.folder);
    const rows = READ_ROWS.map((row): RowResult => ({ ...row, better: 'less', cells: {} }));
    await measureSides(rows, sides, Math.min(MOST_ROUNDS, plan.rounds));
    removeFolder(folder);
    return [...loaded, ...rows];
  },
};

/** Fills the repository, and counts its packs all the while. @returns also where a copy of it is; the last row is not measured yet */
async function load(server: GrowthServer): Promise<{ rows: RowResult[]; copy: string }> {
  const folder = join(server.repository(MODULE), 'objects/pack');
  const count = () => (existsSync(folder) ? readdirSync(folder) : []).filter(isPack).length;
  let most = 0;
  const look = setInterval(() => {
    most = Math.max(most, count());
  }, LOOK_AT_PACKS_MS);
  const rows = LOAD_ROWS.map((row): RowResult => ({ ...row, cells: {} }));
  try {
    const { rate, copy } = await writeLongHistory(server, MODULE, HISTORY_WRITERS);
    await addRound(rows[0]!, OURS, async () => ({ value: rate }));
    await addRound(rows[1]!, OURS, async () => ({ value: most }));
    await addRound(rows[2]!, OURS, async () => ({ value: count() }));
    return { rows, copy };
  } finally {
    clearInterval(look);
  }
}

function isPack(name: string): boolean {
  return name.endsWith('.pack');
}

/** Without them the rows show what they are for: waiting has an end. */
async function untilAids(server: GrowthServer): Promise<Round> {
  const start = performance.now();
  const files = AIDS.map((file) => join(server.repository(MODULE), file));
  while (!files.every((file) => existsSync(file)) && performance.now() - start < AIDS_LIMIT_MS) {
    await pauseFor(AIDS_LOOK_MS);
  }
  return { value: (performance.now() - start) / 1000 };
}

async function measureSides(rows: RowResult[], sides: GitSide[], rounds: number): Promise<void> {
  const head = ['-C', sides[0]!.repository, 'rev-list', '--count', 'main'];
  const commits = Number(await mustRun('git', head, { limitMs: COUNT_LIMIT_MS }));
  const blobs = await listBlobs(sides[0]!);
  const measures: Record<ReadRow, (side: GitSide) => Promise<Round>> = {
    'git-log': (side) => readLog(side, commits),
    'git-clone': cloneIt,
    'git-cat-file': checkObjects,
    'git-blobs': (side) => readBlobs(side, blobs),
    'git-disk': async (side) => measureDisk(side),
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const row of rows) {
      for (const side of sides) await addRound(row, side.name, () => measures[row.id as ReadRow](side));
    }
  }
}

function notMoreThan(factor: number, id: ReadRow, what: string): Goal {
  return {
    what,
    goal: `≤ ${factor} × after git gc`,
    measured: (rows) => rows.ratio(id, OURS, GC),
    holds: (measured) => measured <= factor,
  };
}

export const goals: Goal[] = [
  {
    what: 'packs of a repository while 32 writers make 100,000 commits',
    goal: `≤ ${MOST_PACKS} at any moment`,
    measured: (rows) => rows.value('git-packs', OURS),
    holds: (measured) => measured <= MOST_PACKS,
  },
  notMoreThan(1.3, 'git-log', 'git log of 100,000 commits'),
  notMoreThan(1.3, 'git-clone', 'git clone of 100,000 commits'),
  notMoreThan(1.3, 'git-cat-file', 'git cat-file --batch-check of 100,000 commits'),
  notMoreThan(1.3, 'git-blobs', 'git cat-file --batch of 20,000 blobs'),
  notMoreThan(1.5, 'git-disk', 'room on the disk of 100,000 commits'),
];

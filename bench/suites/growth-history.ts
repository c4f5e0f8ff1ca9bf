// Rows of histories: the same folder after 10, 10,000 and 100,000 commits, which were real PUTs. Of the shortest one there is
// another for each slice of PUTs, since the PUTs that are measured are commits too.
import type { RowResult } from '../results.ts';
import { type Plan, wants } from '../suite.ts';
import { ASKED_FOR, READERS } from './growth-folders.ts';
import { makeHistory, makeModules } from './growth-repository.ts';
import { type GrowthRow, type Load, measureGroups } from './growth-rows.ts';
import type { GrowthServer } from './growth-server.ts';
import { untilIdle } from './waiting.ts';

export const HISTORIES = [10, 10_000, 100_000] as const;
const SHORTEST = HISTORIES[0];
const DOCUMENTS = 10;

const moduleOf = (commits: number) => `history-${commits}`;
const freshOf = (slice: number) => `history-${SHORTEST}-${slice}`;

const ROWS: readonly GrowthRow[][] = [
  rowsOf('get', 'GET 200 B', (commits) => ({ ...readOf(commits), documents: ASKED_FOR })),
  rowsOf('304', '304 of a document', (commits) => ({ ...readOf(commits), documents: 1, unchanged: true })),
  rowsOf('put', 'PUT 200 B, 1 writer,', (commits, slice) => ({
    ...{ method: 'PUT', documents: DOCUMENTS, connections: 1 },
    module: commits === SHORTEST ? freshOf(slice) : moduleOf(commits),
  })),
];

export const historyRowIds = (): string[] => ROWS.flat().map(({ id }) => id);

function rowsOf(what: string, title: string, load: (commits: number, slice: number) => Load): GrowthRow[] {
  return HISTORIES.map((commits) => ({
    id: `growth-history-${what}-${commits}`,
    title: `${title} after ${commits.toLocaleString('en-US')} commits`,
    load: (_, slice) => load(commits, slice),
  }));
}

function readOf(commits: number) {
  return { method: 'GET', module: moduleOf(commits), connections: READERS } as const;
}

export async function measureHistories(server: GrowthServer, plan: Plan): Promise<RowResult[]> {
  if (!historyRowIds().some((id) => wants(plan, id))) return [];
  const fresh = Array.from({ length: plan.slices }, (_, slice) => freshOf(slice));
  await makeModules(server, [moduleOf(SHORTEST), ...fresh], DOCUMENTS);
  for (const commits of HISTORIES) {
    if (commits !== SHORTEST) await makeHistory(server, moduleOf(commits), DOCUMENTS, commits);
  }
  await untilIdle(server);
  return measureGroups(server, plan, ROWS);
}

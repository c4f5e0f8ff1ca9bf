// Rows of histories: a folder of 100 documents after 10, 10,000 and 100,000 commits, which were real PUTs. Of the shortest one,
// whose folder is laid down, there is another for each slice of PUTs, since the PUTs that are measured are commits too.
import type { RowResult } from '../results.ts';
import { type Plan, wants } from '../suite.ts';
import { ASKED_FOR, READERS } from './growth-folders.ts';
import { layDown, MANY_WRITERS, makeHistory, makeModules } from './growth-repository.ts';
import { type GrowthGroup, type Load, measureGroups } from './growth-rows.ts';
import type { GrowthServer } from './growth-server.ts';
import { LONG_COMMITS, LONG_DOCUMENTS, layLongHistoryDown } from './long-history.ts';
import { untilIdle } from './waiting.ts';

export const HISTORIES = [10, 10_000, LONG_COMMITS] as const;
const [SHORTEST, LONGER] = HISTORIES;

const moduleOf = (commits: number) => `history-${commits}`;
const freshOf = (slice: number) => `history-${SHORTEST}-${slice}`;

const GROUPS: readonly GrowthGroup[] = [
  groupOf('get', 'GET 200 B', (commits) => ({ ...readOf(commits), documents: ASKED_FOR })),
  groupOf('304', '304 of a document', (commits) => ({ ...readOf(commits), documents: 1, unchanged: true })),
  groupOf('put', 'PUT 200 B, 1 writer,', (commits, slice) => ({
    ...{ method: 'PUT', documents: LONG_DOCUMENTS, connections: 1 },
    module: commits === SHORTEST ? freshOf(slice) : moduleOf(commits),
  })),
];

export const historyRowIds = (): string[] => GROUPS.flatMap(({ rows }) => rows.map(({ id }) => id));

function groupOf(what: string, title: string, load: (commits: number, slice: number) => Load): GrowthGroup {
  const rows = HISTORIES.map((commits) => ({
    id: `growth-history-${what}-${commits}`,
    title: `${title} after ${commits.toLocaleString('en-US')} commits`,
    load: (_: GrowthServer, slice: number) => load(commits, slice),
  }));
  return { reads: what !== 'put', rows };
}

function readOf(commits: number) {
  return { method: 'GET', module: moduleOf(commits), connections: READERS } as const;
}

export async function measureHistories(server: GrowthServer, plan: Plan): Promise<RowResult[]> {
  if (!historyRowIds().some((id) => wants(plan, id))) return [];
  const short = [moduleOf(SHORTEST), ...Array.from({ length: plan.slices }, (_, slice) => freshOf(slice))];
  await makeModules(server, short);
  await makeModules(server, [moduleOf(LONGER)], LONG_DOCUMENTS);
  await makeHistory(server, moduleOf(LONGER), LONG_DOCUMENTS, LONGER, MANY_WRITERS);
  await layLongHistoryDown(server, moduleOf(LONG_COMMITS));
  await server.stop();
  await Promise.all(short.map((module) => layDown(server.repository(module), ['docs'], LONG_DOCUMENTS)));
  await server.start();
  await makeModules(server, short, SHORTEST);
  await untilIdle(server);
  console.error('histories: ready');
  return measureGroups(server, plan, GROUPS);
}

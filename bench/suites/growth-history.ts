// Rows of histories: the same folder after 10, 10,000 and 100,000 commits, which were real PUTs. The shortest one is made
// anew for each round, since the PUTs that are measured are commits too.
import { addRound, type Round, type RowResult } from '../results.ts';
import { type Plan, wants } from '../suite.ts';
import { read, readUnchanged, rowOf, write } from './growth-folders.ts';
import { makeHistory, makeModules } from './growth-repository.ts';
import type { GrowthServer } from './growth-server.ts';
import { untilIdle } from './waiting.ts';

export const HISTORIES = [10, 10_000, 100_000] as const;
const SHORTEST = HISTORIES[0];
const SIDE = 'gitstead';
const DOCUMENTS = 10;

type HistoryRow = { result: RowResult; measure(round: number): Promise<Round> };

export function historyRowIds(): string[] {
  return ['get', '304', 'put'].flatMap((what) =>
    HISTORIES.map((commits) => `growth-history-${what}-${commits}`),
  );
}

function moduleOf(commits: number, round: number): string {
  return commits === SHORTEST ? `history-${commits}-${round}` : `history-${commits}`;
}

function rowsOf(server: GrowthServer, plan: Plan): HistoryRow[] {
  const after = (commits: number) => `after ${commits.toLocaleString('en-US')} commits`;
  const row = (what: string, title: string, measure: (module: string) => Promise<Round>) =>
    HISTORIES.map((commits) => ({
      result: rowOf(`growth-history-${what}-${commits}`, `${title} ${after(commits)}`),
      measure: (round: number) => measure(moduleOf(commits, round)),
    }));
  return [
    ...row('get', 'GET 200 B', (module) => read(server, plan, module)),
    ...row('304', '304 of a document', (module) => readUnchanged(server, plan, module, 1)),
    ...row('put', 'PUT 200 B, 1 writer,', (module) => write(server, plan, module, DOCUMENTS)),
  ];
}

export async function measureHistories(server: GrowthServer, plan: Plan): Promise<RowResult[]> {
  const rows = rowsOf(server, plan).filter(({ result }) => wants(plan, result.id));
  if (rows.length === 0) return [];
  for (const commits of HISTORIES) {
    if (commits !== SHORTEST) await makeHistory(server, moduleOf(commits, 0), DOCUMENTS, commits);
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    await makeModules(server, [moduleOf(SHORTEST, round)], DOCUMENTS);
    await untilIdle(server);
    for (const { result, measure } of rows) await addRound(result, SIDE, () => measure(round));
  }
  return rows.map(({ result }) => result);
}

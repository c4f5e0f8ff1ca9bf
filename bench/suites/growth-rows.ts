// What rows of growing things are: a load for each size, all of which take turns slice by slice, so that their ratios tell
// whether size matters. The loads stand in growth-folders.ts and growth-history.ts.
import { documentName } from '../documents.ts';
import type { RowResult } from '../results.ts';
import { type Plan, wants } from '../suite.ts';
import { COMPILE_SECONDS, planOfReads, type Times, takeTurns } from '../turns.ts';
import { type GrowthServer, type Loop, measureLoop, tagOf } from './growth-server.ts';
import { untilIdle } from './waiting.ts';

export const SIDE = 'gitstead';

export type GrowthRow = {
  id: string;
  title: string;
  /** asked for once for each slice */
  load(server: GrowthServer, slice: number): Load;
};

/** Rows that take turns. */
export type GrowthGroup = { reads: boolean; rows: readonly GrowthRow[] };

export type Load = Pick<Loop, 'method' | 'documents'> & {
  module: string;
  connections: number;
  /** a GET of the first document, or of the folder where there are no documents, whose tag has not changed */
  unchanged?: boolean;
};

/** Measures the rows that are wanted, of groups whose rows take turns. */
export async function measureGroups(
  server: GrowthServer,
  plan: Plan,
  groups: readonly GrowthGroup[],
): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const { reads, rows } of groups) {
    const turns = rows
      .filter(({ id }) => wants(plan, id))
      .map(({ id, title, load }, at) => {
        const row: RowResult = { id, title, unit: '/s', better: 'more', cells: {} };
        const tags = new Map<string, string>();
        const measure = (slice: number, times: Times) =>
          measureLoad(server, load(server, slice), times, tags);
        // it is one server that all of them ask
        return {
          row,
          side: SIDE,
          measure,
          ...(at === 0 ? { firstWarmupSeconds: COMPILE_SECONDS } : {}),
        };
      });
    await takeTurns(turns, reads ? planOfReads(plan) : plan);
    results.push(...turns.map(({ row }) => row));
    if (turns[0]) console.error(`measured: ${turns[0].row.title}, and ${turns.length - 1} beside it`);
  }
  return results;
}

/** Before a PUT it waits until what others left to be done is done, and not after it: its own work is part of its figure. */
async function measureLoad(
  server: GrowthServer,
  { method, documents, module, connections, unchanged = false }: Load,
  times: Times,
  tags: Map<string, string>,
) {
  const targets = Array.from({ length: connections }, () => server.target(module));
  const loop = { method, documents, targets, ...times };
  if (method === 'PUT') await untilIdle(server);
  if (!unchanged) return measureLoop(server, loop);
  const ifNoneMatch = tags.get(module) ?? (await tagOf(server, module, documents > 0 ? documentName(0) : ''));
  tags.set(module, ifNoneMatch);
  return measureLoop(server, { ...loop, ifNoneMatch });
}

// What rows of growing things are: a load for each size, all of which take turns slice by slice, so that their ratios tell
// whether size matters. The loads stand in growth-folders.ts and growth-history.ts.
import { documentName } from '../documents.ts';
import type { RowResult } from '../results.ts';
import { type Plan, wants } from '../suite.ts';
import { COMPILE_SECONDS, takeTurns } from '../turns.ts';
import { type GrowthServer, type Loop, measureLoop, tagOf } from './growth-server.ts';
import { untilIdle } from './waiting.ts';

export const SIDE = 'gitstead';

export type GrowthRow = {
  id: string;
  title: string;
  /** asked for once for each slice */
  load(server: GrowthServer, slice: number): Load;
};

export type Load = Pick<Loop, 'method' | 'documents'> & {
  module: string;
  connections: number;
  /** a GET of the first document, or of the folder where there are no documents, whose tag has not changed */
  unchanged?: boolean;
};

/** Of the plan's seconds: a short slice holds enough requests that change nothing, and there are many rows. */
const READ_SHARE = 0.4;
/** and of its warm-up: no server is held still here */
const WARMUP_SHARE = 0.5;
const GROUP_WARMUP_SECONDS = COMPILE_SECONDS / WARMUP_SHARE;

/** Measures the rows that are wanted, of groups whose rows take turns. */
export async function measureGroups(
  server: GrowthServer,
  plan: Plan,
  groups: readonly (readonly GrowthRow[])[],
): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const group of groups) {
    const turns = group
      .filter(({ id }) => wants(plan, id))
      .map(({ id, title, load }, at) => {
        const row: RowResult = { id, title, unit: '/s', better: 'more', cells: {} };
        const tags = new Map<string, string>();
        const measure = (slice: number, times: Pick<Plan, 'seconds' | 'warmupSeconds'>) =>
          measureLoad(server, load(server, slice), times, tags);
        // it is one server that all of them ask
        return {
          row,
          side: SIDE,
          measure,
          ...(at === 0 ? { firstWarmupSeconds: GROUP_WARMUP_SECONDS } : {}),
        };
      });
    await takeTurns(turns, plan);
    results.push(...turns.map(({ row }) => row));
  }
  return results;
}

/** Before a PUT it waits until what others left to be done is done, and not after it: its own work is part of its figure. */
async function measureLoad(
  server: GrowthServer,
  { method, documents, module, connections, unchanged = false }: Load,
  { seconds, warmupSeconds }: Pick<Plan, 'seconds' | 'warmupSeconds'>,
  tags: Map<string, string>,
) {
  const targets = Array.from({ length: connections }, () => server.target(module));
  const loop = { method, documents, targets, warmupSeconds: warmupSeconds * WARMUP_SHARE };
  if (method === 'PUT') {
    await untilIdle(server);
    return measureLoop(server, { ...loop, seconds });
  }
  const short = { ...loop, seconds: seconds * READ_SHARE };
  if (!unchanged) return measureLoop(server, short);
  const ifNoneMatch = tags.get(module) ?? (await tagOf(server, module, documents > 0 ? documentName(0) : ''));
  tags.set(module, ifNoneMatch);
  return measureLoop(server, { ...short, ifNoneMatch });
}

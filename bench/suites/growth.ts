// What size costs: folders of up to 100,000 documents, histories of up to 100,000 commits, up to 64 connections. The rows stand
// in growth-folders.ts and growth-history.ts.
import type { Goal, Rows } from '../goals.ts';
import { removeFolder } from '../processes.ts';
import { buildGitstead } from '../sides/gitstead.ts';
import { median } from '../statistics.ts';
import { type Suite, wants } from '../suite.ts';
import { folderRowIds, layFoldersDown, measureFolders } from './growth-folders.ts';
import { historyRowIds, measureHistories } from './growth-history.ts';
import { SIDE } from './growth-rows.ts';
import { openGrowthServer } from './growth-server.ts';

export const growthSuite: Suite = {
  id: 'growth',
  title: 'growing folders, histories and numbers of connections',
  seconds: 90,
  rows: [...folderRowIds(), ...historyRowIds()],
  run: async (plan) => {
    await buildGitstead();
    const server = await openGrowthServer('growth');
    const histories = await measureHistories(server, plan);
    const wantsFolders = folderRowIds().some((id) => wants(plan, id));
    if (wantsFolders) {
      await layFoldersDown(server);
      console.error('folders: ready');
    }
    const folders = wantsFolders ? await measureFolders(server, plan) : [];
    await server.stop();
    await server.generator.close();
    removeFolder(server.folder);
    return [...folders, ...histories];
  },
};

/** How many times as long a PUT takes there as in a folder of 100. */
function costGoal(size: number, factor: number): Goal {
  const name = `growth-put-${size}`;
  return {
    what: `cost of a PUT in a folder of ${size.toLocaleString('en-US')}`,
    goal: `≤ ${factor} × in one of 100`,
    measured: (rows) => rows.ratioOfRows('growth-put-100', name, SIDE),
    holds: (measured) => measured <= factor,
  };
}

const FLAT_WITHIN = 0.1;

/** By how much of their median the rows differ from it at most; each is measured as a multiple of the first one beside it. */
function flatGoal(what: string, ids: readonly string[]): Goal {
  return {
    what,
    goal: `within ± ${FLAT_WITHIN} of their median`,
    measured: (rows) => deviation(rows, ids),
    holds: (measured) => measured <= FLAT_WITHIN,
  };
}

function deviation(rows: Rows, ids: readonly string[]): number | undefined {
  const multiples = ids.flatMap((id) => rows.ratioOfRows(id, ids[0]!, SIDE) ?? []);
  if (multiples.length < ids.length) return undefined;
  const middle = median(multiples);
  return Math.max(...multiples.map((multiple) => Math.abs(multiple / middle - 1)));
}

const FOLDERS = 'folders of 10, 10,000 and 100,000';
const HISTORIES = '10, 10,000 and 100,000 commits';
const bySize = (what: string) => [10, 10_000, 100_000].map((count) => `growth-${what}-${count}`);

export const goals: Goal[] = [
  costGoal(10_000, 2.5),
  costGoal(100_000, 15),
  flatGoal(`GET in ${FOLDERS}`, bySize('get')),
  flatGoal(`304 of a document in ${FOLDERS}`, bySize('304')),
  flatGoal(`304 of the folder in ${FOLDERS}`, bySize('304-folder')),
  flatGoal(`GET after ${HISTORIES}`, bySize('history-get')),
  flatGoal(`304 after ${HISTORIES}`, bySize('history-304')),
];

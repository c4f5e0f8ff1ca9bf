// Starts: after `kill -9` under load, with a journal as full as it gets, and with an index that is gone. The rows' measures
// stand in startup-kill.ts and startup-index.ts.
import { type Goal, ratio } from '../goals.ts';
import { buildGitstead } from '../sides/gitstead.ts';
import type { Suite } from '../suite.ts';
import { LONG_COMMITS } from './long-history.ts';
import { LAID_DOCUMENTS, measureIndex } from './startup-index.ts';
import { measureKills } from './startup-kill.ts';

const OURS = 'gitstead';
const START_LIMIT_MS = 2000;
const LEAST_DOCUMENTS = 50_000;
const LEAST_COMMITS = 20_000;

export const startupSuite: Suite = {
  id: 'startup',
  title: 'starts after kill -9 and without an index',
  seconds: 50,
  run: async (plan) => {
    await buildGitstead();
    return [...(await measureKills(plan.rounds)), ...(await measureIndex(plan.rounds))];
  },
};

function startGoal(id: string, what: string): Goal {
  return {
    what,
    goal: `< ${START_LIMIT_MS} ms`,
    measured: (rows) => rows.value(id, OURS),
    holds: (measured) => measured < START_LIMIT_MS,
  };
}

/** `count` things read in within the time that a start without the index takes longer than one with it. */
function paceGoal(what: string, count: number, row: string, least: number): Goal {
  return {
    what,
    goal: `≥ ${least.toLocaleString('en-US')} /s`,
    measured: (rows) => {
      const lost = rows.value(row, 'index gone');
      const kept = rows.value(row, 'index there');
      return ratio(count * 1000, lost === undefined || kept === undefined ? undefined : lost - kept);
    },
    holds: (measured) => measured >= least,
  };
}

export const goals: Goal[] = [
  startGoal('startup-kill', 'start after kill -9 under 32 writers'),
  startGoal('startup-kill-full', 'start after kill -9 with a full journal'),
  paceGoal('documents read into a new index', LAID_DOCUMENTS, 'startup-index', LEAST_DOCUMENTS),
  paceGoal('commits read for a new index', LONG_COMMITS, 'startup-history', LEAST_COMMITS),
];

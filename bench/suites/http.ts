// Gitstead beside its peer and its floors over HTTP: starts and fills the sides, measures the rows of ../rows.ts with
// all sides in turn, ends the sides. A side that does not start fails in each row, and the others are measured.
import { atLeast, type Goal } from '../goals.ts';
import { stop } from '../processes.ts';
import { plainAnswers, type RecordedAnswers, recordAnswers } from '../recorded-answers.ts';
import type { RowResult } from '../results.ts';
import { measureRow, prepare, refresh } from '../rounds.ts';
import { LARGE_FOLDER, ROWS, type Row } from '../rows.ts';
import { startArmadietto } from '../sides/armadietto.ts';
import { startBare } from '../sides/bare.ts';
import { buildGitstead, startGitstead } from '../sides/gitstead.ts';
import { MODULES, type Side, type SideName } from '../sides/side.ts';
import { type Plan, type Suite, wants } from '../suite.ts';

type Failure = { side: SideName; reason: string };

export const httpSuite: Suite = {
  id: 'http',
  title: 'over HTTP',
  seconds: 180,
  rows: ROWS.map(({ id }) => id),
  run: async (plan) => {
    const rows = ROWS.filter(({ id }) => wants(plan, id));
    const failures: Failure[] = [];
    const sides = await openSides(rows, failures);
    const results = await measureAll(rows, plan, sides, failures);
    for (const side of sides) await stop(side.process);
    return results;
  },
};

export const goals: Goal[] = [
  atLeast('PUT, 1 writer', 0.3, 'http-put-1', 'append'),
  atLeast('PUT, 1 writer', 10, 'http-put-1', 'armadietto'),
];

async function openSides(rows: readonly Row[], failures: Failure[]): Promise<Side[]> {
  await buildGitstead();
  const gitstead = await open('gitstead', rows, failures, startGitstead);
  const armadietto = await open('armadietto', rows, failures, startArmadietto);
  const answers = await answersForBare(gitstead, rows);
  const bare = await open('bare', rows, failures, () => startBare(answers));
  return [gitstead, armadietto, bare].filter((side) => side !== undefined);
}

/** Starts and fills one side; a side that fails is left out, and its reason is told. */
async function open(
  name: SideName,
  rows: readonly Row[],
  failures: Failure[],
  start: () => Promise<Side>,
): Promise<Side | undefined> {
  const begin = performance.now();
  let side: Side | undefined;
  try {
    side = await start();
    await prepare(side, rows);
    console.error(`${name}: ready after ${((performance.now() - begin) / 1000).toFixed(1)} s`);
    return side;
  } catch (error) {
    failures.push({ side: name, reason: (error as Error).message });
    console.error(`${name}: failed: ${(error as Error).message}`);
    if (side) await stop(side.process);
    return undefined;
  }
}

async function answersForBare(gitstead: Side | undefined, rows: readonly Row[]): Promise<RecordedAnswers> {
  if (gitstead) {
    try {
      const listed = rows.some(({ id }) => id.includes('10000') || id.endsWith('list-304'));
      const module = listed ? MODULES.folder : MODULES.small;
      return await recordAnswers(
        gitstead.port,
        gitstead.target(0, MODULES.small),
        gitstead.target(0, module),
      );
    } catch (error) {
      console.error(`bare: answers with plain headers: ${(error as Error).message}`);
    }
  }
  return plainAnswers(LARGE_FOLDER);
}

async function measureAll(
  rows: readonly Row[],
  plan: Plan,
  sides: Side[],
  failures: Failure[],
): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const row of rows) {
    if (row.kind === 'transfer') for (const side of sides) await refresh(side);
    const result = await measureRow(row, sides, plan);
    for (const { side, reason } of failures) result.cells[side] = { kind: 'failed', reason, rounds: [] };
    results.push(result);
    console.error(`measured: ${row.title}`);
  }
  return results;
}

// Gitstead beside its peer and its floors over HTTP: starts and fills the sides, measures the rows of ../rows.ts with
// all sides in turn, ends the sides. Reads come first: what writes leave to be done in the background would be done beside
// them. A side that does not start fails in each row, and the others are measured.
import { stop } from '../processes.ts';
import { plainAnswers, type RecordedAnswers, recordAnswers } from '../recorded-answers.ts';
import type { RowResult } from '../results.ts';
import { measureRows, prepare } from '../rounds.ts';
import { LARGE_FOLDER, ROWS, type Row } from '../rows.ts';
import { startArmadietto } from '../sides/armadietto.ts';
import { startBare } from '../sides/bare.ts';
import { buildGitstead, startGitstead } from '../sides/gitstead.ts';
import { startNginx } from '../sides/nginx.ts';
import { MODULES, type Side, type SideName } from '../sides/side.ts';
import { type Plan, type Suite, wants } from '../suite.ts';

export { goals } from '../http-goals.ts';

type Failure = { side: SideName; reason: string };

export const httpSuite: Suite = {
  id: 'http',
  title: 'over HTTP',
  seconds: 120,
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

async function openSides(rows: readonly Row[], failures: Failure[]): Promise<Side[]> {
  const wanted = (name: SideName) => rows.some(({ sides }) => sides.includes(name));
  await buildGitstead();
  const gitstead = await open('gitstead', rows, failures, startGitstead);
  const others = [
    wanted('armadietto') ? await open('armadietto', rows, failures, startArmadietto) : undefined,
    wanted('bare') ? await openBare(gitstead, rows, failures) : undefined,
    wanted('nginx') ? await open('nginx', rows, failures, startNginx) : undefined,
  ];
  return [gitstead, ...others].filter((side) => side !== undefined);
}

async function openBare(
  gitstead: Side | undefined,
  rows: readonly Row[],
  failures: Failure[],
): Promise<Side | undefined> {
  const answers = await answersForBare(gitstead, rows);
  return open('bare', rows, failures, () => startBare(answers));
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
    // so does filling, and a start leaves that behind
    if (name === 'gitstead') await side.restart();
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
      const listed = rows.some(({ largeFolder }) => largeFolder);
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
  const groups = groupsOf(rows);
  for (const group of [...groups.filter(isRead), ...groups.filter((group) => !isRead(group))]) {
    const measured = await measureRows(group, sides, plan);
    for (const [position, result] of measured.entries()) {
      for (const { side, reason } of failures) {
        if (group[position]!.sides.includes(side))
          result.cells[side] = { kind: 'failed', reason, rounds: [] };
      }
      console.error(`measured: ${result.title}`);
    }
    results.push(...measured);
  }
  return rows.map(({ id }) => results.find((result) => result.id === id)!);
}

function isRead(group: readonly Row[]): boolean {
  return group.every(({ reads }) => reads);
}

function groupsOf(rows: readonly Row[]): Row[][] {
  const groups: Row[][] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (row.beside !== undefined && last?.[0]?.beside === row.beside) last.push(row);
    else groups.push([row]);
  }
  return groups;
}

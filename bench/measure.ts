// Runs suites in turn, prints a table for each and the goals at the end, and gives the run as data. Which suites, which
// rows and which settings is decided by run.ts.
import { type Goal, judge } from './goals.ts';
import { describeMachine } from './machine.ts';
import { removeFolder, temporaryFolder } from './processes.ts';
import { formatGoals, formatMachine, formatSuite } from './report.ts';
import type { RowResult } from './results.ts';
import { describeSource, type RunFile } from './run-file.ts';
import type { Plan } from './suite.ts';
import { SUITES } from './suites.ts';

export type Chosen = { part: (typeof SUITES)[number]; only: string[] | undefined }[];

/**
 * The suites that are named, and those of which rows are named.
 * @param names undefined: all
 * @throws Error when a name is none of a suite's, and begins as none of its rows
 */
export function choose(names: readonly string[] | undefined): Chosen {
  if (names === undefined) return SUITES.map((part) => ({ part, only: undefined }));
  const ownerOf = (name: string) =>
    SUITES.find(({ suite }) => name === suite.id || name.startsWith(`${suite.id}-`));
  for (const name of names) {
    const rows = ownerOf(name)?.suite.rows;
    const known =
      ownerOf(name) && (rows === undefined || name === ownerOf(name)?.suite.id || rows.includes(name));
    if (!known) throw new Error(`no suite or row has the name ${name}; --list names them`);
  }
  return SUITES.flatMap((part): Chosen => {
    if (names.includes(part.suite.id)) return [{ part, only: undefined }];
    const only = names.filter((name) => ownerOf(name) === part);
    return only.length > 0 ? [{ part, only }] : [];
  });
}

export function listSuites(): string {
  return SUITES.map(({ suite }) => {
    const rows = suite.rows ? `\n  ${suite.rows.join('\n  ')}` : '';
    return `${suite.id}: ${suite.title}, about ${suite.seconds} s${rows}`;
  }).join('\n');
}

/** Measures, printing on the way. A suite that breaks off is kept with its reason, and the next one runs. */
export async function measureSuites(chosen: Chosen, plan: Plan): Promise<RunFile> {
  const start = performance.now();
  const date = new Date().toISOString();
  const source = await describeSource();
  const scratch = temporaryFolder('probe');
  const machine = await describeMachine(scratch);
  removeFolder(scratch);
  console.log(`${formatMachine(machine)}\n`);
  console.log(
    `loads: medians of ${plan.slices} slices of ${plan.seconds} s, sides in turn; the rest: of ${plan.rounds} rounds\n`,
  );
  const rows: RowResult[] = [];
  const goals: Goal[] = [];
  const broken: RunFile['broken'] = [];
  for (const { part, only } of chosen) {
    const { id, title } = part.suite;
    const begun = performance.now();
    try {
      const found = await part.suite.run(only ? { ...plan, only } : plan);
      rows.push(...found);
      console.log(`${formatSuite(`${id}: ${title}`, found)}\n`);
    } catch (error) {
      broken.push({ suite: id, reason: (error as Error).message });
      console.log(`${id}: broke off: ${(error as Error).message}\n`);
    }
    console.log(`${id} took ${Math.round((performance.now() - begun) / 1000)} s\n`);
    goals.push(...part.goals);
  }
  const judged = judge(goals, rows);
  if (judged.length > 0) console.log(formatGoals(judged));
  console.log(`\n${((performance.now() - start) / 60_000).toFixed(1)} minutes`);
  const suites = chosen.map(({ part }) => part.suite.id);
  return { date, ...source, machine, plan, suites, broken, rows, goals: judged };
}

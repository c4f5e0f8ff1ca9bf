// `npm run bench`: the suites of suites.ts in turn, a table for each, the goals at the end, and one file with all of it in
// bench/results/. Options stand in USAGE.
import { parseArgs } from 'node:util';
import { type Goal, type Judgement, judge } from './goals.ts';
import { describeMachine } from './machine.ts';
import { removeFolder, temporaryFolder } from './processes.ts';
import { formatGoals, formatMachine, formatSuite, keepResults } from './report.ts';
import type { RowResult } from './results.ts';
import type { Plan } from './suite.ts';
import { SUITES } from './suites.ts';

const USAGE = `npm run bench -- [options]
  --only NAME[,NAME]   suites or rows (default: all suites)
  --list               names the suites and their rows
  --seconds N          measured time of each round (default 2)
  --rounds N           rounds of each row (default 3)
  --quick              1 round of 1 second: to see that all runs, not to compare
  --beside COMMAND     another engine in the engine's rounds, see engine.ts`;

type Part = (typeof SUITES)[number];
type Options = { parts: { part: Part; only: string[] | undefined }[]; plan: Plan };

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      beside: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.list) {
    console.log(values.help ? USAGE : listSuites());
    process.exit(0);
  }
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 2));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!(seconds > 0) || !(rounds >= 1)) throw new Error(USAGE);
  const { beside } = values;
  const plan = { rounds, seconds, warmupSeconds: Math.min(0.5, seconds / 4), ...(beside ? { beside } : {}) };
  return { parts: choose(values.only?.split(',')), plan };
}

function listSuites(): string {
  return SUITES.map(({ suite }) => {
    const rows = suite.rows ? `\n  ${suite.rows.join('\n  ')}` : '';
    return `${suite.id}: ${suite.title}, about ${suite.seconds} s${rows}`;
  }).join('\n');
}

/** The suites that are named, and those of the rows that are named. */
function choose(names: string[] | undefined): Options['parts'] {
  if (names === undefined) return SUITES.map((part) => ({ part, only: undefined }));
  const chosen = SUITES.flatMap((part) => {
    const { id } = part.suite;
    if (names.includes(id)) return [{ part, only: undefined }];
    const only = names.filter((name) => name.startsWith(`${id}-`));
    return only.length > 0 ? [{ part, only }] : [];
  });
  for (const name of names) {
    const known = chosen.some(({ part }) => name === part.suite.id || name.startsWith(`${part.suite.id}-`));
    if (!known) throw new Error(`no suite or row has the name ${name}; --list names them`);
  }
  return chosen;
}

async function main(): Promise<void> {
  const { parts, plan } = readOptions();
  const start = performance.now();
  const scratch = temporaryFolder('probe');
  const machine = await describeMachine(scratch);
  removeFolder(scratch);
  console.log(`${formatMachine(machine)}\n`);
  const rows: RowResult[] = [];
  const goals: Goal[] = [];
  for (const { part, only } of parts) {
    const found = await part.suite.run(only ? { ...plan, only } : plan);
    rows.push(...found);
    goals.push(...part.goals);
    console.log(`${formatSuite(part.suite.title, found)}\n`);
  }
  const judgements: Judgement[] = judge(goals, rows);
  console.log(formatGoals(judgements));
  console.log(`\n${((performance.now() - start) / 60_000).toFixed(1)} minutes`);
  const file = keepResults('bench', { date: new Date(), machine, plan, rows, goals: judgements });
  console.log(`kept in ${file}`);
}

await main();

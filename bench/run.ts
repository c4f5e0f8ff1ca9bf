// `npm run bench`: measures suites and keeps the run as one file in bench/results/; or does something with such files:
// compares two, draws one, writes the tables of docs/performance.md. Options stand in USAGE.
import { parseArgs } from 'node:util';
import { compareRuns } from './compare.ts';
import { formatComparison } from './compare-report.ts';
import { type Chosen, choose, listSuites, measureSuites } from './measure.ts';
import { drawPlots } from './plot.ts';
import { removeLargeFolders } from './processes.ts';
import { findRun, keepRun, type RunFile } from './run-file.ts';
import type { Plan } from './suite.ts';
import { writeTables } from './tables.ts';

const USAGE = `npm run bench -- [options]
  --only NAME[,NAME]   suites or rows (default: all suites)
  --list               names the suites and their rows
  --slices N           of each row with a load: its sides take turns in each (default 6)
  --seconds N          measured time of each slice (default 0.25)
  --rounds N           of each row without a load: starts, large documents (default 2)
  --quick              2 slices and 1 round: to see that all runs, not to compare
  --beside COMMAND     another engine in the engine's rounds, see engine.ts

npm run bench -- compare BASE [NEW]
  whether Gitstead became slower. BASE and NEW: a file in bench/results, the first digits of a commit, or latest;
  without NEW the rows of BASE are measured now. Ends with 0, with 1 on a loss of more than 10 % (geometric mean), with 2
  when the two cannot be compared.
npm run bench -- plot FILE      draws docs/performance/*.svg
npm run bench -- report FILE    writes the tables of docs/performance.md`;

const EXIT_LOST = 1;
const EXIT_REFUSED = 2;

type Arguments = ReturnType<typeof readArguments>;

function readArguments() {
  return parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
      slices: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      beside: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
}

function planOf({ values }: Arguments): Plan {
  const seconds = Number(values.seconds ?? 0.25);
  const slices = Number(values.slices ?? (values.quick ? 2 : 6));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 2));
  const isCount = (count: number) => Number.isInteger(count) && count >= 1;
  if (!(seconds > 0) || !isCount(slices) || !isCount(rounds)) throw new Error(USAGE);
  const times = { seconds, warmupSeconds: Math.min(0.5, seconds / 4) };
  return { slices, ...times, rounds, ...(values.beside ? { beside: values.beside } : {}) };
}

async function measure(chosen: Chosen, plan: Plan): Promise<RunFile> {
  const file = await measureSuites(chosen, plan);
  console.log(`kept in ${keepRun(file)}`);
  console.error('removing what was made for it');
  await removeLargeFolders();
  const failed = file.rows.some(({ cells }) => Object.values(cells).some(({ kind }) => kind === 'failed'));
  if (failed || file.broken.length > 0) process.exitCode = 1;
  return file;
}

async function compare(baseName: string, newName: string | undefined): Promise<number> {
  try {
    const base = findRun(baseName).run;
    const now = newName === undefined ? await measureAgain(base) : findRun(newName).run;
    const comparison = compareRuns(base, now);
    console.log(formatComparison(base, now, comparison));
    if (comparison.kind === 'refused') return EXIT_REFUSED;
    return comparison.lost ? EXIT_LOST : 0;
  } catch (error) {
    console.error((error as Error).message);
    return EXIT_REFUSED;
  }
}

/** The rows that a run has, with its settings. */
async function measureAgain(base: RunFile): Promise<RunFile> {
  const known = choose(base.suites).map(({ part }) => {
    const rows = base.rows.map(({ id }) => id).filter((id) => id.startsWith(`${part.suite.id}-`));
    return { part, only: rows };
  });
  const { slices } = base.plan;
  if (slices === undefined) throw new Error('the base was not measured in slices');
  return measure(known, { ...base.plan, slices });
}

async function main(): Promise<number | undefined> {
  const read = readArguments();
  const { values, positionals } = read;
  const [command, first, second, ...more] = positionals;
  if (values.help || values.list) {
    console.log(values.help ? USAGE : listSuites());
    return 0;
  }
  if (command === undefined) {
    await measure(choose(values.only?.split(',')), planOf(read));
    return undefined;
  }
  if (command === 'compare' && first && more.length === 0) return compare(first, second);
  if (command === 'plot' && first && !second) return tell(drawPlots(findRun(first).run));
  if (command === 'report' && first && !second) return tell(writeTables(findRun(first)));
  console.error(USAGE);
  return EXIT_REFUSED;
}

function tell(lines: string[]): number {
  console.log(lines.join('\n'));
  return 0;
}

const code = await main();
if (code !== undefined) process.exitCode = code;

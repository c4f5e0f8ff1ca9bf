// `npm run bench`: Gitstead beside its peer and its floors over HTTP, all sides in turn in one run, then the engine
// without HTTP (engine.ts). Options stand in USAGE. Prints a table and keeps the figures in bench/results/.
import { parseArgs } from 'node:util';
import { measureEngine, reportEngine } from './engine.ts';
import { WORKLOADS } from './engine-workloads.ts';
import { describeMachine, type Machine } from './machine.ts';
import { removeFolder, stop, temporaryFolder } from './processes.ts';
import { plainAnswers, type RecordedAnswers, recordAnswers } from './recorded-answers.ts';
import {
  formatGrowth,
  formatMachine,
  formatProcessor,
  formatRemarks,
  formatTable,
  keepResults,
} from './report.ts';
import type { RowResult } from './results.ts';
import { measureRow, type Plan, prepare, refresh } from './rounds.ts';
import { LARGE_FOLDER, ROWS, type Row } from './rows.ts';
import { startArmadietto } from './sides/armadietto.ts';
import { startBare } from './sides/bare.ts';
import { buildGitstead, startGitstead } from './sides/gitstead.ts';
import { MODULES, type Side, type SideName } from './sides/side.ts';

const USAGE = `npm run bench -- [options]
  --only ROW[,ROW]     rows: ${ROWS.map(({ id }) => id).join(' ')}
  --sides SIDE[,SIDE]  gitstead armadietto bare (default: all)
  --seconds N          measured time of each round (default 2)
  --rounds N           rounds of each row (default 3)
  --quick              1 round of 1 second: to see that all runs, not to compare
  --no-engine          HTTP only, without the engine rows that follow`;

type Options = { rows: Row[]; sides: SideName[]; plan: Plan; engine: boolean };
type Failure = { side: SideName; reason: string };

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      sides: { type: 'string', default: 'gitstead,armadietto,bare' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      'no-engine': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const only = values.only?.split(',');
  const rows = ROWS.filter(({ id }) => !only || only.includes(id));
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 2));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (rows.length === 0 || !(seconds > 0) || !(rounds >= 1)) throw new Error(USAGE);
  const sides = values.sides.split(',') as SideName[];
  const plan = { rounds, seconds, warmupSeconds: Math.min(0.5, seconds / 4) };
  return { rows, sides, plan, engine: !values['no-engine'] && !only };
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

async function openSides(options: Options, failures: Failure[]): Promise<Side[]> {
  const { rows } = options;
  const wanted = (name: SideName) => options.sides.includes(name);
  let gitstead: Side | undefined;
  if (wanted('gitstead')) {
    await buildGitstead();
    gitstead = await open('gitstead', rows, failures, startGitstead);
  }
  const armadietto = wanted('armadietto')
    ? await open('armadietto', rows, failures, startArmadietto)
    : undefined;
  const answers = await answersForBare(gitstead, rows);
  const bare = wanted('bare') ? await open('bare', rows, failures, () => startBare(answers)) : undefined;
  return [gitstead, armadietto, bare].filter((side) => side !== undefined);
}

async function answersForBare(gitstead: Side | undefined, rows: readonly Row[]): Promise<RecordedAnswers> {
  if (gitstead) {
    try {
      const listed = rows.some(({ id }) => id.includes('10000') || id === 'list-304');
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

async function measureAll(options: Options, sides: Side[], failures: Failure[]): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const row of options.rows) {
    if (row.kind === 'transfer') for (const side of sides) await refresh(side);
    const result = await measureRow(row, sides, options.plan);
    for (const { side, reason } of failures) result.cells[side] = { kind: 'failed', reason, rounds: [] };
    results.push(result);
    console.error(`measured: ${row.title}`);
  }
  return results;
}

function goalsOf(result: RowResult): Record<string, number> {
  const row = ROWS.find(({ id }) => id === result.id);
  return row?.kind === 'loop' ? (row.goals as Record<string, number>) : {};
}

function growthGoalOf(id: string): number | undefined {
  const row = ROWS.find((candidate) => candidate.id === id);
  return row?.kind === 'transfer' ? row.growthGoalBytes : undefined;
}

function print(results: RowResult[], machine: Machine, plan: Plan, minutes: number): void {
  const columns = ['gitstead', 'armadietto', 'bare', 'fast-import'];
  console.log(`\n${formatMachine(machine)}`);
  console.log(
    `per second: median of ${plan.rounds} rounds of ${plan.seconds} s, sides in turn. Server and load generator share the cores.\n`,
  );
  console.log(formatTable(results, columns, 'gitstead', goalsOf));
  const processor = formatProcessor(results, ['gitstead', 'armadietto', 'bare']);
  for (const block of [processor, formatGrowth(results, 'gitstead', growthGoalOf), formatRemarks(results)]) {
    if (block) console.log(`\n${block}`);
  }
  console.log(`\n${minutes.toFixed(1)} minutes`);
}

async function main(): Promise<void> {
  const options = readOptions();
  const start = performance.now();
  const scratch = temporaryFolder('probe');
  const machine = await describeMachine(scratch);
  removeFolder(scratch);
  const failures: Failure[] = [];
  const sides = await openSides(options, failures);
  const results = await measureAll(options, sides, failures);
  for (const side of sides) await stop(side.process);
  const minutes = (performance.now() - start) / 60_000;
  print(results, machine, options.plan, minutes);
  const file = keepResults('http', { date: new Date(), machine, plan: options.plan, rows: results });
  console.log(`kept in ${file}`);
  process.exitCode = failures.length > 0 ? 1 : 0;
  if (!options.engine) return;
  const { rounds, seconds } = options.plan;
  const engine = { workloads: WORKLOADS, rounds, seconds: seconds + 1, beside: undefined };
  reportEngine(await measureEngine(engine), engine, machine);
}

await main();

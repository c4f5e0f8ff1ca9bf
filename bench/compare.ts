// Two runs side by side: whether Gitstead became slower. Pure. As machines are noisy, a row counts as its ratio to a
// floor that was measured beside it, round by round, where it has one; runs of different machines or settings are not compared.
import { type Cell, type RowResult, ratiosOf } from './results.ts';
import type { RunFile } from './run-file.ts';
import { median, spread, WIDE_SPREAD } from './statistics.ts';

export const OURS = 'gitstead';
/** What does not change with Gitstead, in the order in which it is taken. */
const FLOORS = ['bare', 'append', 'fast-import', 'cp', 'nginx'] as const;
const MACHINE_FACTS = ['processor', 'cores', 'kernel', 'node', 'git', 'fileSystem'] as const;
const SETTINGS = ['slices', 'rounds', 'seconds', 'warmupSeconds'] as const;
/** A geometric mean below this is a loss. */
const LEAST_MEAN = 0.9;

export type ComparedRow = {
  id: string;
  title: string;
  /** the figures are multiples of this side's; undefined: they are the row's own */
  floor: string | undefined;
  base: number;
  now: number;
  /** above 1: better than the base, whichever direction is good */
  ratio: number;
  /** runs whose rounds, or ratios of rounds to the floor, differ so much that the comparison says little: `base`, `new` */
  noisy: string[];
};

export type RunComparison =
  | { kind: 'refused'; reasons: string[] }
  | {
      kind: 'compared';
      rows: ComparedRow[];
      /** rows that one of the two has not, or not with a figure, and why */
      left: string[];
      geometricMean: number;
      /** of the rows that were not too noisy; undefined: there is none */
      quietMean: number | undefined;
      lost: boolean;
    };

export function compareRuns(base: RunFile, now: RunFile): RunComparison {
  const reasons = [
    ...differences('machine', MACHINE_FACTS, base.machine, now.machine),
    ...differences('plan', SETTINGS, base.plan, now.plan),
  ];
  if (reasons.length > 0) return { kind: 'refused', reasons };
  const rows: ComparedRow[] = [];
  const left: string[] = [];
  for (const id of new Set([...base.rows, ...now.rows].map((row) => row.id))) {
    const compared = compareRow(rowOf(base, id), rowOf(now, id));
    if (typeof compared === 'string') left.push(`${id}: ${compared}`);
    else rows.push(compared);
  }
  if (rows.length === 0) return { kind: 'refused', reasons: ['no row has a figure in both runs', ...left] };
  const geometricMean = meanOf(rows)!;
  const quietMean = meanOf(rows.filter(({ noisy }) => noisy.length === 0));
  return { kind: 'compared', rows, left, geometricMean, quietMean, lost: geometricMean < LEAST_MEAN };
}

/** The geometric mean of the ratios. */
function meanOf(rows: readonly ComparedRow[]): number | undefined {
  const sum = rows.reduce((logarithms, { ratio }) => logarithms + Math.log(ratio), 0);
  return rows.length > 0 ? Math.exp(sum / rows.length) : undefined;
}

function differences<Key extends string>(
  what: string,
  keys: readonly Key[],
  base: Partial<Record<Key, unknown>>,
  now: Partial<Record<Key, unknown>>,
): string[] {
  return keys.flatMap((key) => {
    if (base[key] === undefined || now[key] === undefined) return [`${what}: ${key} is not told in both`];
    return base[key] === now[key] ? [] : [`${what}: ${key} was ${base[key]}, and is ${now[key]}`];
  });
}

function rowOf(run: RunFile, id: string): RowResult | undefined {
  return run.rows.find((row) => row.id === id);
}

/** @returns why not, if the two have no figure that can be compared */
function compareRow(base: RowResult | undefined, now: RowResult | undefined): ComparedRow | string {
  if (!base) return 'not in the base';
  if (!now) return 'not in the new run';
  if (base.better !== now.better || base.unit !== now.unit) return 'measured in another unit';
  if (!hasFigure(base)) return 'no figure in the base';
  if (!hasFigure(now)) return 'no figure in the new run';
  const settings = settingsApart(base, now);
  if (settings) return settings;
  const floor = FLOORS.find((side) => [base, now].every((row) => figuresOf(row, side).length > 0));
  const [before, after] = [figuresOf(base, floor), figuresOf(now, floor)];
  const figures = { base: median(before), now: median(after) };
  const noisy = [...(isNoisy(before) ? ['base'] : []), ...(isNoisy(after) ? ['new'] : [])];
  const ratio = base.better === 'more' ? figures.now / figures.base : figures.base / figures.now;
  return { id: base.id, title: now.title, floor, ...figures, ratio, noisy };
}

/** Suites take a share of the plan, which may change with them; undefined: measured alike, as far as it is told. */
function settingsApart(base: RowResult, now: RowResult): string | undefined {
  const isBeside = ({ cells }: RowResult) => cells.beside !== undefined;
  if (isBeside(base) !== isBeside(now)) return 'measured beside another engine in one of the two';
  const [before, after] = [base.cells[OURS]!.rounds, now.cells[OURS]!.rounds];
  if (before.length !== after.length) return `measured in ${before.length} rounds, and in ${after.length}`;
  const [long, short] = [before[0]?.seconds, after[0]?.seconds];
  if (long === undefined || short === undefined || long === short) return undefined;
  return `measured for ${long} s in each round, and for ${short} s`;
}

/** Of Gitstead, and one that has a ratio. */
function hasFigure({ cells }: RowResult): boolean {
  const cell = cells[OURS];
  return cell?.kind === 'measured' && median(valuesOf(cell)) > 0;
}

/** Of each round: a multiple of the floor's, or its own. */
function figuresOf({ cells }: RowResult, floor: string | undefined): number[] {
  return floor ? ratiosOf(cells[OURS], cells[floor]) : valuesOf(cells[OURS]!);
}

function valuesOf(cell: Cell): number[] {
  return cell.rounds.map(({ value }) => value);
}

function isNoisy(figures: readonly number[]): boolean {
  return spread(figures) > WIDE_SPREAD;
}

// The figures of a run as data: what was measured, never what was not. A cell holds its rounds, or why there are none.
import { pool, quantileOf } from './latencies.ts';
import { median, spread } from './statistics.ts';

/** One side's rounds of one row. Rounds of the same number were measured one after the other. */
export type Cell =
  | { kind: 'measured'; rounds: Round[]; latencies?: string /* of all rounds, see latencies.ts */ }
  | { kind: 'failed'; reason: string; rounds: Round[] /* those before the failure */ };

export type Round = {
  /** in the row's unit: requests or commits per second, MiB/s, ms, packs … */
  value: number;
  /** measured, where a row has a time of its own: suites take a share of the plan's */
  seconds?: number;
  p50Ms?: number;
  p99Ms?: number;
  /** answers other than the expected ones; they are not part of the value */
  errors?: number;
  firstError?: string;
  /** peak of the server's resident memory above what it was before */
  growthBytes?: number;
  /** of a core */
  generatorLoad?: number;
  /** of an open loop: requests due per second, and by how much the generator itself was late at the median */
  dueRate?: number;
  lateMs?: number;
  /** of the server's process for each request, or of the engine's for each commit; all threads */
  processorMs?: number;
};

/** A round as it is measured: the times of all its answers are pooled with those of the others. */
export type Measured = Round & { latencies?: string };

export type RowResult = {
  /** `<suite>-<what>`, unique over all suites */
  id: string;
  title: string;
  unit: string;
  /** which direction of the value is good */
  better: 'more' | 'less';
  /** by side */
  cells: Record<string, Cell>;
};

/** The median value of a side; undefined when it was not measured or failed. */
export function medianOf(cell: Cell | undefined): number | undefined {
  return cell?.kind === 'measured' ? median(cell.rounds.map(({ value }) => value)) : undefined;
}

export function spreadOf(cell: Cell): number {
  return cell.kind === 'measured' ? spread(cell.rounds.map(({ value }) => value)) : 0;
}

/** Times of answers, ms: of all rounds together, or, where they were not kept, the median of the rounds. */
export function timesOf(cell: Cell | undefined): { p50Ms: number; p99Ms: number } | undefined {
  if (cell?.kind !== 'measured') return undefined;
  if (cell.latencies)
    return { p50Ms: quantileOf(cell.latencies, 0.5), p99Ms: quantileOf(cell.latencies, 0.99) };
  const p50s = cell.rounds.flatMap(({ p50Ms }) => p50Ms ?? []);
  const p99s = cell.rounds.flatMap(({ p99Ms }) => p99Ms ?? []);
  if (p50s.length < cell.rounds.length || p99s.length < cell.rounds.length) return undefined;
  return { p50Ms: median(p50s), p99Ms: median(p99s) };
}

/** Each round of one side as a multiple of the other's round beside it. */
export function ratiosOf(ours: Cell | undefined, theirs: Cell | undefined): number[] {
  if (ours?.kind !== 'measured' || theirs?.kind !== 'measured') return [];
  return ours.rounds.flatMap(({ value }, at) => {
    const other = theirs.rounds[at]?.value;
    return other !== undefined && value > 0 && other > 0 ? value / other : [];
  });
}

/**
 * One side as a multiple of another: the median of the rounds' ratios, as what else the machine did in a round touched both.
 * Undefined when one of the two has no figure.
 */
export function ratioOfRounds(ours: Cell | undefined, theirs: Cell | undefined): number | undefined {
  const ratios = ratiosOf(ours, theirs);
  return ratios.length > 0 ? median(ratios) : undefined;
}

/** How many times better one side is than another in a row; undefined when one has no figure. */
export function timesBetter(row: RowResult, side: string, against: string): number | undefined {
  const [ours, theirs] = [row.cells[side], row.cells[against]];
  return row.better === 'more' ? ratioOfRounds(ours, theirs) : ratioOfRounds(theirs, ours);
}

/** Runs one measurement and adds it to a cell; a failure ends the cell and is kept with its reason. */
export async function addRound(
  row: RowResult,
  side: string,
  measure: () => Promise<Measured>,
): Promise<void> {
  row.cells[side] ??= { kind: 'measured', rounds: [] };
  const cell = row.cells[side];
  if (cell.kind === 'failed') return;
  try {
    const { latencies, ...round } = await measure();
    cell.rounds.push(round);
    if (latencies !== undefined) cell.latencies = pool(cell.latencies ?? '', latencies);
  } catch (error) {
    row.cells[side] = { kind: 'failed', reason: (error as Error).message, rounds: cell.rounds };
  }
}

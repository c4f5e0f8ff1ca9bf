// The figures of a run as data: what was measured, never what was not. A cell holds its rounds, or why there are none.
import { median, spread } from './statistics.ts';

/** One side's rounds of one row. */
export type Cell =
  | { kind: 'measured'; rounds: Round[] }
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

/**
 * One side as a multiple of another: the median of the rounds' ratios, as what else the machine did in a round touched both.
 * Undefined when one of the two has no figure.
 * @param pick what is compared; the value unless given
 */
export function ratioOfRounds(
  ours: Cell | undefined,
  theirs: Cell | undefined,
  pick: (round: Round) => number | undefined = ({ value }) => value,
): number | undefined {
  if (ours?.kind !== 'measured' || theirs?.kind !== 'measured') return undefined;
  const ratios = ours.rounds.flatMap((round, at) => {
    const [own, other] = [pick(round), theirs.rounds[at] && pick(theirs.rounds[at])];
    return own !== undefined && other !== undefined && own > 0 && other > 0 ? own / other : [];
  });
  return ratios.length > 0 ? median(ratios) : undefined;
}

/** How many times better one side is than another in a row; undefined when one has no figure. */
export function timesBetter(row: RowResult, side: string, against: string): number | undefined {
  const [ours, theirs] = [row.cells[side], row.cells[against]];
  return row.better === 'more' ? ratioOfRounds(ours, theirs) : ratioOfRounds(theirs, ours);
}

/** Runs one measurement and adds it to a cell; a failure ends the cell and is kept with its reason. */
export async function addRound(row: RowResult, side: string, measure: () => Promise<Round>): Promise<void> {
  row.cells[side] ??= { kind: 'measured', rounds: [] };
  const cell = row.cells[side];
  if (cell.kind === 'failed') return;
  try {
    cell.rounds.push(await measure());
  } catch (error) {
    row.cells[side] = { kind: 'failed', reason: (error as Error).message, rounds: cell.rounds };
  }
}

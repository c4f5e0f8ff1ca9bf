// What a goal is, and how a run's rows are judged by it. The goals themselves stand beside the rows that they speak of,
// in suites/. A goal whose figures were not measured is not judged.
import { medianOf, type RowResult, ratioOfRounds, timesOf } from './results.ts';

/** What a goal may ask of a run; undefined when the cell failed, or was not measured. */
export type Rows = {
  /** of two sides of a row, `ours / theirs`: the median of the rounds' ratios */
  ratio(rowId: string, ours: string, theirs: string): number | undefined;
  /** of two rows that took turns, one side's `row / other`: the median of the rounds' ratios */
  ratioOfRows(rowId: string, otherId: string, side: string): number | undefined;
  /** the median of the rounds, in the row's unit */
  value(rowId: string, side: string): number | undefined;
  /** of all answers, ms */
  p50(rowId: string, side: string): number | undefined;
  /** of all answers, ms */
  p99(rowId: string, side: string): number | undefined;
};

export type Goal = {
  /** what is compared: `PUT, one writer: × append` */
  what: string;
  /** what is asked for, as people read it: `≥ 0.3` */
  goal: string;
  measured(rows: Rows): number | undefined;
  holds(measured: number): boolean;
};

export type Judgement = {
  what: string;
  goal: string;
  /** absent: not measured */
  measured?: number;
  met?: boolean;
};

export function rowsOf(results: readonly RowResult[]): Rows {
  const cellOf = (id: string, side: string) => results.find((row) => row.id === id)?.cells[side];
  return {
    ratio: (id, ours, theirs) => ratioOfRounds(cellOf(id, ours), cellOf(id, theirs)),
    ratioOfRows: (id, other, side) => ratioOfRounds(cellOf(id, side), cellOf(other, side)),
    value: (id, side) => medianOf(cellOf(id, side)),
    p50: (id, side) => timesOf(cellOf(id, side))?.p50Ms,
    p99: (id, side) => timesOf(cellOf(id, side))?.p99Ms,
  };
}

export function judge(goals: readonly Goal[], results: readonly RowResult[]): Judgement[] {
  const rows = rowsOf(results);
  return goals.map(({ what, goal, measured, holds }) => {
    const figure = measured(rows);
    if (figure === undefined || !Number.isFinite(figure)) return { what, goal };
    return { what, goal, measured: figure, met: holds(figure) };
  });
}

/** `a / b`; undefined unless both were measured. */
export function ratio(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined || b === 0 ? undefined : a / b;
}

/** The commonest goal: Gitstead's value is at least `factor` times that of another side in the same row. */
export function atLeast(
  what: string,
  factor: number,
  rowId: string,
  against: string,
  ours = 'gitstead',
): Goal {
  return {
    what,
    goal: `≥ ${factor} × ${against}`,
    measured: (rows) => rows.ratio(rowId, ours, against),
    holds: (measured) => measured >= factor,
  };
}

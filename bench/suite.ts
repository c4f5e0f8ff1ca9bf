// What a part of `npm run bench` is: it starts what it needs on free ports and in temporary folders, measures, and ends
// all that it started. It gives rows and judges nothing: its goals stand beside it, and goals.ts judges them.
import type { RowResult } from './results.ts';

export type Plan = {
  /** of each row with a load: all its sides take turns in each, see turns.ts */
  slices: number;
  /** measured, in each slice */
  seconds: number;
  /** before each slice: what a server that was held still had put off is done meanwhile */
  warmupSeconds: number;
  /** of each row without a load of its own: starts, large documents, clones */
  rounds: number;
  /** ids of rows when not all of the suite are asked for; a suite may leave it aside, `wants` reads it */
  only?: readonly string[];
  /** a command that measures another engine in the engine's rounds */
  beside?: string;
};

export type Suite = {
  /** `--only` takes it; the ids of its rows begin with it and a hyphen */
  id: string;
  title: string;
  /** what it takes with the default plan on two cores, in seconds: all suites together stay below ten minutes */
  seconds: number;
  /** ids of its rows, for `--list`; absent when they are known only afterwards */
  rows?: readonly string[];
  /** @returns the rows, also those that failed: a cell tells why */
  run(plan: Plan): Promise<RowResult[]>;
};

/** Whether a row is asked for. */
export function wants(plan: Plan, rowId: string): boolean {
  return plan.only === undefined || plan.only.includes(rowId);
}

// What a part of `npm run bench` is: it starts what it needs on free ports and in temporary folders, measures, and ends
// all that it started. It gives rows and judges nothing: the goals stand in goals.ts.
import type { RowResult } from './results.ts';

export type Plan = {
  /** of each row: all its sides take turns in each */
  rounds: number;
  /** measured, in each round of a loop */
  seconds: number;
  warmupSeconds: number;
};

export type Suite = {
  /** `--only` takes it */
  id: string;
  title: string;
  /** what it takes with the default plan on two cores, in seconds: all suites together stay below ten minutes */
  seconds: number;
  /** @returns the rows, also those that failed: a cell tells why */
  run(plan: Plan): Promise<RowResult[]>;
};

// Many short slices whose sides take turns, A B C A B C: the machine's speed changes within seconds, so what is compared is
// measured within a second of each other, many times. A slice is a round of results.ts.
import { addRound, type Measured, type RowResult } from './results.ts';
import type { Plan } from './suite.ts';

/** One side of one row. */
export type Turn = {
  row: RowResult;
  side: string;
  /** of the first warm-up, where the server's code is not compiled yet */
  firstWarmupSeconds?: number;
  measure(slice: number, times: Times): Promise<Measured>;
};

/** s */
export type Times = Pick<Plan, 'seconds' | 'warmupSeconds'>;

/** Before its first slice a side runs for so long: its caches are filled then. */
const FIRST_WARMUP_SECONDS = 0.25;
/** Until V8 has compiled what a kind of request needs, it answers half as many. */
export const COMPILE_SECONDS = 1.25;

/** Of reads more and shorter slices: a short one holds enough of them, and they leave nothing to be done later. */
const READS = { slices: 1.5, seconds: 0.3, warmupSeconds: 0.5 };

export function planOfReads(plan: Plan): Plan {
  return {
    ...plan,
    slices: Math.ceil(plan.slices * READS.slices),
    seconds: plan.seconds * READS.seconds,
    warmupSeconds: plan.warmupSeconds * READS.warmupSeconds,
  };
}

/** A side that fails is left out from then on. */
export async function takeTurns(turns: readonly Turn[], plan: Plan): Promise<void> {
  for (let slice = 0; slice < plan.slices; slice += 1) {
    for (const { row, side, measure, firstWarmupSeconds = FIRST_WARMUP_SECONDS } of turns) {
      const warmupSeconds =
        slice === 0 ? Math.max(firstWarmupSeconds, plan.warmupSeconds) : plan.warmupSeconds;
      await addRound(row, side, () => measure(slice, { seconds: plan.seconds, warmupSeconds }));
    }
  }
}

// Many short slices whose sides take turns, A B C A B C: the machine's speed changes within seconds, so what is compared is
// measured within a second of each other, many times. A slice is a round of results.ts.
import { addRound, type Measured, type RowResult } from './results.ts';
import type { Plan } from './suite.ts';

/** One side of one row. */
export type Turn = { row: RowResult; side: string; measure(slice: number, times: Times): Promise<Measured> };

/** s */
export type Times = Pick<Plan, 'seconds' | 'warmupSeconds'>;

/** Before its first slice a side runs for so long: its code is compiled then, its caches are filled. */
const FIRST_WARMUP_SECONDS = 0.25;

/** A side that fails is left out from then on. */
export async function takeTurns(turns: readonly Turn[], plan: Plan): Promise<void> {
  for (let slice = 0; slice < plan.slices; slice += 1) {
    const warmupSeconds =
      slice === 0 ? Math.max(FIRST_WARMUP_SECONDS, plan.warmupSeconds) : plan.warmupSeconds;
    for (const { row, side, measure } of turns) {
      await addRound(row, side, () => measure(slice, { seconds: plan.seconds, warmupSeconds }));
    }
  }
}

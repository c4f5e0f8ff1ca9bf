// When a slice of a closed loop begins and ends, and which answers are within it. A slice ends at its time; with fewer than 12
// answers by then it goes on until it has them, at most four times as long, so that a side that is slow has a figure too. Pure.

const LEAST_ANSWERS = 12;
const MOST_TIMES = 4;
/** An answer is waited for so long, whatever the slice's time is. */
const LEAST_WAIT_MS = 5_000;

export type SliceClock = {
  readonly isOver: boolean;
  /** s from its beginning to its end */
  readonly seconds: number;
  /** when there may be something to end, if no answer comes: ms, to be told to `tick` */
  readonly moments: readonly number[];
  /** An answer that came at `now`. @returns whether it came within the slice */
  take(now: number): boolean;
  tick(now: number): void;
};

/** @param from ms, after the warm-up, on the clock of what is told to `take` and `tick` */
export function startSliceClock(from: number, seconds: number): SliceClock {
  const until = from + seconds * 1000;
  const latest = from + seconds * 1000 * MOST_TIMES;
  const last = Math.max(latest, from + LEAST_WAIT_MS);
  let answers = 0;
  let end: number | undefined;
  const endAt = (time: number) => {
    end ??= time;
  };
  const tick = (now: number) => {
    if (now >= until && answers >= LEAST_ANSWERS) endAt(until);
    else if (now >= latest && answers > 0) endAt(latest);
    else if (now >= last) endAt(last);
  };
  return {
    moments: [until, latest, last],
    get isOver() {
      return end !== undefined;
    },
    get seconds() {
      return ((end ?? last) - from) / 1000;
    },
    tick,
    take(now) {
      tick(now);
      if (end !== undefined || now < from) return false;
      answers += 1;
      if (now >= latest || (now >= until && answers >= LEAST_ANSWERS)) endAt(now);
      return true;
    },
  };
}

// The load generator's closed loop: on each connection the next request is sent when the last one was answered. How long a
// slice is stands in slice-clock.ts.
import type { LoadResult, LoopJob } from './load-job.ts';
import { type Lane, openLanes, reopen } from './load-lanes.ts';
import { emptyTally, note, requestsOf, summarise, type Tally } from './load-requests.ts';
import { type SliceClock, startSliceClock } from './slice-clock.ts';

const MAX_ERRORS = 1_000;
/** After the slice, what is still under way gets this long; then its connection is closed. */
const LEFTOVER_MS = 400;

type Slice = { job: LoopJob; clock: SliceClock; from: number; tally: Tally };

export async function closedLoop(job: LoopJob): Promise<LoadResult> {
  const lanes = await openLanes(job.port, job.targets.length);
  const from = performance.now() + job.warmupSeconds * 1000;
  const slice: Slice = { job, clock: startSliceClock(from, job.seconds), from, tally: emptyTally() };
  const { clock, tally } = slice;
  let processor = process.cpuUsage();
  const wait = Math.max(0, from - performance.now());
  const warm = setTimeout(() => {
    processor = process.cpuUsage();
  }, wait);
  const drivers = Promise.all(lanes.map((lane, index) => drive(slice, lane, index)));
  await Promise.race([drivers, untilOver(clock)]);
  const used = process.cpuUsage(processor);
  clearTimeout(warm);
  const leftover = setTimeout(() => {
    for (const { connection } of lanes) connection.close();
  }, LEFTOVER_MS);
  await drivers;
  clearTimeout(leftover);
  if (!clock.isOver) throw new Error(`${tally.errors} requests failed: ${tally.firstError}`);
  const { seconds } = clock;
  return summarise(tally, seconds, (used.user + used.system) / 1e6 / seconds);
}

async function untilOver(clock: SliceClock): Promise<void> {
  for (const moment of clock.moments) {
    if (clock.isOver) return;
    const wait = moment - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    clock.tick(performance.now());
  }
}

async function drive({ job, clock, from, tally }: Slice, lane: Lane, index: number): Promise<void> {
  const next = requestsOf(job, index);
  while (!clock.isOver && tally.errors < MAX_ERRORS) {
    tally.sent += 1;
    try {
      if (!lane.connection.isOpen) await reopen(lane, job.port);
      const start = performance.now();
      const answer = await lane.connection.request(next());
      const end = performance.now();
      lane.isUntried = false;
      if (!job.expect.includes(answer.status)) {
        if (end >= from && !clock.isOver) note(tally, `answered ${answer.status}`);
        continue;
      }
      // the times are those of all requests that began in the slice, the rate that of the answers within it
      if (start >= from) tally.latencies.push(end - start);
      if (clock.take(end)) tally.answered += 1;
    } catch (error) {
      const isLeftover = clock.isOver && tally.answered > 0;
      if (!lane.isUntried && !isLeftover) note(tally, (error as Error).message);
      lane.isUntried = false;
      lane.connection.close();
    }
  }
}

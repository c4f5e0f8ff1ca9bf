// The load generator's open loop: requests are due at fixed times, whether the server has answered the last ones or not,
// and the time of an answer counts from when its request was due. So a pause of the server is paid by all the requests
// that would have come meanwhile, and not by the few that a closed loop had under way.
import type { Answer } from './http-connection.ts';
import type { LoadResult, OpenJob } from './load-job.ts';
import { type Lane, openLanes, reopen } from './load-lanes.ts';
import { emptyTally, note, requestsOf, summarise, type Tally } from './load-requests.ts';
import { median } from './statistics.ts';

/** Timers of Node are as fine as that; what is due between two is sent with the later one, and what that costs is told. */
const TICK_MS = 1;
/** What is under way at the end gets this long. */
const LEFTOVER_MS = 5_000;
const MAX_QUEUE = 10_000;

type Idle = { lane: Lane; next: () => string };
type Flow = {
  job: OpenJob;
  tally: Tally;
  /** due times of the requests that wait for a connection, the first one first */
  queue: number[];
  idle: Idle[];
  underWay: number;
  /** the measured time, on the clock of performance.now() */
  from: number;
  until: number;
  /** how late those were sent that had not to wait for a connection */
  lateness: number[];
};

export async function openLoop(job: OpenJob): Promise<LoadResult> {
  const lanes = await openLanes(job.port, job.targets.length);
  const start = performance.now();
  const from = start + job.warmupSeconds * 1000;
  const until = from + job.seconds * 1000;
  const idle = lanes.map((lane, index) => ({ lane, next: requestsOf(job, index) }));
  const flow: Flow = { job, tally: emptyTally(), queue: [], idle, underWay: 0, from, until, lateness: [] };
  let processor = process.cpuUsage();
  const warm = setTimeout(() => {
    processor = process.cpuUsage();
  }, job.warmupSeconds * 1000);
  const periodMs = 1000 / job.rate;
  for (let number = 0; ; await tick()) {
    const now = performance.now();
    for (; start + number * periodMs <= Math.min(now, until); number += 1)
      take(flow, start + number * periodMs, now);
    if (now >= until) break;
  }
  const used = process.cpuUsage(processor);
  const limit = performance.now() + LEFTOVER_MS;
  while (flow.underWay > 0 && performance.now() < limit) await tick();
  clearTimeout(warm);
  const left = flow.underWay + flow.queue.length;
  for (let each = 0; each < left; each += 1) note(flow.tally, 'no answer in time');
  if (left > 0) for (const { connection } of lanes) connection.close();
  const load = (used.user + used.system) / 1e6 / job.seconds;
  const result = summarise(flow.tally, job.seconds, load);
  return flow.lateness.length > 0 ? { ...result, lateMs: median(flow.lateness) } : result;
}

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, TICK_MS));
}

/** A request falls due: it is sent if a connection is free, else it waits; beyond a bound it is lost, and counts as failed. */
function take(flow: Flow, due: number, now: number): void {
  const idle = flow.idle.pop();
  if (idle) {
    if (due >= flow.from) flow.lateness.push(now - due);
    void send(flow, idle, due);
  } else if (flow.queue.length < MAX_QUEUE) flow.queue.push(due);
  else note(flow.tally, `more than ${MAX_QUEUE} requests waited for a connection`);
}

async function send(flow: Flow, idle: Idle, first: number): Promise<void> {
  const { tally, job, from, queue } = flow;
  const { lane, next } = idle;
  flow.underWay += 1;
  try {
    for (let due: number | undefined = first; due !== undefined; due = queue.shift()) {
      tally.sent += 1;
      const answer = await ask(lane, next(), job.port);
      if (!job.expect.includes(answer.status)) note(tally, `answered ${answer.status}`);
      else if (due >= from) {
        tally.latencies.push(performance.now() - due);
        tally.answered += 1;
      }
    }
    flow.idle.push(idle);
  } catch (error) {
    note(tally, (error as Error).message); // its connection is gone; the others go on
  }
  flow.underWay -= 1;
}

/** Once more on a new connection, if the server has closed the one that was kept since the last job. */
async function ask(lane: Lane, request: string, port: number): Promise<Answer> {
  const { isUntried } = lane;
  try {
    lane.isUntried = false;
    return await lane.connection.request(request);
  } catch (error) {
    if (!isUntried) throw error;
    await reopen(lane, port);
    return lane.connection.request(request);
  }
}

// What the benchmark makes of many short slices: how their times are pooled, how sides are paired, when a slice ends, and that the
// load generator stays from one to the next.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { rowsOf } from '../bench/goals.ts';
import { countTimes, pool, quantileOf } from '../bench/latencies.ts';
import { type Generator, generate, type LoopJob, openGenerator } from '../bench/load-job.ts';
import { addRound, type Cell, type RowResult, ratioOfRounds, timesOf } from '../bench/results.ts';
import { startSliceClock } from '../bench/slice-clock.ts';
import { rangeOf, spread } from '../bench/statistics.ts';
import { goals as growthGoals } from '../bench/suites/growth.ts';
import { takeTurns } from '../bench/turns.ts';

function measured(...values: number[]): Cell {
  return { kind: 'measured', rounds: values.map((value) => ({ value })) };
}

function row(id: string, cells: Record<string, Cell> = {}): RowResult {
  return { id, title: id, unit: '/s', better: 'more', cells };
}

function assertNear(actual: number | undefined, expected: number): void {
  assert.ok(actual !== undefined && Math.abs(actual / expected - 1) <= 0.011, `${actual} is not ${expected}`);
}

test('times that were counted have the quantiles that they had, within 1 %', () => {
  const times = Array.from({ length: 1000 }, (_, index) => 0.02 * 1.012 ** index);
  for (const share of [0, 0.5, 0.99, 1]) {
    assertNear(quantileOf(countTimes(times), share), times[Math.min(999, Math.floor(1000 * share))]!);
  }
  assert.ok(Number.isNaN(quantileOf('', 0.5)));
  assert.throws(() => quantileOf('3*x', 0.5), /no count of times/);
});

test('pooled times are those of both, in whatever parts they came', () => {
  const [some, others] = [
    [1, 2, 3, 400],
    [0.0001, 2, 50],
  ];
  assert.equal(pool(countTimes(some), countTimes(others)), countTimes([...others, ...some]));
  assert.equal(pool('', countTimes(some)), countTimes(some));
});

test('the times of a side are those of all its slices, not the median of their quantiles', async () => {
  const result = row('a');
  // one slow answer in each slice of ten, but in one of them five
  for (const slow of [1, 1, 5]) {
    const times = Array.from({ length: 10 }, (_, index) => (index < slow ? 100 : 1));
    await addRound(result, 'ours', async () => ({ value: 1, latencies: countTimes(times) }));
  }
  const found = timesOf(result.cells.ours);
  assertNear(found?.p50Ms, 1);
  assertNear(found?.p99Ms, 100);
  assert.ok(result.cells.ours?.rounds.every((round) => !('latencies' in round)));
});

test('sides are compared with what was measured beside them: a machine that changes its speed changes nothing', () => {
  const speed = [1, 0.3, 2, 0.5, 1.1, 0.8];
  const ours = measured(...speed.map((factor) => 50 * factor));
  const theirs = measured(...speed.map((factor) => 100 * factor));
  assertNear(ratioOfRounds(ours, theirs), 0.5);
});

test('one bad moment decides nothing', () => {
  const rows = rowsOf([
    row('a', { ours: measured(10, 10, 1, 10, 10) }),
    row('b', { ours: measured(20, 20, 20, 20, 20) }),
  ]);
  assert.equal(rows.ratioOfRows('a', 'b', 'ours'), 0.5);
  assert.equal(rows.ratioOfRows('a', 'absent', 'ours'), undefined);
});

test('what grows is called flat when it is as quick as the smallest one beside it, however the machine was', () => {
  const goal = growthGoals.find(({ what }) => what.startsWith('GET in folders'))!;
  const speed = [1, 0.3, 2, 0.5, 1.1, 0.8];
  const folder = (size: number, factor: number, from = 0) => {
    const turned = [...speed.slice(from), ...speed.slice(0, from)];
    return row(`growth-get-${size}`, { gitstead: measured(...turned.map((each) => each * factor)) });
  };
  const flat = rowsOf([folder(10, 1000), folder(10_000, 950), folder(100_000, 1020)]);
  assertNear(goal.measured(flat), 0.05);
  const uneven = rowsOf([folder(10, 1000), folder(10_000, 700), folder(100_000, 1020)]);
  assertNear(goal.measured(uneven), 0.3);
});

test('of six and more values the half in the middle tells how far they lie apart, of fewer all do', () => {
  assert.equal(spread([100, 100, 150]), 0.5);
  assert.deepEqual(rangeOf([1, 10, 11, 12, 13, 14, 15, 16, 900]), [11, 15]);
  assert.equal(spread([7]), 0);
});

test('a slice with answers enough ends at its time, and what comes later is not counted', () => {
  const clock = startSliceClock(1000, 0.25);
  assert.equal(clock.take(999), false);
  for (let answer = 0; answer < 12; answer += 1) assert.equal(clock.take(1000 + 10 * answer), true);
  assert.equal(clock.isOver, false);
  assert.equal(clock.take(1251), false);
  assert.equal(clock.isOver, true);
  assert.equal(clock.seconds, 0.25);
});

test('a slice with few answers goes on until there are 12, at most four times as long', () => {
  const slow = startSliceClock(0, 0.25);
  let answers = 0;
  for (let now = 30; !slow.isOver; now += 30) answers += Number(slow.take(now));
  assert.deepEqual([answers, slow.seconds], [12, 0.36]);
  const slower = startSliceClock(0, 0.25);
  for (const now of [400, 800]) slower.take(now);
  slower.tick(1000);
  assert.deepEqual([slower.isOver, slower.seconds], [true, 1]);
});

test('a slice without any answer waits for one, and ends with it, or after 5 s', () => {
  const one = startSliceClock(0, 0.25);
  one.tick(3000);
  assert.equal(one.isOver, false);
  assert.equal(one.take(3100), true);
  assert.deepEqual([one.isOver, one.seconds], [true, 3.1]);
  const none = startSliceClock(0, 0.25);
  none.tick(5000);
  assert.equal(none.isOver, true);
});

test('sides take turns, and one that fails is left out from then on', async () => {
  const result = row('a');
  const order: string[] = [];
  const turn = (side: string, failsAt: number) => ({
    ...{ row: result, side },
    measure: async (slice: number) => {
      order.push(`${side}${slice}`);
      if (slice === failsAt) throw new Error('ended');
      return { value: 1 };
    },
  });
  const plan = { slices: 3, seconds: 0.25, warmupSeconds: 0, rounds: 1 };
  await takeTurns([turn('a', -1), turn('b', 1), turn('c', -1)], plan);
  assert.deepEqual(order, ['a0', 'b0', 'c0', 'a1', 'b1', 'c1', 'a2', 'c2']);
  assert.equal(result.cells.b?.kind, 'failed');
  assert.equal(result.cells.c?.rounds.length, 3);
});

const generators: Generator[] = [];
after(() => Promise.all(generators.map((generator) => generator.close())));

function generator(): Generator {
  const opened = openGenerator();
  generators.push(opened);
  return opened;
}

function gets(port: number, connections: number, expect = [200]): LoopJob {
  const targets = Array.from({ length: connections }, () => ({ folder: '/', authorization: 'Bearer none' }));
  const times = { warmupSeconds: 0.01, seconds: 0.05 };
  return { kind: 'loop', port, method: 'GET', targets, documents: 0, expect, ...times };
}

test('the load generator keeps its process and its connections from one job to the next', async (t) => {
  let connections = 0;
  const server = createServer((_, response) => response.end('fine'));
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const load = generator();
  const first = await generate(load, gets(port, 2));
  const { pid } = load;
  load.hold();
  const second = await generate(load, gets(port, 2));
  assert.deepEqual([load.pid, connections], [pid, 2]);
  for (const { requests, errors, latencies } of [first, second]) {
    assert.ok(requests >= 12);
    assert.equal(errors, 0);
    assert.ok(quantileOf(latencies, 0.5) > 0);
  }
  server.closeAllConnections();
  assert.equal((await generate(load, gets(port, 2))).errors, 0, 'what was closed is opened anew');
  await assert.rejects(generate(load, gets(port, 1, [304])), /answered 200/);
  await load.close();
  assert.ok((await generate(load, gets(port, 1))).requests >= 12, 'another process takes its place');
});

test('a job that fails says why, and the next one is done', async () => {
  const load = generator();
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, 'close');
  await assert.rejects(generate(load, gets(port, 1)), /ECONNREFUSED/);
  await assert.rejects(generate(load, gets(port, 1)), /ECONNREFUSED/);
});

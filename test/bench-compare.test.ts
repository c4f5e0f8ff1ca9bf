// The comparison of two benchmark runs: what it calls a loss, and what it refuses to compare.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareRuns, type RunComparison } from '../bench/compare.ts';
import { atLeast, judge } from '../bench/goals.ts';
import type { Cell, RowResult } from '../bench/results.ts';
import { parseRun, type RunFile } from '../bench/run-file.ts';

function measured(...values: number[]): Cell {
  return { kind: 'measured', rounds: values.map((value) => ({ value })) };
}

function row(id: string, cells: Record<string, Cell>, better: 'more' | 'less' = 'more'): RowResult {
  return { id, title: id, unit: better === 'more' ? '/s' : 'ms', better, cells };
}

function run(rows: RowResult[]): RunFile {
  return {
    date: '2026-01-01T00:00:00.000Z',
    commit: '0123456789abcdef0123456789abcdef01234567',
    dirty: false,
    machine: {
      processor: 'a processor',
      cores: 2,
      memoryGiB: 8,
      kernel: 'linux 6',
      node: 'v24',
      git: '2.39',
      fileSystem: 'ext4',
      fdatasyncMs: 0.1,
      loadBefore: 0,
    },
    plan: { slices: 8, rounds: 3, seconds: 2, warmupSeconds: 0.5 },
    suites: ['http'],
    broken: [],
    rows,
    goals: [],
  };
}

function compared(base: RowResult[], now: RowResult[]): RunComparison & { kind: 'compared' } {
  const result = compareRuns(run(base), run(now));
  assert.equal(result.kind, 'compared');
  return result as RunComparison & { kind: 'compared' };
}

test('a loss of 11 % fails and one of 9 % passes', () => {
  const base = [row('a', { gitstead: measured(1000) })];
  assert.equal(compared(base, [row('a', { gitstead: measured(890) })]).lost, true);
  assert.equal(compared(base, [row('a', { gitstead: measured(910) })]).lost, false);
});

test('a row that is a time counts the other way round', () => {
  const base = [row('a', { gitstead: measured(100) }, 'less')];
  assert.equal(compared(base, [row('a', { gitstead: measured(113) }, 'less')]).lost, true);
  const better = compared(base, [row('a', { gitstead: measured(50) }, 'less')]);
  assert.equal(better.rows[0]?.ratio, 2);
});

test('the mean of a row twice as fast and one half as fast is 1', () => {
  const base = [row('a', { gitstead: measured(100) }), row('b', { gitstead: measured(100) })];
  const now = [row('a', { gitstead: measured(200) }), row('b', { gitstead: measured(50) })];
  assert.ok(Math.abs(compared(base, now).geometricMean - 1) < 1e-9);
});

test('a machine that is slower by half changes nothing where a floor was measured beside', () => {
  const base = [row('a', { gitstead: measured(1000), bare: measured(4000), nginx: measured(9000) })];
  const now = [row('a', { gitstead: measured(500), bare: measured(2000), nginx: measured(9000) })];
  const result = compared(base, now);
  assert.equal(result.rows[0]?.floor, 'bare');
  assert.equal(result.rows[0]?.ratio, 1);
});

test('a floor that failed in one of the runs is not taken, and the next one is', () => {
  const failed: Cell = { kind: 'failed', reason: 'did not start', rounds: [{ value: 1 }] };
  const base = [row('a', { gitstead: measured(10), bare: measured(40), append: measured(20) })];
  const now = [row('a', { gitstead: measured(10), bare: failed, append: measured(20) })];
  assert.equal(compared(base, now).rows[0]?.floor, 'append');
});

test('a row without a figure of Gitstead in both runs is told, and has none in the comparison', () => {
  const failed: Cell = { kind: 'failed', reason: 'ended', rounds: [{ value: 5000 }] };
  const kept = row('kept', { gitstead: measured(1) });
  const base = [kept, row('failing', { gitstead: measured(10) }), row('gone', { gitstead: measured(10) })];
  const now = [kept, row('failing', { gitstead: failed }), row('new', { gitstead: measured(10) })];
  const result = compared(base, now);
  assert.deepEqual(
    result.rows.map(({ id }) => id),
    ['kept'],
  );
  assert.deepEqual(result.left, [
    'failing: no figure in the new run',
    'gone: not in the new run',
    'new: not in the base',
  ]);
});

test('runs without a row in common are refused', () => {
  const result = compareRuns(run([row('a', { gitstead: measured(1) })]), run([]));
  assert.equal(result.kind, 'refused');
});

test('another machine and other settings are refused, each with what differs', () => {
  const base = run([row('a', { gitstead: measured(1) })]);
  const now = {
    ...base,
    machine: { ...base.machine, cores: 4, node: 'v26' },
    plan: { ...base.plan, seconds: 1 },
  };
  assert.deepEqual(compareRuns(base, now), {
    kind: 'refused',
    reasons: [
      'machine: cores was 2, and is 4',
      'machine: node was v24, and is v26',
      'plan: seconds was 2, and is 1',
    ],
  });
});

test('a row that was measured more often, or for longer, than in the base is not compared', () => {
  const timed = (seconds: number): Cell => ({ kind: 'measured', rounds: [{ value: 1, seconds }] });
  const base = [row('a', { gitstead: measured(1, 1) }), row('b', { gitstead: timed(2) })];
  const now = [row('a', { gitstead: measured(1, 1, 1) }), row('b', { gitstead: timed(0.5) })];
  assert.deepEqual(compareRuns(run(base), run(now)), {
    kind: 'refused',
    reasons: [
      'no row has a figure in both runs',
      'a: measured in 2 rounds, and in 3',
      'b: measured for 2 s in each round, and for 0.5 s',
    ],
  });
});

test('what else ran on the machine does not make it another one', () => {
  const base = run([row('a', { gitstead: measured(1) })]);
  const now = { ...base, machine: { ...base.machine, loadBefore: 3, fdatasyncMs: 0.4 } };
  assert.equal(compareRuns(base, now).kind, 'compared');
});

test('rounds that differ by more than 30 % are called noisy', () => {
  const base = [row('a', { gitstead: measured(100, 100, 131) })];
  const now = [row('a', { gitstead: measured(100, 101, 102) })];
  assert.deepEqual(compared(base, now).rows[0]?.noisy, ['base']);
  assert.equal(compared(base, now).quietMean, undefined);
  const quiet = row('http-quiet', { gitstead: measured(100, 100, 100) });
  assert.equal(compared([...base, quiet], [...now, quiet]).quietMean, 1);
});

test('where there is a floor, it is the ratios to it that may be noisy, and not the machine', () => {
  const base = [row('a', { gitstead: measured(100, 50, 200), bare: measured(400, 200, 800) })];
  const now = [row('a', { gitstead: measured(100, 100, 100), bare: measured(400, 400, 200) })];
  assert.deepEqual(compared(base, now).rows[0]?.noisy, ['new']);
  assert.equal(compared(base, now).rows[0]?.ratio, 1);
});

test('many rounds are noisy when half of them lie apart, and not for a single one', () => {
  const even = [100, 101, 102, 103, 104, 105, 106, 107];
  const one = row('one', { gitstead: measured(...even, 900) });
  const apart = row('apart', { gitstead: measured(60, 70, 80, 100, 101, 120, 130, 140) });
  const noisy = compared([one, apart], [one, apart]).rows.map((each) => each.noisy);
  assert.deepEqual(noisy, [[], ['base', 'new']]);
});

test('a run that was not measured in slices is not compared with one that was', () => {
  const now = run([row('a', { gitstead: measured(1) })]);
  const { slices: _, ...plan } = now.plan;
  assert.deepEqual(compareRuns({ ...now, plan }, now), {
    kind: 'refused',
    reasons: ['plan: slices is not told in both'],
  });
});

test('the engine beside another one is not compared with the engine alone', () => {
  const alone = row('engine-W1', { gitstead: measured(1), 'fast-import': measured(1) });
  const both = row('engine-W1', { ...alone.cells, beside: measured(1) });
  const result = compareRuns(run([alone]), run([both]));
  assert.equal(result.kind, 'refused');
});

test('a run that was written is read as it was', () => {
  const written = run([
    row('a', { gitstead: measured(1), bare: { kind: 'failed', reason: 'x', rounds: [] } }),
  ]);
  assert.deepEqual(parseRun(JSON.stringify(written)), written);
});

test('a malformed run is refused with what is wrong', () => {
  const good = run([row('a', { gitstead: measured(1) })]);
  const cases: [unknown, RegExp][] = [
    ['not json', /not JSON/],
    [[], /not a run/],
    [{ ...good, machine: undefined }, /machine is missing/],
    [{ ...good, rows: {} }, /rows is no list/],
    [{ ...good, rows: [good.rows[0], good.rows[0]] }, /there twice/],
    [{ ...good, rows: [{ ...good.rows[0], better: 'most' }] }, /neither more nor less/],
    [{ ...good, rows: [row('a', { gitstead: measured() })] }, /gitstead is no cell/],
    [{ ...good, rows: [row('a', { gitstead: measured(Number.NaN) })] }, /gitstead is no cell/],
  ];
  for (const [value, message] of cases) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    assert.throws(() => parseRun(text), message);
  }
});

test('a goal whose figures are missing is neither met nor missed', () => {
  const goal = atLeast('a', 2, 'a', 'bare');
  const failed: Cell = { kind: 'failed', reason: 'x', rounds: [{ value: 1 }] };
  const [none] = judge([goal], [row('a', { gitstead: measured(3), bare: failed })]);
  assert.deepEqual(none, { what: 'a', goal: '≥ 2 × bare' });
  const [met] = judge([goal], [row('a', { gitstead: measured(3), bare: measured(1) })]);
  assert.deepEqual(met, { what: 'a', goal: '≥ 2 × bare', measured: 3, met: true });
  const [missed] = judge([goal], [row('a', { gitstead: measured(3), bare: measured(2) })]);
  assert.equal(missed?.met, false);
});

// What the benchmark draws and writes into pages: only what was measured, and only where it is asked to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plotsOf } from '../bench/plot.ts';
import { tableOf } from '../bench/report.ts';
import type { Cell, RowResult } from '../bench/results.ts';
import type { RunFile } from '../bench/run-file.ts';
import { fillMarkers } from '../bench/tables.ts';

function measured(...values: number[]): Cell {
  return { kind: 'measured', rounds: values.map((value) => ({ value, p50Ms: 1, p99Ms: 2 })) };
}

function row(id: string, cells: Record<string, Cell>): RowResult {
  return { id, title: id, unit: '/s', better: 'more', cells };
}

const failed: Cell = { kind: 'failed', reason: 'ended', rounds: [{ value: 7000 }] };

test('a chart has a mark for each row that was measured, and none for one that failed', () => {
  const rows = [
    row('growth-concurrency-put-1', { gitstead: measured(10) }),
    row('growth-concurrency-put-2', { gitstead: failed }),
    row('growth-concurrency-put-4', { gitstead: measured(30) }),
  ];
  const plots = plotsOf(rows);
  assert.deepEqual(
    plots.map(({ file }) => file),
    ['connections-throughput.svg', 'connections-p99.svg'],
  );
  // One mark more stands in the legend.
  for (const { svg } of plots) assert.equal(svg.match(/<circle/g)?.length, 2 + 1);
});

test('a chart whose rows all failed is not drawn', () => {
  assert.deepEqual(plotsOf([row('growth-put-10', { gitstead: failed })]), []);
});

test('a failed cell has no figure and no ratio in a table', () => {
  const [, line] = tableOf([row('a', { gitstead: measured(10), bare: failed })]);
  assert.deepEqual(line, ['a', '10.0', 'failed', '–', '1.00 / 2.00']);
});

test('only the markers that a run has rows for are filled, and the text around stays', () => {
  const run = { rows: [row('http-a', { gitstead: measured(10) })], goals: [] } as unknown as RunFile;
  const text = [
    'before',
    '<!-- bench:http -->\nold\n<!-- /bench -->',
    'between',
    '<!-- bench:git -->\nkept\n<!-- /bench -->',
  ].join('\n');
  const filled = fillMarkers(text, run, 'bench/results/a.json');
  assert.deepEqual(filled.filled, ['http']);
  assert.match(
    filled.text,
    /^before\n<!-- bench:http -->\n\| .*http-a \| 10\.0 .*<!-- \/bench -->\nbetween\n/s,
  );
  assert.ok(filled.text.endsWith('<!-- bench:git -->\nkept\n<!-- /bench -->'));
  assert.ok(!filled.text.includes('old'));
});

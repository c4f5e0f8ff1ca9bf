// The charts of docs/performance/, drawn from one run: throughput and p99 against the number of connections, the size of the
// folder and the length of the history. A chart without rows in the run is not drawn, and its old file stays.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Chart, drawChart, type Point, type Series } from './chart.ts';
import { type Cell, medianOf, type Round, type RowResult, timesOf } from './results.ts';
import type { RunFile } from './run-file.ts';
import { rangeOf } from './statistics.ts';

const folder = join(import.meta.dirname, '../docs/performance');

type Subject = {
  /** begins the names of its two files */
  name: string;
  title: string;
  xTitle: string;
  /** of the throughput: logarithmic where writes and reads are too far apart for one linear axis */
  scale: Chart['yScale'];
  /** what a line is called, and what its rows' ids begin with; a number follows */
  lines: [name: string, rowsBegin: string][];
};

const SUBJECTS: readonly Subject[] = [
  {
    name: 'connections',
    title: 'by the number of connections',
    xTitle: 'connections at the same time (folder of 100, documents of 200 B)',
    scale: 'linear',
    lines: [
      ['PUT', 'growth-concurrency-put-'],
      ['GET', 'growth-concurrency-get-'],
    ],
  },
  {
    name: 'folder-size',
    title: 'by the size of the folder',
    xTitle: 'documents in the folder (200 B each; 1 writer, 8 readers)',
    scale: 'logarithmic',
    lines: [
      ['PUT', 'growth-put-'],
      ['GET', 'growth-get-'],
      ['304', 'growth-304-'],
    ],
  },
  {
    name: 'history',
    title: 'by the length of the history',
    xTitle: 'commits before (folder of 100; 1 writer, 8 readers)',
    scale: 'logarithmic',
    lines: [
      ['PUT', 'growth-history-put-'],
      ['GET', 'growth-history-get-'],
      ['304', 'growth-history-304-'],
    ],
  },
];

const FIGURES = [
  {
    name: 'throughput',
    title: 'Requests per second',
    yTitle: 'requests per second',
    figure: medianOf,
    pick: (round: Round) => round.value,
  },
  {
    name: 'p99',
    title: 'Time of an answer (p99)',
    yTitle: 'ms, 99 % are quicker',
    figure: (cell: Cell) => timesOf(cell)?.p99Ms,
    pick: (round: Round) => round.p99Ms,
  },
] as const;

/** Writes the files. @returns a line for each */
export function drawPlots(run: RunFile): string[] {
  mkdirSync(folder, { recursive: true });
  return plotsOf(run.rows).map(({ file, svg }) => {
    writeFileSync(join(folder, file), svg);
    return `docs/performance/${file}`;
  });
}

/** The charts that the rows suffice for. */
export function plotsOf(rows: readonly RowResult[]): { file: string; svg: string }[] {
  return SUBJECTS.flatMap((subject) =>
    FIGURES.flatMap(({ name, title, yTitle, ...what }) => {
      const series = subject.lines.flatMap(([line, begin]) => seriesOf(line, begin, rows, what));
      if (series.length === 0) return [];
      const { xTitle } = subject;
      const yScale = name === 'p99' ? 'logarithmic' : subject.scale;
      const chart: Chart = { title: `${title} ${subject.title}`, xTitle, yTitle, yScale, series };
      return [{ file: `${subject.name}-${name}.svg`, svg: drawChart(chart) }];
    }),
  );
}

/** A line for each side that has points; a cell that failed has none. The range is that of most rounds, see statistics.ts. */
function seriesOf(
  line: string,
  begin: string,
  rows: readonly RowResult[],
  { figure, pick }: Pick<(typeof FIGURES)[number], 'figure' | 'pick'>,
): Series[] {
  const points = new Map<string, Point[]>();
  for (const row of rows) {
    const x = row.id.startsWith(begin) ? row.id.slice(begin.length) : '';
    if (!/^[1-9]\d*$/.test(x)) continue;
    for (const [side, cell] of Object.entries(row.cells)) {
      const y = figure(cell);
      if (y === undefined) continue;
      const [low, high] = rangeOf(cell.rounds.flatMap((round) => pick(round) ?? y));
      const point = { x: Number(x), y, low: Math.min(low, y), high: Math.max(high, y) };
      points.set(side, [...(points.get(side) ?? []), point]);
    }
  }
  return [...points].map(([side, own]) => ({
    name: side === 'gitstead' ? line : `${line}, ${side}`,
    points: own,
  }));
}

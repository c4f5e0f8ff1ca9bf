// A run's figures for people. Says what was not measured, and what varied too much.
import type { Judgement } from './goals.ts';
import type { Machine } from './machine.ts';
import { type Cell, medianOf, type RowResult, spreadOf, timesBetter, timesOf } from './results.ts';
import { median, rangeOf, WIDE_SPREAD } from './statistics.ts';

const MIB = 2 ** 20;

/**
 * A table as cells: a head, and a line for each row with the sides' medians, how many times better `ours` is than each other
 * side (where both are in one row), and its latencies.
 */
export function tableOf(rows: readonly RowResult[], ours = 'gitstead'): string[][] {
  const sides = [...new Set(rows.flatMap(({ cells }) => Object.keys(cells)))];
  const others = sides.filter(
    (side) => side !== ours && rows.some(({ cells }) => cells[ours] && cells[side]),
  );
  const timed = rows.some(({ cells }) => timesOf(cells[ours]) !== undefined);
  const head = ['', ...sides, ...others.map((side) => `× ${side}`), ...(timed ? ['p50 / p99 ms'] : [])];
  const lines = rows.map((row) => [
    row.unit === '/s' ? row.title : `${row.title} (${row.unit})`,
    ...sides.map((side) => formatCell(row.cells[side])),
    ...others.map((side) => formatRatio(timesBetter(row, ours, side))),
    ...(timed ? [formatLatency(row.cells[ours])] : []),
  ]);
  return [head, ...lines];
}

/** Columns of equal width, the first one to the left and the others to the right. */
export function alignColumns(lines: readonly string[][]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const padded = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  return padded.join('\n');
}

function formatCell(cell: Cell | undefined): string {
  if (!cell) return '–';
  if (cell.kind === 'failed') return 'failed';
  const wide = spreadOf(cell) > WIDE_SPREAD ? '~' : '';
  const errors = cell.rounds.some((round) => (round.errors ?? 0) > 0) ? '!' : '';
  return `${wide}${formatFigure(medianOf(cell)!)}${errors}`;
}

/** Three significant digits, thousands with a comma. */
export function formatFigure(figure: number): string {
  if (figure >= 100) return Math.round(figure).toLocaleString('en-US');
  return figure.toPrecision(3);
}

function formatRatio(ratio: number | undefined): string {
  return ratio === undefined ? '–' : ratio.toFixed(ratio < 10 ? 2 : 1);
}

function formatLatency(cell: Cell | undefined): string {
  const times = timesOf(cell);
  return times ? `${times.p50Ms.toFixed(2)} / ${times.p99Ms.toFixed(2)}` : '–';
}

/** How much the servers' memory rose, the most of all rounds, in a line for each row and side that has it. */
export function formatGrowth(rows: readonly RowResult[]): string {
  const lines: string[] = [];
  for (const row of rows) {
    for (const [side, cell] of Object.entries(row.cells)) {
      const growths = cell.rounds.flatMap(({ growthBytes }) => growthBytes ?? []);
      if (growths.length === 0) continue;
      lines.push(`${row.title}: memory of ${side} rose by ${(Math.max(...growths) / MIB).toFixed(1)} MiB`);
    }
  }
  return lines.join('\n');
}

/** Processor time of each request, by side: it varies less than the rate when others use the machine. */
export function formatProcessor(rows: readonly RowResult[], sides: readonly string[]): string {
  const lines = rows.flatMap((row) => {
    const cells = sides.map((side) => {
      const times = (row.cells[side]?.rounds ?? []).flatMap(({ processorMs }) => processorMs ?? []);
      return times.length > 0 ? median(times).toPrecision(3) : '–';
    });
    return cells.every((cell) => cell === '–') ? [] : [[row.title, ...cells]];
  });
  return lines.length === 0 ? '' : alignColumns([['processor ms each', ...sides], ...lines]);
}

/** Failures, unexpected answers, wide spreads and a generator at its limit: one line each. */
export function formatRemarks(rows: readonly RowResult[]): string {
  const lines: string[] = [];
  for (const row of rows) {
    for (const [side, cell] of Object.entries(row.cells)) {
      const where = `${row.id}, ${side}`;
      if (cell.kind === 'failed') lines.push(`${where}: failed: ${cell.reason}`);
      else if (spreadOf(cell) > WIDE_SPREAD) {
        lines.push(`${where}: ~ ${formatSpread(cell.rounds.map(({ value }) => value))}`);
      }
      const errors = cell.rounds.reduce((sum, round) => sum + (round.errors ?? 0), 0);
      const first = cell.rounds.find(({ firstError }) => firstError !== undefined)?.firstError;
      if (errors > 0) lines.push(`${where}: ! ${errors} requests without the expected answer: ${first}`);
      const load = Math.max(...cell.rounds.map(({ generatorLoad }) => generatorLoad ?? 0));
      if (load > 0.9) lines.push(`${where}: the load generator used ${load} of a core and may be the limit`);
    }
  }
  return lines.join('\n');
}

function formatSpread(values: readonly number[]): string {
  const range = rangeOf(values);
  const [low, high] = range.map(formatFigure);
  const some = range[0] > Math.min(...values) ? `half of the ${values.length} slices lie` : 'the rounds lie';
  return `${some} between ${low} and ${high}`;
}

export function formatMachine(machine: Machine): string {
  return [
    `${machine.cores} × ${machine.processor}, ${machine.memoryGiB} GiB, ${machine.kernel}`,
    `node ${machine.node}, git ${machine.git}, ${machine.fileSystem ?? 'file system unknown'}, fdatasync ${machine.fdatasyncMs} ms, load before ${machine.loadBefore}`,
  ].join('\n');
}

/** A suite's table with what is to be said of it. */
export function formatSuite(title: string, rows: readonly RowResult[]): string {
  const sides = [...new Set(rows.flatMap(({ cells }) => Object.keys(cells)))];
  const blocks = [
    rows.length > 0 ? alignColumns(tableOf(rows)) : 'no rows',
    formatProcessor(rows, sides),
    formatGrowth(rows),
    formatRemarks(rows),
  ];
  return [title, ...blocks.filter((block) => block !== '')].join('\n\n');
}

/** One line for each goal. */
export function formatGoals(judgements: readonly Judgement[]): string {
  return alignColumns(goalsTableOf(judgements));
}

export function goalsTableOf(judgements: readonly Judgement[]): string[][] {
  const lines = judgements.map(({ what, goal, measured, met }) => [
    what,
    goal,
    measured === undefined ? '–' : formatFigure(measured),
    met === undefined ? 'not measured' : met ? 'met' : 'MISSED',
  ]);
  return [['goals', 'goal', 'measured', ''], ...lines];
}

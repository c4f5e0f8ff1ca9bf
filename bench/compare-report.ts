// The comparison of two runs for people: a line for each row, what was left out and why, and the verdict.
import type { RunComparison } from './compare.ts';
import { alignColumns, formatFigure } from './report.ts';
import type { RunFile } from './run-file.ts';

export function formatComparison(base: RunFile, now: RunFile, comparison: RunComparison): string {
  const head = `base: ${nameOf(base)}\nnew:  ${nameOf(now)}\n`;
  if (comparison.kind === 'refused') {
    return `${head}\nnot comparable:\n${comparison.reasons.map((reason) => `  ${reason}`).join('\n')}`;
  }
  const lines = comparison.rows.map(({ id, floor, base, now, ratio, noisy }) => [
    id,
    floor ? `× ${floor}` : 'itself',
    formatFigure(base),
    formatFigure(now),
    ratio.toFixed(2),
    noisy.length > 0 ? `~ ${noisy.join(', ')}` : '',
  ]);
  const table = alignColumns([['', 'measured as', 'base', 'new', 'new / base', 'too noisy'], ...lines]);
  const left = comparison.left.map((line) => `not compared: ${line}`);
  const percent = ((comparison.geometricMean - 1) * 100).toFixed(1);
  const mean = `geometric mean of ${lines.length} rows: ${comparison.geometricMean.toFixed(3)} (${percent} %)`;
  const noisy = comparison.rows.filter((row) => row.noisy.length > 0).length;
  const quiet =
    comparison.quietMean === undefined ? '' : `; of the others: ${comparison.quietMean.toFixed(3)}`;
  const noise =
    noisy > 0
      ? [
          `the machine was too noisy for ${noisy} of them (half of the slices, or rounds, lie over 30 % apart)${quiet}`,
        ]
      : [];
  const verdict = comparison.lost ? 'LOST: more than 10 % slower' : 'no loss of more than 10 %';
  return [
    head,
    table,
    '',
    ...left,
    mean,
    ...noise,
    `${verdict}; above 1 is better, also where less is better`,
  ].join('\n');
}

function nameOf({ date, commit, dirty, suites }: RunFile): string {
  return `${commit.slice(0, 12)}${dirty ? ' with changes in src/' : ''}, ${date}, ${suites.join(' ')}`;
}

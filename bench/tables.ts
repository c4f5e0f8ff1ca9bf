// The tables of docs/performance.md, written between markers from one run, so that no figure is typed by hand:
// `<!-- bench:http -->` … `<!-- /bench -->` holds the table of a suite, `bench:run` what was measured on what, `bench:goals`
// how it was judged.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { goalsTableOf, tableOf } from './report.ts';
import type { RunFile } from './run-file.ts';

const root = join(import.meta.dirname, '..');
const page = join(root, 'docs/performance.md');
const MARKED = /<!-- bench:([a-z]+) -->\n[\s\S]*?<!-- \/bench -->/g;

/** Fills the markers of docs/performance.md. @returns a line for each table */
export function writeTables({ path, run }: { path: string; run: RunFile }): string[] {
  const { text, filled } = fillMarkers(readFileSync(page, 'utf8'), run, relative(root, path));
  writeFileSync(page, text);
  return filled.map((name) => `docs/performance.md: ${name}`);
}

/** @returns the text with each marker that the run has something for filled; others stay as they are */
export function fillMarkers(text: string, run: RunFile, path: string): { text: string; filled: string[] } {
  const filled: string[] = [];
  const replaced = text.replaceAll(MARKED, (old, name: string) => {
    const content = contentOf(name, run, path);
    if (content === undefined) return old;
    filled.push(name);
    return between(name, content);
  });
  return { text: replaced, filled };
}

function contentOf(name: string, run: RunFile, path: string): string | undefined {
  if (name === 'run') return describeRun(run, path);
  if (name === 'goals') return run.goals.length > 0 ? formatMarkdown(goalsTableOf(run.goals)) : undefined;
  const rows = run.rows.filter(({ id }) => id.startsWith(`${name}-`));
  return rows.length > 0 ? formatMarkdown(tableOf(rows)) : undefined;
}

function describeRun({ machine, plan, date, commit, dirty }: RunFile, path: string): string {
  const slices =
    plan.slices === undefined ? '' : `loads in ${plan.slices} slices of ${plan.seconds} s, the rest in `;
  const rounds = plan.slices === undefined ? ` of ${plan.seconds} s` : '';
  const source = `commit \`${commit.slice(0, 12)}\`${dirty ? ' with changes in src/' : ''}`;
  return [
    `Measured on ${date.slice(0, 10)}, ${source}, as kept in [${path}](../${path}):`,
    `${slices}${plan.rounds} rounds${rounds}.`,
    `${machine.cores} × ${machine.processor}, ${machine.memoryGiB} GiB, ${machine.kernel}, node ${machine.node}, git ${machine.git},`,
    `${machine.fileSystem ?? 'file system unknown'}, \`fdatasync\` ${machine.fdatasyncMs} ms, load before the run ${machine.loadBefore}.`,
  ].join('\n');
}

/** Puts a text between the markers of that name in docs/performance.md. */
export function writeMarker(name: string, content: string): void {
  const text = readFileSync(page, 'utf8');
  const marked = text.replaceAll(MARKED, (old, found: string) =>
    found === name ? between(name, content) : old,
  );
  writeFileSync(page, marked);
}

function between(name: string, content: string): string {
  return `<!-- bench:${name} -->\n${content}\n<!-- /bench -->`;
}

/** A table of Markdown: its head, then its lines; the first column holds words, the others figures. */
export function formatMarkdown([head, ...lines]: string[][]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = head!.map((_, column) => (column === 0 ? '---' : '--:'));
  return [line(head!.map((cell) => cell || ' ')), line(rule), ...lines.map(line)].join('\n');
}

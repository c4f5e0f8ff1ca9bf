// One run as a file in bench/results/: what it measured, on what, and how it was judged. Writing, reading with a check of
// the shape, and finding by name, by commit or by age.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Judgement } from './goals.ts';
import type { Machine } from './machine.ts';
import { run } from './processes.ts';
import type { RowResult } from './results.ts';
import type { Plan } from './suite.ts';

export type RunFile = {
  /** ISO 8601 */
  date: string;
  /** what src/ was built from; `unknown` outside a checkout */
  commit: string;
  /** src/ differed from that commit */
  dirty: boolean;
  machine: Machine;
  /** a run that was measured in long rounds only has no slices */
  plan: Omit<Plan, 'slices'> & { slices?: number };
  /** ids of the suites that ran, also when only some of their rows did */
  suites: string[];
  /** suites that gave no rows */
  broken: { suite: string; reason: string }[];
  rows: RowResult[];
  goals: Judgement[];
};

export const RESULTS = join(import.meta.dirname, 'results');
const root = join(import.meta.dirname, '..');

/** The commit that is measured, and whether src/ is what it holds. */
export async function describeSource(): Promise<{ commit: string; dirty: boolean }> {
  const options = { cwd: root, limitMs: 10_000 };
  const head = await run('git', ['rev-parse', 'HEAD'], options);
  const changed = await run('git', ['status', '--porcelain', '--', 'src'], options);
  if (head.code !== 0 || changed.code !== 0) return { commit: 'unknown', dirty: true };
  return { commit: head.stdout.trim(), dirty: changed.stdout.trim() !== '' };
}

/** Writes the run to bench/results/; returns the file's name relative to the checkout. */
export function keepRun(file: RunFile): string {
  mkdirSync(RESULTS, { recursive: true });
  const stamp = file.date.replace(/\.\d+Z$|[-:]/g, '');
  const path = join(RESULTS, `${stamp}-${file.commit.slice(0, 7)}.json`);
  writeFileSync(path, `${JSON.stringify(file, null, 1)}\n`);
  return relative(root, path);
}

/**
 * @param text the content of a file that `keepRun` wrote
 * @throws Error what is wrong with its shape
 */
export function parseRun(text: string): RunFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
  if (!isObject(value)) throw new Error('it is not a run');
  for (const key of ['date', 'commit'] as const) must(typeof value[key] === 'string', `${key} is missing`);
  must(typeof value.dirty === 'boolean', 'dirty is missing');
  const { machine, plan, rows, suites, goals, broken } = value;
  must(isObject(machine), 'machine is missing');
  must(isObject(plan), 'plan is missing');
  must(Array.isArray(suites) && suites.every((id) => typeof id === 'string'), 'suites is no list of names');
  must(Array.isArray(broken) && broken.every(isObject), 'broken is no list');
  must(Array.isArray(goals) && goals.every(isObject), 'goals is no list');
  must(Array.isArray(rows), 'rows is no list');
  const ids = new Set<unknown>();
  for (const row of rows as unknown[]) {
    must(isObject(row) && typeof row.id === 'string', 'a row has no id');
    must(!ids.has(row.id), `the row ${row.id} is there twice`);
    ids.add(row.id);
    must(row.better === 'more' || row.better === 'less', `${row.id}: better is neither more nor less`);
    must(isObject(row.cells), `${row.id}: cells is missing`);
    for (const [side, cell] of Object.entries(row.cells)) must(isCell(cell), `${row.id}: ${side} is no cell`);
  }
  return value as RunFile;
}

function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A failed cell with its reason, or a measured one with at least one round, each with a figure. */
function isCell(cell: unknown): boolean {
  if (!isObject(cell) || !Array.isArray(cell.rounds)) return false;
  const measured = cell.rounds.every((round) => isObject(round) && Number.isFinite(round.value));
  if (cell.kind === 'failed') return typeof cell.reason === 'string' && measured;
  return cell.kind === 'measured' && measured && cell.rounds.length > 0;
}

/** @throws Error with the file's name and what is wrong */
export function readRun(path: string): RunFile {
  try {
    return parseRun(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`);
  }
}

/**
 * A run by the name of its file, by `latest`, or by the first digits of its commit: of several the newest. Runs of a
 * changed src/ are not runs of a commit.
 * @throws Error when there is none
 */
export function findRun(name: string): { path: string; run: RunFile } {
  for (const path of [name, join(RESULTS, name)]) {
    if (path.endsWith('.json') && existsSync(path)) return { path, run: readRun(path) };
  }
  const names = existsSync(RESULTS) ? readdirSync(RESULTS).filter((file) => file.endsWith('.json')) : [];
  const byAge = names.sort().reverse();
  if (name === 'latest' && byAge[0]) {
    const path = join(RESULTS, byAge[0]);
    return { path, run: readRun(path) };
  }
  if (!/^[0-9a-f]{4,40}$/.test(name))
    throw new Error(`${name}: no such file in bench/results, and no commit`);
  for (const file of byAge) {
    const path = join(RESULTS, file);
    if (!file.includes(`-${name.slice(0, 7)}`)) continue;
    const run = readRun(path);
    if (run.commit.startsWith(name) && !run.dirty) return { path, run };
  }
  throw new Error(`${name}: no run of that commit in bench/results`);
}

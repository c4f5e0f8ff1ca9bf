// What commands show and ask for on a terminal: tables, a progress bar, a password without echo, a yes. Whatever is printed
// here is plain text: names of documents and of apps are chosen by others.
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { GitsteadError } from '../errors.ts';
import { plainJson, plainText } from '../protocol/plain-text.ts';
import type { Progress } from '../storage/control-socket.ts';

const BAR_CELLS = 24;
/** ECMA-262, section 21.4.1.1: a date is within 100,000,000 days of 1970. */
const LAST_TIME_MS = 8.64e15;

/** One line, whatever is in it. */
export function print(line: string): void {
  process.stdout.write(`${plainText(line)}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${plainJson(value, 2)}\n`);
}

/** One line on stderr, under our name. */
export function printError(line: string): void {
  process.stderr.write(`gitstead: ${plainText(line)}\n`);
}

/** Rows in columns as wide as their widest cell; nothing but the head when there are no rows. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const plain = rows.map((row) => row.map((cell) => plainText(cell)));
  const widths = head.map((title, i) =>
    plain.reduce((width, row) => Math.max(width, row[i]!.length), title.length),
  );
  for (const row of [head, ...plain]) {
    print(row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('  '));
  }
}

/** Unix milliseconds → a date; a time beyond what a date can be is the last, or the first, that there is. */
function dateOf(time: number): Date {
  return new Date(Math.max(-LAST_TIME_MS, Math.min(time, LAST_TIME_MS)));
}

/** Unix milliseconds → `2026-01-02T15:04:05.678Z` */
export function isoTime(time: number): string {
  return dateOf(time).toISOString();
}

/** Unix milliseconds → `2026-01-02 15:04`, in this machine's time zone. */
export function formatTime(time: number): string {
  const date = dateOf(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  const value = bytes / 2 ** (power * 10);
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}

/** `1 document`, `2 documents` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

export type ProgressBar = { report: (progress: Progress) => void } & Disposable;

/** On a terminal a bar that goes when it is disposed; elsewhere nothing. */
export function progressBar(what: string): ProgressBar {
  const { stderr } = process;
  if (!stderr.isTTY) return { report: () => {}, [Symbol.dispose]: () => {} };
  return {
    report({ done, total }) {
      const cells = total === 0 ? BAR_CELLS : Math.round((done / total) * BAR_CELLS);
      stderr.write(`\r[${'#'.repeat(cells).padEnd(BAR_CELLS)}] ${done}/${total} ${what}\u001b[K`);
    },
    [Symbol.dispose]: () => void stderr.write('\r\u001b[K'),
  };
}

/** The first line of standard input. */
export async function readPasswordFromInput(): Promise<string> {
  const [line = ''] = (await text(process.stdin)).split(/\r?\n/);
  return line;
}

/**
 * Asks twice for a new password, without showing it.
 * @throws bad-request when the two differ
 */
export async function askNewPassword(name: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // one for both questions: between two, the terminal would show what is typed
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  lines.once('SIGINT', () => lines.close());
  const answers = lines[Symbol.asyncIterator]();
  try {
    const first = await askHidden(`Password for ${name}: `, answers);
    const second = await askHidden('The same again: ', answers);
    if (first !== second) throw new GitsteadError('bad-request', 'the two passwords differ');
    return first;
  } finally {
    lines.close();
  }
}

async function askHidden(question: string, answers: AsyncIterator<string>): Promise<string> {
  process.stderr.write(question);
  const answer = await answers.next();
  process.stderr.write('\n');
  if (answer.done) throw new GitsteadError('bad-request', 'no password was given');
  return answer.value;
}

/** Asks on a terminal; where there is none, the answer is yes. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}

// Starts the process that writes until it is killed, and reads what it tells. Every process ends here: killed at the
// wanted moment, by itself at a stop point, or when its work is done.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { StopPoint } from '../../src/storage/stop-points.ts';

export type WriterJob = {
  dataFolder: string;
  seed: number;
  /** versions of this run begin above it */
  base: number;
  /** so many writes, then the store is closed */
  acks: number;
  segmentBytes: number;
  /** kills itself there, when it passes for that time */
  stop?: { point: StopPoint; time: number };
  /** before its turn of this number is journaled, main is moved by a program that ignores git's lock */
  meddle?: { at: number };
};

export type Run = {
  /** as told: `send 3 alice/notes/x`, `ack …` */
  lines: string[];
  /** undefined: it was killed */
  code: number | undefined;
};

/**
 * @param killAfter kills it when it has told so many lines; undefined: it ends by itself
 * @param preload a module that it loads before anything else
 */
export async function runWriter(
  job: WriterJob,
  { killAfter, preload }: { killAfter?: number; preload?: string[] } = {},
): Promise<Run> {
  const script = join(import.meta.dirname, 'crash-writer.ts');
  const child = spawn(process.execPath, [...(preload ?? []), script, JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (lines.length === killAfter) child.kill('SIGKILL');
  });
  const [code] = await ended;
  return { lines, code: code ?? undefined };
}

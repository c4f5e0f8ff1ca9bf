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
  /** idle repositories beyond so many are closed */
  maxOpen?: number;
  /** so many for each user, with a document of each writer in each */
  modules?: number;
  /** kills itself there, when it passes for that time */
  stop?: { point: StopPoint; time: number };
  /**
   * before its turn of this number is journaled, main is moved by a program that ignores git's lock; the stop is counted
   * from there
   */
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
 * @param image a folder for the image of what has been synced, see track-syncs.ts
 */
export async function runWriter(
  job: WriterJob,
  { killAfter, image }: { killAfter?: number; image?: string } = {},
): Promise<Run> {
  const script = join(import.meta.dirname, 'crash-writer.ts');
  const tracking = image === undefined ? [] : ['--import', join(import.meta.dirname, 'track-syncs.ts')];
  const child = spawn(process.execPath, [...tracking, script, JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...(image && { GITSTEAD_IMAGE: image, GITSTEAD_IMAGE_OF: job.dataFolder }) },
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

// Processes that stay and are given jobs: a line of JSON each on stdin, answered by a line of JSON on stdout. A slice of a
// quarter of a second is not to pay for the start of a process, and keeps what the last one warmed. Both ends stand here.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { failureOf, track } from './processes.ts';

type Answer<Result> = { result: Result } | { failure: string };

export type JobProcess<Job, Result> = {
  /** undefined while none runs: it starts with the first job, and anew after it was ended */
  readonly pid: number | undefined;
  /**
   * One job at a time; after `limitMs` the process is killed.
   * @throws Error what went wrong, in the process's own words
   */
  ask(job: Job, limitMs: number): Promise<Result>;
  /** Holds it still while another is measured (SIGSTOP); the next job, or the end, goes on. */
  hold(): void;
  /** No job is under way. Resolves when the process has ended. */
  close(): Promise<void>;
};

type Running = ReturnType<typeof start>;

/** A program for Node; nobody has to close it: while it has no job, it keeps no process from ending, and ends with it. */
export function openJobProcess<Job, Result>(
  program: string,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): JobProcess<Job, Result> {
  let running: Running | undefined;
  return {
    get pid() {
      return running?.isOver() ? undefined : running?.child.pid;
    },
    async ask(job, limitMs) {
      if (running === undefined || running.isOver()) running = start([...flags, program, ...args]);
      const answer = JSON.parse(await running.ask(JSON.stringify(job), limitMs)) as Answer<Result>;
      if ('failure' in answer) throw new Error(answer.failure);
      return answer.result;
    },
    hold: () => void running?.child.kill('SIGSTOP'),
    async close() {
      await running?.close();
      running = undefined;
    },
  };
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, args, { stdio: 'pipe' });
  const ended = track(child);
  let isOver = false;
  let complaint = '';
  let settle: { resolve(line: string): void; reject(error: Error): void } | undefined;
  const streams = [child.stdin, child.stdout, child.stderr] as unknown as { ref(): void; unref(): void }[];
  const keep = () => [child, ...streams].forEach((each) => void each.ref());
  const release = () => [child, ...streams].forEach((each) => void each.unref());
  child.stdin.on('error', () => {}); // its end tells
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-10_000);
  });
  createInterface({ input: child.stdout }).on('line', (line) => settle?.resolve(line));
  ended.then(() => {
    isOver = true;
    const end = child.signalCode ? `was ended by ${child.signalCode}` : `ended with ${child.exitCode}`;
    settle?.reject(new Error(`the process ${end}: ${failureOf(complaint)}`));
  });
  release();
  return {
    child,
    isOver: () => isOver,
    async ask(line: string, limitMs: number): Promise<string> {
      keep();
      child.kill('SIGCONT');
      const limit = setTimeout(() => {
        complaint += `\nkilled after ${limitMs} ms`;
        child.kill('SIGKILL');
      }, limitMs);
      try {
        return await new Promise<string>((resolve, reject) => {
          settle = { resolve, reject };
          child.stdin.write(`${line}\n`);
        });
      } finally {
        settle = undefined;
        clearTimeout(limit);
        release();
      }
    },
    close(): Promise<void> {
      keep();
      child.kill('SIGCONT');
      child.stdin.end();
      return ended;
    },
  };
}

/**
 * The other end: answers each line of stdin, one after the other, until it is closed; then the process ends.
 * @param atEnd what is left to be closed
 */
export async function answerJobs<Job>(
  perform: (job: Job) => unknown,
  atEnd: () => unknown = () => {},
): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await answerTo(line, perform);
    await new Promise((resolve) => process.stdout.write(`${JSON.stringify(answer)}\n`, resolve));
  }
  await atEnd();
  process.exit(0);
}

async function answerTo<Job>(line: string, perform: (job: Job) => unknown): Promise<Answer<unknown>> {
  try {
    return { result: await perform(JSON.parse(line) as Job) };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

// Everything the benchmark starts and every folder it makes, so that all of it is ended and removed: at the
// end, after a failure and on Ctrl-C. Processes are ended by their id only.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const STOP_WAIT_MS = 5_000;

export type Started = {
  child: ChildProcess;
  pid: number;
  /** resolves when the process has ended, whatever the reason */
  ended: Promise<void>;
  /** the last lines it wrote, for a failure's message */
  lastWords: () => string;
};
export type Finished = { code: number; stdout: string; stderr: string };

const running = new Set<ChildProcess>();
const folders = new Set<string>();
let watching = false;

/** A new folder under the system's temporary one; removed when the benchmark ends. */
export function temporaryFolder(name: string): string {
  watchForEnd();
  const folder = mkdtempSync(join(tmpdir(), `gitstead-bench-${name}-`));
  folders.add(folder);
  return folder;
}

/** Removes a folder that `temporaryFolder` made, before the end. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  folders.delete(folder);
}

const largeFolders: string[] = [];

/** For a folder with hundreds of thousands of files: it stays until `removeLargeFolders` is called. */
export function removeLater(folder: string): void {
  largeFolders.push(folder);
}

export async function removeLargeFolders(): Promise<void> {
  for (const folder of largeFolders.splice(0)) await removeLargeFolder(folder);
}

/** At least so many parts are removed beside each other. */
const PARTS = 64;
const REMOVERS = 8;

/** Like `removeFolder`, where one file after the other would take a minute. */
async function removeLargeFolder(folder: string): Promise<void> {
  let parts = [folder];
  for (let isDeeper = true; isDeeper && parts.length < PARTS; ) {
    const inside = parts.flatMap((part) => entriesOf(part) ?? [part]);
    isDeeper = inside.some((part, at) => part !== parts[at]);
    parts = inside;
  }
  const remove = async () => {
    for (let part = parts.pop(); part !== undefined; part = parts.pop())
      await rm(part, { recursive: true, force: true });
  };
  await Promise.all(Array.from({ length: REMOVERS }, remove));
  removeFolder(folder);
}

/** Paths; undefined: it is no folder, or an empty one. */
function entriesOf(path: string): string[] | undefined {
  if (!statSync(path).isDirectory()) return undefined;
  const names = readdirSync(path);
  return names.length > 0 ? names.map((name) => join(path, name)) : undefined;
}

/** Starts a server that is a program for Node; its output goes to `logFile`. */
export function startServer(args: string[], options: { cwd: string; logFile: string }): Started {
  return startCommand(process.execPath, args, options);
}

/** Starts a server that is any program; its output goes to `logFile`. */
export function startCommand(
  command: string,
  args: string[],
  options: { cwd: string; logFile: string },
): Started {
  watchForEnd();
  const log = openSync(options.logFile, 'a');
  const child = spawn(command, args, { cwd: options.cwd, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = track(child);
  const lastWords = () => failureOf(readFileSync(options.logFile, 'utf8'));
  return { child, pid: child.pid ?? -1, ended, lastWords };
}

/** Runs a command to its end, or kills it after `limitMs`. A command that cannot be started has code -1. */
export function run(
  command: string,
  args: string[],
  options: { cwd?: string; input?: string; limitMs: number },
): Promise<Finished> {
  watchForEnd();
  const child = spawn(command, args, { cwd: options.cwd, stdio: 'pipe' });
  const ended = track(child);
  let stdout = '';
  let stderr = '';
  let startFailure: string | undefined;
  child.on('error', (error) => {
    startFailure = error.message;
  });
  child.stdin.on('error', () => {}); // it may end without reading; its code tells
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.end(options.input ?? '');
  const limit = setTimeout(() => {
    stderr += `\nkilled after ${options.limitMs} ms`;
    child.kill('SIGKILL');
  }, options.limitMs);
  return ended.then(() => {
    clearTimeout(limit);
    return { code: child.exitCode ?? -1, stdout, stderr: startFailure ?? stderr };
  });
}

/** Like `run`, and throws the command's own last words when it fails. */
export async function mustRun(
  command: string,
  args: string[],
  options: { cwd?: string; input?: string; limitMs: number },
): Promise<string> {
  const finished = await run(command, args, options);
  if (finished.code === 0) return finished.stdout;
  const words = failureOf(finished.stderr) || finished.stdout.trim().split('\n')[0];
  throw new Error(`${command.split('/').at(-1)} ${args.slice(0, 4).join(' ')}: ${words}`);
}

/** The line that tells most: of an uncaught error its message, else the last one. */
export function failureOf(output: string): string {
  const lines = output.trim().split('\n');
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? '';
}

/** SIGTERM, and SIGKILL when it does not end within 5 s. */
export async function stop(started: Started): Promise<void> {
  resume(started);
  started.child.kill('SIGTERM');
  const limit = setTimeout(() => started.child.kill('SIGKILL'), STOP_WAIT_MS);
  await started.ended;
  clearTimeout(limit);
}

/** Holds a server still while another is measured, so that its background work is not paid by the other. */
export function pause(started: Started): void {
  started.child.kill('SIGSTOP');
}

export function resume(started: Started): void {
  started.child.kill('SIGCONT');
}

/** Adds a process that was started elsewhere to those that are ended with the benchmark. */
export function track(child: ChildProcess): Promise<void> {
  running.add(child);
  return new Promise((resolve) => {
    const end = () => {
      running.delete(child);
      resolve();
    };
    child.once('close', end);
    child.once('error', end);
  });
}

function watchForEnd(): void {
  if (watching) return;
  watching = true;
  process.on('exit', endEverything);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => process.exit(130)); // which runs endEverything
  }
}

function endEverything(): void {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

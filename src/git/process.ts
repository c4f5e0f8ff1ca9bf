// The only file that starts child processes. Every git of ours runs with a fixed environment: no configuration but the
// repository's own and ours on top, no hooks, no prompts, no shell. Nothing of this process's environment is handed on.
// What to run is left to the callers; names and addresses from outside belong after `--end-of-options`.
import { spawn } from 'node:child_process';
import { constants, release, setPriority } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { GitsteadError } from '../errors.ts';

export type GitOptions = {
  /** what the child reads from its standard input; nothing when left out */
  input?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** variables on top of the fixed ones (an askpass program, the protocols that a fetch may use) */
  env?: Readonly<Record<string, string>> | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  /** it gets the processor when nobody else wants it */
  isBackground?: boolean | undefined;
  /** more output than this ends the child and throws (64 MiB when left out; for `streamGit` there is no bound) */
  maxOutputBytes?: number | undefined;
};

export type GitResult = { stdout: Buffer; stderr: string; code: number };

/** A running git. `exit` settles when it has ended and its pipes are closed; it rejects only if git could not start. */
export type GitProcess = {
  stdin: Writable;
  stdout: Readable;
  exit: Promise<{ code: number | undefined; signal: string | undefined; stderr: string }>;
  /** ends git and every process that it has started */
  end(): void;
};

const SEARCH_PATH =
  '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin:/usr/local/git/bin';
const MAX_OUTPUT_BYTES = 64 << 20;
const MAX_STDERR_CHARS = 64 << 10;
const GRACE_MS = 5000;

/** Settings on top of every file of git's configuration; a repository's own `config` cannot undo them. */
function fixedSettings(gitDir: string): [string, string][] {
  return [
    ['safe.directory', gitDir],
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.attributesFile', '/dev/null'],
    ['core.excludesFile', '/dev/null'],
    ['core.pager', 'cat'],
    ['core.askPass', ''],
    ['core.sshCommand', 'false'],
    ['core.gitProxy', 'none'],
    ['core.alternateRefsCommand', 'true'],
    ['credential.helper', ''],
    ['protocol.ext.allow', 'never'],
    ['gc.auto', '0'],
    ['maintenance.auto', 'false'],
    ['submodule.recurse', 'false'],
  ];
}

/** The environment in which git runs on `gitDir`. Exported so that tests can hold stock git to the same one. */
export function gitEnvironment(
  gitDir: string,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const env: Record<string, string> = {
    PATH: SEARCH_PATH,
    LC_ALL: 'C',
    GIT_DIR: gitDir,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    SSH_ASKPASS: 'true',
    GIT_SSH_COMMAND: 'false',
    GIT_EDITOR: 'false',
    GIT_ALLOW_PROTOCOL: 'none',
  };
  const settings = fixedSettings(gitDir);
  env.GIT_CONFIG_COUNT = String(settings.length);
  for (const [i, [key, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${i}`] = key;
    env[`GIT_CONFIG_VALUE_${i}`] = value;
  }
  return { ...env, ...extra };
}

/**
 * Starts git on a repository, with pipes in its hands: for dialogues (a push, a clone over HTTP).
 * The child leads a process group of its own, so that `end` reaches what git starts in its turn.
 */
export function startGit(
  gitDir: string,
  args: readonly string[],
  options: Omit<GitOptions, 'input' | 'maxOutputBytes'> = {},
): GitProcess {
  const child = spawn('git', args, {
    env: gitEnvironment(gitDir, options.env),
    cwd: gitDir,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  if (options.isBackground && child.pid !== undefined) giveWay(child.pid);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < MAX_STDERR_CHARS) stderr += text;
  });
  child.stdin.on('error', () => {}); // git may end before it has read all; its exit code tells
  const kill = (signal: NodeJS.Signals) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // it has just ended
    }
  };
  let hardEnd: NodeJS.Timeout | undefined;
  const end = () => {
    kill('SIGTERM'); // git removes its lock files on this one
    hardEnd ??= setTimeout(() => kill('SIGKILL'), GRACE_MS);
    hardEnd.unref();
  };
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(end, options.timeoutMs);
  options.signal?.addEventListener('abort', end, { once: true });
  if (options.signal?.aborted) end();
  const exit = new Promise<Awaited<GitProcess['exit']>>((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      clearTimeout(hardEnd);
      options.signal?.removeEventListener('abort', end);
    };
    child.once('error', (cause) => {
      done();
      reject(new GitsteadError('not-ready', 'git cannot be started; is it installed?', { cause }));
    });
    child.once('close', (code, signal) => {
      done();
      resolve({ code: code ?? undefined, signal: signal ?? undefined, stderr });
    });
  });
  exit.catch(() => {}); // whoever awaits it still sees the error
  return { stdin: child.stdin, stdout: child.stdout, exit, end };
}

function giveWay(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // it has just ended, or the system has no priorities
  }
}

async function feed(stdin: Writable, input: GitOptions['input']): Promise<void> {
  if (input === undefined || input instanceof Uint8Array) {
    stdin.end(input);
    return;
  }
  for await (const chunk of input) {
    if (stdin.destroyed) return;
    if (!stdin.write(chunk)) {
      await new Promise<void>((resolve) => {
        stdin.once('drain', resolve).once('close', resolve);
      });
    }
  }
  stdin.end();
}

/**
 * The output of a git command as it comes.
 * Throws 'internal' (with git's stderr as the cause) when git ends with another code than 0; a consumer that stops early ends git.
 */
export async function* streamGit(
  gitDir: string,
  args: readonly string[],
  options: GitOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const child = startGit(gitDir, args, options);
  try {
    const fed = feed(child.stdin, options.input);
    fed.catch(child.end);
    for await (const chunk of child.stdout) yield chunk as Buffer;
    await Promise.race([fed, child.exit]); // git may end without reading all
    const { code, signal, stderr } = await child.exit;
    if (code !== 0) throw failed(args, code, signal, stderr);
  } finally {
    child.end();
    child.stdin.destroy();
    child.stdout.destroy();
  }
}

/**
 * Runs git on a repository to its end. Another exit code than 0 is an answer, not an error.
 * Throws 'not-ready' when git cannot be started, 'internal' when it was ended by a signal, its time or too much output.
 */
export async function runGit(
  gitDir: string,
  args: readonly string[],
  options: GitOptions = {},
): Promise<GitResult> {
  const max = options.maxOutputBytes ?? MAX_OUTPUT_BYTES;
  const child = startGit(gitDir, args, options);
  const fed = feed(child.stdin, options.input);
  fed.catch(child.end);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > max) throw new GitsteadError('internal', `git ${args[0]} wrote more than ${max} bytes`);
      chunks.push(chunk);
    }
    await Promise.race([fed, child.exit]); // git may end without reading all
  } catch (error) {
    child.end();
    await child.exit;
    throw error;
  }
  const { code, signal, stderr } = await child.exit;
  if (code === undefined) throw failed(args, code, signal, stderr);
  return { stdout: Buffer.concat(chunks, bytes), stderr, code };
}

function failed(
  args: readonly string[],
  code: number | undefined,
  signal: string | undefined,
  stderr: string,
): GitsteadError {
  const how = signal === undefined ? `ended with code ${code}` : `was ended by ${signal}`;
  return new GitsteadError('internal', `git ${args[0]} ${how}`, { cause: new Error(stderr.trim()) });
}

/** Of Linux: `syncfs` tells of errors since this version. */
const SYNCFS_TELLS = { major: 5, minor: 8 };

/**
 * Waits until everything on the file system that holds `path` is on the disk, by `sync -f` of coreutils or busybox.
 * @returns false when that cannot be known here, or went wrong: then each file has to be synced
 */
export function syncFileSystem(path: string): Promise<boolean> {
  if (!syncfsTells()) return Promise.resolve(false);
  return new Promise((resolve) => {
    const child = spawn('sync', ['-f', path], {
      env: { PATH: SEARCH_PATH, LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // a busybox that leaves out `-f` syncs without telling of errors, and says that it does
    let isSilent = true;
    child.stderr.on('data', () => {
      isSilent = false;
    });
    child.on('error', () => resolve(false)).on('close', (code) => resolve(code === 0 && isSilent));
  });
}

function syncfsTells(): boolean {
  if (process.platform !== 'linux') return false;
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > SYNCFS_TELLS.major || (major === SYNCFS_TELLS.major && minor >= SYNCFS_TELLS.minor);
}

// Stock git as a person would use it: with a working tree, a name and an address, and no settings of this machine.
import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type GitAnswer = { code: number; stdout: string; stderr: string };

const ENVIRONMENT = {
  PATH: process.env.PATH ?? '/usr/bin:/bin',
  LC_ALL: 'C',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Bob',
  GIT_AUTHOR_EMAIL: 'bob@example.net',
  GIT_COMMITTER_NAME: 'Bob',
  GIT_COMMITTER_EMAIL: 'bob@example.net',
  GIT_TERMINAL_PROMPT: '0',
};

/** Runs git in a folder to its end; what it answers is judged by the caller. */
export function tryGit(folder: string, ...args: string[]): Promise<GitAnswer> {
  return new Promise((resolve, reject) => {
    execFile(
      'git',
      ['-c', 'init.defaultBranch=main', ...args],
      { cwd: folder, env: ENVIRONMENT, maxBuffer: 256 << 20 },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') reject(error);
        else resolve({ code: (error?.code as number | undefined) ?? 0, stdout, stderr });
      },
    );
  });
}

/** The same, where nothing but success will do. @returns what git wrote, without the last line end */
export async function git(folder: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryGit(folder, ...args);
  if (code !== 0) throw new Error(`git ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout.trimEnd();
}

/**
 * Files that have no business in a repository of a store that was closed: locks, shields, uploads, half-made packs.
 * (While it is open, a large upload keeps its name in the spool until the journal no longer needs it.)
 */
export function leftovers(repository: string): string[] {
  const files = readdirSync(repository, { recursive: true, encoding: 'utf8' });
  return files.filter((path) => {
    if (statSync(join(repository, path)).isDirectory()) return /incoming/.test(path);
    return /\.(lock|keep)$|(^|\/)(tmp_|\.tmp|\.staging)|^gitstead\/spool\//.test(path);
  });
}

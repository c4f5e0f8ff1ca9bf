// Copies of one repository as Gitstead leaves it and as `git gc` leaves it, and what stock git needs to read each: the whole
// log, a clone, every object's kind and size, the contents of blobs; and the room on the disk.
import { cpSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, removeFolder, temporaryFolder } from '../processes.ts';
import type { Round } from '../results.ts';

export const OURS = 'gitstead';
export const GC = 'git gc';
const LIMIT_MS = 120_000;
const MIB = 2 ** 20;
const BLOBS = 20_000;

export type GitSide = { name: string; repository: string };

/** A copy of a repository as `git gc` leaves it. */
export async function copyAndGc(folder: string, repository: string): Promise<GitSide> {
  const side = copySide(folder, GC, repository);
  await git(side.repository, ['gc', '--quiet']);
  return side;
}

/** A copy, so that nothing touches it but what is measured. */
export function copySide(folder: string, name: string, repository: string): GitSide {
  const copy = join(folder, `${name}.git`);
  cpSync(repository, copy, { recursive: true });
  return { name, repository: copy };
}

function git(repository: string, args: string[], input?: string): Promise<string> {
  const options = { limitMs: LIMIT_MS, ...(input === undefined ? {} : { input }) };
  return mustRun('git', ['-C', repository, ...args], options);
}

async function timed(work: () => Promise<unknown>): Promise<Round> {
  const start = performance.now();
  await work();
  return { value: performance.now() - start };
}

/** The commits of the log are counted: a log that is cut short is no figure. */
export function readLog({ repository }: GitSide, commits: number): Promise<Round> {
  return timed(async () => {
    const log = await git(repository, ['log', '--oneline', 'main']);
    const found = log.split('\n').length - 1;
    if (found !== commits) throw new Error(`the log has ${found} commits instead of ${commits}`);
  });
}

export async function cloneIt({ repository }: GitSide): Promise<Round> {
  const folder = temporaryFolder('clone');
  const args = ['clone', '--quiet', '--bare', '--no-local', repository, join(folder, 'clone.git')];
  const round = await timed(() => mustRun('git', args, { limitMs: LIMIT_MS }));
  removeFolder(folder);
  return round;
}

export function checkObjects({ repository }: GitSide): Promise<Round> {
  return timed(() => git(repository, ['cat-file', '--batch-all-objects', '--batch-check']));
}

/** The same blobs in the same order on both sides: every so many of all, by name, so that they lie anywhere. */
export async function listBlobs({ repository }: GitSide): Promise<string> {
  const format = '--batch-check=%(objecttype) %(objectname)';
  const all = await git(repository, ['cat-file', '--batch-all-objects', format]);
  const blobs = all.split('\n').filter((line) => line.startsWith('blob '));
  const step = Math.max(1, Math.floor(blobs.length / BLOBS));
  const chosen = blobs.filter((_, index) => index % step === 0).slice(0, BLOBS);
  return chosen.map((line) => `${line.slice('blob '.length)}\n`).join('');
}

export function readBlobs({ repository }: GitSide, names: string): Promise<Round> {
  return timed(() => git(repository, ['cat-file', '--batch'], names));
}

/** MiB of all files in the repository. */
export function measureDisk({ repository }: GitSide): Round {
  const files = readdirSync(repository, { recursive: true, withFileTypes: true });
  const bytes = files
    .filter((file) => file.isFile())
    .reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
  return { value: bytes / MIB };
}

// A copy of a data folder on which a server can be started, taken while the server writes; on the next run into the same
// folder only what changed is copied. Accounts come first, by SQLite's own backup; then each repository, as told in
// backup-repository.ts; `format` comes last, so that `serve` refuses a first backup that was not finished.
// A later run leaves every part whole at every moment: each is replaced at once.
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { copyDatabase } from '../db/copy-database.ts';
import type { FolderLock } from '../db/folder-lock.ts';
import { asGitsteadError, GitsteadError } from '../errors.ts';
import {
  clearStaging,
  placeFile,
  replaceFile,
  stagingPath,
  syncFile,
  syncFolderNow,
} from '../git/durable.ts';
import { copyRepository } from './backup-repository.ts';
import type { Fault } from './check.ts';
import type { Progress } from './control-socket.ts';
import { isEmptyFolder, lockDataFolder, partsOf } from './data-folder.ts';
import { listRepositoryFolders } from './repository-folders.ts';

export type BackupOptions = {
  from: string;
  /** made when missing; else an earlier backup */
  to: string;
  /** waits until a repository's pending commits are packs and refs */
  drain: (user: string, module: string) => Promise<void>;
  report: (progress: Progress) => void;
};

export type BackupReport = {
  repositories: number;
  copiedFiles: number;
  copiedBytes: number;
  /** repositories that could not be copied; what an earlier run copied of them stands */
  faults: Fault[];
};

type Copying = { user: string; module: string; folder: string; copy: string };

/**
 * @throws not-ready when `to` is something else than a backup, or in use
 */
export async function backUp(options: BackupOptions): Promise<BackupReport> {
  const from = partsOf(options.from);
  const to = partsOf(options.to);
  using _lock = claimCopy(options);
  clearAway(options.to);
  const usersBefore = new Set([...listRepositoryFolders(from.repositories)].map(({ user }) => user));
  await copyAccounts(from.accounts, to.accounts);
  copyIfChanged(from.settings, to.settings);

  // Who came later has no account in the copy: whoever takes that name there must not find documents.
  const found = [...listRepositoryFolders(from.repositories)]
    .filter(({ user }) => usersBefore.has(user))
    .map((repository) => ({
      ...repository,
      copy: copyOf(repository.folder, from.repositories, to.repositories),
    }));
  await removeGone(to.repositories, found);
  const report: BackupReport = { repositories: found.length, copiedFiles: 0, copiedBytes: 0, faults: [] };
  for (const [done, repository] of found.entries()) {
    options.report({ done, total: found.length });
    await copyOne(options, repository, report);
  }
  options.report({ done: found.length, total: found.length });
  if (report.faults.length === 0) copyIfChanged(from.format, to.format);
  return report;
}

function copyOf(folder: string, from: string, to: string): string {
  return to + folder.slice(from.length);
}

async function copyOne(options: BackupOptions, repository: Copying, report: BackupReport): Promise<void> {
  const { user, module, folder, copy } = repository;
  try {
    await options.drain(user, module);
    mkdirSync(dirname(copy), { recursive: true, mode: 0o700 });
    const { files, bytes } = await copyRepository(folder, copy);
    report.copiedFiles += files;
    report.copiedBytes += bytes;
  } catch (error) {
    if (!existsSync(folder)) {
      await removeFolder(copy); // removed with its user in the meantime
      return;
    }
    // a full disk, or a server that went, stops everything; a damaged repository does not keep the others back
    if (asGitsteadError(error).code !== 'corrupt') throw error;
    report.faults.push({ user, module, what: (error as Error).message });
  }
}

/** The folder for the copy: made, marked as a backup, and locked, so that no server starts on it meanwhile. */
function claimCopy({ from, to }: BackupOptions): FolderLock {
  const [source, target] = [`${realPath(from)}/`, `${realPath(to)}/`];
  if (source.startsWith(target) || target.startsWith(source)) {
    throw new GitsteadError('not-ready', 'a backup cannot stand in the data folder, nor around it');
  }
  mkdirSync(to, { recursive: true, mode: 0o700 });
  const mark = partsOf(to).backupMark;
  if (!existsSync(mark) && !isEmptyFolder(to)) {
    throw new GitsteadError('not-ready', `${to} is not empty, and no earlier backup: choose another folder`);
  }
  const lock = lockDataFolder(to);
  replaceFile(
    mark,
    `A backup of ${from}. Start a server on it (or on a copy of it) and it becomes a data folder.\n`,
  );
  return lock;
}

/** Without links, also of what does not exist yet. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realPath(dirname(path)), basename(path));
}

/** Leftovers of a run that was cut short, and what a command that looked into the backup derived from it. */
function clearAway(to: string): void {
  const { index, repositories } = partsOf(to);
  for (const suffix of ['', '-wal', '-shm']) rmSync(index + suffix, { force: true });
  rmSync(join(to, 'journal'), { recursive: true, force: true });
  mkdirSync(repositories, { recursive: true, mode: 0o700 });
  const userFolders = readdirSync(repositories).map((name) => join(repositories, name));
  for (const folder of [to, repositories, ...userFolders]) clearStaging(folder);
}

async function copyAccounts(from: string, to: string): Promise<void> {
  const staged = stagingPath(dirname(to));
  await copyDatabase(from, staged);
  await syncFile(staged);
  for (const suffix of ['-wal', '-shm']) rmSync(to + suffix, { force: true });
  placeFile(staged, to);
  syncFolderNow(dirname(to));
}

function copyIfChanged(from: string, to: string): void {
  if (!existsSync(from)) {
    rmSync(to, { force: true });
    return;
  }
  const bytes = readFileSync(from);
  if (!existsSync(to) || !readFileSync(to).equals(bytes)) replaceFile(to, bytes);
}

/** Repositories that are gone from the data folder go from the copy. */
async function removeGone(copies: string, found: readonly Copying[]): Promise<void> {
  const kept = new Set(found.map(({ copy }) => copy));
  for (const { folder } of [...listRepositoryFolders(copies)])
    if (!kept.has(folder)) await removeFolder(folder);
}

async function removeFolder(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const gone = stagingPath(dirname(folder));
  placeFile(folder, gone);
  await rm(gone, { recursive: true, force: true });
}

// A data folder as a whole: made, recognised by its `format` file, brought to the newest layout, locked. What stands in
// its parts is left to their rooms; the layout itself is told in docs/storage-format.md.
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { copyDatabase } from '../db/copy-database.ts';
import { type FolderLock, takeFolderLock } from '../db/folder-lock.ts';
import { GitsteadError } from '../errors.ts';
import { replaceFile, STAGING_PREFIX } from '../git/durable.ts';

/** One step of the layout: brings a folder of format `to - 1` to `to`. It may be cut short and run again. */
export type Migration = { to: number; run: (folder: string) => Promise<void> };

const FIRST_FORMAT = 1;
const MIGRATIONS: readonly Migration[] = [];

export const FORMAT_FILE = 'format';
const LOCK_FILE = 'lock';
/** What may stand in a folder that is not a data folder yet. */
const HARMLESS = new Set(['gitstead.yaml', 'lost+found', '.DS_Store', LOCK_FILE, `${LOCK_FILE}-journal`]);

/** Where each part of a data folder stands. */
export function partsOf(folder: string) {
  return {
    format: join(folder, FORMAT_FILE),
    lock: join(folder, LOCK_FILE),
    accounts: join(folder, 'accounts.db'),
    index: join(folder, 'index.db'),
    control: join(folder, 'control.sock'),
    repositories: join(folder, 'repos'),
    settings: join(folder, 'gitstead.yaml'),
    /** stands in a copy that `backup` made, until a server is started on it */
    backupMark: join(folder, 'backup'),
  };
}

/**
 * Whether `folder` is a data folder of this version, for a command that works on what is there.
 * @throws not-ready, in one line, when it is none, is older or newer, or cannot be read
 */
export function checkDataFolder(folder: string, migrations = MIGRATIONS): void {
  const format = formatOf(folder);
  if (format === undefined) {
    throw new GitsteadError(
      'not-ready',
      `${folder} is not a Gitstead data folder; give the right one with --data`,
    );
  }
  refuseNewer(folder, format, migrations);
  if (format < newestFormat(migrations)) {
    throw new GitsteadError(
      'not-ready',
      `${folder} has an older layout; start the server once to bring it up to date`,
    );
  }
}

/**
 * Takes the folder for this process alone; made (mode 0700) and brought to the newest layout as needed.
 * @throws not-ready, in one line: held by another process, not writable, no data folder, newer than this version
 */
export async function claimDataFolder(folder: string, migrations = MIGRATIONS): Promise<FolderLock> {
  makeFolder(folder);
  refuseForeign(folder, migrations);
  const lock = lockDataFolder(folder);
  try {
    await bringUpToDate(folder, migrations);
  } catch (error) {
    lock.release();
    throw error;
  }
  return lock;
}

/**
 * Makes the folder ready for a process that owns nothing in it and takes no lock: another one may own the repositories.
 * @throws not-ready, in one line: an older layout that its owner has not brought up to date yet, and as `claimDataFolder`
 */
export async function shareDataFolder(folder: string, migrations = MIGRATIONS): Promise<void> {
  makeFolder(folder);
  refuseForeign(folder, migrations);
  const format = formatOf(folder);
  // an owner that starts at the same time writes the same into a new folder
  if (format === undefined) return await bringUpToDate(folder, migrations);
  if (format === newestFormat(migrations)) return;
  using _lock = lockDataFolder(folder);
  await bringUpToDate(folder, migrations);
}

/**
 * Takes the lock alone, in a folder that exists.
 * @throws not-ready when another process holds it
 */
export function lockDataFolder(folder: string): FolderLock {
  const lock = takeFolderLock(partsOf(folder).lock);
  if (!lock) throw new GitsteadError('not-ready', `${folder} is in use by another Gitstead process`);
  return lock;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new GitsteadError('not-ready', `the data folder ${folder} ${inaccessible(error as Error)}`);
  }
}

function inaccessible(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
      return 'cannot be written: this user has no permission';
    case 'EROFS':
      return 'cannot be written: its file system is read-only';
    case 'EEXIST':
    case 'ENOTDIR':
      return 'cannot be made: a file stands in its place';
    default:
      return `cannot be made: ${error.message}`;
  }
}

/** A folder of something else is never filled, and a half-made backup never served. */
function refuseForeign(folder: string, migrations: readonly Migration[]): void {
  // in this order: what another process makes meanwhile, it makes after the format
  const foreign = firstForeign(folder);
  const format = formatOf(folder);
  if (format !== undefined) {
    refuseNewer(folder, format, migrations);
    return;
  }
  if (foreign === undefined) return;
  throw new GitsteadError(
    'not-ready',
    `${folder} holds ${foreign} but no format file: it is no data folder, or a backup that was not finished`,
  );
}

/** Whether nothing stands in the folder that a data folder or a backup made there would mix with. */
export function isEmptyFolder(folder: string): boolean {
  return firstForeign(folder) === undefined;
}

function firstForeign(folder: string): string | undefined {
  return readdirSync(folder).find((name) => !HARMLESS.has(name) && !name.startsWith(STAGING_PREFIX));
}

function refuseNewer(folder: string, format: number, migrations: readonly Migration[]): void {
  const newest = newestFormat(migrations);
  if (format <= newest) return;
  throw new GitsteadError(
    'not-ready',
    `${folder} was written by a newer Gitstead (its format is ${format}, this version knows ${newest})`,
  );
}

function newestFormat(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.to ?? FIRST_FORMAT;
}

function formatOf(folder: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(partsOf(folder).format, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new GitsteadError('not-ready', `${folder} cannot be read by this user`, { cause: error });
  }
  if (/^[1-9]\d{0,8}\n?$/.test(text)) return Number(text);
  throw new GitsteadError('not-ready', `${join(folder, FORMAT_FILE)} is damaged: it should hold one number`);
}

async function bringUpToDate(folder: string, migrations: readonly Migration[]): Promise<void> {
  const { format: file, accounts } = partsOf(folder);
  const format = formatOf(folder);
  if (format === undefined) {
    replaceFile(file, `${newestFormat(migrations)}\n`);
    return;
  }
  for (const migration of migrations.filter(({ to }) => to > format)) {
    if (existsSync(accounts)) {
      const copy = `${accounts}.before-format-${migration.to}`;
      rmSync(copy, { force: true });
      await copyDatabase(accounts, copy);
    }
    await migration.run(folder);
    replaceFile(file, `${migration.to}\n`);
  }
}

// What makes bytes and names last: the one place beside storage/journal.ts that calls fsync and rename, so that the
// order of durable steps can be read and reviewed. What must be durable, and when, is left to the callers.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  write,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** How the names of everything half-made begin; recovery may remove whatever bears such a name. */
export const STAGING_PREFIX = '.staging-';

/** A fresh name for something half-made in `folder`. */
export function stagingPath(folder: string): string {
  return join(folder, STAGING_PREFIX + randomBytes(12).toString('hex'));
}

/** Removes everything half-made in a folder: at a start, when nothing of ours is running yet. No folder is fine. */
export function clearStaging(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  for (const name of names) {
    if (!name.startsWith(STAGING_PREFIX)) continue;
    // a git that outlived the process that started it may still be writing there: then once more
    rmSync(join(folder, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

/**
 * Writes a file and waits until its bytes are on the disk. The file's name is durable only after a sync of its folder.
 * @param mode permissions of a new file; a file that exists keeps its own
 */
export function writeFileDurably(path: string, bytes: string | Uint8Array, mode = 0o600): void {
  const descriptor = openSync(path, 'w', mode);
  try {
    writeFileSync(descriptor, bytes);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** As `writeFileDurably`, without blocking the event loop. */
export async function writeFileDurablyAsync(path: string, bytes: Uint8Array, mode = 0o600): Promise<void> {
  const descriptor = openSync(path, 'w', mode);
  try {
    await writeAside(descriptor, bytes);
    await syncDescriptor(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Writes at the file's current position: one at a time. */
export async function writeAside(descriptor: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += await new Promise<number>((resolve, reject) => {
      write(descriptor, bytes, at, bytes.length - at, null, (error, written) =>
        error ? reject(error) : resolve(written),
      );
    });
  }
}

/** Gives a file new content at once and durably: a reader sees the old bytes or the new ones, also after a crash. */
export function replaceFile(path: string, bytes: string | Uint8Array, mode = 0o600): void {
  const staged = stagingPath(dirname(path));
  try {
    writeFileDurably(staged, bytes, mode);
    renameSync(staged, path);
  } catch (error) {
    rmSync(staged, { force: true });
    throw error;
  }
  syncFolderNow(dirname(path));
}

/** Renames a file or a folder, over a file that stands there. Not durable before the folder is synced. */
export function placeFile(from: string, to: string): void {
  renameSync(from, to);
}

/** Waits until the entries of a folder are on the disk. Blocks the event loop for some 0.2 ms. */
export function syncFolderNow(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Waits until the bytes of an open file are on the disk. */
export function syncDescriptorNow(descriptor: number): void {
  fsyncSync(descriptor);
}

/** Waits until a file's bytes are on the disk, without blocking the event loop. */
export async function syncFile(path: string): Promise<void> {
  const descriptor = openSync(path, 'r');
  try {
    await syncDescriptor(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Waits until the entries of a folder are on the disk, without blocking the event loop. */
export function syncFolder(path: string): Promise<void> {
  return syncFile(path);
}

/** Waits until the bytes of an open file are on the disk, without blocking the event loop. */
export function syncDescriptor(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fsync(descriptor, (error) => (error ? reject(error) : resolve()));
  });
}

// Branches on disk: reading a ref as git does (loose, then packed), and moving refs/heads/main under git's own lock.
// The lock is a hard link to one of two files of ours, so that recovery can tell it from a lock of a live git:
//
//   gitstead/ref-a ── inode 1 ── refs/heads/main          the head as it stands
//   gitstead/ref-b ── inode 2 ── refs/heads/main.lock     the lock; gets the next head, and is renamed over main
//
// When to lock, and what to do about a foreign head, is left to the callers. Everything here is synchronous: a few system calls.
import {
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { GitsteadError } from '../errors.ts';
import { placeFile, syncFile, syncFolder } from './durable.ts';
import { type Oid, parseOid } from './object-id.ts';
import { CORNER } from './repository.ts';

/** The one branch that Gitstead writes. */
export const MAIN = 'refs/heads/main';

const OUR_FILES = [`${CORNER}/ref-a`, `${CORNER}/ref-b`] as const;
const LINE_BYTES = 41;
const line = Buffer.alloc(64);

/**
 * The commit (or tag) that a ref names; undefined when there is no such ref.
 * Throws 'corrupt' when the ref's file holds anything but an object id, 'not-ready' when it cannot be read.
 */
export function readRef(gitDir: string, ref: string): Oid | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(`${gitDir}/${ref}`, 'r');
  } catch (error) {
    if (isAbsence(error)) return readPackedRef(gitDir, ref);
    throw unreadable(error);
  }
  try {
    const length = readSync(descriptor, line, 0, line.length, 0);
    const oid = parseOid(line.toString('latin1', 0, 40));
    // git itself takes any white space after the id
    if (oid === undefined || (length > 40 && line[40]! > 0x20)) {
      throw new GitsteadError('corrupt', `the ref ${ref} does not hold an object id`);
    }
    return oid;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') return readPackedRef(gitDir, ref);
    throw error instanceof GitsteadError ? error : unreadable(error);
  } finally {
    closeSync(descriptor);
    line.fill(0);
  }
}

function readPackedRef(gitDir: string, ref: string): Oid | undefined {
  let file: string;
  try {
    file = readFileSync(`${gitDir}/packed-refs`, 'latin1');
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw unreadable(error);
  }
  return findPackedRef(file, ref);
}

/**
 * One ref in the text of a `packed-refs` file: lines `<40 hex digits> <ref>`, comments (`#`), peeled tags (`^`).
 * Throws 'corrupt' when the ref's line does not hold an object id.
 */
export function findPackedRef(file: string, ref: string): Oid | undefined {
  const name = ` ${Buffer.from(ref).toString('latin1')}`;
  for (let at = file.indexOf(name); at >= 0; at = file.indexOf(name, at + 1)) {
    const end = at + name.length;
    const start = file.lastIndexOf('\n', at) + 1;
    if ((end < file.length && file[end] !== '\n' && file[end] !== '\r') || file[start] === '#') continue;
    const before = file.slice(start, at);
    if (before.includes(' ')) continue;
    const oid = parseOid(before);
    if (oid === undefined) throw new GitsteadError('corrupt', `packed-refs holds no object id for ${ref}`);
    return oid;
  }
  return undefined;
}

/** Whether the repository has any ref at all: a branch, a tag, whatever its name. */
export function hasRefs(gitDir: string): boolean {
  try {
    if (/^[0-9a-f]{40} /m.test(readFileSync(`${gitDir}/packed-refs`, 'latin1'))) return true;
  } catch (error) {
    if (!isAbsence(error)) throw unreadable(error);
  }
  const loose = readdirSync(`${gitDir}/refs`, { recursive: true, withFileTypes: true });
  return loose.some((entry) => entry.isFile() && !entry.name.endsWith('.lock'));
}

/** A text that changes whenever the ref does: of the loose file, or of packed-refs where there is none. One or two stats. */
export function refStamp(gitDir: string, ref: string): string {
  const loose = statOf(`${gitDir}/${ref}`);
  if (loose?.isFile()) return `l${stampOf(loose)}`;
  const packed = statOf(`${gitDir}/packed-refs`);
  return packed ? `p${stampOf(packed)}` : 'absent';
}

function stampOf(stats: Stats): string {
  return `${stats.ino}-${stats.size}-${stats.mtimeMs}-${stats.ctimeMs}`;
}

/**
 * Takes git's lock on main, never waiting for it. 'held-by-us' also tells a lock that an earlier run of ours left:
 * `removeOurLock` is for that. Throws 'not-ready' when the repository cannot be written.
 */
export function takeRefLock(gitDir: string): 'taken' | 'held-by-other' | 'held-by-us' {
  for (let attempt = 0; ; attempt++) {
    try {
      linkSync(spareFile(gitDir), lockPath(gitDir));
      return 'taken';
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EEXIST') {
        const lock = statOf(lockPath(gitDir));
        if (lock !== undefined) return isOurs(gitDir, lock) ? 'held-by-us' : 'held-by-other';
      } else if (code === 'ENOENT') {
        if (statOf(gitDir) === undefined) throw new GitsteadError('not-ready', 'the repository is gone');
        mkdirSync(`${gitDir}/refs/heads`, { recursive: true, mode: 0o700 });
      } else {
        throw unreadable(error);
      }
      if (attempt === 3) throw unreadable(error);
    }
  }
}

/** Gives the lock back without moving the ref. A lock that is not ours stays; none at all is fine. */
export function releaseRefLock(gitDir: string): void {
  removeOurLock(gitDir);
}

/**
 * Moves main to `head`, which takes effect for every reader at once, and gives the lock back. Not synced: see `syncRef`.
 * Throws 'not-ready', moving nothing, when the lock is not ours (any more).
 */
export function moveRef(gitDir: string, head: Oid): void {
  const lock = lockPath(gitDir);
  let descriptor: number;
  try {
    descriptor = openSync(lock, 'r+');
  } catch (error) {
    throw new GitsteadError('not-ready', 'the lock on main is gone', { cause: error });
  }
  try {
    if (!isOurs(gitDir, fstatSync(descriptor))) {
      throw new GitsteadError('not-ready', 'the lock on main is held by another program');
    }
    if (writeSync(descriptor, `${head}\n`, 0, 'latin1') !== LINE_BYTES) {
      throw new GitsteadError('disk-full', 'the ref could not be written');
    }
  } finally {
    closeSync(descriptor);
  }
  try {
    placeFile(lock, `${gitDir}/${MAIN}`);
  } catch (error) {
    // an empty folder, left of a branch main/x that was deleted, gives way as it does for git
    if (!statOf(`${gitDir}/${MAIN}`)?.isDirectory()) throw error;
    rmdirSync(`${gitDir}/${MAIN}`);
    placeFile(lock, `${gitDir}/${MAIN}`);
  }
}

/** Waits until main, as it stands, is on the disk. */
export async function syncRef(gitDir: string): Promise<void> {
  try {
    await syncFile(`${gitDir}/${MAIN}`);
    await syncFolder(`${gitDir}/refs/heads`);
  } catch (error) {
    if (!isAbsence(error)) throw error;
    // packed in the meantime
    await syncFile(`${gitDir}/packed-refs`);
    await syncFolder(gitDir);
  }
}

/** Removes the lock on main if it is ours, told by its inode. True when there was such a lock. For recovery. */
export function removeOurLock(gitDir: string): boolean {
  const lock = statOf(lockPath(gitDir));
  if (lock === undefined || !isOurs(gitDir, lock)) return false;
  unlinkSync(lockPath(gitDir));
  return true;
}

/** Removes the lock on main, whoever took it: for a repository that nobody can be using. */
export function removeAnyLock(gitDir: string): void {
  rmSync(lockPath(gitDir), { force: true });
}

/**
 * The one of our two files that main is not linked to, made when missing. A spare that has a second name all the same
 * (a copy made with hard links, or our own lock) is not written: the copy would change with it.
 */
function spareFile(gitDir: string): string {
  const main = statOf(`${gitDir}/${MAIN}`);
  for (const name of OUR_FILES) {
    const path = `${gitDir}/${name}`;
    const file = statOf(path);
    if (file !== undefined && file.ino === main?.ino) continue;
    if (file === undefined || (file.nlink > 1 && file.ino !== statOf(lockPath(gitDir))?.ino)) {
      if (file !== undefined) rmSync(path);
      makeFile(gitDir, path);
    }
    return path;
  }
  throw new GitsteadError('corrupt', 'both ref files of the repository are the same file');
}

/** Makes an empty file in our corner; the corner too in a repository that came from elsewhere, but never the repository. */
function makeFile(gitDir: string, path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!isAbsence(error)) throw error;
    mkdirSync(`${gitDir}/${CORNER}`, { mode: 0o700 });
    closeSync(openSync(path, 'wx', 0o600));
  }
}

function isOurs(gitDir: string, lock: Stats): boolean {
  return OUR_FILES.some((name) => statOf(`${gitDir}/${name}`)?.ino === lock.ino);
}

function lockPath(gitDir: string): string {
  return `${gitDir}/${MAIN}.lock`;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw unreadable(error);
  }
}

function isAbsence(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function unreadable(cause: unknown): GitsteadError {
  if (cause instanceof GitsteadError) return cause;
  return new GitsteadError('not-ready', 'the repository cannot be read or written now', { cause });
}

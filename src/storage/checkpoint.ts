// A checkpoint: the open pack, sealed between two turns, becomes a pack with its index on disk, and main moves to
// the newest commit: from then on stock git sees what was acknowledged. Nothing is synced here: the journal holds
// it all until its segment is settled.
import { rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { GitsteadError } from '../errors.ts';
import { placeFile, stagingPath, syncFile, syncFolder, syncFolderNow } from '../git/durable.ts';
import { dropKeep, dropOwnKeep, keepPack, packFile, packFolder, removePack } from '../git/pack-files.ts';
import { MAIN, moveRef, readRef, refStamp, releaseRefLock, syncRef, takeRefLock } from '../git/refs.ts';
import { CORNER } from '../git/repository.ts';
import { placeSpool } from '../git/spool-pack.ts';
import { hasPending, type OpenPack, type OpenRepository } from './open-repository.ts';
import type { Passing } from './stop-points.ts';

/** Larger packs are written without blocking the event loop. */
const WRITE_ASIDE_ABOVE_BYTES = 1 << 20;

/** How long the lock stays free after a checkpoint, so that a `git push` into the folder gets its turn. */
const FREE_LOCK_MS = 2;
const MAX_LOCK_WAIT_MS = 5000;
const LOCK_AGAIN_MS = 2;

/**
 * Moves pending commits into a pack and the ref to the newest of them. On an error everything stays pending, and it may
 * be tried again.
 * @returns false when main is not where it was when the turn began (a program that ignores git's lock moved it)
 */
export async function checkpoint(repository: OpenRepository, passing: Passing): Promise<boolean> {
  const pack = repository.pack;
  if (!pack || !hasPending(repository)) {
    releaseLock(repository);
    return true;
  }
  placeSpooled(repository, pack, passing);
  const { pack: bytes, index } = pack.builder.finish();
  await writePack(repository.folder, pack.name, bytes, index, passing);
  if ((readRef(repository.folder, MAIN) ?? null) !== repository.refHead) return false;
  if (!moveMain(repository)) return false;
  passing('checkpoint.ref-moved');
  repository.store.addPack(pack.name, index);
  repository.pack = undefined;
  pack.builder.free();
  repository.refHead = repository.head;
  repository.locked = false;
  repository.freeUntil = performance.now() + FREE_LOCK_MS;
  dropOwnKeep(repository.folder, pack.name);
  for (const spool of pack.spooled) dropOwnKeep(repository.folder, spool.name);
  passing('checkpoint.done');
  noteStamp(repository);
  return true;
}

/** Main to the newest commit. When somebody deleted our lock it is taken again, and main looked at again under it. */
function moveMain(repository: OpenRepository): boolean {
  try {
    moveRef(repository.folder, repository.head!);
    return true;
  } catch (error) {
    if (takeRefLock(repository.folder) !== 'taken') throw error;
    if ((readRef(repository.folder, MAIN) ?? null) !== repository.refHead) return false;
    moveRef(repository.folder, repository.head!);
    return true;
  }
}

/** Waits for git's lock on main, and a moment after a checkpoint. @throws not-ready when another program keeps it */
export async function takeLock(repository: OpenRepository): Promise<void> {
  const start = performance.now();
  if (repository.freeUntil > start) await pause(repository.freeUntil - start);
  for (;;) {
    const outcome = takeRefLock(repository.folder);
    if (outcome !== 'held-by-other') break;
    if (performance.now() - start > MAX_LOCK_WAIT_MS) {
      throw new GitsteadError(
        'not-ready',
        'another program holds the lock on main; delete refs/heads/main.lock if none runs',
      );
    }
    await pause(LOCK_AGAIN_MS);
  }
  repository.locked = true;
}

/** Gives the lock back when nothing is pending under it. */
export function releaseLock(repository: OpenRepository): void {
  if (!repository.locked) return;
  releaseRefLock(repository.folder);
  repository.locked = false;
}

export function noteStamp(repository: OpenRepository): void {
  repository.stamp = refStamp(repository.folder, MAIN);
  repository.stampedAt = performance.now();
}

/** Spooled bodies into objects/: at once after their turn is durable, or again at the checkpoint if that failed. */
export function placeSpooled(repository: OpenRepository, pack: OpenPack, passing: Passing): void {
  const waiting = pack.spooled.filter(({ name }) => !pack.placed.has(name));
  for (const spool of waiting) {
    passing('checkpoint.spool-waiting');
    placeSpool(repository.folder, spool);
    pack.placed.add(spool.name);
    passing('checkpoint.spool-placed');
  }
  if (waiting.length === 0) return;
  // the new names are durable before a later upload's sync makes the absence of the old ones durable
  syncFolderNow(packFolder(repository.folder));
  repository.store.rescan();
}

/**
 * A pack and its index under objects/pack, with a `.keep` beside them that stays until the ref has moved: without it a
 * `git gc` or `repack -ad` would delete what no ref reaches yet.
 */
export async function writePack(
  folder: string,
  name: string,
  bytes: Buffer,
  index: Buffer,
  passing: Passing,
): Promise<void> {
  const path = packFile(folder, name, 'pack');
  const staged = stagingPath(`${folder}/${CORNER}`);
  keepPack(folder, name);
  passing('checkpoint.kept');
  rmSync(path, { force: true }); // of an attempt that came no further
  try {
    if (bytes.length > WRITE_ASIDE_ABOVE_BYTES) await writeFile(path, bytes, { mode: 0o400 });
    else writeFileSync(path, bytes, { mode: 0o400 });
    passing('checkpoint.pack-written');
    writeFileSync(staged, index, { mode: 0o400 });
    placeFile(staged, packFile(folder, name, 'idx'));
    passing('checkpoint.index-written');
  } catch (error) {
    rmSync(staged, { force: true });
    removePack(folder, name);
    dropKeep(folder, name);
    throw error;
  }
}

/** Waits until the named packs, the folder that lists them, and main are on the disk. */
export async function syncPacksAndMain(folder: string, names: Iterable<string>): Promise<void> {
  await syncPacks(folder, names);
  await syncRef(folder);
}

/** Waits until the named packs, and the folder that lists them, are on the disk. A pack that is gone was merged, durably. */
export async function syncPacks(folder: string, names: Iterable<string>): Promise<void> {
  for (const name of names) {
    for (const ending of ['pack', 'idx']) await ignoreAbsence(syncFile(packFile(folder, name, ending)));
  }
  await syncFolder(packFolder(folder));
}

async function ignoreAbsence(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

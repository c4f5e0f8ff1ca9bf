// Many packs into one, while the repository is in use: by us, by git's readers, and perhaps by a repack or gc that deletes
// what we are reading. Nothing goes before its successor is on the disk; whoever finds a pack gone gives up quietly.
//
//   1. plan     every index is read: which objects there are           (nothing on disk yet)
//   2. write    the merged pack and its index, synced                  gitstead/.staging-…
//   3. place    keep, pack, index; the folder synced                   both old and new packs stand
//   4. remove   any multi-pack-index, then the old packs, index first  only the new pack stands; none goes while a gc runs
//   5. drop     the keep
//
// A crash leaves a staging file, or a pack too many with our keep beside it: nothing is missing at any point.
import { readFileSync, rmSync } from 'node:fs';
import { stagingPath, syncFolderNow, writeFileDurably } from './durable.ts';
import { freeMemory } from './free-memory.ts';
import { gcIsAtWork } from './gc-lock.ts';
import { MergeEntries } from './merge-entries.ts';
import { removeIfNamed } from './multi-pack-index.ts';
import { OID_BYTES } from './object-id.ts';
import { OidTable } from './oid-table.ts';
import { OpenFiles } from './open-files.ts';
import {
  dropKeep,
  isMergeable,
  type PackFile,
  packFile,
  packFolder,
  placePackFiles,
  removePack,
} from './pack-files.ts';
import { PackReader } from './pack-reader.ts';
import { PackWriter } from './pack-writer.ts';
import { CORNER } from './repository.ts';

export { mergeablePacks } from './pack-files.ts';

const MERGE_AT_PACKS = 16;
/** Each pack that stays is at least so many times as large as all smaller ones together. */
const GROWTH = 2;
/** And so many times in a repository that is quiet: fewer stay, and more is copied for it. */
export const QUIET_GROWTH = 8;
/** A pack of larger objects than this: copying it costs much, and no reader is faster for it. */
const LARGE_OBJECT_BYTES = 4 << 20;
/** So is a larger pack than this, as long as somebody writes: a merge that takes seconds lets new packs pile up beside it. */
const LARGE_PACK_BYTES = 32 << 20;
/** So many large ones stay as they are. */
const LEFT_LARGE = 8;
/** Smaller packs count as this large: what they cost is being one more. */
const SMALL_BYTES = 4 << 10;
const OPEN_FILES = 8;
/** So long a gc is waited for. It may end without a pack that goes, while new packs without a merge become ever more. */
const GC_PATIENCE_MS = 10 * 60_000;

export type MergeOptions = {
  /** called when the new pack stands and the old ones still do: from now on reads can go there; the index is given away */
  placed?: (name: string, index: Buffer) => void;
  /** asked now and then: true gives up, as long as nothing is placed */
  isGivenUp?: () => boolean;
};

export type MergeResult =
  | { kind: 'merged'; name: string; objects: number; bytes: number }
  | { kind: 'gave-up'; reason: 'pack gone' | 'pack kept' | 'gc at work' | 'aborted' };

/**
 * Which packs had best be merged, oldest first; undefined when it is fine as it is. What is left, with the merged pack, grows
 * geometrically, so that there are never more than some 30 packs, and an object is copied a logarithmic number of times. A
 * few large packs are left aside: most repositories have no more.
 * @param packs those that may be merged (`mergeablePacks`)
 * @param atLeast fewer packs than this are left alone
 * @param growth how much larger a pack must be than all smaller ones together, to stay
 * @param largeBytes a larger pack is a large one, as is one of large objects
 */
export function choosePacks(
  packs: readonly PackFile[],
  atLeast = MERGE_AT_PACKS,
  growth = GROWTH,
  largeBytes = LARGE_PACK_BYTES,
): string[] | undefined {
  const small = packs.filter(
    ({ bytes, objects }) => bytes < largeBytes && bytes < LARGE_OBJECT_BYTES * objects,
  );
  const merged = packs.length - small.length > LEFT_LARGE ? packs : small;
  if (merged.length < Math.max(2, atLeast)) return undefined;
  const sorted = merged.toSorted((a, b) => a.bytes - b.bytes);
  const sizes = sorted.map(({ bytes }) => Math.max(bytes, SMALL_BYTES));
  let count = sizes.length;
  while (count > 1 && sizes[count - 1]! >= growth * sizes[count - 2]!) count--;
  let total = sizes.slice(0, count).reduce((sum, size) => sum + size, 0);
  while (count < sizes.length && sizes[count]! < growth * total) total += sizes[count++]!;
  if (count < 2) return undefined;
  const chosen = sorted.slice(0, count).sort((a, b) => a.modified - b.modified || (a.name < b.name ? -1 : 1));
  return chosen.map(({ name }) => name);
}

/** Thrown through the layers below when the merge is given up; goes no further than here. */
class GivenUp extends Error {}

/**
 * Merges packs into one and removes them. One merge at a time in a repository. It blocks the thread that it runs in. Packs
 * that somebody keeps, or that go meanwhile, make it give up, with nothing changed.
 * @param names `pack-…`, oldest first: a tree becomes a delta of its version in a pack before
 * @throws GitsteadError `corrupt` when a pack cannot be trusted (do not try these again), the system's error when the disk
 *   is full or fails; nothing has changed then
 */
export function mergePacks(
  gitDir: string,
  names: readonly string[],
  options: MergeOptions = {},
): MergeResult {
  if (gcIsAtWork(gitDir, GC_PATIENCE_MS)) return { kind: 'gave-up', reason: 'gc at work' };
  const goOn = () => {
    if (options.isGivenUp?.()) throw new GivenUp();
  };
  const stagedPack = stagingPath(`${gitDir}/${CORNER}`);
  const stagedIndex = stagingPath(`${gitDir}/${CORNER}`);
  let merged: Merged | undefined;
  try {
    merged = writeMerged(gitDir, names, stagedPack, goOn);
    if (!merged) return { kind: 'gave-up', reason: 'pack kept' };
    writeFileDurably(stagedIndex, merged.index, 0o400);
    goOn();
    placePackFiles(gitDir, merged.name, stagedPack, stagedIndex);
  } catch (error) {
    if (merged && !names.includes(merged.name)) {
      removePack(gitDir, merged.name);
      dropKeep(gitDir, merged.name);
    }
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESTALE') return { kind: 'gave-up', reason: 'pack gone' };
    if (error instanceof GivenUp) return { kind: 'gave-up', reason: 'aborted' };
    throw error;
  } finally {
    rmSync(stagedPack, { force: true });
    rmSync(stagedIndex, { force: true });
  }
  syncFolderNow(packFolder(gitDir));
  options.placed?.(merged.name, merged.index);
  // one that began meanwhile knows the old packs: it removes them itself, or the next merge does
  if (!gcIsAtWork(gitDir, GC_PATIENCE_MS)) removeOld(gitDir, names, merged.name);
  dropKeep(gitDir, merged.name);
  const { name, objects, bytes } = merged;
  return { kind: 'merged', name, objects, bytes };
}

type Merged = { name: string; index: Buffer; objects: number; bytes: number };

/** Writes the merged pack to `path`, and makes its index in memory; undefined when one of the packs is shielded. */
function writeMerged(
  gitDir: string,
  names: readonly string[],
  path: string,
  goOn: () => void,
): Merged | undefined {
  const files = new OpenFiles(OPEN_FILES);
  const indexes: Buffer[] = [];
  try {
    const readers: PackReader[] = [];
    for (const name of names) {
      goOn();
      if (!isMergeable(gitDir, name)) return undefined;
      const index = readFileSync(packFile(gitDir, name, 'idx'));
      indexes.push(index);
      readers.push(new PackReader(packFolder(gitDir), name, files, index));
    }
    const { rows, ...plan } = planObjects(readers);
    using table = plan.table;
    const writer = new PackWriter(path, table.count);
    try {
      using entries = new MergeEntries(gitDir, table, rows, writer, readers, goOn);
      for (const source of readers.keys()) entries.writeSource(source);
      const bytes = writer.position;
      const checksum = writer.finish();
      return { name: `pack-${checksum}`, index: table.encodeIndex(checksum), objects: table.count, bytes };
    } catch (error) {
      writer.abandon();
      throw error;
    } finally {
      for (const ofSource of rows) freeMemory(ofSource);
    }
  } finally {
    files.closeAll();
    for (const index of indexes) freeMemory(index);
  }
}

/** Every object of the packs, once, with the first pack that has it; and for each pack the rows of what it has. */
function planObjects(readers: readonly PackReader[]): { table: OidTable; rows: Uint32Array[] } {
  const table = new OidTable(readers.reduce((sum, reader) => sum + reader.index.count, 0));
  const rows = readers.map(({ index }, source) => {
    const ofSource = new Uint32Array(index.count);
    for (let place = 0; place < index.count; place++) {
      ofSource[place] = table.add(index.ids, place * OID_BYTES, source);
    }
    return ofSource;
  });
  return { table, rows };
}

/** The merged pack is on the disk: the old ones go (one that a power loss brings back harms nobody). */
function removeOld(gitDir: string, names: readonly string[], merged: string): void {
  const old = names.filter((name) => name !== merged);
  removeIfNamed(gitDir, old);
  for (const name of old) {
    // one that has been shielded since is of use to somebody, and one more copy harms nobody
    if (isMergeable(gitDir, name)) removePack(gitDir, name);
  }
  // one that was made meanwhile, by somebody who had read their names before
  removeIfNamed(gitDir, old);
}

// Git's one index over several packs, as far as it matters which packs it names: git takes it at its word, and finds broken
// for good what it names and is gone. With it goes what was made together with it: its bitmap, and a commit graph of ours,
// which names commits that a repack of somebody else's may have dropped. Stock git makes all of these (reading-aids.ts).
//
//   objects/pack/multi-pack-index              objects/pack/multi-pack-index-<its checksum>.bitmap
//   objects/info/commit-graph                  gitstead/commit-graph     the checksum of the graph that is ours
//
//   index: | "MIDX", version, hash, chunks, bases, packs | (id, offset) of each chunk, then (0, end) | chunks … |
//   sizes:    4       1        1     1       1      4         4   8
//   chunk PNAM: names of packs with `.idx`, a zero byte behind each      chunk OIDF: 256 numbers, the last counts all objects
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { OID_BYTES } from './object-id.ts';
import { CORNER } from './repository.ts';

const MAGIC = 'MIDX';
const VERSION = 1;
const HEADER_BYTES = 12;
const CHUNK_ROW_BYTES = 12;
/** More than any names of packs need: a damaged table asks for no more memory. */
const MAX_NAMES_BYTES = 1 << 24;

/** What the index holds; `unreadable`: damaged, or of a kind that is younger than this code. */
export type MultiPackIndex = { kind: 'readable'; packs: string[] } | { kind: 'unreadable' };

export function multiPackIndexFile(gitDir: string): string {
  return `${gitDir}/objects/pack/multi-pack-index`;
}

export function commitGraphFile(gitDir: string): string {
  return `${gitDir}/objects/info/commit-graph`;
}

/** The file that says which commit graph is ours. */
export function commitGraphMark(gitDir: string): string {
  return `${gitDir}/${CORNER}/commit-graph`;
}

/** What belongs to an index: git leaves it behind when the index goes, and never looks at it again. */
export function isOfMultiPackIndex(file: string): boolean {
  return /^multi-pack-index-[0-9a-f]+\.(bitmap|rev)$/.test(file);
}

/** Which packs (`pack-…`) the index names; undefined: there is none. Reads its ends only, whatever its size. */
export function readMultiPackIndex(gitDir: string): MultiPackIndex | undefined {
  const path = multiPackIndexFile(gitDir);
  // asked first: an error costs ten times as much
  if (!statSync(path, { throwIfNoEntry: false })) return undefined;
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const packs = readNames(descriptor);
    return packs ? { kind: 'readable', packs } : { kind: 'unreadable' };
  } finally {
    closeSync(descriptor);
  }
}

function readNames(descriptor: number): string[] | undefined {
  const size = fstatSync(descriptor).size;
  const header = readAt(descriptor, 0, HEADER_BYTES);
  if (header?.toString('latin1', 0, 4) !== MAGIC || header[4] !== VERSION || header[7] !== 0)
    return undefined;
  const table = readAt(descriptor, HEADER_BYTES, (header[6]! + 1) * CHUNK_ROW_BYTES);
  for (let row = 0; table && row + CHUNK_ROW_BYTES < table.length; row += CHUNK_ROW_BYTES) {
    if (table.toString('latin1', row, row + 4) !== 'PNAM') continue;
    const start = Number(table.readBigUInt64BE(row + 4));
    const end = Number(table.readBigUInt64BE(row + 4 + CHUNK_ROW_BYTES));
    if (end < start || end > size || end - start > MAX_NAMES_BYTES) return undefined;
    const names = readAt(descriptor, start, end - start)
      ?.toString('latin1')
      .split('\0');
    const packs = names?.filter((name) => name.endsWith('.idx')).map((name) => name.slice(0, -'.idx'.length));
    return packs?.length === header.readUInt32BE(8) ? packs : undefined;
  }
  return undefined;
}

/** undefined: the file is shorter */
function readAt(descriptor: number, position: number, length: number): Buffer | undefined {
  const bytes = Buffer.alloc(length);
  return readSync(descriptor, bytes, 0, length, position) === length ? bytes : undefined;
}

/** Removes the index if it names one of these packs, or does not tell: to be called before a pack goes. */
export function removeIfNamed(gitDir: string, packs: readonly string[]): void {
  const index = readMultiPackIndex(gitDir);
  if (index === undefined) return;
  if (index.kind === 'unreadable' || packs.some((name) => index.packs.includes(name))) {
    removeMultiPackIndex(gitDir);
  }
}

/** Removes the index with all that belongs to it, and a commit graph of ours. */
export function removeMultiPackIndex(gitDir: string): void {
  rmSync(multiPackIndexFile(gitDir), { force: true });
  const folder = `${gitDir}/objects/pack`;
  for (const name of readdirSync(folder)) {
    if (isOfMultiPackIndex(name)) rmSync(`${folder}/${name}`, { force: true });
  }
  removeOurGraph(gitDir);
}

/** @returns true when there was one, or the mark of one */
function removeOurGraph(gitDir: string): boolean {
  const mark = readIfThere(commitGraphMark(gitDir))?.toString('latin1');
  if (mark === undefined) return false;
  const path = commitGraphFile(gitDir);
  if (checksumOf(path) === mark.trim()) rmSync(path, { force: true });
  rmSync(commitGraphMark(gitDir), { force: true });
  return true;
}

/** The last bytes of one of git's files, in hexadecimal; undefined: no such file. */
export function checksumOf(path: string): string | undefined {
  if (!statSync(path, { throwIfNoEntry: false })) return undefined;
  const descriptor = openSync(path, 'r');
  try {
    const size = fstatSync(descriptor).size;
    return size < OID_BYTES ? '' : readAt(descriptor, size - OID_BYTES, OID_BYTES)?.toString('hex');
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Looks whether the packs that the index names are there, and removes it when one is not; and a commit graph of ours that
 * stands without the index. A repack that began before the index was made ends after that, and knows nothing of it.
 * @returns whether something was removed
 */
export function mendMultiPackIndex(gitDir: string): boolean {
  const index = readMultiPackIndex(gitDir);
  if (index === undefined) return removeOurGraph(gitDir);
  if (index.kind === 'unreadable' || index.packs.every((name) => stands(gitDir, name))) return false;
  removeMultiPackIndex(gitDir);
  return true;
}

/** Whether a pack is there, with its own index. */
export function stands(gitDir: string, pack: string): boolean {
  return ['idx', 'pack'].every((ending) =>
    statSync(`${gitDir}/objects/pack/${pack}.${ending}`, { throwIfNoEntry: false }),
  );
}

function readIfThere(path: string): Buffer | undefined {
  return statSync(path, { throwIfNoEntry: false }) ? readFileSync(path) : undefined;
}

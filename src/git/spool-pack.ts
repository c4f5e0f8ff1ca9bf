// A large body on its way into a repository: streamed to disk as a pack of one blob, in our own corner, before anything is
// decided about it. Once it is placed it is a pack like any other. Small bodies stay in memory and never come here.
//
//   gitstead/spool/.staging-…    being written
//   gitstead/spool/pack-….pack   whole and on the disk, as is its .idx: waits to be placed or discarded; once it is
//                                placed, a second name of the same file, until its place is on the disk
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { GitsteadError } from '../errors.ts';
import { ENTRY_AT, type PackedBlob } from './blob-pack.ts';
import { placeFile, stagingPath, syncFolder, writeFileDurablyAsync } from './durable.ts';
import { freeWhole } from './free-memory.ts';
import type { Oid } from './object-id.ts';
import { keepPack, packFile } from './pack-files.ts';
import { encodeIndex } from './pack-index.ts';
import { CORNER } from './repository.ts';
import type { SpoolingBody, SpoolPlace, SpoolThreads } from './spool-threads.ts';

export { dropKeep } from './pack-files.ts';

/**
 * A body's bytes, to be iterated once. `isGivenAway`: nobody else holds its chunks, and the memory of one is freed as soon as
 * it was copied. Thousands of them, waiting to be collected, would be most of the server's memory.
 */
export type BodySource = AsyncIterable<Buffer> & { readonly isGivenAway?: boolean };

/** `size` of the body in bytes; `name` of the pack (`pack-…`), the same before and after it is placed. */
export type SpooledBlob = { oid: Oid; size: number; name: string; packPath: string; indexPath: string };

/**
 * Streams a body into a pack of its own, and waits until that is on the disk. Less than 1 MiB of memory whatever its size; what
 * is computed is computed in a thread. Whatever goes wrong, nothing is left. The source is read and never closed: that is
 * for whoever opened it.
 * @param length of the body in bytes where it is known; else the body is written down first and read again
 * @throws GitsteadError `too-large` above `limitBytes` (with a known length before anything is read), `bad-request` when
 *   there are fewer or more bytes than `length`, `internal` when the thread ends; and whatever the source or the disk throws
 */
export async function spoolBlob(
  threads: SpoolThreads,
  gitDir: string,
  source: BodySource,
  length: number | undefined,
  limitBytes: number,
): Promise<SpooledBlob> {
  if (length !== undefined && length > limitBytes) throw tooLarge(limitBytes);
  const folder = spoolFolder(gitDir);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const staged = stagingPath(folder);
  if (length !== undefined) {
    return spoolTo(threads, gitDir, { pack: staged, size: length }, (body) =>
      handOver(body, source, length, limitBytes),
    );
  }
  const raw = stagingPath(folder);
  try {
    return await spoolTo(threads, gitDir, { pack: staged, raw }, (body) =>
      handOver(body, source, undefined, limitBytes),
    );
  } finally {
    await rm(raw, { force: true });
  }
}

/**
 * Makes the spooled blob a pack of the repository, with a `.keep` beside it (see `dropKeep`). Nothing is synced: the
 * names in the spool stay until `discardSpooledPack`, for after the packs folder was synced.
 */
export function placeSpool(gitDir: string, spooled: SpooledBlob): void {
  placeSpooledPack(gitDir, spooled.name);
}

/** The same by the name that the journal tells, for recovery; nothing happens when it is in the spool no more. */
export function placeSpooledPack(gitDir: string, name: string): void {
  const { packPath, indexPath } = pathsOf(gitDir, name);
  if (!existsSync(packPath) && !existsSync(indexPath)) return;
  keepPack(gitDir, name);
  linkTo(packPath, packFile(gitDir, name, 'pack'));
  linkTo(indexPath, packFile(gitDir, name, 'idx'));
}

/** Gives a file a second name, unless it has that name or is gone itself. */
function linkTo(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
  }
}

/** Takes a pack's names out of the spool: it was placed, and its place is on the disk. */
export function discardSpooledPack(gitDir: string, name: string): void {
  const { packPath, indexPath } = pathsOf(gitDir, name);
  for (const path of [indexPath, packPath]) rmSync(path, { force: true });
}

/** Removes a spooled blob that is not wanted. */
export function discardSpool(spooled: SpooledBlob): void {
  rmSync(spooled.indexPath, { force: true });
  rmSync(spooled.packPath, { force: true });
}

/** Removes everything spooled, whole or not, but the packs of these names. For recovery. */
export function clearSpool(gitDir: string, wanted: ReadonlySet<string>): void {
  let files: string[];
  try {
    files = readdirSync(spoolFolder(gitDir));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  for (const file of files) {
    if (!wanted.has(file.replace(/\.(pack|idx)$/, '')))
      rmSync(`${spoolFolder(gitDir)}/${file}`, { force: true });
  }
}

function spoolFolder(gitDir: string): string {
  return `${gitDir}/${CORNER}/spool`;
}

function pathsOf(gitDir: string, name: string): { packPath: string; indexPath: string } {
  const path = `${spoolFolder(gitDir)}/${name}`;
  return { packPath: `${path}.pack`, indexPath: `${path}.idx` };
}

async function spoolTo(
  threads: SpoolThreads,
  gitDir: string,
  place: SpoolPlace,
  handOverBody: (body: SpoolingBody) => Promise<number>,
): Promise<SpooledBlob> {
  // not named after its content: the same body may be on its way twice, and placed already
  const name = `pack-${randomBytes(20).toString('hex')}`;
  const { packPath, indexPath } = pathsOf(gitDir, name);
  const stagedIndex = stagingPath(spoolFolder(gitDir));
  const body = threads.begin(place);
  let isOver = false;
  try {
    const size = await handOverBody(body);
    const packed = await body.end();
    isOver = true;
    await writeFileDurablyAsync(stagedIndex, indexOf(packed), 0o400);
    placeFile(place.pack, packPath);
    placeFile(stagedIndex, indexPath);
    await syncFolder(spoolFolder(gitDir));
    // another upload may have made the spool's folder a moment ago: its own name must last too
    await syncFolder(`${gitDir}/${CORNER}`);
    return { oid: packed.oid, size, name, packPath, indexPath };
  } catch (error) {
    if (!isOver) await body.giveUp();
    for (const path of [stagedIndex, indexPath, packPath, place.pack]) await rm(path, { force: true });
    throw error;
  }
}

function indexOf({ oid, crc, checksum }: PackedBlob): Buffer {
  return encodeIndex([{ oid, crc, offset: ENTRY_AT }], checksum);
}

/** Copies the source's chunks into the thread's parts. @returns how many bytes there were */
async function handOver(
  body: SpoolingBody,
  source: BodySource,
  length: number | undefined,
  limitBytes: number,
): Promise<number> {
  let bytes = 0;
  let filled = 0;
  let part: Buffer | undefined;
  for await (const chunk of withoutClosing(source)) {
    bytes += chunk.length;
    if (bytes > (length ?? Number.POSITIVE_INFINITY)) {
      throw new GitsteadError('bad-request', 'the body is longer than announced');
    }
    if (bytes > limitBytes) throw tooLarge(limitBytes);
    for (let at = 0; at < chunk.length; ) {
      part ??= await body.room();
      const piece = chunk.subarray(at, at + part.length - filled);
      part.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < part.length) continue;
      body.hand(part, filled);
      part = undefined;
      filled = 0;
    }
    if (source.isGivenAway) freeWhole(chunk);
  }
  if (length !== undefined && bytes < length) {
    throw new GitsteadError('bad-request', 'the body is shorter than announced');
  }
  if (filled > 0) body.hand(part!, filled);
  else if (bytes === 0 && length !== undefined) body.hand(await body.room(), 0);
  return bytes;
}

/** The source's chunks; when the reader stops early the source stays open (its connection may be needed for the answer). */
async function* withoutClosing(source: BodySource): AsyncGenerator<Buffer, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
}

function tooLarge(limitBytes: number): GitsteadError {
  return new GitsteadError('too-large', `the document is larger than the limit of ${limitBytes} bytes`);
}

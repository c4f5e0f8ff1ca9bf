// A large body on its way into a repository: streamed to disk as a pack of one blob, in our own corner, before anything is
// decided about it. Once it is placed it is a pack like any other. Small bodies stay in memory and never come here.
//
//   gitstead/spool/.staging-…    being written
//   gitstead/spool/pack-….pack   whole and on the disk, as is its .idx: waits to be placed or discarded; once it is
//                                placed, a second name of the same file, until its place is on the disk
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  write,
} from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createDeflate, deflateSync } from 'node:zlib';
import { GitsteadError } from '../errors.ts';
import { placeFile, stagingPath, syncFolder, writeFileDurablyAsync } from './durable.ts';
import type { Oid } from './object-id.ts';
import { ENTRY_TYPES, MAX_ENTRY_HEADER_BYTES, writeEntryHeader } from './pack-entry.ts';
import { keepPack, packFile } from './pack-files.ts';
import { encodeIndex } from './pack-index.ts';
import { PackWriter } from './pack-writer.ts';
import { CORNER } from './repository.ts';
import { storedLength, writeStored } from './zlib.ts';

export { dropKeep } from './pack-files.ts';

const writeAsync = promisify(write);

const BLOCK_BYTES = 0xffff;
const SAMPLE_BYTES = 4096;
/** A sample must shrink to this share of its size, or the body is stored as it is. */
const WORTHWHILE = 0.95;
const FIRST_ENTRY_AT = 12;
const READ_BYTES = 256 << 10;
const ADLER_MODULUS = 65521;

/** `size` of the body in bytes; `name` of the pack (`pack-…`), the same before and after it is placed. */
export type SpooledBlob = { oid: Oid; size: number; name: string; packPath: string; indexPath: string };

/**
 * Streams a body into a pack of its own, and waits until that is on the disk. Some 1 MiB of memory whatever its size.
 * Whatever goes wrong, nothing is left. The source is read and never closed: that is for whoever opened it.
 * @param length of the body in bytes where it is known; else the body is written down first and read again
 * @throws GitsteadError `too-large` above `limitBytes` (with a known length before anything is read), `bad-request` when
 *   there are fewer or more bytes than `length`; and whatever the source throws
 */
export async function spoolBlob(
  gitDir: string,
  source: AsyncIterable<Uint8Array>,
  length: number | undefined,
  limitBytes: number,
): Promise<SpooledBlob> {
  if (length !== undefined && length > limitBytes) throw tooLarge(limitBytes);
  mkdirSync(spoolFolder(gitDir), { recursive: true, mode: 0o700 });
  if (length !== undefined) return spoolKnown(gitDir, source, length);
  const raw = stagingPath(spoolFolder(gitDir));
  try {
    const size = await writeRaw(raw, source, limitBytes);
    const again = createReadStream(raw, { highWaterMark: READ_BYTES });
    again.on('error', () => {}); // whoever reads it is told; who gave up before does not care
    try {
      return await spoolKnown(gitDir, again, size);
    } finally {
      again.destroy();
    }
  } finally {
    rmSync(raw, { force: true });
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

async function spoolKnown(
  gitDir: string,
  source: AsyncIterable<Uint8Array>,
  length: number,
): Promise<SpooledBlob> {
  // not named after its content: the same body may be on its way twice, and placed already
  const name = `pack-${randomBytes(20).toString('hex')}`;
  const { packPath, indexPath } = pathsOf(gitDir, name);
  const staged = stagingPath(spoolFolder(gitDir));
  const pack = new PackWriter(staged, 1);
  const stagedIndex = stagingPath(spoolFolder(gitDir));
  try {
    const oid = await writeBlobEntry(pack, source, length);
    const crc = pack.crc;
    const checksum = await pack.finish();
    const index = encodeIndex([{ oid, crc, offset: FIRST_ENTRY_AT }], checksum);
    await writeFileDurablyAsync(stagedIndex, index, 0o400);
    placeFile(staged, packPath);
    placeFile(stagedIndex, indexPath);
    await syncFolder(spoolFolder(gitDir));
    // another upload may have made the spool's folder a moment ago: its own name must last too
    await syncFolder(`${gitDir}/${CORNER}`);
    return { oid, size: length, name, packPath, indexPath };
  } catch (error) {
    pack.abandon();
    for (const path of [stagedIndex, indexPath, packPath]) rmSync(path, { force: true });
    throw error;
  }
}

async function writeBlobEntry(
  pack: PackWriter,
  source: AsyncIterable<Uint8Array>,
  length: number,
): Promise<Oid> {
  const header = Buffer.alloc(MAX_ENTRY_HEADER_BYTES);
  pack.beginEntry();
  await pack.write(header.subarray(0, writeEntryHeader(header, 0, ENTRY_TYPES.blob, length)));
  const hash = createHash('sha1').update(`blob ${length}\0`);
  const blocks = blocksOf(source, length, hash);
  const first = await blocks.next();
  const start = first.done ? Buffer.alloc(0) : first.value;
  if (shrinks(start)) {
    const deflate = createDeflate({ level: 1, chunkSize: BLOCK_BYTES + 1 });
    await pipeline(startingWith(start, blocks), deflate, async (stream: AsyncIterable<Buffer>) => {
      for await (const chunk of stream) await pack.write(chunk);
    });
  } else {
    await writeStoredBlocks(pack, startingWith(start, blocks), length);
  }
  return hash.digest('hex') as Oid;
}

/** What is worth deflating is judged by the last 4 KiB of the first 64: the very first ones are often a header. */
function shrinks(start: Buffer): boolean {
  const sample = start.subarray(-SAMPLE_BYTES);
  return deflateSync(sample, { level: 1 }).length < sample.length * WORTHWHILE;
}

/** A zlib stream of stored blocks, all but the last of 65,535 bytes: any byte of the body can be found by its offset. */
async function writeStoredBlocks(
  pack: PackWriter,
  blocks: AsyncIterable<Buffer>,
  length: number,
): Promise<void> {
  let low = 1;
  let high = 0;
  let written = 0;
  const stream = Buffer.allocUnsafeSlow(storedLength(BLOCK_BYTES));
  for await (const block of blocks) {
    const isFirst = written === 0;
    written += block.length;
    const end = writeStored(stream, 0, block) - 4;
    stream[2] = written === length ? 1 : 0;
    // checksums of neighbours make that of both (zlib's adler32_combine)
    high =
      (high + stream.readUInt16BE(end) + ((block.length * (low + ADLER_MODULUS - 1)) % ADLER_MODULUS)) %
      ADLER_MODULUS;
    low = (low + stream.readUInt16BE(end + 2) + ADLER_MODULUS - 1) % ADLER_MODULUS;
    await pack.write(stream.subarray(isFirst ? 0 : 2, end));
  }
  const checksum = Buffer.alloc(4);
  checksum.writeUInt16BE(high, 0);
  checksum.writeUInt16BE(low, 2);
  await pack.write(checksum);
}

/** The body in blocks of 65,535 bytes (the last one shorter), each good until the one after the next; hashed and counted on the way. */
async function* blocksOf(
  source: AsyncIterable<Uint8Array>,
  length: number,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer, void, undefined> {
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let other = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let filled = 0;
  let bytes = 0;
  for await (const chunk of withoutClosing(source)) {
    bytes += chunk.length;
    if (bytes > length) throw new GitsteadError('bad-request', 'the body is longer than announced');
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + BLOCK_BYTES - filled);
      block.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < BLOCK_BYTES) continue;
      hash.update(block);
      yield block;
      [block, other] = [other, block]; // a deflater may still be reading this one
      filled = 0;
    }
  }
  if (bytes < length) throw new GitsteadError('bad-request', 'the body is shorter than announced');
  if (filled > 0 || length === 0) {
    hash.update(block.subarray(0, filled));
    yield block.subarray(0, filled);
  }
}

async function* startingWith(
  first: Buffer,
  rest: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  yield first;
  yield* rest;
}

/** The source's chunks; when the reader stops early the source stays open (its connection may be needed for the answer). */
async function* withoutClosing(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
}

async function writeRaw(
  path: string,
  source: AsyncIterable<Uint8Array>,
  limitBytes: number,
): Promise<number> {
  const descriptor = openSync(path, 'wx', 0o600);
  let bytes = 0;
  try {
    for await (const chunk of withoutClosing(source)) {
      bytes += chunk.length;
      if (bytes > limitBytes) throw tooLarge(limitBytes);
      for (let at = 0; at < chunk.length; ) {
        at += (await writeAsync(descriptor, chunk, at, chunk.length - at, null)).bytesWritten;
      }
    }
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

function tooLarge(limitBytes: number): GitsteadError {
  return new GitsteadError('too-large', `the document is larger than the limit of ${limitBytes} bytes`);
}

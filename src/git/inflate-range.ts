// Parts of what a zlib stream in a file holds, with bounded memory: for bodies that are not read as a whole. A stream
// that is broken, short, or longer than it should be ends in an error before its last bytes are handed out.
// Whole bodies in memory are zlib.ts's.
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { constants, createInflate, inflateSync } from 'node:zlib';
import { GitsteadError } from '../errors.ts';
import { Adler32 } from './zlib.ts';

const readAsync = promisify(read);
const CHUNK_BYTES = 128 << 10;
const OUTPUT_BYTES = 64 << 10;

const BLOCK_BYTES = 0xffff;
const BLOCK_HEADER_BYTES = 5;
const STREAM_HEADER_BYTES = 2;
const CHECKSUM_BYTES = 4;
/** Below this, inflating is as fast as looking for stored blocks. */
const SEEK_ABOVE_BYTES = 1 << 20;
/** Stored blocks that are read, and handed out, at once. */
const BLOCKS_AT_ONCE = 4;

/** Where a stream lies, and what it holds. */
export type StreamPlace = {
  descriptor: number;
  /** file offset of the stream's first byte, and one that it does not reach beyond */
  from: number;
  to: number;
  /** bytes that the stream holds, all told */
  size: number;
};

/**
 * The bytes `start` to `end` (inclusive) of what the stream holds, as chunks of up to 256 KiB, each good until the next one is
 * asked for. A range that goes on to the end is checked against the stream's checksum, unless its beginning was skipped in a
 * stream of stored blocks.
 * Throws 'corrupt' when the stream is broken or holds another number of bytes, the system's error when a read fails.
 */
export async function* inflateRange(
  place: StreamPlace,
  start: number,
  end: number,
): AsyncGenerator<Buffer, void, undefined> {
  if (start > end) return;
  if (end >= SEEK_ABOVE_BYTES && (await isStoredInFullBlocks(place, start))) {
    yield* readStoredBlocks(place, start, end);
    return;
  }
  const isToTheEnd = end === place.size - 1;
  let at = 0;
  let held: Buffer | undefined;
  for await (const output of inflateAll(place)) {
    const chunkAt = at;
    at += output.length;
    if (at > place.size) throw corrupt('holds more bytes than its header says');
    if (at <= start) continue;
    if (held) yield held;
    held = output.subarray(Math.max(0, start - chunkAt), end + 1 - chunkAt);
    if (at > end && !isToTheEnd) break;
  }
  if (at <= end) throw corrupt('holds fewer bytes than its header says');
  if (held) yield held;
}

/** As many bytes of a stream as `inflateHead` needs: with fewer, its first block's header may not end among them. */
export const STREAM_HEAD_BYTES = 512;

/**
 * What the first bytes of a zlib stream give (at most some 500 KB of 512 bytes); nothing is said about the rest.
 * @throws GitsteadError `corrupt` when they are no zlib stream
 */
export function inflateHead(stream: Buffer): Buffer {
  try {
    return inflateSync(stream, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (cause) {
    throw corrupt('cannot be inflated', cause);
  }
}

/** Everything that the stream holds. The descriptor is at rest when this returns, whichever way it does. */
async function* inflateAll(place: StreamPlace): AsyncGenerator<Buffer, void, undefined> {
  const inflater = createInflate({ chunkSize: OUTPUT_BYTES });
  const feed = async () => {
    for (let at = place.from; !inflater.destroyed && !inflater.readableEnded; ) {
      const chunk = await readChunk(place, at, CHUNK_BYTES);
      if (chunk.length === 0) {
        inflater.end();
        return;
      }
      at += chunk.length;
      if (!inflater.destroyed && !inflater.write(chunk)) await drained(inflater);
    }
  };
  const feeding = feed().catch((error) => {
    inflater.destroy(error);
  });
  try {
    yield* inflater as AsyncIterable<Buffer>;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code?.startsWith('Z_')) throw corrupt('cannot be inflated', error);
    throw error;
  } finally {
    inflater.destroy();
    await feeding;
  }
}

function drained(inflater: ReturnType<typeof createInflate>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'end', 'close', 'error']) inflater.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'end', 'close', 'error']) inflater.once(event, done);
  });
}

async function readChunk(place: StreamPlace, at: number, bytes: number): Promise<Buffer> {
  const length = Math.min(bytes, place.to - at);
  if (length <= 0) return Buffer.alloc(0);
  const chunk = Buffer.allocUnsafeSlow(length);
  const { bytesRead } = await readAsync(place.descriptor, chunk, 0, length, at);
  return chunk.subarray(0, bytesRead);
}

/** Where block `index` of a stream that is nothing but stored blocks of 65,535 bytes begins in the file. */
function blockAt(place: StreamPlace, index: number): number {
  return place.from + STREAM_HEADER_BYTES + index * (BLOCK_BYTES + BLOCK_HEADER_BYTES);
}

function lastBlock(place: StreamPlace): number {
  return Math.ceil(place.size / BLOCK_BYTES) - 1;
}

/**
 * Whether one can jump to `start`: the first block, that of `start` and the last are stored ones, just where and as long
 * as in a stream of full blocks. Each header is 5 given bytes, so that chance has no part in it.
 */
async function isStoredInFullBlocks(place: StreamPlace, start: number): Promise<boolean> {
  const last = lastBlock(place);
  if (blockAt(place, last) + place.size - last * BLOCK_BYTES + CHECKSUM_BYTES > place.to) return false;
  for (const index of [0, Math.floor(start / BLOCK_BYTES), last]) {
    const header = await readChunk(place, blockAt(place, index), BLOCK_HEADER_BYTES);
    if (!isBlockHeader(place, header, index)) return false;
  }
  return true;
}

function isBlockHeader(place: StreamPlace, header: Buffer, index: number): boolean {
  const last = lastBlock(place);
  const length = index === last ? place.size - last * BLOCK_BYTES : BLOCK_BYTES;
  return (
    header.length >= BLOCK_HEADER_BYTES &&
    header[0] === (index === last ? 1 : 0) &&
    header.readUInt16LE(1) === length &&
    header.readUInt16LE(3) === 0xffff - length
  );
}

/**
 * Two pieces of memory in turn: while one is handed out, the next is read into the other. What is thrown away for each chunk
 * would add up until it is collected.
 */
async function* readStoredBlocks(
  place: StreamPlace,
  start: number,
  end: number,
): AsyncGenerator<Buffer, void, undefined> {
  const last = Math.floor(end / BLOCK_BYTES);
  const checksum = start === 0 && end === place.size - 1 ? new Adler32() : undefined;
  const first = Math.floor(start / BLOCK_BYTES);
  let [memory, other] = [newMemory(), first + BLOCKS_AT_ONCE > last ? undefined : newMemory()];
  let reading = readBlocks(place, first, last, memory);
  try {
    for (let index = first; index <= last; index += BLOCKS_AT_ONCE) {
      const raw = await reading;
      if (index + BLOCKS_AT_ONCE <= last) {
        [memory, other] = [other!, memory];
        reading = readBlocks(place, index + BLOCKS_AT_ONCE, last, memory);
      }
      const count = Math.min(BLOCKS_AT_ONCE, last + 1 - index);
      const bytes = withoutHeaders(place, raw, index, count);
      checksum?.add(bytes);
      if (checksum && index + count > last && checksum.value !== (await storedChecksum(place))) {
        throw corrupt('does not have its checksum');
      }
      yield bytes.subarray(Math.max(start - index * BLOCK_BYTES, 0), end + 1 - index * BLOCK_BYTES);
    }
  } finally {
    await reading.catch(() => {}); // nobody reads from the descriptor any more
  }
}

function newMemory(): Buffer {
  return Buffer.allocUnsafeSlow(BLOCKS_AT_ONCE * (BLOCK_HEADER_BYTES + BLOCK_BYTES));
}

/** The next blocks from `index` on, with their headers, in `memory`. */
async function readBlocks(place: StreamPlace, index: number, last: number, memory: Buffer): Promise<Buffer> {
  const count = Math.min(BLOCKS_AT_ONCE, last + 1 - index);
  const at = blockAt(place, index);
  const blocksEnd = Math.min(index + count, lastBlock(place) + 1) * BLOCK_BYTES;
  const length = count * BLOCK_HEADER_BYTES + Math.min(blocksEnd, place.size) - index * BLOCK_BYTES;
  const { bytesRead } = await readAsync(place.descriptor, memory, 0, Math.min(length, place.to - at), at);
  if (bytesRead < length) throw corrupt('is cut short');
  return memory.subarray(0, length);
}

/** What `count` blocks hold, moved together over their headers. */
function withoutHeaders(place: StreamPlace, raw: Buffer, index: number, count: number): Buffer {
  let filled = 0;
  for (let block = 0; block < count; block++) {
    const from = block * (BLOCK_HEADER_BYTES + BLOCK_BYTES);
    if (!isBlockHeader(place, raw.subarray(from, from + BLOCK_HEADER_BYTES), index + block)) {
      throw corrupt('is broken in its middle');
    }
    const length = Math.min(BLOCK_BYTES, place.size - (index + block) * BLOCK_BYTES);
    raw.copyWithin(filled, from + BLOCK_HEADER_BYTES, from + BLOCK_HEADER_BYTES + length);
    filled += length;
  }
  return raw.subarray(0, filled);
}

async function storedChecksum(place: StreamPlace): Promise<number> {
  const last = lastBlock(place);
  const at = blockAt(place, last) + BLOCK_HEADER_BYTES + place.size - last * BLOCK_BYTES;
  const checksum = await readChunk(place, at, CHECKSUM_BYTES);
  if (checksum.length < CHECKSUM_BYTES) throw corrupt('is cut short');
  return checksum.readUInt32BE(0);
}

function corrupt(what: string, cause?: unknown): GitsteadError {
  return new GitsteadError('corrupt', `the stream of a stored object ${what}`, { cause });
}

// The zlib streams inside packs (RFC 1950, RFC 1951): made by hand where compression does not pay, read by hand where
// they were made so, by node:zlib otherwise. Which object is worth compressing is decided here; entry headers are not
// ours but the pack builder's.
//
//   stored stream:  78 01 | block … | adler-32 of the body, big-endian
//          block:   01 or 00 (last, or not) | length, 2 bytes little-endian | its complement | the bytes, at most 65,535
import { deflateSync, inflateSync } from 'node:zlib';
import { GitsteadError } from '../errors.ts';
import { freeMemory } from './free-memory.ts';

const STREAM_HEADER_BYTES = 2;
const BLOCK_HEADER_BYTES = 5;
const CHECKSUM_BYTES = 4;
const MAX_BLOCK_BYTES = 0xffff;

/** Above this zlib's checksum is faster than ours by more than a call costs. */
const BY_HAND_BYTES = 16 * 1024;
/** What is only stored needs none of the 256 KiB that zlib would look back into; any reader's window is large enough. */
const STORING = { level: 0, windowBits: 9, memLevel: 1 };
/** Below this a deflate call costs more than the bytes that it saves. */
export const STORE_BELOW_BYTES = 512;
/** Above this a sample is compressed first. */
const SAMPLE_ABOVE_BYTES = 64 * 1024;
const SAMPLE_BYTES = 4096;
/** A sample must shrink to this share of its size, or the body is stored. */
const WORTHWHILE = 0.95;
/** Deflate cannot shrink anything further than 1032 to 1; a stream that claims more is no stream. */
const MAX_EXPANSION = 1032;

const ADLER_MODULUS = 65521;
/** A multiple of 4, and short enough that neither sum leaves the range of signed 32-bit numbers. */
const ADLER_RUN_BYTES = 3800;

/** Four bytes a step: checksums are a good part of what a small entry costs. */
function adler32(bytes: Uint8Array, start: number, end: number): number {
  let low = 1;
  let high = 0;
  for (let at = start; at < end; ) {
    const stop = Math.min(at + ADLER_RUN_BYTES, end);
    for (const last = stop - 3; at < last; at += 4) {
      const first = bytes[at]!;
      const second = bytes[at + 1]!;
      const third = bytes[at + 2]!;
      const fourth = bytes[at + 3]!;
      high = (high + 4 * (low + first) + 3 * second + 2 * third + fourth) | 0;
      low = (low + first + second + third + fourth) | 0;
    }
    for (; at < stop; at++) {
      low += bytes[at]!;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return ((high << 16) | low) >>> 0;
}

/** The checksum of a body that comes in parts (RFC 1950, section 8.2). */
export class Adler32 {
  #low = 1;
  #high = 0;

  get value(): number {
    return this.#high * 2 ** 16 + this.#low;
  }

  /** Of a long part zlib computes it, as the end of a stream that is thrown away: ten times as fast as we could, copy and all. */
  add(part: Buffer): void {
    if (part.length <= BY_HAND_BYTES) {
      this.append(adler32(part, 0, part.length), part.length);
      return;
    }
    const stream = storedStream(part);
    this.append(stream.readUInt32BE(stream.length - CHECKSUM_BYTES), part.length);
    freeMemory(stream);
  }

  /** Adds a part of `length` bytes that has this checksum by itself (zlib calls it adler32_combine). */
  append(checksum: number, length: number): void {
    const added = (length * (this.#low + ADLER_MODULUS - 1)) % ADLER_MODULUS;
    this.#high = (this.#high + (checksum >>> 16) + added) % ADLER_MODULUS;
    this.#low = (this.#low + (checksum & 0xffff) + ADLER_MODULUS - 1) % ADLER_MODULUS;
  }
}

/** The length of the stored stream of a body of `size` bytes. */
export function storedLength(size: number): number {
  const blocks = Math.max(1, Math.ceil(size / MAX_BLOCK_BYTES));
  return STREAM_HEADER_BYTES + blocks * BLOCK_HEADER_BYTES + size + CHECKSUM_BYTES;
}

/** Writes `body` as a stored stream into `target` from `at` on, and tells where the stream ends. */
export function writeStored(target: Uint8Array, at: number, body: Uint8Array): number {
  const size = body.length;
  target[at++] = 0x78;
  target[at++] = 0x01;
  let from = 0;
  do {
    const length = Math.min(size - from, MAX_BLOCK_BYTES);
    target[at++] = from + length === size ? 1 : 0;
    target[at++] = length & 0xff;
    target[at++] = length >>> 8;
    target[at++] = ~length & 0xff;
    target[at++] = (~length >>> 8) & 0xff;
    target.set(length === size ? body : body.subarray(from, from + length), at);
    at += length;
    from += length;
  } while (from < size);
  const checksum = adler32(body, 0, size);
  target[at++] = checksum >>> 24;
  target[at++] = (checksum >>> 16) & 0xff;
  target[at++] = (checksum >>> 8) & 0xff;
  target[at++] = checksum & 0xff;
  return at;
}

/** `body` as a zlib stream without compression. */
export function storedStream(body: Uint8Array): Buffer {
  if (body.length > BY_HAND_BYTES) {
    const stream = deflateSync(body, { ...STORING, chunkSize: storedLength(body.length) + 64 });
    stream[0] = 0x78;
    stream[1] = 0x01;
    return stream;
  }
  const stream = Buffer.allocUnsafe(storedLength(body.length));
  writeStored(stream, 0, body);
  return stream;
}

/**
 * `body` as the zlib stream of a pack entry: stored when it is small or does not shrink, deflated quickly otherwise.
 */
export function packObjectStream(body: Uint8Array): Buffer {
  if (body.length < STORE_BELOW_BYTES) return storedStream(body);
  if (body.length > SAMPLE_ABOVE_BYTES && !shrinks(body.subarray(0, SAMPLE_BYTES))) return storedStream(body);
  const deflated = deflateSync(body, { level: 1 });
  return deflated.length < body.length ? deflated : storedStream(body);
}

function shrinks(sample: Uint8Array): boolean {
  return deflateSync(sample, { level: 1 }).length < sample.length * WORTHWHILE;
}

/**
 * The body of `size` bytes that a zlib stream holds; bytes after the stream are ignored.
 * @throws GitsteadError `corrupt` when the stream is broken, cut short, or holds another number of bytes
 */
export function inflate(stream: Buffer, size: number): Buffer {
  return inflateAt(stream, 0, size).body;
}

/**
 * As `inflate`, for a stream that begins at `at`; `end` is the offset of the first byte after it.
 * The body never shares memory with `bytes`.
 */
export function inflateAt(bytes: Buffer, at: number, size: number): { body: Buffer; end: number } {
  return inflateStored(bytes, at, size) ?? inflateDeflated(bytes, at, size);
}

/** The body of a stream of one stored block, or undefined when the stream is of another kind. */
function inflateStored(bytes: Buffer, at: number, size: number): { body: Buffer; end: number } | undefined {
  const start = at + STREAM_HEADER_BYTES + BLOCK_HEADER_BYTES;
  const end = start + size + CHECKSUM_BYTES;
  if (end > bytes.length || bytes[at] !== 0x78 || bytes[at + 1] !== 0x01 || bytes[at + 2] !== 1)
    return undefined;
  const length = bytes.readUInt16LE(at + 3);
  if (length !== size || (bytes.readUInt16LE(at + 5) ^ length) !== 0xffff) return undefined;
  if (bytes.readUInt32BE(end - CHECKSUM_BYTES) !== adler32(bytes, start, start + size)) {
    throw new GitsteadError('corrupt', 'a stored object does not match its checksum');
  }
  const body = Buffer.allocUnsafe(size);
  bytes.copy(body, 0, start, start + size);
  return { body, end };
}

function inflateDeflated(bytes: Buffer, at: number, size: number): { body: Buffer; end: number } {
  if (!(size <= (bytes.length - at) * MAX_EXPANSION)) {
    throw new GitsteadError('corrupt', 'a stored object claims a size that its bytes cannot hold');
  }
  let result: { buffer: Buffer; engine: { bytesWritten: number } };
  try {
    // room for one byte more than expected, so that one step both fills the output and reads the checksum
    const chunkSize = Math.max(64, size + 1);
    const options = { info: true, chunkSize, maxOutputLength: Math.max(1, size) };
    result = inflateSync(bytes.subarray(at), options) as unknown as typeof result;
  } catch (cause) {
    throw new GitsteadError('corrupt', 'a stored object cannot be inflated', { cause });
  }
  if (result.buffer.length !== size) {
    throw new GitsteadError('corrupt', 'a stored object has another size than its header says');
  }
  return { body: result.buffer, end: at + result.engine.bytesWritten };
}

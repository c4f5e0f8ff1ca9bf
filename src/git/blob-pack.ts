// A pack of one blob, written part by part: layout, checksums and bytes on the disk. It computes and waits for the disk, so
// it runs in the thread of spool-worker.ts. Where the parts come from and what becomes of the file is left to others.
//
//   pack header, 12 bytes | entry header | zlib stream | SHA-1 of all before, 20 bytes
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { crc32, createDeflate, deflateSync } from 'node:zlib';
import { syncDescriptor, writeAside } from './durable.ts';
import { freeMemory } from './free-memory.ts';
import type { Oid } from './object-id.ts';
import { ENTRY_TYPES, MAX_ENTRY_HEADER_BYTES, writeEntryHeader } from './pack-entry.ts';
import { Adler32, storedStream } from './zlib.ts';

export const BLOCK_BYTES = 0xffff;
export const ENTRY_AT = 12;

const STREAM_HEADER_BYTES = 2;
const BLOCK_HEADER_BYTES = 5;
const CHECKSUM_BYTES = 4;
const SAMPLE_BYTES = 4096;
/** A sample must shrink to this share of its size, or the body is stored as it is. */
const WORTHWHILE = 0.95;
/** So much is written, then the disk is set to work on it while more comes: the sync at the end is short. */
const SYNC_EVERY_BYTES = 16 << 20;

/** The blob's id, the CRC-32 of its entry, and the pack's checksum. */
export type PackedBlob = { oid: Oid; crc: number; checksum: Oid };

/** Makes a zlib stream of a body's parts. */
interface Coder {
  /** The next bytes of the stream. Theirs is the memory until they are written; the part's is free again. */
  code(part: Buffer, isLast: boolean): Promise<Buffer[]> | Buffer[];
  /** Takes back what `code` gave. */
  written(bytes: Buffer): void;
  close(): void;
}

export class BlobPack {
  readonly #descriptor: number;
  readonly #size: number;
  readonly #hash = createHash('sha1');
  readonly #checksum = createHash('sha1');
  #crc = 0;
  #taken = 0;
  #coder: Coder | undefined;
  #unsynced = 0;
  /** One write is under way while the next bytes are computed, */
  #writing: Promise<void> | undefined;
  /** and one sync. */
  #sync: Promise<void> | undefined;
  /** of either: told with the next part, or at the end */
  #failure: unknown;

  /** Creates the file. @param size of the blob, in bytes */
  constructor(path: string, size: number) {
    this.#descriptor = openSync(path, 'wx', 0o400);
    this.#size = size;
    this.#hash.update(`blob ${size}\0`);
  }

  /**
   * Adds a part of the body, which may be used again when this is done. Each part but the last consists of whole blocks of
   * 65,535 bytes, so that any byte of a stored body can be found by its offset. An empty body has one empty part.
   */
  async add(part: Buffer): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#coder) {
      this.#begin();
      this.#coder = shrinks(part) ? deflater() : storer();
    }
    this.#taken += part.length;
    this.#hash.update(part);
    for (const bytes of await this.#coder.code(part, this.#taken === this.#size)) {
      this.#count(bytes);
      await this.#writing;
      if (this.#failure !== undefined) throw this.#failure;
      this.#writing = this.#write(bytes, this.#coder);
    }
    this.#syncEarly();
  }

  /** Ends the pack once all parts are there, and waits until it is on the disk. The file is closed. */
  async finish(): Promise<PackedBlob> {
    const checksum = this.#checksum.digest();
    await this.#writing;
    await this.#sync;
    if (this.#failure !== undefined) throw this.#failure;
    writeFully(this.#descriptor, checksum);
    await syncDescriptor(this.#descriptor);
    await this.close();
    return {
      oid: this.#hash.digest('hex') as Oid,
      crc: this.#crc,
      checksum: checksum.toString('hex') as Oid,
    };
  }

  /** Closes the file, finished or not. Once. */
  async close(): Promise<void> {
    this.#coder?.close();
    await this.#writing;
    await this.#sync;
    closeSync(this.#descriptor);
  }

  #begin(): void {
    const header = Buffer.alloc(ENTRY_AT);
    header.write('PACK', 0, 'latin1');
    header.writeUInt32BE(2, 4);
    header.writeUInt32BE(1, 8);
    this.#count(header);
    const entry = Buffer.alloc(MAX_ENTRY_HEADER_BYTES);
    const length = writeEntryHeader(entry, 0, ENTRY_TYPES.blob, this.#size);
    this.#crc = 0;
    this.#count(entry.subarray(0, length));
    writeFully(this.#descriptor, Buffer.concat([header, entry.subarray(0, length)]));
  }

  #count(bytes: Buffer): void {
    this.#checksum.update(bytes);
    this.#crc = crc32(bytes, this.#crc);
    this.#unsynced += bytes.length;
  }

  async #write(bytes: Buffer, coder: Coder): Promise<void> {
    try {
      await writeAside(this.#descriptor, bytes);
      coder.written(bytes);
    } catch (error) {
      this.#failure ??= error;
    }
  }

  #syncEarly(): void {
    if (this.#unsynced < SYNC_EVERY_BYTES || this.#sync) return;
    this.#unsynced = 0;
    this.#sync = syncDescriptor(this.#descriptor)
      .catch((error) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#sync = undefined;
      });
  }
}

export function writeFully(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

/** What is worth deflating is judged by the last 4 KiB of the first 64: the very first ones are often a header. */
function shrinks(part: Buffer): boolean {
  const sample = part.subarray(0, BLOCK_BYTES).subarray(-SAMPLE_BYTES);
  return deflateSync(sample, { level: 1 }).length < sample.length * WORTHWHILE;
}

/** A stream of stored blocks, all but the last of 65,535 bytes. */
function storer(): Coder {
  const checksum = new Adler32();
  let isFirst = true;
  return {
    code(part, isLast) {
      const stream = storedStream(part);
      const end = stream.length - CHECKSUM_BYTES;
      const blocks = Math.max(1, Math.ceil(part.length / BLOCK_BYTES));
      stream[STREAM_HEADER_BYTES + (blocks - 1) * (BLOCK_HEADER_BYTES + BLOCK_BYTES)] = isLast ? 1 : 0;
      checksum.append(stream.readUInt32BE(end), part.length);
      stream.writeUInt32BE(checksum.value, end);
      const from = isFirst ? 0 : STREAM_HEADER_BYTES;
      isFirst = false;
      return [stream.subarray(from, isLast ? stream.length : end)];
    },
    written: freeMemory,
    close() {},
  };
}

function deflater(): Coder {
  const deflate = createDeflate({ level: 1, chunkSize: BLOCK_BYTES + 1 });
  let made: Buffer[] = [];
  let failed: (error: Error) => void = () => {};
  deflate.on('data', (bytes: Buffer) => made.push(bytes));
  deflate.on('error', (error) => failed(error));
  return {
    async code(part, isLast) {
      await new Promise<void>((resolve, reject) => {
        failed = reject;
        if (isLast) deflate.once('end', resolve).end(part);
        else deflate.write(part, () => resolve());
      });
      const bytes = made;
      made = [];
      return bytes;
    },
    written() {}, // its memory is that of the next bytes, too
    close: () => deflate.destroy(),
  };
}

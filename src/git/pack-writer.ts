// A pack that is written straight to disk, entry by entry, through a buffer: for what is too large to be held in memory.
// It stands under a staging name until it is finished. What the entries are is left to the callers.
import { createHash } from 'node:crypto';
import { closeSync, openSync, rmSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { syncDescriptor } from './durable.ts';
import type { Oid } from './object-id.ts';

const writeAsync = promisify(write);
const BUFFER_BYTES = 256 << 10;

export class PackWriter {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #checksum = createHash('sha1');
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #buffered = 0;
  #flushed = 0;
  #crc = 0;
  #isOpen = true;

  /** Creates the file. @param count entries that the pack will hold: the header tells it, so it must be known before. */
  constructor(path: string, count: number) {
    this.#path = path;
    this.#descriptor = openSync(path, 'wx', 0o400);
    this.#buffer.write('PACK', 0, 'latin1');
    this.#buffer.writeUInt32BE(2, 4);
    this.#buffer.writeUInt32BE(count, 8);
    this.#buffered = 12;
  }

  /** Where the next byte goes: before an entry's first byte, the entry's offset. */
  get position(): number {
    return this.#flushed + this.#buffered;
  }

  /** Begins an entry, for `crc`. */
  beginEntry(): void {
    this.#crc = 0;
  }

  /** CRC-32 of all bytes since `beginEntry`. */
  get crc(): number {
    return this.#crc;
  }

  /**
   * Appends bytes, which may be used again when this is done: at once where undefined is returned, else with the promise,
   * before which nothing else may be written.
   */
  write(bytes: Buffer): Promise<void> | undefined {
    this.#crc = crc32(bytes, this.#crc);
    if (this.#buffered + bytes.length <= BUFFER_BYTES) {
      this.#append(bytes);
      return undefined;
    }
    return this.#writeLong(bytes);
  }

  /** Ends the pack, waits until it is on the disk, and gives its checksum. The file stays where it is. */
  async finish(): Promise<Oid> {
    if (this.#buffered + 20 > BUFFER_BYTES) await this.#flush();
    this.#checksum.update(this.#buffer.subarray(0, this.#buffered));
    const checksum = this.#checksum.digest();
    await this.#writeOut(Buffer.concat([this.#buffer.subarray(0, this.#buffered), checksum]));
    await syncDescriptor(this.#descriptor);
    this.#close();
    return checksum.toString('hex') as Oid;
  }

  /** Gives up: nothing is left. Also after `finish`. */
  abandon(): void {
    this.#close();
    rmSync(this.#path, { force: true });
  }

  #append(bytes: Buffer): void {
    bytes.copy(this.#buffer, this.#buffered);
    this.#buffered += bytes.length;
  }

  async #writeLong(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + BUFFER_BYTES - this.#buffered);
      this.#append(part);
      at += part.length;
      if (this.#buffered === BUFFER_BYTES) await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#checksum.update(bytes);
    await this.#writeOut(bytes);
    this.#flushed += bytes.length;
    this.#buffered = 0;
  }

  async #writeOut(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await writeAsync(this.#descriptor, bytes, at, bytes.length - at, null);
      at += bytesWritten;
    }
  }

  #close(): void {
    if (this.#isOpen) closeSync(this.#descriptor);
    this.#isOpen = false;
  }
}

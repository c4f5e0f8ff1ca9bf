// A pack that is written straight to disk, through a buffer: for what is too large to be held in memory. It stands under a
// staging name until it is finished, and blocks its thread. What the entries are is left to the callers.
import { createHash } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { syncDescriptorNow } from './durable.ts';
import { freeMemory } from './free-memory.ts';
import type { Oid } from './object-id.ts';

const BUFFER_BYTES = 1 << 20;

export class PackWriter {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #checksum = createHash('sha1');
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #buffered = 0;
  #flushed = 0;
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

  /** Appends bytes, which may be used again afterwards. */
  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#buffered === BUFFER_BYTES) {
        this.#flush();
        // not all of it at the end: the journal's syncs wait for what is on its way to the same disk
        syncDescriptorNow(this.#descriptor);
      }
      const copied = bytes.copy(this.#buffer, this.#buffered, at);
      this.#buffered += copied;
      at += copied;
    }
  }

  /** Ends the pack, waits until it is on the disk, and gives its checksum. The file stays where it is. */
  finish(): Oid {
    this.#flush();
    const checksum = this.#checksum.digest();
    this.#writeOut(checksum);
    syncDescriptorNow(this.#descriptor);
    this.#close();
    return checksum.toString('hex') as Oid;
  }

  /** Gives up: nothing is left. Also after `finish`. */
  abandon(): void {
    this.#close();
    rmSync(this.#path, { force: true });
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#checksum.update(bytes);
    this.#writeOut(bytes);
    this.#flushed += bytes.length;
    this.#buffered = 0;
  }

  #writeOut(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#descriptor);
    freeMemory(this.#buffer);
  }
}

// File descriptors of packs, shared by all repositories and bounded in number: the one used longest ago is closed when
// room is needed, and opened again when it is read again. What the bytes mean is left to the readers.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { HeldIndexes } from './held-indexes.ts';

/** A file that may or may not be open at the moment. Made by `OpenFiles.hold`. */
export type HeldFile = {
  readonly path: string;
  /** -1 while closed */
  descriptor: number;
  /** bytes; of the file as it was first opened, -1 before that */
  size: number;
  inode: number;
  /** streams that read from it: it is not closed before they end */
  pins: number;
  lastUse: number;
  isDropped: boolean;
};

/** Descriptors of held files, at most `limit` open at a time beside those that streams are reading from. */
export class OpenFiles {
  /** the indexes of packs that are in memory */
  readonly indexes: HeldIndexes;
  readonly #limit: number;
  readonly #open = new Set<HeldFile>();
  #clock = 0;

  constructor(limit: number, indexes = new HeldIndexes()) {
    this.indexes = indexes;
    this.#limit = Math.max(1, limit);
  }

  /** How many files are open now. */
  get openCount(): number {
    return this.#open.size;
  }

  /** A file to read from; it is opened at the first use. */
  hold(path: string): HeldFile {
    return { path, descriptor: -1, size: -1, inode: -1, pins: 0, lastUse: 0, isDropped: false };
  }

  /**
   * The file's descriptor, good until the next call: read at once, or `pin` it.
   * Throws the system's error; ESTALE when another file has taken the name since the first opening.
   */
  descriptor(file: HeldFile): number {
    file.lastUse = ++this.#clock;
    return file.descriptor >= 0 ? file.descriptor : this.#openFile(file);
  }

  /** Up to `length` bytes from `position` into `target`; tells how many there were. */
  read(file: HeldFile, target: Buffer, length: number, position: number): number {
    return readSync(this.descriptor(file), target, 0, length, position);
  }

  /** Keeps the file open until `unpin`, for reads that take longer than a call. */
  pin(file: HeldFile): number {
    const descriptor = this.descriptor(file);
    file.pins++;
    return descriptor;
  }

  unpin(file: HeldFile): void {
    file.pins--;
    if (file.pins === 0 && (file.isDropped || this.#open.size > this.#limit)) this.#close(file);
  }

  /** Closes the file for good, or when its last stream has ended. */
  drop(file: HeldFile): void {
    file.isDropped = true;
    if (file.pins === 0) this.#close(file);
  }

  /** Closes every file that no stream is reading from; the others close when their streams end. */
  closeAll(): void {
    for (const file of [...this.#open]) this.drop(file);
  }

  #openFile(file: HeldFile): number {
    while (this.#open.size >= this.#limit && this.#closeOldest());
    let descriptor: number;
    for (;;) {
      try {
        descriptor = openSync(file.path, 'r');
        break;
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if ((code !== 'EMFILE' && code !== 'ENFILE') || !this.#closeOldest()) throw error;
      }
    }
    const stats = fstatSync(descriptor);
    if (file.inode !== -1 && (stats.ino !== file.inode || stats.size !== file.size)) {
      closeSync(descriptor);
      throw Object.assign(new Error('another file has taken the name of one that was open'), {
        code: 'ESTALE',
      });
    }
    file.inode = stats.ino;
    file.size = stats.size;
    file.descriptor = descriptor;
    this.#open.add(file);
    return descriptor;
  }

  #closeOldest(): boolean {
    let oldest: HeldFile | undefined;
    for (const file of this.#open) {
      if (file.pins === 0 && (oldest === undefined || file.lastUse < oldest.lastUse)) oldest = file;
    }
    if (oldest === undefined) return false;
    this.#close(oldest);
    return true;
  }

  #close(file: HeldFile): void {
    if (file.descriptor < 0) return;
    closeSync(file.descriptor);
    file.descriptor = -1;
    this.#open.delete(file);
  }
}

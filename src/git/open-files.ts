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
  isDropped: boolean;
};

/** Descriptors of held files, at most `limit` open at a time beside those that streams are reading from. */
export class OpenFiles {
  /** the indexes of packs that are in memory */
  readonly indexes: HeldIndexes;
  readonly #limit: number;
  /** in the order of their last use */
  readonly #open = new Set<HeldFile>();
  #newest: HeldFile | undefined;

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
    return { path, descriptor: -1, size: -1, inode: -1, pins: 0, isDropped: false };
  }

  /**
   * The file's descriptor, good until the next call: read at once, or `pin` it.
   * Throws the system's error; ESTALE when another file has taken the name since the first opening.
   */
  descriptor(file: HeldFile): number {
    if (file.descriptor < 0) return this.#openFile(file);
    if (file !== this.#newest) {
      this.#open.delete(file);
      this.#add(file);
    }
    return file.descriptor;
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
    this.#add(file);
    return descriptor;
  }

  #add(file: HeldFile): void {
    this.#open.add(file);
    this.#newest = file;
  }

  #closeOldest(): boolean {
    for (const file of this.#open) {
      if (file.pins > 0) continue;
      this.#close(file);
      return true;
    }
    return false;
  }

  #close(file: HeldFile): void {
    if (file.descriptor < 0) return;
    closeSync(file.descriptor);
    file.descriptor = -1;
    this.#open.delete(file);
    if (this.#newest === file) this.#newest = undefined;
  }
}

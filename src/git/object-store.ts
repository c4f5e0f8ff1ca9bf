// The objects of one repository on disk, wherever they lie: in our packs, in packs of a push, a repack or a gc, or loose.
// Packs come and go under us (gc, repack), so a miss looks at the folder again before it says "absent"; and a disk or a
// table of descriptors that fails is an error, never "absent". Objects that are not on disk yet are the engine's.
import { closeSync, readdirSync, statSync } from 'node:fs';
import { GitsteadError } from '../errors.ts';
import { inflateRange } from './inflate-range.ts';
import { openLoose, readLoose, statLoose } from './loose.ts';
import type { GitObject, ObjectKind, Oid } from './object-id.ts';
import type { OpenFiles } from './open-files.ts';
import { PackReader } from './pack-reader.ts';

export { OpenFiles } from './open-files.ts';
export { verifyPack } from './pack-reader.ts';

/** A repack may replace the packs again while we look; more often than this in a row it is not a repack. */
const MAX_RESCANS = 5;

/**
 * Bytes on their way from the disk: each chunk is good until the next one is asked for. It keeps a file open until it was
 * iterated, to the end or not, or `close` is called instead.
 */
export type ByteStream = AsyncIterable<Buffer> & { close(): void };

export class ObjectStore {
  readonly #gitDir: string;
  readonly #folder: string;
  readonly #files: OpenFiles;
  #packs = new Map<string, PackReader>();
  /** the pack that answered last comes first, then new ones before old ones */
  #order: PackReader[] = [];
  /** the packs folder as it was when it was last read; undefined: never */
  #stamp: string | undefined;

  /** Opens nothing: a store costs little until it is asked. */
  constructor(gitDir: string, files: OpenFiles) {
    this.#gitDir = gitDir;
    this.#folder = `${gitDir}/objects/pack`;
    this.#files = files;
  }

  /**
   * The object, or undefined when it is not here.
   * @throws GitsteadError `corrupt` when it is here and cannot be put together, `not-ready` when the disk cannot be read
   */
  read(oid: Oid): GitObject | undefined {
    return this.#ask(
      oid,
      (pack, offset) => pack.read(offset),
      () => readLoose(this.#gitDir, oid),
    );
  }

  /** Kind and size (in bytes) of the object; the rest as for `read`. */
  stat(oid: Oid): { kind: ObjectKind; size: number } | undefined {
    return this.#ask(
      oid,
      (pack, offset) => pack.stat(offset),
      () => statLoose(this.#gitDir, oid),
    );
  }

  /**
   * The bytes `start` to `end` (inclusive) of the object's body, in chunks. Objects that are not deltas pass through
   * some 300 KiB of memory, whatever their size. Whatever goes wrong while reading is thrown to who iterates.
   * @throws GitsteadError as for `read`, and `corrupt` when the object is not here
   */
  stream(oid: Oid, start: number, end: number): ByteStream {
    const source = this.#ask(
      oid,
      (pack, offset) => packStream(pack, offset, start, end),
      () => looseStream(this.#gitDir, oid, start, end),
    );
    if (!source) throw new GitsteadError('corrupt', 'an object that was stored is missing');
    return source;
  }

  /** The names (`pack-…`) of all packs, as far as known. */
  packs(): string[] {
    if (this.#stamp === undefined) this.rescan();
    return [...this.#packs.keys()];
  }

  /** How many packs are known; nothing is looked at. */
  get packCount(): number {
    return this.#packs.size;
  }

  /**
   * Tells of a pack that has just been placed, so that nobody has to look for it.
   * @param name file name without folder and ending
   */
  addPack(name: string, index: Buffer): void {
    if (this.#packs.has(name)) return;
    const pack = new PackReader(this.#folder, name, this.#files, index);
    this.#packs.set(name, pack);
    this.#order.unshift(pack);
  }

  /** Reads the packs folder: new packs are found, packs that are gone are closed. */
  rescan(): void {
    const stamp = this.#folderStamp();
    const kept = new Map<string, PackReader>();
    const names = new Set(stamp === '' ? [] : this.#list());
    const fresh: PackReader[] = [];
    for (const file of names) {
      const name = file.slice(0, -'.idx'.length);
      if (!file.endsWith('.idx') || !file.startsWith('pack-') || !names.has(`${name}.pack`)) continue;
      const known = this.#packs.get(name);
      const pack = known ?? new PackReader(this.#folder, name, this.#files);
      if (!known) fresh.push(pack);
      kept.set(name, pack);
    }
    for (const pack of this.#packs.values()) if (!kept.has(pack.name)) pack.close();
    this.#order = [...fresh, ...this.#order.filter((pack) => kept.has(pack.name))];
    this.#packs = kept;
    this.#stamp = stamp;
  }

  /** Closes what is open; streams that are under way come to their ends. The store may be asked again afterwards. */
  close(): void {
    for (const pack of this.#packs.values()) pack.close();
    this.#packs = new Map();
    this.#order = [];
    this.#stamp = undefined;
  }

  /** Asks the packs, then the loose objects; when the answer is no, or a pack went away meanwhile, once more after a rescan. */
  #ask<T>(
    oid: Oid,
    inPack: (pack: PackReader, offset: number) => T,
    loose: () => T | undefined,
  ): T | undefined {
    if (this.#stamp === undefined) this.rescan();
    let isRescanned = false;
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = this.#askOnce(oid, inPack, loose, isRescanned);
        if (answer !== undefined || isRescanned) return answer;
        isRescanned = true;
      } catch (error) {
        if (!isGone(error) || attempt === MAX_RESCANS) throw asReadError(error);
      }
      this.rescan();
    }
  }

  #askOnce<T>(
    oid: Oid,
    inPack: (pack: PackReader, offset: number) => T,
    loose: () => T | undefined,
    isLast: boolean,
  ): T | undefined {
    let trouble: unknown;
    const order = this.#order;
    for (let i = 0; i < order.length; i++) {
      const pack = order[i]!;
      try {
        const offset = pack.find(oid);
        if (offset === undefined) continue;
        const answer = inPack(pack, offset);
        if (i > 0) {
          order.splice(i, 1);
          order.unshift(pack);
        }
        return answer;
      } catch (error) {
        // another pack may hold a sound copy; one that is gone means that there may be packs we do not know
        if (!isCorrupt(error) && !(isLast && isGone(error))) throw error;
        trouble ??= error;
      }
    }
    const answer = loose();
    if (answer === undefined && trouble !== undefined) throw trouble;
    return answer;
  }

  #list(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch (error) {
      if (isGone(error)) return [];
      throw asReadError(error);
    }
  }

  /** Changes when a pack comes or goes; '' when there is no such folder, which is an error when there is no repository. */
  #folderStamp(): string {
    try {
      const stats = statSync(this.#folder, { throwIfNoEntry: false });
      if (stats) return `${stats.ino}-${stats.mtimeMs}-${stats.ctimeMs}`;
      statSync(`${this.#gitDir}/objects`);
      return '';
    } catch (error) {
      throw asReadError(error);
    }
  }
}

function packStream(pack: PackReader, offset: number, start: number, end: number): ByteStream {
  const opened = pack.openStream(offset);
  if (!opened) {
    const body = pack.read(offset).body.subarray(start, end + 1);
    return streamOf(body.length > 0 ? [body] : [], () => {});
  }
  const last = Math.min(end, opened.place.size - 1);
  return streamOf(inflateRange(opened.place, start, last), opened.close);
}

function looseStream(gitDir: string, oid: Oid, start: number, end: number): ByteStream | undefined {
  const opened = openLoose(gitDir, oid);
  if (!opened) return undefined;
  const { header, place } = opened;
  const last = Math.min(header.bodyAt + end, place.size - 1);
  return streamOf(inflateRange(place, header.bodyAt + start, last), () => closeSync(place.descriptor));
}

function streamOf(chunks: AsyncIterable<Buffer> | Iterable<Buffer>, release: () => void): ByteStream {
  let isOpen = true;
  const close = () => {
    if (isOpen) release();
    isOpen = false;
  };
  return { [Symbol.asyncIterator]: () => iterate(chunks, close), close };
}

async function* iterate(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  close: () => void,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* chunks;
  } catch (error) {
    throw asReadError(error);
  } finally {
    close();
  }
}

function isCorrupt(error: unknown): boolean {
  return error instanceof GitsteadError && error.code === 'corrupt';
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ESTALE';
}

/** The system's errors as ours; what is neither is a fault of the program and stays as it is. */
function asReadError(error: unknown): unknown {
  if (error instanceof GitsteadError || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  return new GitsteadError('not-ready', 'the repository cannot be read now', { cause: error });
}

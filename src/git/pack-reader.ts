// One pack on disk, read at an offset: whole entries, deltas of either kind, and bodies as streams. Its index is read into
// memory at the first question and may be forgotten again, its descriptor is borrowed for each read. Which pack to ask is
// object-store.ts's.
//
//   pack:  "PACK" | version 2, 4 bytes | number of entries, 4 bytes | entry … | SHA-1 of all before, 20 bytes
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { GitsteadError } from '../errors.ts';
import { applyDelta, deltaSizes } from './delta.ts';
import { inOwnMemory } from './free-memory.ts';
import type { IndexHolder } from './held-indexes.ts';
import { type IndexLookUp, openIndexFile } from './index-file.ts';
import { inflateHead, STREAM_HEAD_BYTES, type StreamPlace } from './inflate-range.ts';
import type { GitObject, ObjectKind, Oid } from './object-id.ts';
import type { HeldFile, OpenFiles } from './open-files.ts';
import { type EntryHeader, readEntryHeader } from './pack-entry.ts';
import { isIndexIntact, openIndex, type PackIndex } from './pack-index.ts';
import { inflateAt } from './zlib.ts';

export const PACK_HEADER_BYTES = 12;
export const PACK_TRAILER_BYTES = 20;

/** Small entries are read in one call; larger ones need a second. */
const WINDOW_BYTES = 4096;
/** A smaller index is read into memory at the first question; to read so much more takes as long as a question on disk. */
const READ_AT_ONCE_BYTES = 64 << 10;
const ASK_BYTES = 16 << 10;
/** What an index in memory takes beside its bytes: measured. */
const KEPT_INDEX_BYTES = 1200;
/** Git makes no chain longer than 4,095. */
const MAX_CHAIN = 4096;
const MAX_BODY_BYTES = 1 << 30;
const MAX_CHAIN_BYTES = 256 << 20;
/** Deflate cannot shrink anything further than 1032 to 1. */
const MAX_EXPANSION = 1032;
const HASH_CHUNK_BYTES = 1 << 20;

/** The bytes of the entry that is being looked at. Everything here that uses it is synchronous. */
const window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
/** Of which pack, and from where on: neighbours are often asked for one after the other, and a read costs some 10 µs. */
const looked: { reader: PackReader | undefined; at: number; length: number } = {
  reader: undefined,
  at: 0,
  length: 0,
};
/** Less of an entry than this is not worth a look: most small ones are within it. */
const ENOUGH_BYTES = 1024;
/** And those of longer ones, up to a size: what they hold is copied out, and garbage of this size is dear. */
const SCRATCH_BYTES = 512 << 10;
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

export class PackReader implements IndexHolder {
  /** file name without folder and ending: `pack-…` */
  readonly name: string;
  readonly #path: string;
  readonly #files: OpenFiles;
  readonly #file: HeldFile;
  wasAsked = false;
  #index: PackIndex | undefined;
  /** asked where it lies, its file, and how often it still will be */
  #indexOnDisk: IndexLookUp | undefined;
  #indexFile: HeldFile | undefined;
  #asksOnDisk = 0;
  #isChecked = false;

  /** @param index the bytes of the pack's index where they are at hand; else they are read when needed */
  constructor(folder: string, name: string, files: OpenFiles, index?: Buffer) {
    this.name = name;
    this.#path = `${folder}/${name}`;
    this.#files = files;
    this.#file = files.hold(`${this.#path}.pack`);
    if (index && index.length <= files.indexes.largest) this.#keepIndex(index);
  }

  /**
   * The whole index, for walks; a large one is read anew each time.
   * Throws 'corrupt', or the system's error (ENOENT: the pack is gone).
   */
  get index(): PackIndex {
    this.wasAsked = true;
    return this.#index ?? this.#readIndex();
  }

  forgetIndex(): void {
    this.#index = undefined;
  }

  #readIndex(): PackIndex {
    const bytes = readFileSync(`${this.#path}.idx`);
    return bytes.length <= this.#files.indexes.largest ? this.#keepIndex(bytes) : openIndex(bytes);
  }

  #keepIndex(bytes: Buffer): PackIndex {
    const index = openIndex(inOwnMemory(bytes));
    this.#index = index;
    this.#files.indexes.add(this, bytes.length + KEPT_INDEX_BYTES);
    return index;
  }

  /** The index for look-ups: in memory, or where it lies while it is asked less often than reading it would be worth. */
  #lookUp(): IndexLookUp {
    this.wasAsked = true;
    if (this.#index) return this.#index;
    if (this.#indexOnDisk && this.#asksOnDisk-- > 0) return this.#indexOnDisk;
    return this.#openIndex();
  }

  #openIndex(): IndexLookUp {
    const path = `${this.#path}.idx`;
    const { size } = statSync(path);
    const isWorthReading = this.#indexOnDisk !== undefined || size <= READ_AT_ONCE_BYTES;
    const mayStay = size <= this.#files.indexes.largest;
    this.#leaveIndexOnDisk();
    if (isWorthReading && mayStay) return this.#readIndex();
    this.#asksOnDisk = mayStay ? Math.ceil(size / ASK_BYTES) : Number.POSITIVE_INFINITY;
    this.#indexFile = this.#files.hold(path);
    this.#indexOnDisk = openIndexFile(this.#files, this.#indexFile);
    return this.#indexOnDisk;
  }

  #leaveIndexOnDisk(): void {
    if (this.#indexFile) this.#files.drop(this.#indexFile);
    this.#indexFile = undefined;
    this.#indexOnDisk = undefined;
  }

  /** Where the object's entry begins; undefined when it is not in this pack. */
  find(oid: Oid): number | undefined {
    return this.#lookUp().find(oid);
  }

  /** The object whose entry begins at `offset`. */
  read(offset: number): GitObject {
    let bytes = this.#look(offset);
    let header = this.#header(bytes, offset);
    if (header.kind !== undefined) return { kind: header.kind, body: this.#body(header, bytes, offset) };
    const deltas: Buffer[] = [];
    let size = 0;
    while (header.kind === undefined) {
      size += header.size;
      if (deltas.length === MAX_CHAIN || size > MAX_CHAIN_BYTES) throw corrupt('is told by too many deltas');
      deltas.push(this.#body(header, bytes, offset));
      offset = this.#baseOffset(header, offset);
      bytes = this.#look(offset);
      header = this.#header(bytes, offset);
    }
    let body = this.#body(header, bytes, offset);
    for (let i = deltas.length - 1; i >= 0; i--) body = applyDelta(body, deltas[i]!);
    return { kind: header.kind, body };
  }

  /** Kind and size of the object whose entry begins at `offset`, without its body. */
  stat(offset: number): { kind: ObjectKind; size: number } {
    let bytes = this.#look(offset);
    let header = this.#header(bytes, offset);
    let size = header.size;
    if (header.kind === undefined) {
      const head = bytes.subarray(header.streamAt, header.streamAt + STREAM_HEAD_BYTES);
      size = deltaSizes(inflateHead(head)).result;
    }
    for (let depth = 0; header.kind === undefined; depth++) {
      if (depth === MAX_CHAIN) throw corrupt('is told by too many deltas');
      offset = this.#baseOffset(header, offset);
      bytes = this.#look(offset);
      header = this.#header(bytes, offset);
    }
    return { kind: header.kind, size };
  }

  /**
   * Where the stream of a whole entry lies, its file held open until `close` is called; undefined for a delta.
   * `place.to` is the end of the pack's last entry: the stream ends somewhere before.
   */
  openStream(offset: number): { place: StreamPlace; close: () => void } | undefined {
    const header = this.#header(this.#look(offset), offset);
    if (header.kind === undefined) return undefined;
    const descriptor = this.#files.pin(this.#file);
    const from = offset + header.streamAt;
    const place = { descriptor, from, to: this.#end(), size: header.size };
    return { place, close: () => this.#files.unpin(this.#file) };
  }

  /** Gives the descriptor back; streams that are under way come to their ends. */
  close(): void {
    this.#files.drop(this.#file);
    this.#leaveIndexOnDisk();
    this.#files.indexes.drop(this);
    this.#index = undefined;
  }

  /** The beginning of an entry (and what follows it), in the window: good until the next look. */
  #look(offset: number): Buffer {
    if (!this.#isChecked) this.#check();
    const isSame = looked.reader === this;
    const from = offset - looked.at;
    const wanted = Math.min(offset + ENOUGH_BYTES, this.#end());
    const isEnough = from >= 0 && wanted <= looked.at + looked.length;
    if (!isSame || !isEnough) {
      // a walk over commits goes backwards, from one to the one before
      const isBackwards = isSame && from < 0 && -from < WINDOW_BYTES;
      looked.at = isBackwards ? Math.max(0, offset + ENOUGH_BYTES - WINDOW_BYTES) : offset;
      looked.reader = undefined;
      looked.length = this.#files.read(this.#file, window, WINDOW_BYTES, looked.at);
      looked.reader = this;
    }
    const end = Math.min(looked.at + looked.length, this.#end());
    return window.subarray(offset - looked.at, Math.max(offset, end) - looked.at);
  }

  #header(bytes: Buffer, offset: number): EntryHeader {
    const header = readEntryHeader(bytes, 0);
    const room = this.#end() - offset - header.streamAt;
    if (header.size > MAX_EXPANSION * room) throw corrupt('claims a size that its bytes cannot hold');
    return header;
  }

  #baseOffset(header: EntryHeader & { kind?: never }, offset: number): number {
    const base = header.baseOid === undefined ? offset - header.distance : this.find(header.baseOid);
    if (base === undefined || base < PACK_HEADER_BYTES)
      throw corrupt('is a delta of something outside its pack');
    return base;
  }

  /** What the entry at `offset` holds, told from the bytes looked at, or with a second read when it is longer. */
  #body(header: EntryHeader, looked: Buffer, offset: number): Buffer {
    const { size, streamAt } = header;
    if (size > MAX_BODY_BYTES) throw corrupt('is too large to be read at once');
    const room = this.#end() - offset;
    const likely = streamAt + size + (size >> 5) + 64;
    if (likely <= looked.length || looked.length === room) return inflateAt(looked, streamAt, size).body;
    const bytes = this.#readBytes(offset, Math.min(likely, room));
    try {
      return inflateAt(bytes, streamAt, size).body;
    } catch (error) {
      // a wordy stream can be longer than is likely, but ends where the next entry begins
      const most = Math.min(this.#nextOffset(offset), this.#end()) - offset;
      if (most <= likely || most > 2 * MAX_BODY_BYTES) throw error;
      return inflateAt(this.#readBytes(offset, most), streamAt, size).body;
    }
  }

  /** A view, good until the next call. */
  #readBytes(offset: number, length: number): Buffer {
    const bytes = length <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafeSlow(length);
    return bytes.subarray(0, this.#files.read(this.#file, bytes, length, offset));
  }

  #nextOffset(offset: number): number {
    let next = Number.POSITIVE_INFINITY;
    const { index } = this;
    for (let i = 0; i < index.count; i++) {
      const other = index.offsetAt(i);
      if (other > offset && other < next) next = other;
    }
    return next;
  }

  /** Where the last entry ends. */
  #end(): number {
    return this.#file.size - PACK_TRAILER_BYTES;
  }

  /** Once: that this is a pack, whole, and the one that the index is about. */
  #check(): void {
    this.#files.descriptor(this.#file);
    const { count, packChecksum } = this.#lookUp();
    const isPack = isPackHeader(this.#readBytes(0, PACK_HEADER_BYTES), count);
    const trailer = this.#readBytes(Math.max(0, this.#end()), PACK_TRAILER_BYTES);
    if (!isPack || trailer.toString('hex') !== packChecksum) {
      throw corrupt('cannot be read: the pack is cut short, or not the one that its index is about');
    }
    this.#isChecked = true;
  }
}

function isPackHeader(head: Buffer, count: number): boolean {
  return (
    head.length >= PACK_HEADER_BYTES &&
    head.toString('latin1', 0, 4) === 'PACK' &&
    [2, 3].includes(head.readUInt32BE(4)) &&
    head.readUInt32BE(8) === count
  );
}

/**
 * Whether a pack and its index are whole: both checksums hold, and the index is this pack's. Reads all of the pack, 1 MiB
 * at a time, synchronously. Never throws: what cannot be read is not whole.
 * @param packPath the path of the `.pack` file
 */
export function verifyPack(packPath: string): boolean {
  let descriptor: number | undefined;
  try {
    const index = readFileSync(packPath.replace(/\.pack$/, '.idx'));
    const { count, packChecksum } = openIndex(index);
    if (!isIndexIntact(index)) return false;
    descriptor = openSync(packPath, 'r');
    const end = fstatSync(descriptor).size - PACK_TRAILER_BYTES;
    const checksum = createHash('sha1');
    const chunk = Buffer.allocUnsafe(HASH_CHUNK_BYTES);
    for (let at = 0; at < end; ) {
      const length = readSync(descriptor, chunk, 0, Math.min(chunk.length, end - at), at);
      if (length === 0 || (at === 0 && !isPackHeader(chunk.subarray(0, length), count))) return false;
      checksum.update(chunk.subarray(0, length));
      at += length;
    }
    if (end < PACK_HEADER_BYTES) return false;
    readSync(descriptor, chunk, 0, PACK_TRAILER_BYTES, end);
    const trailer = chunk.toString('hex', 0, PACK_TRAILER_BYTES);
    return trailer === packChecksum && checksum.digest('hex') === trailer;
  } catch {
    return false;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function corrupt(what: string): GitsteadError {
  return new GitsteadError('corrupt', `an object in a pack ${what}`);
}

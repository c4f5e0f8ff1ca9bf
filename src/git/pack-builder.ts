// A pack that grows in memory: entries are added as turns go on, read back while they are pending, forgotten when a turn
// fails, and sealed with an index in the end. Which objects go into a pack, and when it is sealed, is the storage's business.
//
//   'PACK' | version 2 | count of entries    (4 bytes each, big-endian)
//   entry …    header (pack-entry.ts) | zlib stream (zlib.ts) of the body, or of a delta (delta.ts)
//   SHA-1 of all before, 20 bytes
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { GitsteadError } from '../errors.ts';
import { applyDelta } from './delta.ts';
import { freeMemory } from './free-memory.ts';
import { type GitObject, hashObject, type ObjectKind, type Oid } from './object-id.ts';
import {
  ENTRY_TYPES,
  MAX_ENTRY_HEADER_BYTES,
  OFS_DELTA,
  readEntryHeader,
  writeBaseDistance,
  writeEntryHeader,
} from './pack-entry.ts';
import { encodeIndexColumns } from './pack-index.ts';
import {
  inflateAt,
  packObjectStream,
  STORE_BELOW_BYTES,
  storedLength,
  storedStream,
  writeStored,
} from './zlib.ts';

/** Where a pack stood; what `rewind` goes back to. */
export type PackMark = { readonly count: number; readonly length: number };

const PACK_HEADER_BYTES = 12;
const PACK_VERSION = 2;
const CHECKSUM_BYTES = 20;
const INITIAL_BYTES = 8 * 1024;
/** From here on a pack that is full grows by a quarter instead of to its double. */
const LARGE_BYTES = 256 << 10;
/** Longer chains make reads slow; git's own limit for what it packs. */
const MAX_CHAIN = 50;
/** A larger tree is mostly object ids, which do not shrink, and becomes the base of deltas anyway. */
const DEFLATE_TREES_BELOW_BYTES = 8 * 1024;

export class PackBuilder {
  #bytes: Buffer;
  #length = PACK_HEADER_BYTES;
  /** for each entry: its id, where it begins, the checksum of its bytes, how many deltas lead to a whole object */
  #oids: Oid[] = [];
  #offsets: number[] = [];
  #crcs: number[] = [];
  #depths: number[] = [];
  #entryOf = new Map<Oid, number>();
  #wholeTreeBytes = 0;

  constructor(capacity = INITIAL_BYTES) {
    this.#bytes = Buffer.allocUnsafe(Math.max(capacity, PACK_HEADER_BYTES + CHECKSUM_BYTES));
    this.#bytes.write('PACK', 0, 'latin1');
    this.#bytes.writeUInt32BE(PACK_VERSION, 4);
  }

  /** in bytes, the header included, the checksum not */
  get length(): number {
    return this.#length;
  }

  /** bytes of memory that it takes */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** of entries */
  get count(): number {
    return this.#oids.length;
  }

  /** bytes of the larger trees that are whole in it; also of those that were rewound */
  get wholeTreeBytes(): number {
    return this.#wholeTreeBytes;
  }

  has(oid: Oid): boolean {
    return this.#entryOf.has(oid);
  }

  /** Adds an object whose body of `size` bytes is the zlib stream `stream`; one that is here already stays as it is. */
  add(oid: Oid, kind: ObjectKind, size: number, stream: Buffer): void {
    if (this.#entryOf.has(oid)) return;
    this.#reserve(MAX_ENTRY_HEADER_BYTES + stream.length);
    const start = this.#length;
    const end = writeEntryHeader(this.#bytes, start, ENTRY_TYPES[kind], size);
    this.#bytes.set(stream, end);
    this.#append(oid, start, end + stream.length, 0);
  }

  /** Adds an object, deflated when that pays; the fastest way for small ones. One that is here already stays as it is. */
  addBody(oid: Oid, kind: ObjectKind, body: Buffer): void {
    if (this.#entryOf.has(oid)) return;
    const size = body.length;
    if (size >= STORE_BELOW_BYTES) {
      const isLargeTree = kind === 'tree' && size >= DEFLATE_TREES_BELOW_BYTES;
      if (isLargeTree) this.#wholeTreeBytes += size;
      this.add(oid, kind, size, isLargeTree ? storedStream(body) : packObjectStream(body));
      return;
    }
    this.#reserve(MAX_ENTRY_HEADER_BYTES + storedLength(size));
    const start = this.#length;
    const end = writeEntryHeader(this.#bytes, start, ENTRY_TYPES[kind], size);
    this.#append(oid, start, writeStored(this.#bytes, end, body), 0);
  }

  /**
   * Adds an object as a delta of one that is in this pack. Nothing is added, and false returned, when the base is not
   * here or the chain of deltas would grow beyond 50: then the object has to be added whole.
   */
  addDelta(oid: Oid, base: Oid, delta: Buffer): boolean {
    if (this.#entryOf.has(oid)) return true;
    const baseEntry = this.#entryOf.get(base);
    if (baseEntry === undefined) return false;
    const depth = this.#depths[baseEntry]! + 1;
    if (depth > MAX_CHAIN) return false;
    this.#reserve(MAX_ENTRY_HEADER_BYTES + storedLength(delta.length));
    const start = this.#length;
    let end = writeEntryHeader(this.#bytes, start, OFS_DELTA, delta.length);
    end = writeBaseDistance(this.#bytes, end, start - this.#offsets[baseEntry]!);
    this.#append(oid, start, writeStored(this.#bytes, end, delta), depth);
    return true;
  }

  mark(): PackMark {
    return { count: this.#oids.length, length: this.#length };
  }

  /** Forgets all that was added since `mark`. Views of those entries are no longer valid. */
  rewind(mark: PackMark): void {
    if (mark.count > this.#oids.length) throw new GitsteadError('internal', 'a pack cannot rewind forwards');
    for (let entry = this.#oids.length - 1; entry >= mark.count; entry--) {
      const oid = this.#oids[entry]!;
      if (this.#entryOf.get(oid) === entry) this.#entryOf.delete(oid);
    }
    for (const column of [this.#oids, this.#offsets, this.#crcs, this.#depths]) column.length = mark.count;
    this.#length = mark.length;
  }

  /** The bytes of the entries added since `mark`: a view, valid until more is added or the pack is rewound. */
  bytesSince(mark: PackMark): Buffer {
    return this.#bytes.subarray(mark.length, this.#length);
  }

  /** An object of this pack; deltas are applied. */
  read(oid: Oid): GitObject | undefined {
    const entry = this.#entryOf.get(oid);
    return entry === undefined ? undefined : this.#readAt(this.#offsets[entry]!);
  }

  /** Whole pack and index as they are now. The pack is a view, valid until the next entry is added. */
  finish(): { pack: Buffer; index: Buffer; checksum: Oid } {
    this.#reserve(CHECKSUM_BYTES);
    this.#bytes.writeUInt32BE(this.#oids.length, 8);
    const checksum = hash('sha1', this.#bytes.subarray(0, this.#length), 'hex') as Oid;
    this.#bytes.write(checksum, this.#length, CHECKSUM_BYTES, 'hex');
    const pack = this.#bytes.subarray(0, this.#length + CHECKSUM_BYTES);
    return { pack, index: encodeIndexColumns(this.#oids, this.#crcs, this.#offsets, checksum), checksum };
  }

  /** Gives its memory back at once. Nothing may be asked of it afterwards, and views of it are empty. */
  free(): void {
    freeMemory(this.#bytes);
  }

  /** The pack whose entries these are; see `packOfEntries`. */
  static ofEntries(entries: Buffer): PackBuilder {
    const builder = new PackBuilder(PACK_HEADER_BYTES + entries.length + CHECKSUM_BYTES);
    const end = PACK_HEADER_BYTES + entries.copy(builder.#bytes, PACK_HEADER_BYTES);
    const pack = builder.#bytes.subarray(0, end);
    const bodies = new RecentBodies();
    for (let start = PACK_HEADER_BYTES; start < end; ) {
      const header = readEntryHeader(pack, start);
      const stream = inflateAt(pack, header.streamAt, header.size);
      const entry = builder.count;
      let object: GitObject;
      let depth = 0;
      if (header.kind !== undefined) {
        object = { kind: header.kind, body: stream.body };
      } else {
        const baseEntry = builder.#entryAt(start - (header.distance ?? Number.NaN));
        if (baseEntry === undefined)
          throw new GitsteadError('corrupt', 'a delta in a pack has no base there');
        depth = builder.#depths[baseEntry]! + 1;
        if (depth > MAX_CHAIN) throw new GitsteadError('corrupt', 'a delta in a pack has too long a chain');
        const base = bodies.get(baseEntry) ?? builder.#readAt(builder.#offsets[baseEntry]!);
        object = { kind: base.kind, body: applyDelta(base.body, stream.body) };
      }
      if (object.kind === 'tree') bodies.keep(entry, object);
      builder.#append(hashObject(object.kind, object.body), start, stream.end, depth);
      start = stream.end;
    }
    return builder;
  }

  /** Makes what stands between `start` and `end` an entry. */
  #append(oid: Oid, start: number, end: number, depth: number): void {
    if (!this.#entryOf.has(oid)) this.#entryOf.set(oid, this.#oids.length);
    this.#oids.push(oid);
    this.#offsets.push(start);
    this.#crcs.push(crc32(this.#bytes.subarray(start, end)));
    this.#depths.push(depth);
    this.#length = end;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra + CHECKSUM_BYTES;
    if (needed <= this.#bytes.length) return;
    const factor = this.#bytes.length < LARGE_BYTES ? 2 : 1.25;
    const larger = Buffer.allocUnsafe(Math.max(needed, Math.ceil(this.#bytes.length * factor)));
    this.#bytes.copy(larger, 0, 0, this.#length);
    freeMemory(this.#bytes);
    this.#bytes = larger;
  }

  /** The entry that begins at `offset`. */
  #entryAt(offset: number): number | undefined {
    let low = 0;
    let high = this.#offsets.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#offsets[middle]!;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** The object whose entry begins at `offset`, which is one of ours and therefore well-formed. */
  #readAt(offset: number): GitObject {
    const deltas: Buffer[] = [];
    for (let at = offset; ; ) {
      const header = readEntryHeader(this.#bytes, at);
      const { body } = inflateAt(this.#bytes, header.streamAt, header.size);
      if (header.kind !== undefined) {
        let whole = body;
        for (let each = deltas.length - 1; each >= 0; each--) whole = applyDelta(whole, deltas[each]!);
        return { kind: header.kind, body: whole };
      }
      deltas.push(body);
      at -= header.distance ?? at;
    }
  }
}

/**
 * The pack whose entries `entries` are: the bytes of a pack from offset 12 on, without its checksum, as `bytesSince`
 * gave them to the journal. Every object is rebuilt and its id computed anew; bytes are taken over as they are.
 * @throws GitsteadError `corrupt` on anything but a row of whole entries whose bases stand before them, in chains of at most 50
 */
export function packOfEntries(entries: Buffer): PackBuilder {
  return PackBuilder.ofEntries(entries);
}

/** The trees met last: the next delta is nearly always one of theirs. */
class RecentBodies {
  #objects = new Map<number, GitObject>();
  #bytes = 0;
  static readonly #MAX_BYTES = 32 * 1024 * 1024;

  get(entry: number): GitObject | undefined {
    return this.#objects.get(entry);
  }

  keep(entry: number, object: GitObject): void {
    this.#objects.set(entry, object);
    this.#bytes += object.body.length;
    for (const [oldest, { body }] of this.#objects) {
      if (this.#bytes <= RecentBodies.#MAX_BYTES || oldest === entry) break;
      this.#objects.delete(oldest);
      this.#bytes -= body.length;
    }
  }
}

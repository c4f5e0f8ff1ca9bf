// Writes the entries of many packs as one: copied as they are, each object once, and the first version of a tree in each
// pack as a delta of the first one in the packs before it. Which packs, and what happens to them, is merge-packs.ts's.
import { crc32 } from 'node:zlib';
import { GitsteadError } from '../errors.ts';
import { applyDelta, encodeSpliceDelta, treeDelta } from './delta.ts';
import { headerOf, type TreeBase, TreeBases } from './merge-bases.ts';
import { orderOfEntries } from './merge-order.ts';
import { MergeSource, MergeWindow } from './merge-source.ts';
import type { OidTable } from './oid-table.ts';
import {
  ENTRY_TYPES,
  type EntryHeader,
  MAX_ENTRY_HEADER_BYTES,
  OFS_DELTA,
  writeBaseDistance,
  writeEntryHeader,
} from './pack-entry.ts';
import type { PackReader } from './pack-reader.ts';
import type { PackWriter } from './pack-writer.ts';
import { packObjectStream } from './zlib.ts';

/** No chain of deltas is let grow beyond this: an object is written whole instead. */
const MAX_CHAIN = 100;
/** Whole trees are told by one another no further than this, as each may have a chain of its own in its pack. */
const MAX_TREE_CHAIN = 50;
const MAX_DEPTH = 255;
const MAX_CONVERTED_BYTES = 8 << 20;
const SMALL_SPLICE_BYTES = 1024;
const COPY_BYTES = 1 << 20;
/** Entries between two looks at whether to go on. */
const LOOK_EACH = 256;

/** An entry of a source: where it lies there, and what its index and its header tell. `row`: in the table. */
type Entry = {
  source: MergeSource;
  row: number;
  start: number;
  length: number;
  crc: number;
  header: EntryHeader;
};

type DeltaHeader = EntryHeader & { kind?: never };

export class MergeEntries {
  readonly #gitDir: string;
  readonly #table: OidTable;
  readonly #rows: readonly Uint32Array[];
  readonly #writer: PackWriter;
  readonly #readers: readonly PackReader[];
  readonly #goOn: () => void;
  readonly #bases: TreeBases;
  readonly #room = new MergeWindow();
  readonly #header = Buffer.alloc(2 * MAX_ENTRY_HEADER_BYTES);

  /**
   * @param table every object that is to be written, with the source of its first copy
   * @param rows for each source, the rows of its objects by their places in its index
   * @param readers of the sources, in the order in which they are written
   * @param goOn called now and then; throws when the merge is given up
   */
  constructor(
    gitDir: string,
    table: OidTable,
    rows: readonly Uint32Array[],
    writer: PackWriter,
    readers: readonly PackReader[],
    goOn: () => void,
  ) {
    this.#gitDir = gitDir;
    this.#table = table;
    this.#rows = rows;
    this.#writer = writer;
    this.#readers = readers;
    this.#goOn = goOn;
    this.#bases = new TreeBases(table, readers);
  }

  [Symbol.dispose](): void {
    this.#room.free();
  }

  /**
   * Writes what a source has that no source before it had.
   * @throws GitsteadError `corrupt` when an entry is not what its index says, the system's error when the pack is gone
   */
  writeSource(number: number): void {
    const reader = this.#readers[number]!;
    const rows = this.#rows[number]!;
    const source = MergeSource.open(this.#gitDir, reader.name, reader.index, this.#room);
    try {
      const bases = this.#bases.of(source);
      for (const [done, i] of orderOfEntries(source).entries()) {
        if (done % LOOK_EACH === 0) this.#goOn();
        const place = source.places[i]!;
        const row = rows[place]!;
        if (this.#table.offsets[row]! >= 0) continue;
        const start = source.offsets[i]!;
        const length = source.offsets[i + 1]! - start;
        const crc = source.index.crcAt(place);
        const entry = { source, row, start, length, crc, header: headerOf(source, i) };
        const base =
          bases.size > 0 && entry.header.kind === 'tree' ? bases.get(source.index.oidAt(place)) : undefined;
        this.#write(entry, rows, reader, base);
      }
    } finally {
      source.close();
    }
  }

  #write(entry: Entry, rows: Uint32Array, reader: PackReader, base: TreeBase | undefined): void {
    const { row, header, crc } = entry;
    const table = this.#table;
    const offset = this.#writer.position;
    let depth = 0;
    table.crcs[row] = crc;
    if (header.kind === undefined) {
      depth = this.#writeDelta(entry, header, rows, reader);
    } else if (base && this.#writeTreeDelta(entry, base)) {
      depth = table.depths[table.find(base.base)]! + 1;
    } else {
      this.#copy(entry, 0);
    }
    table.offsets[row] = offset;
    table.depths[row] = Math.min(depth, MAX_DEPTH);
  }

  /** Writes what is a delta in its pack, with the distance to where its base is now, and tells its depth. */
  #writeDelta(entry: Entry, header: DeltaHeader, rows: Uint32Array, reader: PackReader): number {
    const baseRow = this.#baseRow(entry, header, rows);
    const baseOffset = this.#table.offsets[baseRow]!;
    const depth = this.#table.depths[baseRow]! + 1;
    if (baseOffset < 0) {
      // the base of a REF_DELTA may come later in the same pack
      if (header.baseOid === undefined) throw corrupt('is a delta of what comes after it');
      this.#copy(entry, 0);
      return MAX_CHAIN;
    }
    if (depth <= MAX_CHAIN) {
      const distance = this.#writer.position - baseOffset;
      if (distance === header.distance) this.#copy(entry, 0);
      else this.#copyWithHeader(entry, header, distance);
      return depth;
    }
    const { kind, body } = reader.read(entry.start);
    const end = writeEntryHeader(this.#header, 0, ENTRY_TYPES[kind], body.length);
    this.#writeNew(entry.row, this.#header.subarray(0, end), packObjectStream(body));
    return 0;
  }

  /** The row of a delta's base, which is in the same pack as the delta, or in one before. */
  #baseRow({ source, start }: Entry, header: DeltaHeader, rows: Uint32Array): number {
    if (header.baseOid === undefined) {
      const i = source.entryAt(start - header.distance!);
      if (i === undefined) throw corrupt('is a delta of no entry');
      return rows[source.places[i]!]!;
    }
    const row = this.#table.find(header.baseOid);
    if (row < 0) throw corrupt('is a delta of something outside its pack');
    return row;
  }

  /** The header of a delta whose base lies `distance` bytes before what is written next. */
  #deltaHeader(size: number, distance: number): Buffer {
    const end = writeBaseDistance(this.#header, writeEntryHeader(this.#header, 0, OFS_DELTA, size), distance);
    return this.#header.subarray(0, end);
  }

  #copyWithHeader(entry: Entry, { size, streamAt }: DeltaHeader, distance: number): void {
    const header = this.#deltaHeader(size, distance);
    this.#writer.write(header);
    this.#table.crcs[entry.row] = this.#copy(entry, streamAt, crc32(header));
  }

  /** Writes an entry that stood nowhere before. */
  #writeNew(row: number, header: Buffer, stream: Buffer): void {
    this.#writer.write(header);
    this.#writer.write(stream);
    this.#table.crcs[row] = crc32(stream, crc32(header));
  }

  /**
   * Copies an entry from its byte `from` on, and checks all of it against the index's checksum.
   * @param crcBefore checksum of what was written in place of the bytes before `from`
   * @returns the checksum of what is written
   */
  #copy({ source, start, length, crc }: Entry, from: number, crcBefore = 0): number {
    let found = 0;
    let written = crcBefore;
    for (let at = 0; at < length; at += COPY_BYTES) {
      const bytes = source.bytes(start + at, Math.min(COPY_BYTES, length - at));
      const kept = at === 0 && from > 0 ? bytes.subarray(from) : bytes;
      found = crc32(bytes, found);
      written = from > 0 ? crc32(kept, written) : found;
      this.#writer.write(kept);
    }
    if (found !== crc) throw corrupt('is not what its index says');
    return written;
  }

  /** Writes a whole tree as a delta of its earlier version, if that is smaller and no chain becomes too long. */
  #writeTreeDelta(entry: Entry, { base, oid, height }: TreeBase): boolean {
    const { source, start, length, header } = entry;
    const baseRow = this.#table.find(base);
    // what is written already is told by what was written before it: there can be no circle
    if (baseRow < 0 || this.#table.offsets[baseRow]! < 0) return false;
    const depth = this.#table.depths[baseRow]! + 1;
    if (depth > MAX_TREE_CHAIN || depth + height > MAX_CHAIN) return false;
    if (Math.max(length, header.size) > MAX_CONVERTED_BYTES) return false;
    const before = this.#bases.tree(base);
    if (!before) return false;
    if (crc32(source.bytes(start, length)) !== entry.crc) throw corrupt('is not what its index says');
    const body = this.#bases.tree(oid);
    if (body?.length !== header.size) throw corrupt('is not the tree that its index says');
    const delta = smallestDelta(before, body);
    const stream = packObjectStream(delta);
    if (stream.length + MAX_ENTRY_HEADER_BYTES >= length) return false;
    const distance = this.#writer.position - this.#table.offsets[baseRow]!;
    this.#writeNew(entry.row, this.#deltaHeader(delta.length, distance), stream);
    return true;
  }
}

/** How the target tree differs from the base: in one place, or, when that is much, entry by entry. */
function smallestDelta(base: Buffer, target: Buffer): Buffer {
  const most = Math.min(base.length, target.length);
  const prefix = sharedBytes(most, (from, to) => base.compare(target, from, to, from, to) === 0);
  const suffix = sharedBytes(most - prefix, (from, to) => {
    const [b, t] = [base.length, target.length];
    return base.compare(target, t - to, t - from, b - to, b - from) === 0;
  });
  const inserted = target.subarray(prefix, target.length - suffix);
  if (inserted.length > SMALL_SPLICE_BYTES) {
    const delta = treeDelta(base, target);
    if (applyDelta(base, delta).equals(target)) return delta;
  }
  const removed = base.length - prefix - suffix;
  return encodeSpliceDelta(base.length, [{ at: prefix, removed, inserted }]);
}

/** The largest n up to `most` for which the bytes 0 … n are the same, told by comparisons of ranges. */
function sharedBytes(most: number, isSame: (from: number, to: number) => boolean): number {
  let shared = 0;
  let step = 4096;
  while (shared < most && step >= 1) {
    const to = Math.min(shared + step, most);
    if (isSame(shared, to)) shared = to;
    else step = Math.floor(Math.min(step, to - shared) / 2);
  }
  return shared;
}

function corrupt(what: string): GitsteadError {
  return new GitsteadError('corrupt', `an entry of a pack ${what}`);
}

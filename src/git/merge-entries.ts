// Writes the entries of many packs as one: copied as they are, each object once, and the first version of a tree in each
// pack as a delta of the last one in the packs before it. Which packs, and what happens to them, is merge-packs.ts's.
import { crc32 } from 'node:zlib';
import { GitsteadError } from '../errors.ts';
import { applyDelta, encodeSpliceDelta, treeDelta } from './delta.ts';
import { headerOf, type TreeBase, TreeBases } from './merge-bases.ts';
import { MergeSource, MergeWindow } from './merge-source.ts';
import type { Oid } from './object-id.ts';
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
import type { Slices } from './slices.ts';
import { packObjectStream } from './zlib.ts';

/** No chain of deltas is let grow beyond this: an object is written whole instead. */
const MAX_CHAIN = 100;
/** Whole trees are told by one another no further than this, as each may have a chain of its own in its pack. */
const MAX_TREE_CHAIN = 50;
const MAX_DEPTH = 255;
/** A walk over all entries of larger trees would take too long at a time: only one changed place is looked for. */
const MAX_WALKED_TREE_BYTES = 512 << 10;
const MAX_CONVERTED_BYTES = 8 << 20;
const SMALL_SPLICE_BYTES = 1024;
const COPY_BYTES = 1 << 20;

/** An entry of a source: where it lies there, and what its index and its header tell. */
type Entry = {
  source: MergeSource;
  start: number;
  length: number;
  oid: Oid;
  crc: number;
  header: EntryHeader;
};

export class MergeEntries {
  readonly #gitDir: string;
  readonly #table: OidTable;
  readonly #writer: PackWriter;
  readonly #readers: readonly PackReader[];
  readonly #slices: Slices;
  readonly #bases: TreeBases;
  readonly #room = new MergeWindow();
  readonly #header = Buffer.alloc(2 * MAX_ENTRY_HEADER_BYTES);

  /**
   * @param table every object that is to be written, with the source of its first copy
   * @param readers of the sources, in the order in which they are written
   */
  constructor(
    gitDir: string,
    table: OidTable,
    writer: PackWriter,
    readers: readonly PackReader[],
    slices: Slices,
  ) {
    this.#gitDir = gitDir;
    this.#table = table;
    this.#writer = writer;
    this.#readers = readers;
    this.#slices = slices;
    this.#bases = new TreeBases(table, readers, slices);
  }

  /**
   * Writes what a source has that no source before it had.
   * @throws GitsteadError `corrupt` when an entry is not what its index says, the system's error when the pack is gone
   */
  async writeSource(number: number): Promise<void> {
    const reader = this.#readers[number]!;
    const source = await MergeSource.open(this.#gitDir, reader.name, reader.index, this.#room, this.#slices);
    try {
      const bases = await this.#bases.of(source);
      for (let i = 0; i < source.count; i++) {
        const oid = source.index.oidAt(source.places[i]!);
        const row = this.#table.find(oid);
        if (this.#table.offsets[row]! < 0)
          await this.#write(await entryOf(source, i, oid), reader, row, bases.get(oid));
        if (this.#slices.isOver) await this.#slices.pause();
      }
    } finally {
      source.close();
    }
  }

  async #write(entry: Entry, reader: PackReader, row: number, base: TreeBase | undefined): Promise<void> {
    const { header } = entry;
    const offset = this.#writer.position;
    this.#writer.beginEntry();
    let depth = 0;
    if (header.kind === undefined) {
      depth = await this.#writeDelta(entry, header, reader);
    } else if (base && (await this.#writeTreeDelta(entry, base))) {
      depth = this.#table.depths[this.#table.find(base.base)]! + 1;
    } else {
      await this.#copy(entry, 0);
    }
    this.#table.offsets[row] = offset;
    this.#table.crcs[row] = this.#writer.crc;
    this.#table.depths[row] = Math.min(depth, MAX_DEPTH);
  }

  /** Writes what is a delta in its pack, with the distance to where its base is now, and tells its depth. */
  async #writeDelta(
    entry: Entry,
    header: EntryHeader & { kind?: never },
    reader: PackReader,
  ): Promise<number> {
    const baseRow = this.#baseRow(entry, header);
    const baseOffset = this.#table.offsets[baseRow]!;
    const depth = this.#table.depths[baseRow]! + 1;
    if (baseOffset < 0) {
      // the base of a REF_DELTA may come later in the same pack
      if (header.baseOid === undefined) throw corrupt('is a delta of what comes after it');
      await this.#copy(entry, 0);
      return MAX_CHAIN;
    }
    if (depth <= MAX_CHAIN) {
      await this.#writeHeader(header.size, this.#writer.position - baseOffset);
      await this.#copy(entry, header.streamAt);
      return depth;
    }
    const { kind, body } = reader.read(entry.start);
    const end = writeEntryHeader(this.#header, 0, ENTRY_TYPES[kind], body.length);
    await this.#writer.write(this.#header.subarray(0, end));
    await this.#writer.write(packObjectStream(body));
    return 0;
  }

  /** The row of a delta's base, which is in the same pack as the delta, or in one before. */
  #baseRow({ source, start }: Entry, header: EntryHeader & { kind?: never }): number {
    let oid = header.baseOid;
    if (oid === undefined) {
      const i = source.entryAt(start - header.distance!);
      if (i === undefined) throw corrupt('is a delta of no entry');
      oid = source.index.oidAt(source.places[i]!);
    }
    const row = this.#table.find(oid);
    if (row < 0) throw corrupt('is a delta of something outside its pack');
    return row;
  }

  async #writeHeader(size: number, distance: number): Promise<void> {
    const end = writeBaseDistance(this.#header, writeEntryHeader(this.#header, 0, OFS_DELTA, size), distance);
    await this.#writer.write(this.#header.subarray(0, end));
  }

  /** Copies an entry from its byte `from` on, and checks all of it against the index's checksum. */
  async #copy({ source, start, length, crc }: Entry, from: number): Promise<void> {
    let found = 0;
    for (let at = 0; at < length; at += COPY_BYTES) {
      const bytes = await source.bytes(start + at, Math.min(COPY_BYTES, length - at));
      found = crc32(bytes, found);
      await this.#writer.write(at === 0 ? bytes.subarray(from) : bytes);
      if (this.#slices.isOver) await this.#slices.pause();
    }
    if (found !== crc) throw corrupt('is not what its index says');
  }

  /** Writes a whole tree as a delta of its earlier version, if that is smaller and no chain becomes too long. */
  async #writeTreeDelta(entry: Entry, { base, height }: TreeBase): Promise<boolean> {
    const { source, start, length, header } = entry;
    const baseRow = this.#table.find(base);
    // what is written already is told by what was written before it: there can be no circle
    if (baseRow < 0 || this.#table.offsets[baseRow]! < 0) return false;
    const depth = this.#table.depths[baseRow]! + 1;
    if (depth > MAX_TREE_CHAIN || depth + height > MAX_CHAIN) return false;
    if (Math.max(length, header.size) > MAX_CONVERTED_BYTES) return false;
    const before = this.#bases.tree(base);
    if (!before) return false;
    if (crc32(await source.bytes(start, length)) !== entry.crc) throw corrupt('is not what its index says');
    const body = this.#bases.tree(entry.oid);
    if (body?.length !== header.size) throw corrupt('is not the tree that its index says');
    const delta = smallestDelta(before, body);
    if (!delta) return false;
    const stream = packObjectStream(delta);
    if (stream.length + MAX_ENTRY_HEADER_BYTES >= length) return false;
    await this.#writeHeader(delta.length, this.#writer.position - this.#table.offsets[baseRow]!);
    await this.#writer.write(stream);
    return true;
  }
}

async function entryOf(source: MergeSource, i: number, oid: Oid): Promise<Entry> {
  const start = source.offsets[i]!;
  const length = source.offsets[i + 1]! - start;
  const header = await headerOf(source, i);
  return { source, start, length, oid, crc: source.index.crcAt(source.places[i]!), header };
}

/** How the target tree differs from the base: in one place, or, when that is much, entry by entry. */
function smallestDelta(base: Buffer, target: Buffer): Buffer | undefined {
  const most = Math.min(base.length, target.length);
  const prefix = sharedBytes(most, (from, to) => base.compare(target, from, to, from, to) === 0);
  const suffix = sharedBytes(most - prefix, (from, to) => {
    const [b, t] = [base.length, target.length];
    return base.compare(target, t - to, t - from, b - to, b - from) === 0;
  });
  const inserted = target.subarray(prefix, target.length - suffix);
  if (inserted.length > SMALL_SPLICE_BYTES) {
    if (target.length <= MAX_WALKED_TREE_BYTES) {
      const delta = treeDelta(base, target);
      return applyDelta(base, delta).equals(target) ? delta : undefined;
    }
    if (inserted.length > target.length / 2) return undefined;
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

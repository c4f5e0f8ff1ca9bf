// One of the packs that are merged into another: its entries in the order in which they lie, and their bytes, through a
// window, so that a pack of any size takes little memory. What becomes of the entries is merge-entries.ts's.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { GitsteadError } from '../errors.ts';
import { freeMemory } from './free-memory.ts';
import { orderByLongKey } from './key-order.ts';
import { packFile } from './pack-files.ts';
import type { PackIndex } from './pack-index.ts';
import { PACK_HEADER_BYTES, PACK_TRAILER_BYTES } from './pack-reader.ts';

const WINDOW_BYTES = 1 << 20;

/** Room for the bytes that are being looked at, used again and again: garbage of this size is dear. */
export class MergeWindow {
  #bytes: Buffer = Buffer.alloc(0);

  ofSize(size: number): Buffer {
    if (this.#bytes.length < size) this.#bytes = Buffer.allocUnsafeSlow(Math.max(size, WINDOW_BYTES));
    return this.#bytes;
  }

  /** Gives the memory back: nothing is looked at any more. */
  free(): void {
    freeMemory(this.#bytes);
    this.#bytes = Buffer.alloc(0);
  }
}

export class MergeSource {
  readonly index: PackIndex;
  /** of the entries, ascending, and at the end that of the checksum: entry i lies between i and i + 1 */
  readonly offsets: Float64Array;
  /** for each entry in that order, its place in the index */
  readonly places: Uint32Array;
  readonly #descriptor: number;
  readonly #room: MergeWindow;
  /** the part of the room that holds bytes of the pack, from `#windowAt` on */
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;

  private constructor(
    descriptor: number,
    room: MergeWindow,
    index: PackIndex,
    offsets: Float64Array,
    places: Uint32Array,
  ) {
    this.#descriptor = descriptor;
    this.#room = room;
    this.index = index;
    this.offsets = offsets;
    this.places = places;
  }

  /**
   * Opens a pack whose index is at hand.
   * @param room for its bytes; one source after another can use it
   * @throws the system's error (ENOENT: the pack is gone), GitsteadError `corrupt` when it is not the index's pack
   */
  static open(gitDir: string, name: string, index: PackIndex, room: MergeWindow): MergeSource {
    const descriptor = openSync(packFile(gitDir, name, 'pack'), 'r');
    try {
      const end = fstatSync(descriptor).size - PACK_TRAILER_BYTES;
      const atPlaces = new Float64Array(index.count);
      for (let place = 0; place < index.count; place++) atPlaces[place] = index.offsetAt(place);
      const places = orderByLongKey(index.count, (place) => atPlaces[place]!);
      const offsets = new Float64Array(index.count + 1);
      for (let i = 0; i < index.count; i++) offsets[i] = atPlaces[places[i]!]!;
      offsets[index.count] = end;
      freeMemory(atPlaces);
      const source = new MergeSource(descriptor, room, index, offsets, places);
      source.#check(end);
      return source;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  get count(): number {
    return this.places.length;
  }

  /** Where the entries end: the pack's size without its checksum. */
  get end(): number {
    return this.offsets[this.count]!;
  }

  /** Which entry begins at this offset; undefined when none does. */
  entryAt(offset: number): number | undefined {
    const { offsets } = this;
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = offsets[middle]!;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** Up to `length` bytes from `at` on, fewer only at the end: a view, good until the next call. */
  bytes(at: number, length: number): Buffer {
    const from = at - this.#windowAt;
    if (from >= 0 && from + length <= this.#window.length) return this.#window.subarray(from, from + length);
    const size = Math.min(Math.max(WINDOW_BYTES, length), this.end - at);
    const window = this.#room.ofSize(size);
    this.#window = window.subarray(0, readSync(this.#descriptor, window, 0, size, at));
    this.#windowAt = at;
    return this.#window.subarray(0, length);
  }

  close(): void {
    closeSync(this.#descriptor);
    for (const column of [this.offsets, this.places]) freeMemory(column);
  }

  #check(end: number): void {
    const head = Buffer.alloc(PACK_HEADER_BYTES);
    const trailer = Buffer.alloc(PACK_TRAILER_BYTES);
    readSync(this.#descriptor, head, 0, head.length, 0);
    readSync(this.#descriptor, trailer, 0, trailer.length, Math.max(0, end));
    const isWhole =
      head.toString('latin1', 0, 4) === 'PACK' &&
      head.readUInt32BE(8) === this.count &&
      trailer.toString('hex') === this.index.packChecksum &&
      (this.count === 0 ? end : this.offsets[0]) === PACK_HEADER_BYTES;
    if (!isWhole)
      throw new GitsteadError('corrupt', 'a pack is cut short, or not the one that its index is about');
  }
}

// The objects of a pack that is being merged, in columns outside of JavaScript's heap: a million of them cost some 60 MB
// and no garbage collection. Writes itself as a pack index; pack-index.ts has the picture of that.
import { freeMemory } from './free-memory.ts';
import { OID_BYTES, type Oid, writeOid } from './object-id.ts';
import { encodeIndexOfIds } from './pack-index.ts';

/** An id as five numbers: compared so, it costs a third of what comparing bytes does. */
const WORDS = OID_BYTES / 4;

const wantedBytes = Buffer.alloc(OID_BYTES);
const wanted = new Uint32Array(WORDS);
const wantedView = Buffer.from(wanted.buffer);

export class OidTable {
  #count = 0;
  readonly #words: Uint32Array;
  readonly #ids: Buffer;
  /** hash table of rows, -1 where empty; by an id's first bytes, which are as random as any hash */
  readonly #slots: Int32Array;
  /** for each row: where its entry begins, -1 before it is written; that entry's checksum */
  readonly offsets: Float64Array;
  readonly crcs: Uint32Array;
  /** for each row: how many deltas lead to a whole object, and which source its entry is taken from */
  readonly depths: Uint8Array;
  readonly sources: Uint32Array;

  /** @param capacity no more objects than this will be added */
  constructor(capacity: number) {
    this.#words = new Uint32Array(capacity * WORDS);
    this.#ids = Buffer.from(this.#words.buffer);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * capacity + 2))).fill(-1);
    this.offsets = new Float64Array(capacity).fill(-1);
    this.crcs = new Uint32Array(capacity);
    this.depths = new Uint8Array(capacity);
    this.sources = new Uint32Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  /** The object's row, or -1. */
  find(oid: Oid): number {
    writeOid(wantedBytes, 0, oid);
    return this.#slots[this.#slotOf(wantedBytes, 0)]!;
  }

  /**
   * Adds an object that is taken from `source`, unless it is here already.
   * @param ids where its id stands, from `at` on
   * @returns its row
   */
  add(ids: Buffer, at: number, source: number): number {
    const slot = this.#slotOf(ids, at);
    const known = this.#slots[slot]!;
    if (known >= 0) return known;
    const row = this.#count++;
    this.#slots[slot] = row;
    this.#words.set(wanted, row * WORDS);
    this.sources[row] = source;
    return row;
  }

  /** The index of the pack that holds all objects at their offsets. */
  encodeIndex(packChecksum: Oid): Buffer {
    const ids = this.#ids.subarray(0, this.#count * OID_BYTES);
    return encodeIndexOfIds(ids, this.crcs, this.offsets, packChecksum);
  }

  /** Gives the memory back; nothing is asked any more. */
  [Symbol.dispose](): void {
    const columns = [this.#words, this.#slots, this.offsets, this.crcs, this.depths, this.sources];
    for (const column of columns) freeMemory(column);
  }

  /** The slot where the object's row stands, or would stand. Leaves the id in `wanted`. */
  #slotOf(ids: Buffer, at: number): number {
    for (let byte = 0; byte < OID_BYTES; byte++) wantedView[byte] = ids[at + byte]!;
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = wanted[0]! & mask;
    for (let row = slots[slot]!; row >= 0 && !this.#isWanted(row); row = slots[slot]!)
      slot = (slot + 1) & mask;
    return slot;
  }

  #isWanted(row: number): boolean {
    const words = this.#words;
    let word = 0;
    while (word < WORDS && words[row * WORDS + word] === wanted[word]) word++;
    return word === WORDS;
  }
}

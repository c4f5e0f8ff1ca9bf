// The objects of a pack that is being merged, in columns outside of JavaScript's heap: a million of them cost some 60 MB
// and no garbage collection. Writes itself as a pack index, in slices; pack-index.ts has the picture of that.
import { createHash } from 'node:crypto';
import type { Oid } from './object-id.ts';
import { type Slices, sortInSlices } from './slices.ts';

const OID_BYTES = 20;
const IDS_AT = 8 + 256 * 4;
const FAR = 0x80000000;
const HASH_CHUNK_BYTES = 256 << 10;

const wanted = Buffer.alloc(OID_BYTES);

export class OidTable {
  #count = 0;
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
    this.#ids = Buffer.alloc(capacity * OID_BYTES);
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
    return this.#slots[this.#slotOf(oid)]!;
  }

  /** Adds an object that is taken from `source`, unless it is here already. */
  add(oid: Oid, source: number): void {
    const slot = this.#slotOf(oid);
    if (this.#slots[slot]! >= 0) return;
    const row = this.#count++;
    this.#slots[slot] = row;
    this.#ids.set(wanted, row * OID_BYTES);
    this.sources[row] = source;
  }

  /** The index of the pack that holds all objects at their offsets. */
  async encodeIndex(packChecksum: Oid, slices: Slices): Promise<Buffer> {
    const order = await this.#sorted(slices);
    const count = this.#count;
    let farCount = 0;
    for (let row = 0; row < count; row++) if (this.offsets[row]! >= FAR) farCount++;
    const crcsAt = IDS_AT + count * OID_BYTES;
    const offsetsAt = crcsAt + count * 4;
    const farAt = offsetsAt + count * 4;
    const end = farAt + farCount * 8;
    const index = Buffer.allocUnsafe(end + 2 * OID_BYTES);
    index.writeUInt32BE(0xff744f63, 0);
    index.writeUInt32BE(2, 4);
    const upTo = new Uint32Array(256);
    let far = 0;
    for (let place = 0; place < count; place++) {
      const row = order[place]!;
      this.#ids.copy(index, IDS_AT + place * OID_BYTES, row * OID_BYTES, (row + 1) * OID_BYTES);
      upTo[this.#ids[row * OID_BYTES]!]!++;
      index.writeUInt32BE(this.crcs[row]!, crcsAt + place * 4);
      const offset = this.offsets[row]!;
      index.writeUInt32BE(offset < FAR ? offset : FAR + far, offsetsAt + place * 4);
      if (offset >= FAR) index.writeBigUInt64BE(BigInt(offset), farAt + 8 * far++);
      if ((place & 255) === 0 && slices.isOver) await slices.pause();
    }
    for (let byte = 0, total = 0; byte < 256; byte++) {
      total += upTo[byte]!;
      index.writeUInt32BE(total, 8 + byte * 4);
    }
    index.write(packChecksum, end, OID_BYTES, 'hex');
    const hash = createHash('sha1');
    for (let at = 0; at < end + OID_BYTES; at += HASH_CHUNK_BYTES) {
      hash.update(index.subarray(at, Math.min(at + HASH_CHUNK_BYTES, end + OID_BYTES)));
      if (slices.isOver) await slices.pause();
    }
    hash.digest().copy(index, end + OID_BYTES);
    return index;
  }

  async #sorted(slices: Slices): Promise<Uint32Array> {
    const ids = this.#ids;
    const rows = new Uint32Array(this.#count);
    const heads = new Uint32Array(this.#count);
    for (let row = 0; row < rows.length; row++) {
      rows[row] = row;
      heads[row] = ids.readUInt32BE(row * OID_BYTES);
      if ((row & 1023) === 0 && slices.isOver) await slices.pause();
    }
    const compare = (a: number, b: number): number => {
      if (heads[a] !== heads[b]) return heads[a]! - heads[b]!;
      const [left, right] = [a * OID_BYTES, b * OID_BYTES];
      return ids.compare(ids, right, right + OID_BYTES, left, left + OID_BYTES);
    };
    return sortInSlices(rows, compare, slices);
  }

  /** The slot where the object's row stands, or would stand. Leaves the id's bytes in `wanted`. */
  #slotOf(oid: Oid): number {
    wanted.write(oid, 0, OID_BYTES, 'hex');
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = wanted.readUInt32LE(0) & mask;
    for (let row = slots[slot]!; row >= 0; row = slots[slot]!) {
      if (this.#ids.compare(wanted, 0, OID_BYTES, row * OID_BYTES, (row + 1) * OID_BYTES) === 0) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}

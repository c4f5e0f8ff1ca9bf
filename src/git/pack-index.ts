// The index of a pack (.idx, version 2): which object begins where. Written for our packs, read for anybody's. The
// index is read whole into memory; the pack itself is pack-reader.ts's business.
//
//   ff 't' 'O' 'c' | version 2
//   fan-out:  256 × 4 bytes, how many objects have a first byte of at most n
//   ids:      n × 20 bytes, sorted
//   crc-32:   n × 4 bytes, of the whole entry, header included
//   offsets:  n × 4 bytes; with the top bit set, the rest counts into the next table
//   far:      8 bytes for each offset from 2 GiB on
//   checksum of the pack, 20 bytes | SHA-1 of all before, 20 bytes           (all numbers big-endian)
import { hash } from 'node:crypto';
import { GitsteadError } from '../errors.ts';
import { freeMemory } from './free-memory.ts';
import { orderByKey } from './key-order.ts';
import { OID_BYTES, type Oid, writeOid } from './object-id.ts';

/** `crc` over the whole entry, header included; `offset` of the entry's first byte in the pack. */
export type IndexEntry = { oid: Oid; crc: number; offset: number };

const MAGIC = 0xff744f63;
const VERSION = 2;
const FAN_OUT_AT = 8;
const IDS_AT = FAN_OUT_AT + 256 * 4;
const ENTRY_BYTES = OID_BYTES + 4 + 4;
const TRAILER_BYTES = 2 * OID_BYTES;
const FAR_BYTES = 8;
const FAR = 0x80000000;

/** The index of a pack with these entries, in whatever order they come. */
export function encodeIndex(entries: readonly IndexEntry[], packChecksum: Oid): Buffer {
  return encodeIndexColumns(
    entries.map((entry) => entry.oid),
    entries.map((entry) => entry.crc),
    entries.map((entry) => entry.offset),
    packChecksum,
  );
}

/** As `encodeIndex`, for entries told as three columns of the same length. */
export function encodeIndexColumns(
  oids: readonly Oid[],
  crcs: ArrayLike<number>,
  offsets: ArrayLike<number>,
  packChecksum: Oid,
): Buffer {
  const ids = Buffer.allocUnsafe(oids.length * OID_BYTES);
  for (let entry = 0; entry < oids.length; entry++) writeOid(ids, entry * OID_BYTES, oids[entry]!);
  return encodeIndexOfIds(ids, crcs, offsets, packChecksum);
}

/** As `encodeIndexColumns`, for ids as bytes, 20 each. */
export function encodeIndexOfIds(
  ids: Buffer,
  crcs: ArrayLike<number>,
  offsets: ArrayLike<number>,
  packChecksum: Oid,
): Buffer {
  const order = sortedOrder(ids);
  const count = order.length;
  let far = 0;
  for (let each = 0; each < count; each++) if (offsets[each]! >= FAR) far++;
  const index = Buffer.allocUnsafe(IDS_AT + count * ENTRY_BYTES + far * FAR_BYTES + TRAILER_BYTES);
  index.writeUInt32BE(MAGIC, 0);
  index.writeUInt32BE(VERSION, 4);
  const crcsAt = IDS_AT + count * OID_BYTES;
  const offsetsAt = crcsAt + count * 4;
  let farAt = offsetsAt + count * 4;
  far = 0;
  const withFirstByte = new Uint32Array(256);
  for (let place = 0; place < count; place++) {
    const entry = order[place]!;
    const from = entry * OID_BYTES;
    const to = IDS_AT + place * OID_BYTES;
    for (let byte = 0; byte < OID_BYTES; byte++) index[to + byte] = ids[from + byte]!;
    withFirstByte[ids[from]!]!++;
    index.writeUInt32BE(crcs[entry]! >>> 0, crcsAt + place * 4);
    const offset = offsets[entry]!;
    index.writeUInt32BE(offset < FAR ? offset : FAR + far++, offsetsAt + place * 4);
    if (offset < FAR) continue;
    index.writeBigUInt64BE(BigInt(offset), farAt);
    farAt += FAR_BYTES;
  }
  freeMemory(order);
  let total = 0;
  for (let byte = 0; byte < 256; byte++) {
    total += withFirstByte[byte]!;
    index.writeUInt32BE(total, FAN_OUT_AT + byte * 4);
  }
  index.write(packChecksum, farAt, OID_BYTES, 'hex');
  const checksumAt = farAt + OID_BYTES;
  index.write(hash('sha1', index.subarray(0, checksumAt), 'hex'), checksumAt, OID_BYTES, 'hex');
  return index;
}

/**
 * Places in `ids` in the order of the ids: by their first 32 bits, as numbers; those with equal beginnings are few, and
 * are put right afterwards.
 */
function sortedOrder(ids: Buffer): Uint32Array {
  const count = ids.length / OID_BYTES;
  const order = orderByKey(count, (entry) => ids.readUInt32BE(entry * OID_BYTES));
  for (let place = 1; place < count; place++) {
    const entry = order[place]!;
    let at = place;
    for (; at > 0 && isBefore(ids, entry, order[at - 1]!); at--) order[at] = order[at - 1]!;
    order[at] = entry;
  }
  return order;
}

function isBefore(ids: Buffer, left: number, right: number): boolean {
  for (let byte = 0; byte < OID_BYTES; byte++) {
    const difference = ids[left * OID_BYTES + byte]! - ids[right * OID_BYTES + byte]!;
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** A pack's index, for look-ups by id and for walks in the order of the ids. */
export type PackIndex = {
  readonly count: number;
  readonly packChecksum: Oid;
  /** the offset of the object's entry, or undefined when it is not in this pack */
  find(oid: Oid): number | undefined;
  /** all ids, sorted, 20 bytes each: a view */
  readonly ids: Buffer;
  oidAt(place: number): Oid;
  crcAt(place: number): number;
  offsetAt(place: number): number;
};

function corrupt(what: string): GitsteadError {
  return new GitsteadError('corrupt', `a pack index ${what}`);
}

/** Checks what can be checked without reading every entry, and tells how many there are. */
function checkStructure(index: Buffer): number {
  if (index.length < IDS_AT + TRAILER_BYTES) throw corrupt('is cut short');
  if (index.readUInt32BE(0) !== MAGIC || index.readUInt32BE(4) !== VERSION)
    throw corrupt('is not of version 2');
  let count = 0;
  for (let byte = 0; byte < 256; byte++) {
    const upTo = index.readUInt32BE(FAN_OUT_AT + byte * 4);
    if (upTo < count) throw corrupt('counts its objects wrongly');
    count = upTo;
  }
  const farBytes = index.length - IDS_AT - TRAILER_BYTES - count * ENTRY_BYTES;
  if (farBytes < 0 || farBytes % FAR_BYTES !== 0 || farBytes / FAR_BYTES > count) {
    throw corrupt('has another length than its count of objects asks for');
  }
  return count;
}

/** The id that is looked for: of one index at a time. */
const wanted = Buffer.alloc(OID_BYTES);

/**
 * A pack's index for reading; `index` is kept, not copied.
 * @throws GitsteadError `corrupt` when it is not an index of version 2, at once or where the damage is met
 */
export function openIndex(index: Buffer): PackIndex {
  const count = checkStructure(index);
  const crcsAt = IDS_AT + count * OID_BYTES;
  const offsetsAt = crcsAt + count * 4;
  const farAt = offsetsAt + count * 4;
  const trailerAt = index.length - TRAILER_BYTES;

  function offsetAt(place: number): number {
    const offset = index.readUInt32BE(offsetsAt + place * 4);
    if (offset < FAR) return offset;
    const at = farAt + (offset - FAR) * FAR_BYTES;
    if (at + FAR_BYTES > trailerAt) throw corrupt('points beyond its end');
    return index.readUInt32BE(at) * 2 ** 32 + index.readUInt32BE(at + 4);
  }

  function compareAt(place: number): number {
    const at = IDS_AT + place * OID_BYTES;
    for (let each = 0; each < OID_BYTES; each++) {
      const difference = index[at + each]! - wanted[each]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  return {
    count,
    packChecksum: index.toString('hex', trailerAt, trailerAt + OID_BYTES) as Oid,
    find(oid) {
      writeOid(wanted, 0, oid);
      const first = wanted[0]!;
      let low = first === 0 ? 0 : index.readUInt32BE(FAN_OUT_AT + (first - 1) * 4);
      let high = index.readUInt32BE(FAN_OUT_AT + first * 4);
      while (low < high) {
        const middle = (low + high) >>> 1;
        const order = compareAt(middle);
        if (order === 0) return offsetAt(middle);
        if (order < 0) low = middle + 1;
        else high = middle;
      }
      return undefined;
    },
    ids: index.subarray(IDS_AT, crcsAt),
    oidAt: (place) =>
      index.toString('hex', IDS_AT + place * OID_BYTES, IDS_AT + (place + 1) * OID_BYTES) as Oid,
    crcAt: (place) => index.readUInt32BE(crcsAt + place * 4),
    offsetAt,
  };
}

/** Whether an index is what was written: its last 20 bytes are the SHA-1 of all before them. */
export function isIndexIntact(index: Buffer): boolean {
  if (index.length < IDS_AT + TRAILER_BYTES) return false;
  const checksumAt = index.length - OID_BYTES;
  return hash('sha1', index.subarray(0, checksumAt), 'hex') === index.toString('hex', checksumAt);
}

// The index of a pack that is too large to be kept in memory, asked where it lies: only its table of first bytes is held, and
// each question reads some twenty places of the file. pack-index.ts has the picture, and the index in memory.
import { GitsteadError } from '../errors.ts';
import { OID_BYTES, type Oid, writeOid } from './object-id.ts';
import type { HeldFile, OpenFiles } from './open-files.ts';
import type { PackIndex } from './pack-index.ts';

const MAGIC = 0xff744f63;
const VERSION = 2;
const FAN_OUT_AT = 8;
const IDS_AT = FAN_OUT_AT + 256 * 4;
const FAR = 0x80000000;
const FAR_BYTES = 8;
const ENTRY_BYTES = OID_BYTES + 4 + 4;
const TRAILER_BYTES = 2 * OID_BYTES;

const wanted = Buffer.alloc(OID_BYTES);
const found = Buffer.alloc(OID_BYTES);

/** What is asked of the index of a pack that is read from. */
export type IndexLookUp = Pick<PackIndex, 'count' | 'packChecksum' | 'find' | 'offsetAt'>;

/**
 * @param file held by the caller, who drops it
 * @throws GitsteadError `corrupt` when it is not an index of version 2, at once or where the damage is met; the system's error
 */
export function openIndexFile(files: OpenFiles, file: HeldFile): IndexLookUp {
  const head = Buffer.alloc(IDS_AT);
  const read = (target: Buffer, length: number, position: number): Buffer => {
    if (files.read(file, target, length, position) < length) throw corrupt('is cut short');
    return target;
  };
  read(head, IDS_AT, 0);
  if (head.readUInt32BE(0) !== MAGIC || head.readUInt32BE(4) !== VERSION)
    throw corrupt('is not of version 2');
  for (let byte = 1; byte < 256; byte++) {
    if (upTo(byte) < upTo(byte - 1)) throw corrupt('counts its objects wrongly');
  }
  const count = upTo(255);
  const offsetsAt = IDS_AT + count * (OID_BYTES + 4);
  const farAt = offsetsAt + count * 4;
  const trailerAt = file.size - TRAILER_BYTES;
  const farBytes = trailerAt - IDS_AT - count * ENTRY_BYTES;
  if (farBytes < 0 || farBytes % FAR_BYTES !== 0 || farBytes / FAR_BYTES > count) {
    throw corrupt('has another length than its count of objects asks for');
  }

  /** how many ids begin with this byte or a smaller one */
  function upTo(byte: number): number {
    return head.readUInt32BE(FAN_OUT_AT + byte * 4);
  }

  function offsetAt(place: number): number {
    const offset = read(found, 4, offsetsAt + place * 4).readUInt32BE(0);
    if (offset < FAR) return offset;
    const at = farAt + (offset - FAR) * FAR_BYTES;
    if (at + FAR_BYTES > trailerAt) throw corrupt('points beyond its end');
    read(found, FAR_BYTES, at);
    return found.readUInt32BE(0) * 2 ** 32 + found.readUInt32BE(4);
  }

  return {
    count,
    packChecksum: read(found, OID_BYTES, trailerAt).toString('hex', 0, OID_BYTES) as Oid,
    find(oid) {
      writeOid(wanted, 0, oid);
      let low = wanted[0] === 0 ? 0 : upTo(wanted[0]! - 1);
      let high = upTo(wanted[0]!);
      while (low < high) {
        const middle = (low + high) >>> 1;
        const order = read(found, OID_BYTES, IDS_AT + middle * OID_BYTES).compare(wanted);
        if (order === 0) return offsetAt(middle);
        if (order < 0) low = middle + 1;
        else high = middle;
      }
      return undefined;
    },
    offsetAt,
  };
}

function corrupt(what: string): GitsteadError {
  return new GitsteadError('corrupt', `a pack index ${what}`);
}

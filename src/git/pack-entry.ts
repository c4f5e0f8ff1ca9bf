// The header of one entry of a pack: what kind of object follows, how large it is, and, for a delta, how far back in
// the same pack its base begins. The zlib stream behind it is zlib.ts's business.
//
//   header:   mtttssss [mssssssss …]    m: another byte follows, t: type, s: size of what is deflated, low bits first
//   OFS_DELTA (type 6) only: mddddddd [mddddddd …]    distance back to the base's header, high bits first, where every
//             byte after the first adds 1 to what stands above it, so that no distance has two forms
//   REF_DELTA (type 7) only: object id of the base, 20 bytes
import { GitsteadError } from '../errors.ts';
import { type ObjectKind, OID_BYTES, type Oid } from './object-id.ts';

export const ENTRY_TYPES = { commit: 1, tree: 2, blob: 3, tag: 4 } as const;
export const OFS_DELTA = 6;
export const REF_DELTA = 7;
const KINDS: readonly (ObjectKind | undefined)[] = [undefined, 'commit', 'tree', 'blob', 'tag'];
/** 4 bits and seven times 7 bits: all that a number holds exactly */
const MAX_SIZE_BYTES = 8;
const MAX_DISTANCE_BYTES = 7;
/** No header with a distance or an object id is longer than this. */
export const MAX_ENTRY_HEADER_BYTES = MAX_SIZE_BYTES + OID_BYTES;

/** Writes type and size at `at`, and tells where they end. `size` is that of the body, or of the delta. */
export function writeEntryHeader(target: Uint8Array, at: number, type: number, size: number): number {
  let byte = (type << 4) | (size & 0x0f);
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    target[at++] = byte | 0x80;
    byte = rest & 0x7f;
  }
  target[at++] = byte;
  return at;
}

/** Writes the distance from an OFS_DELTA entry back to its base, and tells where it ends. */
export function writeBaseDistance(target: Uint8Array, at: number, distance: number): number {
  let length = 1;
  for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor((rest - 1) / 128)) length++;
  let rest = distance;
  target[at + length - 1] = rest & 0x7f;
  for (let place = length - 2; place >= 0; place--) {
    rest = Math.floor(rest / 128) - 1;
    target[at + place] = 0x80 | (rest & 0x7f);
  }
  return at + length;
}

/**
 * `size` of the body or delta; `streamAt`: where its zlib stream begins. A whole object has a `kind`; a delta has
 * `distance`, back from the entry's first byte to its base's, or `baseOid`.
 */
export type EntryHeader = { size: number; streamAt: number } & (
  | { kind: ObjectKind; distance?: never; baseOid?: never }
  | { kind?: never; distance: number; baseOid?: never }
  | { kind?: never; distance?: never; baseOid: Oid }
);

/**
 * The header of the entry that begins at `at`.
 * @throws GitsteadError `corrupt` when there is none
 */
export function readEntryHeader(bytes: Buffer, at: number): EntryHeader {
  let byte = byteAt(bytes, at++);
  const type = (byte >>> 4) & 7;
  let size = byte & 0x0f;
  for (let digits = 1; byte >= 0x80; digits++) {
    if (digits === MAX_SIZE_BYTES) throw corrupt('tells an impossible size');
    byte = byteAt(bytes, at++);
    size += (byte & 0x7f) * 16 * 128 ** (digits - 1);
  }
  if (type === OFS_DELTA) return readDistance(bytes, at, size);
  if (type === REF_DELTA) {
    if (at + OID_BYTES > bytes.length) throw corrupt('is cut short');
    const streamAt = at + OID_BYTES;
    return { size, streamAt, baseOid: bytes.toString('hex', at, streamAt) as Oid };
  }
  const kind = KINDS[type];
  if (kind === undefined) throw corrupt('is of a type that git does not know');
  return { size, streamAt: at, kind };
}

function readDistance(bytes: Buffer, at: number, size: number): EntryHeader {
  let byte = byteAt(bytes, at++);
  let distance = byte & 0x7f;
  for (let digits = 1; byte >= 0x80; digits++) {
    if (digits === MAX_DISTANCE_BYTES) throw corrupt('has an impossible base');
    byte = byteAt(bytes, at++);
    distance = (distance + 1) * 128 + (byte & 0x7f);
  }
  if (distance === 0) throw corrupt('is a delta of itself');
  return { size, streamAt: at, distance };
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw corrupt('is cut short');
  return byte;
}

function corrupt(what: string): GitsteadError {
  return new GitsteadError('corrupt', `a pack entry ${what}`);
}

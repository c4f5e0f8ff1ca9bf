// The bytes of a journal segment: a header, then records one behind the other, then zeros (or what an
// earlier use of the file left: a record of another segment id ends the reading as zeros do).
//
//   segment header, 32 bytes                    record header, 32 bytes, then the payload
//   ┌──────┬─────────┬──────────┬──────────┐    ┌──────┬────────┬─────┬─────────┬──────────┬──────────┐
//   │ GSJ1 │ segment │ sealed   │ sealed   │    │ GSR1 │ length │ crc │ segment │ sequence │ reserved │
//   │ 4    │ id 4    │ id 4     │ end 4    │    │ 4    │ 4      │ 4   │ 4       │ 8        │ 8        │
//   └──────┴─────────┴──────────┴──────────┘    └──────┴────────┴─────┴─────────┴──────────┴──────────┘
//     crc 4, zeros 12                             payload: see encodeTurn
//
// `sealed id` and `sealed end` name an earlier segment whose append or sync failed, and where its
// acknowledged records end: what stands behind that was never answered for, and is not read.
import { crc32 } from 'node:zlib';
import { type Oid, parseOid } from '../git/object-id.ts';

export const SEGMENT_HEADER_BYTES = 32;
export const RECORD_HEADER_BYTES = 32;
const SEGMENT_MAGIC = 0x47534a31;
const RECORD_MAGIC = 0x47535231;
const NO_OID = '0'.repeat(40);
/** how the names of packs begin; 40 hex digits follow */
const PACK_PREFIX = 'pack-';

export type SealedSegment = { id: number; end: number };

/** One turn of one repository, as the journal keeps it. */
export type TurnRecord = {
  user: string;
  module: string;
  oldHead: Oid | null;
  newHead: Oid;
  /** the pack that these entries belong to: its name (`pack-` and 40 hex digits), and where in it they begin */
  packName: string;
  packOffset: number;
  /** names of the spooled one-object packs that the turn's commits refer to */
  spooled: readonly string[];
  /** when the turn was judged, Unix milliseconds */
  time: number;
  /** pack entries, as they stand in the pack */
  entries: Buffer;
};

export function encodeSegmentHeader(id: number, sealed: SealedSegment | undefined): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.writeUInt32BE(SEGMENT_MAGIC, 0);
  header.writeUInt32BE(id, 4);
  header.writeUInt32BE(sealed?.id ?? 0, 8);
  header.writeUInt32BE(sealed?.end ?? 0, 12);
  header.writeUInt32BE(crc32(header.subarray(0, 16)), 16);
  return header;
}

function digitsOf(packName: string): string {
  return packName.slice(PACK_PREFIX.length);
}

/** undefined: not a segment (never written, or torn) */
export function decodeSegmentHeader(
  bytes: Buffer,
): { id: number; sealed: SealedSegment | undefined } | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.readUInt32BE(0) !== SEGMENT_MAGIC) return undefined;
  if (bytes.readUInt32BE(16) !== crc32(bytes.subarray(0, 16))) return undefined;
  const sealedId = bytes.readUInt32BE(8);
  const sealed = sealedId === 0 ? undefined : { id: sealedId, end: bytes.readUInt32BE(12) };
  return { id: bytes.readUInt32BE(4), sealed };
}

/**
 * The record's bytes in parts, header first, entries last and not copied. `sealRecord` completes the header
 * once segment and sequence are known.
 */
export function encodeTurn(record: TurnRecord): { header: Buffer; entries: Buffer; length: number } {
  const user = Buffer.from(record.user);
  const module = Buffer.from(record.module);
  const fixed = 4 + user.length + module.length + 60 + 4 + 8 + 2 + record.spooled.length * 20;
  const header = Buffer.allocUnsafe(RECORD_HEADER_BYTES + fixed);
  let at = RECORD_HEADER_BYTES;
  at = header.writeUInt16BE(user.length, at);
  at += user.copy(header, at);
  at = header.writeUInt16BE(module.length, at);
  at += module.copy(header, at);
  const ids = [record.oldHead ?? NO_OID, record.newHead, digitsOf(record.packName)];
  for (const id of ids) at += header.write(id, at, 20, 'hex');
  at = header.writeUInt32BE(record.packOffset, at);
  at = header.writeDoubleBE(record.time, at);
  at = header.writeUInt16BE(record.spooled.length, at);
  for (const name of record.spooled) at += header.write(digitsOf(name), at, 20, 'hex');
  return { header, entries: record.entries, length: header.length + record.entries.length };
}

/** Completes a record's header for its place in the journal. */
export function sealRecord(
  parts: { header: Buffer; entries: Buffer },
  segment: number,
  sequence: number,
): void {
  const { header, entries } = parts;
  header.fill(0, 0, RECORD_HEADER_BYTES);
  header.writeUInt32BE(RECORD_MAGIC, 0);
  header.writeUInt32BE(header.length - RECORD_HEADER_BYTES + entries.length, 4);
  header.writeUInt32BE(segment, 12);
  header.writeBigUInt64BE(BigInt(sequence), 16);
  header.writeUInt32BE(checksum(header, entries), 8);
}

/** over segment, sequence and payload; the entries' own part is taken without copying them behind the header */
function checksum(header: Buffer, entries: Buffer): number {
  return crc32(entries, crc32(header.subarray(12)));
}

/**
 * Reads the whole records from `at` on, up to the segment's torn end: the first place where no record of
 * this segment with a right checksum stands.
 * @returns the records in order, and where the last one ends
 */
export function decodeRecords(
  bytes: Buffer,
  segment: number,
  limit = bytes.length,
): { records: { sequence: number; turn: TurnRecord }[]; end: number } {
  const records: { sequence: number; turn: TurnRecord }[] = [];
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const length = recordLength(bytes, at, segment);
    if (length === undefined || at + RECORD_HEADER_BYTES + length > limit) break;
    const end = at + RECORD_HEADER_BYTES + length;
    if (bytes.readUInt32BE(at + 8) !== crc32(bytes.subarray(at + 12, end))) break;
    const turn = decodeTurn(bytes.subarray(at + RECORD_HEADER_BYTES, end));
    if (!turn) break;
    records.push({ sequence: Number(bytes.readBigUInt64BE(at + 16)), turn });
    at = end;
  }
  return { records, end: at };
}

function recordLength(bytes: Buffer, at: number, segment: number): number | undefined {
  if (at + RECORD_HEADER_BYTES > bytes.length) return undefined;
  if (bytes.readUInt32BE(at) !== RECORD_MAGIC || bytes.readUInt32BE(at + 12) !== segment) return undefined;
  const length = bytes.readUInt32BE(at + 4);
  return at + RECORD_HEADER_BYTES + length > bytes.length ? undefined : length;
}

function decodeTurn(payload: Buffer): TurnRecord | undefined {
  let at = 0;
  const take = (count: number): Buffer => {
    if (at + count > payload.length) throw new RangeError('short record');
    at += count;
    return payload.subarray(at - count, at);
  };
  try {
    const user = take(take(2).readUInt16BE()).toString();
    const module = take(take(2).readUInt16BE()).toString();
    const oldHead = take(20).toString('hex');
    const newHead = parseOid(take(20).toString('hex'))!;
    const packName = PACK_PREFIX + take(20).toString('hex');
    const packOffset = take(4).readUInt32BE();
    const time = take(8).readDoubleBE();
    const spooled = Array.from(
      { length: take(2).readUInt16BE() },
      () => PACK_PREFIX + take(20).toString('hex'),
    );
    const entries = payload.subarray(at);
    const old = oldHead === NO_OID ? null : parseOid(oldHead)!;
    return { user, module, oldHead: old, newHead, packName, packOffset, spooled, time, entries };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

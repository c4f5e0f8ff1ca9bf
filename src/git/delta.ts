// Deltas as packs hold them: an object told as copies from a base and new bytes.
// Ours are made from splices, that is, from knowing what was edited, or from a walk over two trees; no search for
// likeness is ever done. Which object is a delta of which is the pack builder's and the pack merger's business.
//
//   delta:  base size, varint | result size, varint | instruction …
//   copy:   1ssssooo o | offset bytes | size bytes      bit 0–3: which of the 4 offset bytes follow, 4–6: which of the
//           3 size bytes (least significant first, absent ones are 0; a size of 0 means 0x10000)
//   insert: 0nnnnnnn | n bytes                          1 to 127; 0 is reserved
//   varint: 7 bits a byte, least significant first, the top bit tells that another byte follows
import { GitsteadError } from '../errors.ts';
import { OID_BYTES } from './object-id.ts';
import { checkEntry, compareEntriesAt } from './tree-entry.ts';

/** In a body, `removed` bytes from `at` on give way to `inserted`. Splices of one edit are ordered and do not overlap. */
export type Splice = { at: number; removed: number; inserted: Buffer };

const MAX_INSERT_BYTES = 127;
const MAX_COPY_BYTES = 0xffffff;
const IMPLIED_COPY_BYTES = 0x10000;
const MAX_COPY_INSTRUCTION_BYTES = 8;
const MAX_VARINT_BYTES = 8;
/** Nothing that is told as a delta is larger: git itself stops making deltas at half of that. */
const MAX_RESULT_BYTES = 1024 ** 3;

function writeVarint(target: Buffer, at: number, value: number): number {
  while (value > 0x7f) {
    target[at++] = (value & 0x7f) | 0x80;
    value = Math.floor(value / 128);
  }
  target[at++] = value;
  return at;
}

function writeCopy(target: Buffer, at: number, offset: number, length: number): number {
  while (length > 0) {
    const size = Math.min(length, MAX_COPY_BYTES);
    const opcodeAt = at++;
    let opcode = 0x80;
    for (let bit = 0, rest = offset; rest !== 0; bit++, rest >>>= 8) {
      if ((rest & 0xff) === 0) continue;
      opcode |= 1 << bit;
      target[at++] = rest & 0xff;
    }
    if (size !== IMPLIED_COPY_BYTES) {
      for (let bit = 4, rest = size; rest !== 0; bit++, rest >>>= 8) {
        if ((rest & 0xff) === 0) continue;
        opcode |= 1 << bit;
        target[at++] = rest & 0xff;
      }
    }
    target[opcodeAt] = opcode;
    offset += size;
    length -= size;
  }
  return at;
}

function writeInsert(target: Buffer, at: number, bytes: Uint8Array): number {
  for (let from = 0; from < bytes.length; ) {
    const size = Math.min(bytes.length - from, MAX_INSERT_BYTES);
    target[at++] = size;
    target.set(size === bytes.length ? bytes : bytes.subarray(from, from + size), at);
    at += size;
    from += size;
  }
  return at;
}

function copyRoom(length: number): number {
  return MAX_COPY_INSTRUCTION_BYTES * Math.ceil(length / MAX_COPY_BYTES);
}

function insertRoom(length: number): number {
  return length + Math.ceil(length / MAX_INSERT_BYTES);
}

/**
 * The delta that turns a base of `baseLength` bytes into what it is after `splices`.
 * @param splices in base coordinates, ordered, not overlapping
 */
export function encodeSpliceDelta(baseLength: number, splices: readonly Splice[]): Buffer {
  let resultLength = baseLength;
  let room = 2 * MAX_VARINT_BYTES + copyRoom(baseLength);
  for (const splice of splices) {
    resultLength += splice.inserted.length - splice.removed;
    room += MAX_COPY_INSTRUCTION_BYTES + insertRoom(splice.inserted.length);
  }
  const delta = Buffer.allocUnsafe(room);
  let end = writeVarint(delta, writeVarint(delta, 0, baseLength), resultLength);
  let copied = 0;
  for (const { at, removed, inserted } of splices) {
    end = writeCopy(delta, end, copied, at - copied);
    end = writeInsert(delta, end, inserted);
    copied = at + removed;
  }
  end = writeCopy(delta, end, copied, baseLength - copied);
  return delta.subarray(0, end);
}

/**
 * The delta that turns one tree into another, from a walk over both in git's order.
 * @throws GitsteadError `corrupt` when either is not a row of entries
 */
export function treeDelta(base: Buffer, target: Buffer): Buffer {
  const changes: Change[] = [];
  let baseAt = 0;
  let targetAt = 0;
  while (baseAt < base.length || targetAt < target.length) {
    const baseOid = baseAt < base.length ? checkEntry(base, baseAt, base.length) : -1;
    const targetOid = targetAt < target.length ? checkEntry(target, targetAt, target.length) : -1;
    const order = baseOid < 0 ? 1 : targetOid < 0 ? -1 : compareEntriesAt(base, baseAt, target, targetAt);
    const baseEnd = order > 0 ? baseAt : baseOid + OID_BYTES;
    const targetEnd = order < 0 ? targetAt : targetOid + OID_BYTES;
    if (order !== 0 || !isSame(base, baseAt, baseOid, target, targetAt, targetOid)) {
      addChange(changes, { from: baseAt, to: baseEnd, targetFrom: targetAt, targetTo: targetEnd });
    } else if (!isSame(base, baseOid, baseEnd, target, targetOid, targetEnd)) {
      addChange(changes, { from: baseOid, to: baseEnd, targetFrom: targetOid, targetTo: targetEnd });
    }
    baseAt = baseEnd;
    targetAt = targetEnd;
  }
  const splices = changes.map(({ from, to, targetFrom, targetTo }) => ({
    at: from,
    removed: to - from,
    inserted: target.subarray(targetFrom, targetTo),
  }));
  return encodeSpliceDelta(base.length, splices);
}

/** Bytes `from` … `to` of a base gave way to bytes `targetFrom` … `targetTo` of the target. */
type Change = { from: number; to: number; targetFrom: number; targetTo: number };

/** Adds a change, or lengthens the last one when nothing stands between the two. */
function addChange(changes: Change[], change: Change): void {
  const last = changes.at(-1);
  if (last?.to === change.from && last.targetTo === change.targetFrom) {
    last.to = change.to;
    last.targetTo = change.targetTo;
  } else {
    changes.push(change);
  }
}

function isSame(
  left: Buffer,
  leftAt: number,
  leftEnd: number,
  right: Buffer,
  rightAt: number,
  rightEnd: number,
): boolean {
  if (leftEnd - leftAt !== rightEnd - rightAt) return false;
  for (let each = 0; leftAt + each < leftEnd; each++) {
    if (left[leftAt + each] !== right[rightAt + each]) return false;
  }
  return true;
}

/** A place in a delta that is being read. */
type Cursor = { at: number };

function corrupt(what: string): GitsteadError {
  return new GitsteadError('corrupt', `a delta ${what}`);
}

function readVarint(delta: Uint8Array, cursor: Cursor): number {
  let value = 0;
  for (let digit = 0; digit < MAX_VARINT_BYTES; digit++) {
    const byte = delta[cursor.at++];
    if (byte === undefined) throw corrupt('ends inside a size');
    value += (byte & 0x7f) * 128 ** digit;
    if (byte < 0x80) return value;
  }
  throw corrupt('tells an impossible size');
}

/** The sizes that a delta's first bytes tell, and where its instructions begin. */
export function deltaSizes(delta: Uint8Array): { base: number; result: number; instructionsAt: number } {
  const cursor = { at: 0 };
  const base = readVarint(delta, cursor);
  const result = readVarint(delta, cursor);
  return { base, result, instructionsAt: cursor.at };
}

/** The bytes of a copy's offset or size that `opcode` announces, from bit `first` on. */
function readOperand(
  delta: Uint8Array,
  cursor: Cursor,
  opcode: number,
  first: number,
  count: number,
): number {
  let value = 0;
  for (let digit = 0; digit < count; digit++) {
    if ((opcode & (1 << (first + digit))) === 0) continue;
    const byte = delta[cursor.at++];
    if (byte === undefined) throw corrupt('ends inside an instruction');
    value += byte * 256 ** digit;
  }
  return value;
}

/**
 * The object that `delta` makes of `base`.
 * @throws GitsteadError `corrupt` when the delta is malformed, or made for a base of another size
 */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  const sizes = deltaSizes(delta);
  if (sizes.base !== base.length) throw corrupt('is for a base of another size');
  if (resultOf(base.length, delta, sizes.instructionsAt) !== sizes.result) {
    throw corrupt('makes an object of another size than it says');
  }
  const result = Buffer.allocUnsafe(sizes.result);
  const cursor = { at: sizes.instructionsAt };
  let end = 0;
  while (cursor.at < delta.length) {
    const opcode = delta[cursor.at++]!;
    if (opcode >= 0x80) {
      const offset = readOperand(delta, cursor, opcode, 0, 4);
      const size = readOperand(delta, cursor, opcode, 4, 3) || IMPLIED_COPY_BYTES;
      end += base.copy(result, end, offset, offset + size);
    } else {
      end += delta.copy(result, end, cursor.at, cursor.at + opcode);
      cursor.at += opcode;
    }
  }
  return result;
}

/** Checks every instruction before a byte is reserved for the result, and tells the result's length. */
function resultOf(baseLength: number, delta: Uint8Array, instructionsAt: number): number {
  const cursor = { at: instructionsAt };
  let length = 0;
  while (cursor.at < delta.length) {
    const opcode = delta[cursor.at++]!;
    if (opcode >= 0x80) {
      const offset = readOperand(delta, cursor, opcode, 0, 4);
      const size = readOperand(delta, cursor, opcode, 4, 3) || IMPLIED_COPY_BYTES;
      if (offset + size > baseLength) throw corrupt('copies from beyond its base');
      length += size;
    } else {
      if (opcode === 0) throw corrupt('holds the reserved instruction');
      cursor.at += opcode;
      if (cursor.at > delta.length) throw corrupt('ends inside an instruction');
      length += opcode;
    }
    if (length > MAX_RESULT_BYTES) throw corrupt('makes an object beyond the limit');
  }
  return length;
}

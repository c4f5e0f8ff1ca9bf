// One entry of a git tree as bytes: its form, its name as text and as bytes, its place in git's order. Trees are rows
// of these (tree.ts).
//
//   entry:  mode, octal digits | space | name | 00 | object id, 20 bytes
//
// Git's names are bytes. Ours are always UTF-8, but a pushed tree may hold others, and they have to come out as they went
// in: a byte that is no part of valid UTF-8 is the lone surrogate U+DC00 + byte in the text, which no text from a
// request can hold.
import { GitsteadError } from '../errors.ts';
import { OID_BYTES, type Oid, writeOid } from './object-id.ts';

/** `mode` as a number (0o100644, 0o40000 …). `name`: UTF-8, other bytes as lone surrogates. */
export type TreeEntry = { mode: number; name: string; oid: Oid };

const KIND_BITS = 0o170000;
const FOLDER_KIND = 0o40000;

const SPACE = 0x20;
const SLASH = 0x2f;
const ZERO = 0x30;
const ONE = 0x31;
const FOUR = 0x34;
const MAX_MODE_DIGITS = 7;
const FOLDER_DIGITS = '40000 ';
const FILE_DIGITS = '100644 ';

/** Whether an entry of this mode is a folder, and sorts as one. */
export function isFolderMode(mode: number): boolean {
  return (mode & KIND_BITS) === FOLDER_KIND;
}

function corrupt(what: string): GitsteadError {
  return new GitsteadError('corrupt', `a tree ${what}`);
}

/** Where the name of the entry at `at` begins. */
function nameStart(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === ONE) return at + 7;
  if (first === FOUR) return at + 6;
  return bytes.indexOf(SPACE, at) + 1;
}

/** 40000, or 100 and three digits: an entry whose mode stays when its object changes. */
export function hasUsualMode(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === FOUR || (bytes[at] === ONE && bytes[at + 1] === ZERO);
}

function isFolderAt(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] === FOUR) return true;
  return bytes[at] === ZERO && isFolderMode(readMode(bytes, at));
}

function readMode(bytes: Uint8Array, at: number): number {
  let mode = 0;
  for (let byte = bytes[at]!; byte !== SPACE; byte = bytes[++at]!) mode = mode * 8 + byte - ZERO;
  return mode;
}

/** Checks the form of the entry at `at`, and tells where its object id begins; throws `corrupt`. */
export function checkEntry(bytes: Uint8Array, at: number, end: number): number {
  let space = at;
  while (space < end && bytes[space] !== SPACE) {
    if ((bytes[space]! & 0xf8) !== ZERO || space - at >= MAX_MODE_DIGITS)
      throw corrupt('has an entry without a mode');
    space++;
  }
  // `nameStart` reads modes of the usual lengths without looking for the space
  const usual = bytes[at] === ONE ? 6 : bytes[at] === FOUR ? 5 : space - at;
  if (space === at || space - at !== usual) throw corrupt('has an entry without a mode');
  let nul = space + 1;
  while (nul < end && bytes[nul] !== 0) nul++;
  if (nul === space + 1) throw corrupt('has an entry without a name');
  if (nul + 1 + OID_BYTES > end) throw corrupt('ends inside an entry');
  return nul + 1;
}

/** The entry at `at`, whose form has been checked. */
export function readEntry(bytes: Buffer, at: number): TreeEntry {
  const start = nameStart(bytes, at);
  const end = bytes.indexOf(0, start);
  const oid = bytes.toString('hex', end + 1, end + 1 + OID_BYTES) as Oid;
  return { mode: readMode(bytes, at), name: decodeName(bytes, start, end), oid };
}

const REPLACEMENT = '\ufffd';
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The name that stands in `bytes` from `start` to `end`. */
export function decodeName(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  return text.includes(REPLACEMENT) ? decodeBytewise(bytes, start, end) : text;
}

function decodeBytewise(bytes: Buffer, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; ) {
    const length = Math.min(sequenceLength(bytes[at]!), end - at);
    try {
      text += utf8.decode(bytes.subarray(at, at + length));
      at += length;
    } catch {
      text += String.fromCharCode(0xdc00 + bytes[at]!);
      at++;
    }
  }
  return text;
}

function sequenceLength(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}

/** The bytes of a name: what `decodeName` was given. */
export function encodeName(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.codePointAt(0)!;
    const isByte = code >= 0xdc80 && code <= 0xdcff;
    parts.push(isByte ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(parts);
}

/** The name that is being looked for, as bytes: filled in by `takeName`, so that a search allocates nothing. */
let nameBytes: Uint8Array = new Uint8Array(1024);
let nameLength = 0;

/** Makes `name` the one that the functions below compare with, and write. */
export function takeName(name: string): void {
  const length = name.length;
  if (length <= nameBytes.length) {
    let at = 0;
    for (; at < length; at++) {
      const code = name.charCodeAt(at);
      if (code >= 0x80) break;
      nameBytes[at] = code;
    }
    nameLength = length;
    if (at === length) return;
  }
  const encoded = encodeName(name);
  if (encoded.length > nameBytes.length) nameBytes = new Uint8Array(encoded.length);
  nameBytes.set(encoded);
  nameLength = encoded.length;
}

/** Whether the taken name can stand in a tree at all. */
export function isEntryName(): boolean {
  for (let at = 0; at < nameLength; at++) {
    if (nameBytes[at] === SLASH || nameBytes[at] === 0) return false;
  }
  return nameLength > 0;
}

/** The length of an entry with the taken name. */
export function takenEntryLength(asFolder: boolean): number {
  return (asFolder ? FOLDER_DIGITS : FILE_DIGITS).length + nameLength + 1 + OID_BYTES;
}

/** Writes an entry with the taken name at `at`. */
export function writeTakenEntry(bytes: Buffer, at: number, asFolder: boolean, oid: Oid): void {
  let end = at + bytes.write(asFolder ? FOLDER_DIGITS : FILE_DIGITS, at, 'latin1');
  for (let each = 0; each < nameLength; each++) bytes[end++] = nameBytes[each]!;
  bytes[end++] = 0;
  writeOid(bytes, end, oid);
}

/** Where the object id of the entry at `at`, which has the taken name, begins. */
export function takenOidStart(bytes: Uint8Array, at: number): number {
  return nameStart(bytes, at) + nameLength + 1;
}

/** The entry at `at`, which has the taken name: `name` as text, so that it need not be decoded again. */
export function readTakenEntry(bytes: Buffer, at: number, name: string): TreeEntry {
  const oidAt = takenOidStart(bytes, at);
  return { mode: readMode(bytes, at), name, oid: bytes.toString('hex', oidAt, oidAt + OID_BYTES) as Oid };
}

/** Git's order of the entry at `at` and the taken name, as a folder's or a document's. */
export function compareToName(bytes: Uint8Array, at: number, asFolder: boolean): number {
  const start = nameStart(bytes, at);
  const length = nameLength;
  for (let each = 0; each < length; each++) {
    const byte = bytes[start + each]!;
    const wanted = nameBytes[each]!;
    if (byte === wanted) continue;
    if (byte !== 0) return byte - wanted;
    return (isFolderAt(bytes, at) ? SLASH : 0) - wanted || -1;
  }
  const byte = bytes[start + length]!;
  const end = asFolder ? SLASH : 0;
  if (byte === 0) return (isFolderAt(bytes, at) ? SLASH : 0) - end;
  return byte - end || 1;
}

/** Git's order of the entry of `left` at `leftAt` and the entry of `right` at `rightAt`; 0: same name, same kind. */
export function compareEntriesAt(
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
): number {
  const leftName = nameStart(left, leftAt);
  const rightName = nameStart(right, rightAt);
  let each = 0;
  while (left[leftName + each] === right[rightName + each] && left[leftName + each] !== 0) each++;
  const leftByte = left[leftName + each]!;
  const rightByte = right[rightName + each]!;
  const leftKey = leftByte === 0 && isFolderAt(left, leftAt) ? SLASH : leftByte;
  const rightKey = rightByte === 0 && isFolderAt(right, rightAt) ? SLASH : rightByte;
  return leftKey - rightKey || leftByte - rightByte;
}

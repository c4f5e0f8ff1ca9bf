// Loose objects: one file each, as git leaves them when it unpacks a push or a tool writes one object. We only read them.
//
//   objects/<2 hex digits>/<38 hex digits>, a zlib stream of:  <kind> <size, decimal>\0<body>
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { GitsteadError } from '../errors.ts';
import { inflateHead, STREAM_HEAD_BYTES, type StreamPlace } from './inflate-range.ts';
import type { GitObject, ObjectKind, Oid } from './object-id.ts';
import { inflate } from './zlib.ts';

const MAX_BODY_BYTES = 1 << 30;

export type LooseHeader = { kind: ObjectKind; size: number; bodyAt: number };

/**
 * The header with which an inflated loose object begins.
 * @throws GitsteadError `corrupt` when it is none
 */
export function parseLooseHeader(bytes: Buffer): LooseHeader {
  const text = bytes.toString('latin1', 0, 32);
  const found = /^(commit|tree|blob|tag) (0|[1-9][0-9]{0,15})\0/.exec(text);
  const size = Number(found?.[2]);
  if (!found || !Number.isSafeInteger(size)) throw corrupt('has no header');
  return { kind: found[1] as ObjectKind, size, bodyAt: found[0].length };
}

/** A loose object, or undefined when there is none. Throws 'corrupt', or the system's error. */
export function readLoose(gitDir: string, oid: Oid): GitObject | undefined {
  const file = openLoose(gitDir, oid);
  if (!file) return undefined;
  try {
    if (file.header.size > MAX_BODY_BYTES) throw corrupt('is too large to be read at once');
    const stream = Buffer.allocUnsafe(file.place.to);
    const length = readSync(file.place.descriptor, stream, 0, stream.length, 0);
    const { kind, bodyAt } = file.header;
    return { kind, body: inflate(stream.subarray(0, length), file.place.size).subarray(bodyAt) };
  } finally {
    closeSync(file.place.descriptor);
  }
}

/** Kind and size of a loose object. */
export function statLoose(gitDir: string, oid: Oid): { kind: ObjectKind; size: number } | undefined {
  const file = openLoose(gitDir, oid);
  if (!file) return undefined;
  closeSync(file.place.descriptor);
  return { kind: file.header.kind, size: file.header.size };
}

/** A loose object opened for streaming: the header, and where the stream of header and body lies. The caller closes. */
export function openLoose(gitDir: string, oid: Oid): { header: LooseHeader; place: StreamPlace } | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(`${gitDir}/objects/${oid.slice(0, 2)}/${oid.slice(2)}`, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    const head = Buffer.allocUnsafe(STREAM_HEAD_BYTES);
    const length = readSync(descriptor, head, 0, STREAM_HEAD_BYTES, 0);
    const header = parseLooseHeader(inflateHead(head.subarray(0, length)));
    const to = fstatSync(descriptor).size;
    return { header, place: { descriptor, from: 0, to, size: header.bodyAt + header.size } };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function corrupt(what: string): GitsteadError {
  return new GitsteadError('corrupt', `a loose object ${what}`);
}

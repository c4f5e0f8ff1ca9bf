// The documents that every side is given: 200 bytes of JSON, different each time, under names of one form.
// Knows nothing of servers or engines.
import { randomBytes } from 'node:crypto';

export const DOCUMENT_BYTES = 200;
export const DOCUMENT_TYPE = 'application/json';

const POOL_CHARACTERS = 1 << 16;
const pool = randomBytes(POOL_CHARACTERS / 2).toString('hex');
let made = 0;

/** `doc-000042.json`: names sort as their numbers do. */
export function documentName(index: number): string {
  return `doc-${String(index).padStart(6, '0')}.json`;
}

/** Another JSON document of exactly `DOCUMENT_BYTES` ASCII characters; no two of one process are equal. */
export function makeDocument(): string {
  made += 1;
  const start = (made * 7919) % (POOL_CHARACTERS - DOCUMENT_BYTES);
  const opening = `{"id":${made},"run":${process.pid},"value":"`;
  return `${opening}${pool.slice(start, start + DOCUMENT_BYTES - opening.length - 2)}"}`;
}

/** A cheap sequence of numbers below `limit`, its own for each `seed` (quality does not matter, cost does). */
export function pickBelow(limit: number, seed: number): () => number {
  let state = (seed * 7919 + 1) & 0x7fffffff;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % limit;
  };
}

export const LARGE_DOCUMENT_BYTES = 2 ** 20;
const largePool = randomBytes(LARGE_DOCUMENT_BYTES);

/** Another document of `LARGE_DOCUMENT_BYTES`, as incompressible as a photo; no two of one process are equal. */
export function makeLargeDocument(): Buffer {
  made += 1;
  const document = Buffer.from(largePool);
  for (let at = 0; at < document.length; at += 4096) document.writeUInt32BE(made, at);
  return document;
}

/** Where the document with this number stands: in `docs/`, or spread over a tree with five folders above each. */
export function documentPathParts(index: number, isDeep: boolean): string[] {
  const folders = isDeep ? ['docs', `a${index % 4}`, `b${(index >> 2) % 4}`, 'c', 'd'] : ['docs'];
  return [...folders, documentName(index)];
}

// What the writers of the crash tests write: sixteen of them, each with documents of its own in folders that they share,
// so that a document's allowed states after a crash are few. What a document holds follows from its key and version,
// so nothing but the versions need be remembered. Knows nothing of processes and folders.
import { createHash } from 'node:crypto';
import { NO_PRECONDITION, type Precondition } from '../../src/protocol/conditions.ts';
import { type DocumentPath, documentPath, parseUserName } from '../../src/protocol/paths.ts';
import type { Author, Storage } from '../../src/storage/types.ts';
import { wholeBody } from '../open-test-store.ts';

export const WRITERS = 16;
/** Bodies above 1 MiB take the way through the spool. */
const LARGE_BYTES = 1 << 20;
const CHUNK_BYTES = 1 << 18;
const TYPES = ['text/plain', 'application/json; charset=utf-8', 'image/png', 'text/plain; charset=utf-8'];

/** `undefined`: there is no document at this version. */
export type State = { type: string; bytes: Buffer } | undefined;

/**
 * The documents of a writer, as keys: `user/module/…/name`, or `user/name` in the user's root.
 * @param modules one document in each of so many, instead
 */
export function keysOf(writer: number, modules = 0): string[] {
  const user = writer % 4 === 0 ? 'bob' : 'alice';
  if (modules > 0) return Array.from({ length: modules }, (_, module) => `${user}/m${module}/f/w${writer}`);
  const keys = [
    `${user}/notes/w${writer}.txt`,
    `${user}/notes/deep/er/w${writer}.json`,
    `${user}/notes/mine ${writer}/only.txt`,
    `${user}/root-${writer}.txt`,
  ];
  if (user === 'bob') return keys;
  return [
    ...keys,
    `alice/photos/w${writer}.png`,
    `alice/photos/%2f ä/w${writer}`,
    `alice/public/w${writer}/page.html`,
    // of two writers alone: a repository that is often left without a document
    ...(writer < 3 ? [`alice/own/w${writer}`] : []),
  ];
}

export function pathOf(key: string): DocumentPath {
  const [user, ...segments] = key.split('/');
  return documentPath(parseUserName(user!)!, segments);
}

/** A few bytes that look random and follow from the text. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** What the document is at a version; versions count from 1, and 0 is before the first write. */
export function stateAt(key: string, version: number): State {
  if (version === 0) return undefined;
  const dice = digest(`${key} ${version}`);
  if (dice[0]! < 40) return undefined;
  const isLarge = dice[1]! < (key.includes('/photos/') ? 20 : 1);
  const size = isLarge ? LARGE_BYTES + 1 + dice.readUInt16BE(2) * 4 : dice.readUInt16BE(2) >> (dice[4]! % 12);
  const head = Buffer.from(`${key} ${version}\n`);
  const bytes = Buffer.alloc(Math.max(size, head.length), dice[5]! < 128 ? dice : createNoise(dice));
  head.copy(bytes);
  return { type: TYPES[dice[6]! % TYPES.length]!, bytes };
}

/** Bytes that do not shrink, repeated. */
function createNoise(seed: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: 129 }, (_, part) => digest(`${seed.toString('hex')} ${part}`)));
}

/** A random number generator that tells the same from the same seed: mulberry32. Whole numbers below `limit`. */
export function diceOf(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** How a writer does it: through the storage's door, or over HTTP. Rejects when the write was not acknowledged. */
export interface Target {
  write(key: string, state: State): Promise<void>;
  /** the number that stands there, with its ETag */
  readCount(): Promise<{ value: number; etag: string } | undefined>;
  /** writes a number over the version with this ETag (undefined: over nothing); false: something else stood there */
  count(etag: string | undefined, value: number): Promise<boolean>;
}

/** All writers add to the number in this document: every acknowledged addition must be in it. */
export const COUNTER = 'alice/counters/shared';

/** The events of a run, one a line: what was sent, and what was acknowledged. */
export type Report = (event: 'send' | 'ack', key: string, version: number) => void;

/** Runs the writers until `acks` writes are acknowledged, or all have failed. Versions begin above `base`. */
export async function runWriters(
  target: Target,
  report: Report,
  job: { seed: number; base: number; acks: number; modules?: number },
): Promise<void> {
  let left = job.acks;
  async function write(writer: number): Promise<void> {
    const dice = diceOf(job.seed * WRITERS + writer);
    const keys = keysOf(writer, job.modules);
    for (let version = job.base + 1; left > 0; version++) {
      left--;
      if (dice(12) === 0) {
        await add(target, report);
        continue;
      }
      const key = keys[dice(keys.length)]!;
      report('send', key, version);
      await target.write(key, stateAt(key, version));
      report('ack', key, version);
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

async function add(target: Target, report: Report): Promise<void> {
  for (;;) {
    const from = await target.readCount();
    const value = (from?.value ?? 0) + 1;
    report('send', COUNTER, value);
    if (!(await target.count(from?.etag, value))) continue;
    report('ack', COUNTER, value);
    return;
  }
}

/** The storage's own door as a target. */
export function storageTarget(storage: Storage): Target {
  const counter = pathOf(COUNTER);

  function put(path: DocumentPath, state: NonNullable<State>, precondition: Precondition) {
    return storage.put(path, {
      type: state.type,
      body: chunksOf(state.bytes),
      length: state.bytes.length % 3 === 0 ? undefined : state.bytes.length,
      precondition,
      author: authorOf(path),
      quotaBytes: undefined,
    });
  }

  return {
    async write(key, state) {
      const path = pathOf(key);
      const { kind } = state
        ? await put(path, state, NO_PRECONDITION)
        : await storage.delete(path, { precondition: NO_PRECONDITION, author: authorOf(path) });
      const expected = state ? ['created', 'updated'] : ['deleted', 'missing'];
      if (!expected.includes(kind)) throw new Error(`${key} was ${kind}`);
    },
    async readCount() {
      const state = await readState(storage, COUNTER);
      return state && { value: Number(state.bytes.toString()), etag: state.etag };
    },
    async count(etag, value) {
      const precondition: Precondition = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: [etag] };
      const { kind } = await put(
        counter,
        { type: 'text/plain', bytes: Buffer.from(String(value)) },
        precondition,
      );
      return kind === 'created' || kind === 'updated';
    },
  };
}

/** What stands at a key, read to its last byte. */
export async function readState(
  storage: Storage,
  key: string,
): Promise<(NonNullable<State> & { etag: string; size: number }) | undefined> {
  const path = pathOf(key);
  const info = await storage.document(path);
  if (!info) return undefined;
  const bytes = await wholeBody(await storage.body(path, info));
  return { type: info.type, bytes, etag: info.etag, size: info.size };
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length || at === 0; at += CHUNK_BYTES)
    yield bytes.subarray(at, at + CHUNK_BYTES);
}

function authorOf(path: DocumentPath): Author {
  return { user: path.user, app: 'https://app.example', grant: '*:rw' };
}

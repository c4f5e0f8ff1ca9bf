// Bodies in: a request's bytes become a blob before their turn comes, so that a slow uploader holds nothing.
// Up to 1 MiB in memory; beyond that spooled into the repository's own corner as a one-object pack, fsynced.
import { GitsteadError } from '../errors.ts';
import { freeMemory, freeWhole } from '../git/free-memory.ts';
import { hashObject, type Oid } from '../git/object-id.ts';
import { type BodySource, type SpooledBlob, spoolBlob } from '../git/spool-pack.ts';
import type { SpoolThreads } from '../git/spool-threads.ts';
import { packObjectStream, STORE_BELOW_BYTES } from '../git/zlib.ts';

export const SPOOL_ABOVE_BYTES = 1 << 20;

export type TakenBody =
  | {
      kind: 'inline';
      oid: Oid;
      size: number;
      bytes: Buffer /** deflated ahead; undefined: small */;
      stream: Buffer | undefined;
    }
  | { kind: 'spooled'; oid: Oid; size: number; spool: SpooledBlob };

/**
 * Reads a body to its end.
 * @param length what the request says it is, in bytes; undefined: chunked
 * @param limit the largest document taken, in bytes
 * @param openSpool the repository folder to spool into; asked only when the body is large
 * @param threads what large bodies are written by
 * @throws too-large; bad-request when the body is shorter or longer than said, or breaks off; the source's own
 *   GitsteadError. Nothing is left of it then
 */
export async function takeBody(
  source: BodySource,
  length: number | undefined,
  limit: number,
  openSpool: () => string,
  threads: SpoolThreads,
): Promise<TakenBody> {
  if (length !== undefined && length > limit) throw tooLarge(limit);
  const spool = (rest: AsyncIterable<Buffer>) => {
    const whole = Object.assign(rest, { isGivenAway: source.isGivenAway === true });
    return spoolBody(threads, openSpool(), whole, length, limit);
  };
  const gathered = new Gathered(length);
  const reading = source[Symbol.asyncIterator]();
  if (length !== undefined && length > SPOOL_ABOVE_BYTES) {
    return spool(rejoin(gathered, reading));
  }
  for (;;) {
    const { done, value } = await next(reading);
    if (done) break;
    gathered.add(value);
    if (length !== undefined && gathered.size > length) throw wrongLength(length);
    if (gathered.size > limit) throw tooLarge(limit);
    if (gathered.size > SPOOL_ABOVE_BYTES) return spool(rejoin(gathered, reading));
  }
  if (length !== undefined && gathered.size !== length) throw wrongLength(length);
  const { bytes } = gathered;
  return inlineBody(hashObject('blob', bytes), bytes);
}

/** Bodies above 512 bytes are deflated here, ahead of their turn. */
export function inlineBody(oid: Oid, bytes: Buffer): TakenBody {
  const stream = bytes.length < STORE_BELOW_BYTES ? undefined : packObjectStream(bytes);
  return { kind: 'inline', oid, size: bytes.length, bytes, stream };
}

/**
 * Gives the memory of a body back whose turn is over.
 * @param isOurs whether its bytes, too, are held by nobody else
 */
export function freeBody(body: TakenBody, isOurs: boolean): void {
  if (body.kind !== 'inline') return;
  if (body.stream) freeMemory(body.stream);
  if (isOurs) freeWhole(body.bytes);
}

async function next(reading: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
  try {
    return await reading.next();
  } catch (error) {
    if (error instanceof GitsteadError) throw error;
    throw new GitsteadError('bad-request', 'the body broke off before its end; nothing of it was kept', {
      cause: error,
    });
  }
}

async function spoolBody(
  threads: SpoolThreads,
  repository: string,
  source: BodySource,
  length: number | undefined,
  limit: number,
): Promise<TakenBody> {
  const spooled = await spoolBlob(threads, repository, source, length, limit);
  return { kind: 'spooled', oid: spooled.oid, size: spooled.size, spool: spooled };
}

/** A body's bytes so far, in one piece: a body that comes byte by byte takes no more memory than another. */
class Gathered {
  #bytes: Buffer = Buffer.alloc(0);
  #size = 0;
  readonly #expected: number;

  constructor(expected: number | undefined) {
    this.#expected = expected ?? 0;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Most bodies come whole: the first piece is not copied. */
  add(piece: Buffer): void {
    const size = this.#size + piece.length;
    if (this.#size === 0) {
      this.#bytes = piece;
    } else {
      if (size > this.#bytes.length || this.#bytes.length < this.#expected) this.#grow(size);
      piece.copy(this.#bytes, this.#size);
    }
    this.#size = size;
  }

  #grow(size: number): void {
    const larger = Buffer.allocUnsafe(Math.max(size, this.#expected, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#size);
    this.#bytes = larger;
  }
}

async function* rejoin(gathered: Gathered, reading: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (gathered.size > 0) yield gathered.bytes;
  for (;;) {
    const { done, value } = await next(reading);
    if (done) return;
    yield value;
  }
}

function tooLarge(limit: number): GitsteadError {
  return new GitsteadError('too-large', `documents here may have at most ${limit} bytes`);
}

function wrongLength(length: number): GitsteadError {
  return new GitsteadError(
    'bad-request',
    `the body does not have the ${length} bytes that Content-Length says`,
  );
}

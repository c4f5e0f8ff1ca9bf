// Request bodies: read at the storage's pace with a limit on silence, and got rid of when a request is refused
// before its body was read, so that the client still sees the answer (RFC 9112, section 9.6).
import type { IncomingMessage, ServerResponse } from 'node:http';
import { GitsteadError } from '../errors.ts';
import type { BodySource } from '../storage/types.ts';

/** Up to here an unwanted body is read and the connection kept. */
const SWALLOW_BYTES = 256 * 1024;
/** How long an unwanted body is read on after the answer before the connection is closed under it, */
const LINGER_MS = 5000;
/** and how long the client may be silent meanwhile. */
const LINGER_SILENCE_MS = 1000;

export type RequestBody = BodySource & {
  /** why reading failed, also when somebody wrapped it */
  failure(): GitsteadError | undefined;
  /** bytes so far */
  received(): number;
  /** Ends it early: reading on fails with this. */
  end(error: GitsteadError): void;
};

/** Bytes that the request says its body has; undefined: chunked. */
export function bodyLength({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  return Number(headers['content-length'] ?? 0);
}

/** True when a body was announced and has not been received to its end. */
export function isBodyPending(request: IncomingMessage): boolean {
  return !request.complete && bodyLength(request) !== 0;
}

/**
 * The body of a request, to be iterated once. Giving up early leaves the connection alone. A client that waits
 * with `Expect: 100-continue` is told to go on when reading starts.
 * @param silenceMs how long nothing may arrive while the storage waits for more
 * @throws bad-request when it breaks off, body-timeout
 */
export function readBody(request: IncomingMessage, response: ServerResponse, silenceMs: number): RequestBody {
  const length = bodyLength(request);
  let failure: GitsteadError | undefined;
  let received = 0;
  let isListening = false;
  let wake = () => {};

  async function next(): Promise<IteratorResult<Buffer, undefined>> {
    // the parser lets no more through than was announced: its word that this was all need not be waited for
    if (received === length && !failure) return { done: true, value: undefined };
    // headers and a small body come in one packet, but the parser hands over the headers first
    if (!request.complete) await undefined;
    for (;;) {
      if (failure) throw failure;
      const chunk = request.read() as Buffer | null;
      if (chunk !== null) {
        received += chunk.length;
        return { done: false, value: chunk };
      }
      if (request.complete && request.readableLength === 0) return { done: true, value: undefined };
      if (request.destroyed) {
        failure = new GitsteadError(
          'bad-request',
          'the body broke off before its end; nothing of it was kept',
        );
      } else {
        await arrival();
      }
    }
  }

  /** Most bodies arrive with their headers: only the others need listeners. */
  async function arrival(): Promise<void> {
    if (!isListening) {
      isListening = true;
      for (const event of ['readable', 'end', 'error', 'close']) request.on(event, () => wake());
    }
    const silence = setTimeout(() => {
      failure = new GitsteadError('body-timeout', 'nothing more of the body arrived; nothing of it was kept');
      wake();
    }, silenceMs);
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
    clearTimeout(silence);
  }

  return {
    [Symbol.asyncIterator]() {
      if (request.headers.expect !== undefined) response.writeContinue();
      return { next };
    },
    failure: () => failure,
    received: () => received,
    end(error) {
      failure = error;
      wake();
    },
    isGivenAway: true,
  };
}

/**
 * Answers a request whose body is still coming. A short rest is read and forgotten; before a long one the
 * connection is closed, but not at once: a reset would take the answer with it.
 */
export function answerAndDropBody(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: readonly string[],
  body: Buffer | undefined,
): void {
  request.removeAllListeners('readable');
  request.on('error', () => {});
  const length = bodyLength(request);
  const isShort = length !== undefined && length <= SWALLOW_BYTES && request.headers.expect === undefined;
  if (isShort && status !== 408) {
    response.writeHead(status, headers as string[]);
    response.end(body);
    request.on('data', () => {});
    return;
  }
  response.writeHead(status, [...headers, 'Connection', 'close']);
  if (body) response.write(body);
  else response.flushHeaders();
  const finish = () => {
    clearTimeout(deadline);
    clearTimeout(silence);
    response.end();
  };
  const deadline = setTimeout(finish, LINGER_MS).unref();
  const silence = setTimeout(finish, LINGER_SILENCE_MS).unref();
  request.on('data', () => silence.refresh());
  request.once('end', finish);
  request.once('close', finish);
}

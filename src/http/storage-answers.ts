// How answers of the storage look: header blocks and what becomes of a thrown error. Headers go out in one array
// with the body in the same packet.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { asGitsteadError, type ErrorCode, type GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { StoragePath } from '../protocol/paths.ts';
import { CORS_HEADERS } from './cors.ts';
import { answerAndDropBody, isBodyPending } from './request-body.ts';
import { REALM } from './storage-access.ts';

/** What stored bytes may do in a browser: nothing (threat 20). A document is never taken for another type. */
const INERT = [
  'Content-Security-Policy',
  "sandbox; default-src 'none'",
  'X-Content-Type-Options',
  'nosniff',
  ...CORS_HEADERS,
];

/** Draft, section 6: these values and no others, but for addresses with a token (`keepPrivate`). */
const READ_HEADERS = ['Cache-Control', 'no-cache', ...INERT];
const PUBLIC_READ_HEADERS = ['Cache-Control', 'no-cache, public', ...INERT];

/** Answers of writes and errors are nobody's to keep or to change. */
const NOT_KEPT = ['Cache-Control', 'no-store, no-transform', ...CORS_HEADERS];

const TEXT = ['Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff'];

/** A 401 names how to do better (RFC 9110, section 15.5.2): here of a token that was good when the request came. */
const TOKEN_ENDED = ['WWW-Authenticate', `Bearer ${REALM}, error="invalid_token"`];

const RETRY_SECONDS: Partial<Record<ErrorCode, string>> = { 'not-ready': '5', 'too-many': '1' };

export function quoted(etag: string): string {
  return `"${etag}"`;
}

/** The headers of a successful read, to which the caller adds its own. */
export function readHeaders(response: ServerResponse, path: StoragePath): string[] {
  if (response.hasHeader('Cache-Control')) return INERT.slice();
  return path.isPublic ? PUBLIC_READ_HEADERS.slice() : READ_HEADERS.slice();
}

/**
 * For an answer to a request whose address holds a token: no page that is reached from it learns the address, and no
 * cache keeps what is read under it (RFC 6750, section 2.3: `private`). Errors and writes are kept by nobody anyway.
 */
export function keepPrivate(response: ServerResponse): void {
  response.setHeader('Cache-Control', 'no-store, private');
  response.setHeader('Referrer-Policy', 'no-referrer');
}

/** Sends an answer that a write ended with, or an error: `body` is one line for people. */
export function answer(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: readonly string[],
  body = '',
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const bytes = Buffer.from(body === '' ? '' : `${body}\n`);
  const block = [...NOT_KEPT, ...headers];
  if (bytes.length > 0) block.push(...TEXT);
  block.push('Content-Length', String(bytes.length));
  const sent = request.method === 'HEAD' || bytes.length === 0 ? undefined : bytes;
  if (isBodyPending(request)) {
    answerAndDropBody(request, response, status, block, sent);
    return;
  }
  response.writeHead(status, block);
  response.end(sent);
}

/** What Node sends from a buffer on the stack, together with the headers (its `StreamBase::WriteString`). */
const SENT_AS_STRING_BYTES = 8 << 10;

/**
 * Ends an answer whose headers are written. Short bodies go as strings of their bytes: that takes 2.4 µs less of the
 * 18 µs that Node itself needs for a small answer, since nothing is gathered and kept for `writev`.
 * @param body a string has a character for each byte
 */
export function endWith(response: ServerResponse, body: string | Buffer): void {
  if (typeof body === 'string') response.end(body, 'latin1');
  else if (body.length > SENT_AS_STRING_BYTES) response.end(body);
  else response.end(body.toString('latin1'), 'latin1');
}

/** 405 with what is allowed here (RFC 9110, section 15.5.6). */
export function answerBadMethod(request: IncomingMessage, response: ServerResponse, path: StoragePath): void {
  const allowed = path.kind === 'folder' ? 'GET, HEAD, OPTIONS' : 'GET, HEAD, PUT, DELETE, OPTIONS';
  const reason =
    path.kind === 'folder' && (request.method === 'PUT' || request.method === 'DELETE')
      ? 'folders come and go with their documents: only documents are written'
      : 'this method means nothing here';
  answer(request, response, 405, ['Allow', allowed], reason);
}

/** The one place where a thrown error of the storage becomes an answer and, if it is the server's, a log line. */
export function answerError(
  log: Log,
  request: IncomingMessage,
  response: ServerResponse,
  thrown: unknown,
  headers: readonly string[] = [],
): void {
  const error = asGitsteadError(thrown);
  if (error.status >= 500) logFailure(log, request, error);
  const retry = RETRY_SECONDS[error.code];
  const more = retry === undefined || headers.includes('Retry-After') ? [] : ['Retry-After', retry];
  if (error.status === 401 && !headers.includes('WWW-Authenticate')) more.push(...TOKEN_ENDED);
  answer(request, response, error.status, [...more, ...headers], error.message);
}

function logFailure(log: Log, request: IncomingMessage, error: GitsteadError): void {
  // without the query: other servers take tokens there, and a client may try
  const path = request.url?.split('?', 1)[0];
  const line = { method: request.method, path, code: error.code, err: error.cause };
  if (error.status === 500) log.error(line, error.message);
  else log.warn(line, error.message);
}

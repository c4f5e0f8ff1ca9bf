// PUT and DELETE of documents (draft, sections 4 to 6). What can be refused by looking at the headers is refused
// before the body is read; the binding judgement of preconditions and clashes is the storage's, within its turn.
import type { IncomingMessage } from 'node:http';
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Precondition, parsePrecondition, permitsWrite } from '../protocol/conditions.ts';
import { parseContentType } from '../protocol/content-type.ts';
import type { DocumentPath } from '../protocol/paths.ts';
import { formatScope } from '../protocol/scopes.ts';
import type { Author, DocumentInfo, Sender, Storage, WriteResult } from '../storage/types.ts';
import { bodyLength, type RequestBody, readBody } from './request-body.ts';
import type { Access, Exchange, Refusal } from './storage-access.ts';
import { answer, answerError, quoted } from './storage-answers.ts';
import { isLater } from './storage-read.ts';
import type { UploadSlots } from './upload-slots.ts';

export type Writing = {
  storage: Storage;
  log: Log;
  /** Unix milliseconds */
  now: () => number;
  /** how long a client may send nothing, in milliseconds */
  silenceMs: number;
  /** the largest document, in bytes */
  documentBytes: number;
  slots: UploadSlots;
};

/** From here on a look at the index before the body is cheaper than the body. */
const LOOK_FIRST_ABOVE_BYTES = 64 * 1024;

/** Says anew what allows a write: its token may have ended since its headers came. */
type Judge = () => Access | Refusal | Promise<Access | Refusal>;

/** The client of a write, as the storage sees it. `body`: undefined where there is none. */
function senderOf({ response }: Exchange, judge: Judge, body?: RequestBody): Sender {
  return {
    confirm() {
      const judged = judge();
      return judged instanceof Promise ? judged.then(throwRefusal) : throwRefusal(judged);
    },
    onGone(then) {
      // of the answer: a request is closed when all of it has come
      if (response.destroyed) then();
      else response.once('close', then);
      return () => void response.off('close', then);
    },
    received: () => body?.received() ?? 0,
    endBody: (error) => body?.end(error),
  };
}

function throwRefusal(judged: Access | Refusal): void {
  if ('error' in judged) throw judged.error;
}

/**
 * "A successful PUT request to a document MUST result in the request body being stored as the document's new
 * content, … the value of its Content-Type header being stored, … its version being updated." The answer carries
 * the new version.
 */
export async function putDocument(
  writing: Writing,
  exchange: Exchange,
  path: DocumentPath,
  judge: Judge,
): Promise<void> {
  const { request, response } = exchange;
  const access = exchange.access!;
  const type = parseContentType(request.headers['content-type']);
  checkFraming(request);
  const length = bodyLength(request);
  checkLength(writing, length);
  const release = writing.slots.take(path.user);
  try {
    const quotaBytes = access.grant.quotaBytes;
    const { precondition, known } = await judgeEarly(writing, request, path, length);
    if (known && !permitsWrite(precondition, known.info?.etag)) {
      answerWrite(exchange, { kind: 'stale', current: known.info?.etag });
      return;
    }
    if (known) checkQuota(writing, path, (length ?? 0) - (known.info?.size ?? 0), quotaBytes);
    const body = readBody(request, response, writing.silenceMs);
    try {
      const author = authorOf(access);
      const sender = senderOf(exchange, judge, body);
      const put = { sender, type, body, length, precondition, author, quotaBytes };
      answerWrite(exchange, await writing.storage.put(path, put));
    } catch (error) {
      answerError(writing.log, request, response, body.failure() ?? error);
    }
  } finally {
    release();
  }
}

/** "A successful DELETE request to a document MUST result in the deletion of that document"; the answer carries
    the version that was deleted. */
export async function deleteDocument(
  writing: Writing,
  exchange: Exchange,
  path: DocumentPath,
  judge: Judge,
): Promise<void> {
  const { precondition } = await judgeEarly(writing, exchange.request, path, 0);
  const author = authorOf(exchange.access!);
  const sender = senderOf(exchange, judge);
  answerWrite(exchange, await writing.storage.delete(path, { sender, precondition, author }));
}

function authorOf({ grant, scope }: Access): Author {
  return { user: grant.user, app: grant.app, grant: formatScope(scope) };
}

type Answer = { status: number; headers: string[]; text?: string };

/** Draft, section 5. */
function answerOf(result: WriteResult): Answer {
  switch (result.kind) {
    case 'created':
      return { status: 201, headers: versionHeaders(result) };
    case 'updated':
      return { status: 200, headers: versionHeaders(result) };
    case 'deleted':
      return { status: 200, headers: ['ETag', quoted(result.etag)] };
    case 'missing':
      return { status: 404, headers: [], text: 'there is no such document' };
    case 'stale': {
      if (result.current === undefined)
        return { status: 412, headers: [], text: 'there is no such document' };
      const text = 'another version stands here now';
      return { status: 412, headers: ['ETag', quoted(result.current)], text };
    }
    case 'clash':
      return { status: 409, headers: [], text: `in the way: ${JSON.stringify(result.at)}` };
  }
}

function answerWrite({ request, response }: Exchange, result: WriteResult): void {
  const { status, headers, text } = answerOf(result);
  answer(request, response, status, headers, text);
}

function versionHeaders(result: { etag: string; lastModified: string }): string[] {
  return ['ETag', quoted(result.etag), 'Last-Modified', result.lastModified];
}

/** What the headers say about the body that the stored bytes could not keep (RFC 9110, sections 8.4 and 14.5). */
function checkFraming({ headers }: IncomingMessage): void {
  if (headers['content-range'] !== undefined) {
    throw new GitsteadError('bad-request', 'a PUT replaces the whole document: Content-Range is not taken');
  }
  const coding = headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    throw new GitsteadError(
      'coded-body',
      'documents are kept byte for byte: send this one without Content-Encoding',
    );
  }
  const transfer = headers['transfer-encoding'];
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    throw new GitsteadError('bad-request', 'the only Transfer-Encoding that is taken is chunked');
  }
}

function checkLength({ documentBytes }: Writing, length: number | undefined): void {
  if (length !== undefined && length > documentBytes) {
    throw new GitsteadError('too-large', `documents here have at most ${documentBytes} bytes`);
  }
}

function checkQuota(
  writing: Writing,
  path: DocumentPath,
  added: number,
  quotaBytes: number | undefined,
): void {
  if (quotaBytes === undefined || added <= 0) return;
  if (writing.storage.usage(path.user).bytes + added > quotaBytes) {
    throw new GitsteadError(
      'over-quota',
      `the account may store ${quotaBytes} bytes, and this would be more`,
    );
  }
}

/**
 * The request's preconditions and, for large bodies, clients that wait for a word before they send, and conditions
 * on dates, what stands at the path now. A date becomes a condition on the tag that stands: what is written after
 * this look makes it fail.
 */
async function judgeEarly(
  writing: Writing,
  request: IncomingMessage,
  path: DocumentPath,
  length: number | undefined,
): Promise<{ precondition: Precondition; known?: { info: DocumentInfo | undefined } }> {
  const { headers } = request;
  const precondition = parsePrecondition(headers);
  const since = headers['if-match'] === undefined ? headers['if-unmodified-since'] : undefined;
  const isLarge = length === undefined || length > LOOK_FIRST_ABOVE_BYTES;
  if (!isLarge && since === undefined && headers.expect === undefined) return { precondition };
  const info = await writing.storage.document(path);
  const known = { info };
  const isChanged = info && isLater(info.lastModified, since, writing.now());
  if (!info || isChanged === undefined) return { precondition, known };
  return { precondition: { ...precondition, ifMatch: isChanged ? [] : [info.etag] }, known };
}

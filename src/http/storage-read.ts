// GET and HEAD (draft, sections 4 and 6): documents with their bytes or a part of them, folders as descriptions.
// A tag that the client has is answered with 304, and git is not touched.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../log.ts';
import { judgeRead, parsePrecondition } from '../protocol/conditions.ts';
import { parseHttpDate } from '../protocol/http-date.ts';
import type { DocumentPath, FolderPath, StoragePath } from '../protocol/paths.ts';
import { ifRangeHolds, parseRange } from '../protocol/ranges.ts';
import type { ByteRange, ByteStream, DocumentInfo, Listing, Storage } from '../storage/types.ts';
import type { Download, DownloadSlots } from './download-slots.ts';
import type { Exchange } from './storage-access.ts';
import { answer, endWith, quoted, readHeaders } from './storage-answers.ts';
import { whenKnown } from './when-known.ts';

export type Reading = {
  storage: Storage;
  log: Log;
  /** Unix milliseconds */
  now: () => number;
  /** how long a reader may take nothing, in milliseconds */
  silenceMs: number;
  downloads: DownloadSlots;
};

const FOLDER_TYPE = 'application/ld+json';

/**
 * "A successful GET request to a document SHOULD be responded to with the full document contents in the body, the
 * document's content type, … its content length in octets, … and the document's current version as a strong ETag."
 * @returns false when there is no such document
 */
export function readDocument(
  reading: Reading,
  exchange: Exchange,
  path: DocumentPath,
): boolean | Promise<boolean> {
  return whenKnown(reading.storage.document(path), (info) => sendDocument(reading, exchange, path, info));
}

function sendDocument(
  reading: Reading,
  exchange: Exchange,
  path: DocumentPath,
  info: DocumentInfo | undefined,
): boolean | Promise<boolean> {
  const { request, response } = exchange;
  if (!info) {
    answer(request, response, 404, [], 'there is no such document');
    return false;
  }
  if (answeredByCondition(reading, request, response, path, info.etag, info.lastModified)) return true;

  const range = request.method === 'GET' ? askedRange(request, info) : undefined;
  if (range === 'unsatisfiable') {
    const headers = ['Content-Range', `bytes */${info.size}`, 'ETag', quoted(info.etag)];
    answer(request, response, 416, headers, `the document has ${info.size} bytes`);
    return true;
  }
  const headers = documentHeaders(response, path, info, range);
  if (request.method === 'HEAD') {
    response.writeHead(200, headers);
    response.end();
    return true;
  }
  const body = reading.storage.body(path, info, range);
  const status = range ? 206 : 200;
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) {
    return stream(reading, exchange, body, () => response.writeHead(status, headers)).then(() => true);
  }
  response.writeHead(status, headers);
  endWith(response, body);
  return true;
}

function documentHeaders(
  response: ServerResponse,
  path: DocumentPath,
  info: DocumentInfo,
  range: ByteRange | undefined,
): string[] {
  const headers = readHeaders(response, path);
  headers.push('Content-Type', info.type, 'ETag', quoted(info.etag), 'Last-Modified', info.lastModified);
  const length = range ? range.end - range.start + 1 : info.size;
  headers.push('Accept-Ranges', 'bytes', 'Content-Length', String(length));
  if (range) headers.push('Content-Range', `bytes ${range.start}-${range.end}/${info.size}`);
  return headers;
}

/**
 * "A successful GET request to a folder MUST be responded to with a JSON-LD document …", also of an empty one.
 * @returns a promise only where something has to be waited for
 */
export function readFolder(reading: Reading, exchange: Exchange, path: FolderPath): unknown {
  const { request, response } = exchange;
  const describe = () =>
    whenKnown(reading.storage.listing(path), (listing) => sendListing(exchange, path, listing));
  if (!isConditional(request)) return describe();
  return whenKnown(reading.storage.folderTag(path), (tag) => {
    if (!answeredByCondition(reading, request, response, path, tag, undefined)) return describe();
  });
}

function sendListing({ request, response }: Exchange, path: FolderPath, { etag, body }: Listing): void {
  const headers = readHeaders(response, path);
  headers.push('Content-Type', FOLDER_TYPE, 'ETag', quoted(etag), 'Content-Length', String(body.length));
  response.writeHead(200, headers);
  if (request.method === 'HEAD') response.end();
  else endWith(response, body);
}

function isConditional({ headers }: IncomingMessage): boolean {
  return headers['if-none-match'] !== undefined || headers['if-match'] !== undefined;
}

/** Evaluates the preconditions in the order of RFC 9110, section 13.2.2. True: the answer is sent. */
function answeredByCondition(
  reading: Reading,
  request: IncomingMessage,
  response: ServerResponse,
  path: StoragePath,
  etag: string,
  lastModified: string | undefined,
): boolean {
  const { headers } = request;
  const tag = quoted(etag);
  // most polls name the tag that stands, and nothing else: then there is no list to take apart
  const isPoll = headers['if-none-match'] === tag && headers['if-match'] === undefined;
  let judged = isPoll ? 'not-modified' : judgeRead(parsePrecondition(headers), etag);
  if (lastModified !== undefined) {
    const since = headers['if-modified-since'];
    const unless = headers['if-unmodified-since'];
    if (unless !== undefined && headers['if-match'] === undefined) {
      if (isLater(lastModified, unless, reading.now())) judged = 'failed';
    }
    if (since !== undefined && judged === 'go' && headers['if-none-match'] === undefined) {
      if (isLater(lastModified, since, reading.now()) === false) judged = 'not-modified';
    }
  }
  if (judged === 'go') return false;
  if (judged === 'failed') {
    answer(request, response, 412, ['ETag', tag], 'another version stands here now');
    return true;
  }
  const block = readHeaders(response, path);
  block.push('ETag', tag);
  response.writeHead(304, block);
  response.end();
  return true;
}

/** undefined: the header is missing or no date, and counts for nothing */
export function isLater(lastModified: string, header: string | undefined, now: number): boolean | undefined {
  const date = header === undefined ? undefined : parseHttpDate(header, now);
  return date === undefined ? undefined : parseHttpDate(lastModified, now)! > date;
}

function askedRange(
  { headers }: IncomingMessage,
  info: DocumentInfo,
): ByteRange | 'unsatisfiable' | undefined {
  if (headers.range === undefined) return undefined;
  const ifRange = headers['if-range'];
  if (ifRange !== undefined && !ifRangeHolds(String(ifRange), info.etag)) return undefined;
  return parseRange(headers.range, info.size);
}

/** Sends a long body at the reader's pace; a reader that takes nothing for too long is left. */
async function stream(
  reading: Reading,
  { request, response, access, client }: Exchange,
  body: ByteStream,
  writeHead: () => void,
): Promise<void> {
  let wake = () => {};
  const download = takeSlot(reading, access?.grant.user ?? client, response, body);
  writeHead();
  response.setTimeout(reading.silenceMs, () => response.destroy());
  response.once('close', () => wake());
  try {
    for await (const chunk of body) {
      if (response.destroyed) return;
      // the chunk's memory is used again once it was taken
      await new Promise<void>((resolve) => {
        wake = resolve;
        response.write(chunk, () => resolve());
      });
      download.note(chunk.length);
    }
    response.end();
  } catch (error) {
    reading.log.error(
      { path: request.url?.split('?', 1)[0], err: error },
      'a document could not be sent to its end',
    );
    response.destroy();
  } finally {
    download.end();
  }
}

/** @throws not-ready; the body is closed then */
function takeSlot({ downloads }: Reading, who: string, response: ServerResponse, body: ByteStream): Download {
  try {
    return downloads.take(who, () => response.destroy());
  } catch (error) {
    body.close();
    throw error;
  }
}

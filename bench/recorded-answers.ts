// The answers that the bare server gives: recorded from Gitstead, so that both send the same bytes and headers,
// or plain ones of the same sizes where Gitstead does not run.
import { DOCUMENT_BYTES, DOCUMENT_TYPE, documentName, makeDocument } from './documents.ts';
import { type Answer, Connection, headerOf } from './http-connection.ts';
import type { Target } from './load-job.ts';

/** The name of a large document tells its size, so that the bare server knows it. */
export function largeName(mebibytes: number): string {
  return `large-${mebibytes}`;
}

/** The bytes of the large document at the end of `path`; undefined: there is none. */
export function largeBytes(path: string): number | undefined {
  const mebibytes = /\/large-(\d+)$/.exec(path)?.[1];
  return mebibytes === undefined ? undefined : Number(mebibytes) * 2 ** 20;
}

export type RecordedAnswer = { status: number; headers: [string, string][]; body: string /* base64 */ };
export type RecordedAnswers = {
  put: RecordedAnswer;
  document: RecordedAnswer;
  documentUnchanged: RecordedAnswer;
  /** of the folder of `small`, and of `folder` */
  smallListing: RecordedAnswer;
  listing: RecordedAnswer;
  listingUnchanged: RecordedAnswer;
};

/** What node:http adds by itself, on the bare server as on Gitstead. */
const ADDED_BY_NODE = ['date', 'connection', 'keep-alive', 'transfer-encoding'];

/**
 * Asks a running Gitstead once for each kind of answer.
 * @param small a folder with a few documents, @param folder the folder whose listing is measured
 */
export async function recordAnswers(port: number, small: Target, folder: Target): Promise<RecordedAnswers> {
  const connection = await Connection.open(port);
  const ask = (method: string, target: Target, name: string, headers: string, body = '') => {
    const head = `${method} ${target.folder}${name} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`;
    return connection.request(`${head}Authorization: ${target.authorization}\r\n${headers}\r\n${body}`, true);
  };
  const name = documentName(0);
  const putHeaders = `Content-Type: ${DOCUMENT_TYPE}\r\nContent-Length: ${DOCUMENT_BYTES}\r\n`;
  const put = await ask('PUT', small, name, putHeaders, makeDocument());
  const document = await ask('GET', small, name, '');
  const documentTag = `If-None-Match: ${headerOf(document, 'etag')}\r\n`;
  const documentUnchanged = await ask('GET', small, name, documentTag);
  const smallListing = await ask('GET', small, '', '');
  const listing = await ask('GET', folder, '', '');
  const listingTag = `If-None-Match: ${headerOf(listing, 'etag')}\r\n`;
  const listingUnchanged = await ask('GET', folder, '', listingTag);
  connection.close();
  for (const [answer, status] of [
    [put, 200],
    [document, 200],
    [documentUnchanged, 304],
    [smallListing, 200],
    [listing, 200],
    [listingUnchanged, 304],
  ] as const) {
    if (answer.status !== status) throw new Error(`gitstead answered ${answer.status} instead of ${status}`);
  }
  return {
    put: record(put),
    document: record(document),
    documentUnchanged: record(documentUnchanged),
    smallListing: record(smallListing),
    listing: record(listing),
    listingUnchanged: record(listingUnchanged),
  };
}

function record(answer: Answer): RecordedAnswer {
  const headers: [string, string][] = [];
  for (const line of answer.head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon < 0 || ADDED_BY_NODE.includes(line.slice(0, colon).toLowerCase())) continue;
    headers.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
  }
  return { status: answer.status, headers, body: (answer.body ?? Buffer.alloc(0)).toString('base64') };
}

const PLAIN_SMALL_FOLDER = 100;
const PLAIN_TAG = `${'0123456789'.repeat(4)}-01234567`;

/** A listing of the draft's form with so many documents, of about the size of Gitstead's. */
export function makeListing(documents: number): string {
  const item = {
    ETag: PLAIN_TAG,
    'Content-Type': DOCUMENT_TYPE,
    'Content-Length': DOCUMENT_BYTES,
    'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
  };
  const names = Array.from({ length: documents }, (_, index) => documentName(index));
  const items = Object.fromEntries(names.map((name) => [name, item]));
  return JSON.stringify({ '@context': 'http://remotestorage.io/spec/folder-description', items });
}

/** Answers of the draft's form and of about the same size as Gitstead's. */
export function plainAnswers(documents: number): RecordedAnswers {
  const tag = `"${PLAIN_TAG}"`;
  const common: [string, string][] = [
    ['Access-Control-Allow-Origin', '*'],
    ['Access-Control-Expose-Headers', 'ETag, Content-Type, Content-Length, Last-Modified'],
    ['Cache-Control', 'no-cache'],
    ['ETag', tag],
  ];
  const answer = (status: number, type: string | undefined, text: string): RecordedAnswer => ({
    status,
    headers: [
      ...common,
      ...(type ? ([['Content-Type', type]] as [string, string][]) : []),
      ...(status === 304 ? [] : ([['Content-Length', String(text.length)]] as [string, string][])),
    ],
    body: Buffer.from(text).toString('base64'),
  });
  return {
    put: answer(200, undefined, ''),
    document: answer(200, DOCUMENT_TYPE, makeDocument()),
    documentUnchanged: answer(304, undefined, ''),
    smallListing: answer(200, 'application/ld+json', makeListing(PLAIN_SMALL_FOLDER)),
    listing: answer(200, 'application/ld+json', makeListing(documents)),
    listingUnchanged: answer(304, undefined, ''),
  };
}

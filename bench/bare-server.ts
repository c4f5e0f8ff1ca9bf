// The floor: a bare node:http server that stores nothing. It reads each request's body to its end and answers
// with the bytes and headers that Gitstead answered to the same kind of request (or with plain ones of its own).
// Started as a process by sides/bare.ts: node bare-server.ts PORT ANSWERS-FILE
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { largeBytes, type RecordedAnswer, type RecordedAnswers } from './recorded-answers.ts';
import { MODULES } from './sides/side.ts';

type Ready = { status: number; headers: string[]; body: Buffer };

const [port, answersFile] = process.argv.slice(2);
const recorded = JSON.parse(readFileSync(answersFile!, 'utf8')) as RecordedAnswers;
const answers = {
  put: makeReady(recorded.put),
  document: makeReady(recorded.document),
  documentUnchanged: makeReady(recorded.documentUnchanged),
  smallListing: makeReady(recorded.smallListing),
  listing: makeReady(recorded.listing),
  listingUnchanged: makeReady(recorded.listingUnchanged),
};
const large = Buffer.alloc(1 << 20, 7);

createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  if (request.method !== 'PUT') {
    request.resume();
    answerRead(request, response);
    return;
  }
  request.on('data', () => {});
  request.on('end', () => send(response, answers.put));
}).listen(Number(port), '127.0.0.1');

function answerRead(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? '';
  const unchanged = request.headers['if-none-match'] !== undefined;
  const bytes = largeBytes(path);
  if (bytes !== undefined) sendLarge(response, bytes);
  else if (path.endsWith('/')) send(response, unchanged ? answers.listingUnchanged : listingOf(path));
  else send(response, unchanged ? answers.documentUnchanged : answers.document);
}

function listingOf(path: string): Ready {
  return path.includes(`/${MODULES.small}/`) ? answers.smallListing : answers.listing;
}

function send(response: ServerResponse, answer: Ready): void {
  response.writeHead(answer.status, answer.headers);
  response.end(answer.body.length > 0 ? answer.body : undefined);
}

async function sendLarge(response: ServerResponse, bytes: number): Promise<void> {
  response.writeHead(200, { 'Content-Length': bytes, 'Content-Type': 'application/octet-stream' });
  for (let sent = 0; sent < bytes && !response.destroyed; sent += large.length) {
    if (!response.write(large)) await new Promise((resolve) => response.once('drain', resolve));
  }
  response.end();
}

function makeReady(answer: RecordedAnswer): Ready {
  return {
    status: answer.status,
    headers: answer.headers.flat(),
    body: Buffer.from(answer.body, 'base64'),
  };
}

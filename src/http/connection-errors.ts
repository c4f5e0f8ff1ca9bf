// Requests that never reach a handler: what node's own parser refuses, and expectations that nobody can meet. Also
// these answers carry CORS, or a browser app would take the server for gone.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { CORS_HEADERS } from './cors.ts';

const STATUS_OF_PARSER_ERROR: Record<string, [status: number, reason: string]> = {
  HPE_HEADER_OVERFLOW: [431, 'the headers, with the path, are too long'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'the chunk extensions are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request took too long to arrive'],
};

/** How long what else the client sends is taken in, before the connection is closed: a reset would take the answer with it. */
const LINGER_MS = 2000;
const answered = new WeakSet<Socket>();

/**
 * For a server's event `clientError`: answers in the protocol's own words where nothing was answered yet, and ends
 * the connection.
 */
export function answerParserError(error: NodeJS.ErrnoException, socket: Socket): void {
  // what follows in the stream fails again
  if (answered.has(socket)) return;
  // node keeps the response that is under way here; headers in the middle of its body would corrupt it
  const underWay = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage;
  if (!socket.writable || error.code === 'ECONNRESET' || underWay?.headersSent) {
    socket.destroy();
    return;
  }
  const [status, reason] = STATUS_OF_PARSER_ERROR[error.code ?? ''] ?? [400, 'this is no HTTP request'];
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
  ];
  for (let i = 0; i < CORS_HEADERS.length; i += 2) lines.push(`${CORS_HEADERS[i]}: ${CORS_HEADERS[i + 1]}`);
  lines.push('Cache-Control: no-store, no-transform', 'Content-Type: text/plain; charset=utf-8');
  lines.push(`Content-Length: ${reason.length + 1}`, '', `${reason}\n`);
  answered.add(socket);
  socket.end(lines.join('\r\n'));
  const deadline = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(deadline));
}

/** For a server's event `checkExpectation`: the only expectation is `100-continue` (RFC 9110, section 10.1.1). */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const reason = Buffer.from('nothing can be expected here but 100-continue\n');
  response.writeHead(417, [
    ...CORS_HEADERS,
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(reason.length),
    'Connection',
    'close',
  ]);
  response.end(reason);
}

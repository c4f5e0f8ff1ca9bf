// The one port: a node:http server that sends /storage/ to the bare handler and everything else to the pages, with the
// limits that a server on the open network needs, and an end that lets requests under way finish.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GitsteadError } from '../errors.ts';
import { answerExpectation, answerParserError } from './connection-errors.ts';
import { CORS_HEADERS } from './cors.ts';
import { answerAndDropBody, isBodyPending } from './request-body.ts';

export type Handle = (request: IncomingMessage, response: ServerResponse) => void;

export type ListenerOptions = {
  host: string;
  /** 0: a free one */
  port: number;
  storage: Handle;
  pages: Handle;
  /** in which the whole body of a request for a page must arrive, in milliseconds; 30,000 unless given */
  pageBodyMs?: number | undefined;
};

export interface Listener {
  readonly port: number;
  /** Takes no more connections; waits for the requests under way, and after `MAX_DRAIN_MS` ends them. */
  close(): Promise<void>;
}

const STORAGE_PREFIX = '/storage/';
/** A path of 4,096 bytes has 12 KiB when every byte is escaped; what is longer still gets our answer, 414. */
const MAX_HEADER_BYTES = 64 << 10;
const HEADERS_TIMEOUT_MS = 30_000;
/** Longer than proxies keep idle connections (nginx 60 s, Caddy 120 s): they end them, and never send into a closing one. */
const KEEP_ALIVE_MS = 130_000;
/** A connection on which nothing moves at all. */
const SILENCE_MS = 150_000;
/** Pages take short forms; what takes longer holds a connection for nothing. */
const PAGE_BODY_MS = 30_000;
const MAX_DRAIN_MS = 10_000;
const LOOK_FOR_IDLE_MS = 50;

/** @throws bad-request, naming the setting to change, when it cannot listen there */
export async function listen(options: ListenerOptions): Promise<Listener> {
  let isClosing = false;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: 0, // uploads may take hours; the storage's handler judges silence, and pages have `pageBodyMs`
      keepAliveTimeout: KEEP_ALIVE_MS,
      // a request without a body comes to its end at once: no stream is set going to say that there is nothing (Node 24)
      optimizeEmptyRequests: true,
    },
    (request, response) => dispatch(request, response, false),
  );
  server.on('checkContinue', (request, response) => dispatch(request, response, true));
  server.on('checkExpectation', answerExpectation);
  server.on('clientError', answerParserError);
  server.setTimeout(SILENCE_MS);

  function dispatch(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    if (isClosing) response.setHeader('connection', 'close');
    takeOriginForm(request);
    const { url = '/' } = request;
    const isStorage = url.startsWith(STORAGE_PREFIX);
    if (hasSeveralHosts(request)) {
      refuse(request, response, 400, 'the request names more than one host', isStorage ? CORS_HEADERS : []);
    } else if (isStorage) {
      options.storage(request, response);
    } else {
      // the storage's handler says it by itself, when it knows that it wants the body
      if (awaitsContinue) response.writeContinue();
      boundBody(request, response, options.pageBodyMs ?? PAGE_BODY_MS);
      options.pages(request, response);
    }
  }

  async function close(): Promise<void> {
    isClosing = true;
    const closed = new Promise((resolve) => server.close(resolve));
    const idle = setInterval(() => server.closeIdleConnections(), LOOK_FOR_IDLE_MS);
    const bound = setTimeout(() => server.closeAllConnections(), MAX_DRAIN_MS);
    await closed;
    clearInterval(idle);
    clearTimeout(bound);
  }

  await bind(server, options);
  const { port } = server.address() as AddressInfo;
  return { port, close };
}

/** A request target may be a whole address (RFC 9112, section 3.2.2): what it says of the host counts, and the header does not. */
function takeOriginForm(request: IncomingMessage): void {
  if (request.url?.startsWith('/')) return;
  const whole = /^https?:\/\/([^/?#]*)/i.exec(request.url ?? '');
  if (!whole) return;
  const rest = request.url!.slice(whole[0].length);
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  request.headers.host = whole[1]!;
}

/** RFC 9112, section 3.2. Node would take the first one, and what stands before us perhaps another. */
function hasSeveralHosts({ rawHeaders }: IncomingMessage): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count > 1;
}

/** Ends a request whose body has not arrived in time, however steadily it comes. */
function boundBody(request: IncomingMessage, response: ServerResponse, ms: number): void {
  if (!isBodyPending(request)) return;
  const deadline = setTimeout(() => {
    if (request.complete) return;
    if (response.headersSent) {
      request.socket.destroy();
      return;
    }
    // the page must not see the rest: it would do what was refused
    for (const event of ['data', 'end', 'error']) request.removeAllListeners(event);
    refuse(request, response, 408, 'the body took too long to arrive', []);
  }, ms).unref();
  request.once('close', () => clearTimeout(deadline));
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  reason: string,
  more: readonly string[],
): void {
  const body = Buffer.from(`${reason}\n`);
  const headers = ['Cache-Control', 'no-store, no-transform', 'Content-Type', 'text/plain; charset=utf-8'];
  headers.push('X-Content-Type-Options', 'nosniff', 'Content-Length', String(body.length), ...more);
  const sent = request.method === 'HEAD' ? undefined : body;
  if (isBodyPending(request)) {
    answerAndDropBody(request, response, status, headers, sent);
    return;
  }
  response.writeHead(status, headers);
  response.end(sent);
}

function bind(server: Server, { host, port }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(refusal(error, host, port)));
    server.listen(port, host, resolve);
  });
}

function refusal(cause: NodeJS.ErrnoException, host: string, port: number): GitsteadError {
  switch (cause.code) {
    case 'EADDRINUSE':
      return new GitsteadError(
        'bad-request',
        `port ${port} is in use already; choose another one with --port`,
        { cause },
      );
    case 'EACCES':
      return new GitsteadError(
        'bad-request',
        `this user may not listen on port ${port}; choose one above 1023 with --port`,
        {
          cause,
        },
      );
    case 'EADDRNOTAVAIL':
      return new GitsteadError(
        'bad-request',
        `${host} is no address of this machine; choose another one with --host`,
        {
          cause,
        },
      );
    default:
      return new GitsteadError('bad-request', `cannot listen on ${host}, port ${port}`, { cause });
  }
}

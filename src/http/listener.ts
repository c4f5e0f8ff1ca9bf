// The one port: a node:http server that sends /storage/ to the bare handler and everything else to the pages, with the
// limits that a server on the open network needs, and an end that lets requests under way finish.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GitsteadError } from '../errors.ts';
import { answerExpectation, answerParserError } from './connection-errors.ts';

export type Handle = (request: IncomingMessage, response: ServerResponse) => void;

export type ListenerOptions = {
  host: string;
  /** 0: a free one */
  port: number;
  storage: Handle;
  pages: Handle;
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
const MAX_DRAIN_MS = 10_000;
const LOOK_FOR_IDLE_MS = 50;

/** @throws bad-request, naming the setting to change, when it cannot listen there */
export async function listen(options: ListenerOptions): Promise<Listener> {
  let isClosing = false;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: 0, // uploads may take hours; the storage's handler judges silence
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    dispatch,
  );
  server.on('checkContinue', dispatch);
  server.on('checkExpectation', answerExpectation);
  server.on('clientError', answerParserError);
  server.setTimeout(SILENCE_MS);

  function dispatch(request: IncomingMessage, response: ServerResponse): void {
    if (isClosing) response.setHeader('connection', 'close');
    request.url = originForm(request.url ?? '/');
    if (request.url.startsWith(STORAGE_PREFIX)) options.storage(request, response);
    else options.pages(request, response);
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

/** A request target may be a whole address (RFC 9112, section 3.2.2): what counts is the path and the query. */
function originForm(target: string): string {
  const whole = /^https?:\/\/[^/?#]*/i.exec(target);
  if (!whole) return target;
  const rest = target.slice(whole[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
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

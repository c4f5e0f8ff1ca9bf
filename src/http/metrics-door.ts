// `/metrics`: who may read the server's numbers, which tell how much is going on. Unless a setting says otherwise that is
// who asks from this machine itself; everybody else finds nothing there.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../log.ts';
import { pathOfTarget } from '../protocol/paths.ts';
import type { Handle } from './listener.ts';
import type { WriteMetrics } from './metrics.ts';
import { counted, type RequestMeasures } from './request-measures.ts';
import { isLoopbackAddress, isLoopbackHost } from './request-origin.ts';
import { knowsSecret, type ReadSecret } from './secret-file.ts';

const METRICS = '/metrics';
/** Who sends one of these speaks for somebody else, on whatever machine it is. */
const FORWARDED =
  /^(?:forwarded.*|via|x[-_]forwarded.*|x-real-ip|(?:x-|cf-|true-|x-cluster-|fastly-)(?:client|connecting)-ip)$/;

/** Who may read: whoever asks from this machine, whoever knows the secret, nobody. */
export type MetricsReaders = { kind: 'local' } | { kind: 'token'; readSecret: ReadSecret } | { kind: 'off' };

export type MetricsDoorOptions = {
  readers: MetricsReaders;
  write: WriteMetrics;
  requests: RequestMeasures;
  log: Log;
};

/** The handler of pages with `/metrics` before it. */
export function metricsDoor({ readers, write, requests, log }: MetricsDoorOptions, pages: Handle): Handle {
  const answer = counted(requests, METRICS, (request, response) => {
    if (!mayRead(request, readers)) return send(request, response, 404, TEXT, 'there is nothing here\n');
    write().then(
      ({ type, text }) => send(request, response, 200, type, text),
      (error) => {
        log.error({ err: error }, 'the metrics could not be written');
        send(request, response, 500, TEXT, 'the metrics could not be written\n');
      },
    );
  });
  return (request, response) => {
    const isAsked = request.url?.startsWith(METRICS) && pathOfTarget(request.url) === METRICS;
    if (isAsked) answer(request, response);
    else pages(request, response);
  };
}

function mayRead(request: IncomingMessage, readers: MetricsReaders): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  switch (readers.kind) {
    case 'off':
      return false;
    case 'token':
      return knowsSecret(request.headers.authorization, readers.readSecret);
    case 'local':
      return isFromHere(request);
  }
}

/** Nobody stands between, and it is asked by a name of this machine: a page of another name in a browser here gets nothing. */
function isFromHere({ socket, headers }: IncomingMessage): boolean {
  const isDirect = !Object.keys(headers).some((name) => FORWARDED.test(name));
  return (
    isDirect &&
    isLoopbackAddress(socket.remoteAddress ?? '') &&
    isLoopbackHost((headers.host ?? '').toLowerCase(), socket.localPort)
  );
}

const TEXT = 'text/plain; charset=utf-8';

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  type: string,
  text: string,
): void {
  const body = Buffer.from(text);
  const headers = ['Content-Type', type, 'Content-Length', String(body.length), 'Cache-Control', 'no-store'];
  response.writeHead(status, [...headers, 'X-Content-Type-Options', 'nosniff']);
  response.end(request.method === 'HEAD' ? undefined : body);
}

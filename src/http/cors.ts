// CORS (draft, section 7): every answer of the storage carries it, also errors, or a browser app sees nothing at
// all. Any origin may ask, because access depends on the bearer token alone; credentials are never allowed.
import type { IncomingMessage, ServerResponse } from 'node:http';

const EXPOSED =
  'ETag, Content-Type, Content-Length, Content-Range, Accept-Ranges, Last-Modified, Retry-After, WWW-Authenticate';
const METHODS = 'GET, HEAD, PUT, DELETE, OPTIONS';
const REQUEST_HEADERS =
  'Authorization, Content-Type, Content-Length, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, ' +
  'Range, If-Range, Origin, X-Requested-With';
const PREFLIGHT_SECONDS = 7200;

/** For every answer: names and values in turn, as `writeHead` takes them. */
export const CORS_HEADERS: readonly string[] = [
  'Access-Control-Allow-Origin',
  '*',
  'Access-Control-Expose-Headers',
  EXPOSED,
];

/**
 * Answers a preflight, and any other OPTIONS: with 204, whatever stands at the path, so that the request that
 * follows can be told in words what is wrong with it. The origin is named because older clients expect their own.
 */
export function answerOptions(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(204, [
    'Access-Control-Allow-Origin',
    request.headers.origin ?? '*',
    'Access-Control-Expose-Headers',
    EXPOSED,
    'Access-Control-Allow-Methods',
    METHODS,
    'Access-Control-Allow-Headers',
    REQUEST_HEADERS,
    'Access-Control-Max-Age',
    String(PREFLIGHT_SECONDS),
    'Vary',
    'Origin',
  ]);
  response.end();
}

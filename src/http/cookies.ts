// Names and attributes of the three cookies: the session, the key for forms before there is a session, and the
// mark of a browser in which someone signed in before. None is readable by scripts.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RequestOrigin } from './request-origin.ts';

export type CookieKind = 'session' | 'form' | 'browser';

/** 400 days: as long as browsers keep a cookie. How long a session lives is decided at the server. */
const LONG_SECONDS = 400 * 86_400;

export function readCookie(request: FastifyRequest, kind: CookieKind): string | undefined {
  return request.cookies[cookieName(kind, request.origin)];
}

export function setCookie(
  request: FastifyRequest,
  reply: FastifyReply,
  kind: CookieKind,
  secret: string,
): void {
  reply.setCookie(cookieName(kind, request.origin), secret, {
    ...attributes(request.origin),
    ...(kind === 'form' ? {} : { maxAge: LONG_SECONDS }),
  });
}

export function clearCookie(request: FastifyRequest, reply: FastifyReply, kind: CookieKind): void {
  reply.clearCookie(cookieName(kind, request.origin), attributes(request.origin));
}

/** Lax: with Strict, the browser would send no session when an app leads to the consent page. */
function attributes({ origin }: RequestOrigin) {
  return { path: '/', httpOnly: true, sameSite: 'lax', secure: origin.startsWith('https:') } as const;
}

/** On https a sibling host cannot plant a `__Host-` cookie; on http cookies are shared by all ports of a host,
    so the port is in the name. */
function cookieName(kind: CookieKind, { origin }: RequestOrigin): string {
  const url = new URL(origin);
  if (url.protocol === 'https:') return `__Host-gitstead-${kind}`;
  return `gitstead-${kind}-${url.port || '80'}`;
}

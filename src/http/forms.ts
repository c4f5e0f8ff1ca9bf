// Forms come from our own pages (threat 21): each carries a token bound to what the form is for and to a cookie
// (the session's, or before there is one, a cookie for forms), and the browser's own word is heard as well.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isSecret, makeSecret, type RandomBytes } from '../db/secrets.ts';
import { GitsteadError } from '../errors.ts';
import { readCookie, setCookie } from './cookies.ts';

export interface Forms {
  /** The token for a form on the page that is being sent. @param purpose what submitting it does, exactly */
  token(request: FastifyRequest, reply: FastifyReply, purpose: string): string;
  /** @throws foreign-form when the form did not come from a page of ours in this browser */
  check(request: FastifyRequest, purpose: string): void;
}

export function openForms(randomBytes: RandomBytes): Forms {
  return {
    token(request, reply, purpose) {
      let key = keyOf(request);
      if (key === undefined) {
        key = makeSecret(randomBytes);
        setCookie(request, reply, 'form', key);
      }
      return tokenFor(key, purpose);
    },

    check(request, purpose) {
      refuseOtherSites(request);
      const key = keyOf(request);
      const given = field(request, 'form');
      if (key === undefined || !isEqual(given, tokenFor(key, purpose))) throw foreignForm();
    },
  };
}

/** A field of a form that was sent: one text, or '' when it is missing or was sent twice. */
export function field(request: FastifyRequest, name: string): string {
  const value = (request.body as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

/** The cookie's secret is the key. Nobody but the browser and, for this request, the server knows it, so no key
    of the server's own is needed, and forms survive its restart. */
function tokenFor(key: string, purpose: string): string {
  return createHmac('sha256', key).update(purpose).digest('base64url');
}

function keyOf(request: FastifyRequest): string | undefined {
  const secret = request.session ? readCookie(request, 'session') : readCookie(request, 'form');
  return secret !== undefined && isSecret(secret) ? secret : undefined;
}

/**
 * Origin must be ours. It is `null` for forms in sandboxed frames and after redirects through other sites, but
 * also when a user turned referrers off: then, and when it is missing, Sec-Fetch-Site decides, which browsers
 * send to https and loopback hosts. Where both are missing, the token alone stands.
 */
function refuseOtherSites(request: FastifyRequest): void {
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw foreignForm();
  if (origin === 'null' && site !== 'same-origin') throw foreignForm();
  if (origin !== undefined && origin !== 'null' && origin !== request.origin.origin) throw foreignForm();
}

function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function foreignForm(): GitsteadError {
  return new GitsteadError(
    'foreign-form',
    'This form is too old, or it was not sent from a page of this server. Go back, load the page again and try once more. Cookies must be allowed for this site.',
  );
}

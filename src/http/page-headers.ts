// The headers that every page carries (threats 3, 20, 22), and how a page is sent.
import type { FastifyReply } from 'fastify';
import type { Html } from '../ui/html.ts';

export type PageKind = {
  status?: number;
  /** origin of an app that a form on this page may lead to by a redirect: browsers check that, too */
  formLeadsTo?: string | undefined;
  /** apps open sign-in and consent in windows that they watch; those keep their opener */
  opensFromApps?: boolean;
};

export function sendPage(reply: FastifyReply, page: Html, kind: PageKind = {}): FastifyReply {
  if (!kind.opensFromApps) reply.header('cross-origin-opener-policy', 'same-origin');
  return reply
    .code(kind.status ?? 200)
    .header('content-security-policy', contentPolicy(kind.formLeadsTo))
    .header('cache-control', 'no-store')
    .type('text/html; charset=utf-8')
    .send(page.toString());
}

/** What every answer carries, page or not. same-origin: with no-referrer, browsers would send forms with
    `Origin: null`. */
export const COMMON_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'x-frame-options': 'DENY',
} as const;

function contentPolicy(formLeadsTo: string | undefined): string {
  const formAction = formLeadsTo === undefined ? "'self'" : `'self' ${policySource(formLeadsTo)}`;
  return `default-src 'none'; style-src 'self'; img-src 'self'; form-action ${formAction}; frame-ancestors 'none'; base-uri 'none'`;
}

/** A policy cannot name an IPv6 address; such an app runs on this computer, and plain http is all that fits. */
function policySource(origin: string): string {
  return origin.includes('[') ? new URL(origin).protocol : origin;
}

/** Redirects to an app: nothing of our address goes along, and no cache keeps the token (threat 3). */
export function redirectToApp(reply: FastifyReply, location: string): FastifyReply {
  return reply
    .code(303)
    .header('referrer-policy', 'no-referrer')
    .header('cache-control', 'no-store')
    .header('location', location)
    .send();
}

/** @param path a path of this server */
export function redirectWithin(reply: FastifyReply, path: string): FastifyReply {
  return reply.code(303).header('cache-control', 'no-store').header('location', path).send();
}

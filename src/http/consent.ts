// How an app's request is put to the user: the consent page, with its code for the terminal, or with the lines that a file of
// grants lacks. What follows the answer is authorize.ts's business.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Approvals, formatApprovalCode, type WaitingRequest } from '../db/approvals.ts';
import type { Grants } from '../db/grants.ts';
import { GitsteadError } from '../errors.ts';
import type { AuthorizeRequest } from '../protocol/authorize.ts';
import type { UserName } from '../protocol/paths.ts';
import { consentPage } from '../ui/consent.ts';
import { readCookie } from './cookies.ts';
import type { Forms } from './forms.ts';
import { authorizePath } from './next-page.ts';
import { sendPage } from './page-headers.ts';

/** A request that was put to a user who is signed in. */
export type Question = {
  user: UserName;
  /** as it came */
  query: string;
  authorize: AuthorizeRequest;
};

export type ConsentOptions = { grants: Grants; approvals: Approvals; forms: Forms };

/**
 * Sends the page with Allow and Deny, and with what the app was allowed before.
 * @param lines that the file of grants lacks: while there are any, there is no Allow
 * @param wasRefused Allow was sent nevertheless
 */
export async function sendConsent(
  request: FastifyRequest,
  reply: FastifyReply,
  { grants, approvals, forms }: ConsentOptions,
  question: Question,
  { lines, wasRefused = false }: { lines: readonly string[]; wasRefused?: boolean },
): Promise<FastifyReply> {
  const { user, query, authorize } = question;
  const { redirect, scopes } = authorize;
  const before = (await grants.list(user)).find(({ app }) => app === redirect.origin);
  const isListed = lines.length === 0;
  // each code takes the place of an older one: what nobody looks at, such as a picture, may not drive out one that is typed
  const waiting =
    isListed && isPageVisit(request) ? await approvals.codeFor(waitingRequest(request, question)) : undefined;
  const page = consentPage({
    formToken: forms.token(request, reply, consentPurpose(question)),
    redirect,
    scopes,
    address: `${user}@${request.origin.addressHost}`,
    switchHref: authorizePath(undefined, query),
    before: before && {
      since: before.createdAt,
      path: before.redirect?.slice(redirect.origin.length),
      scopes: before.scopes,
    },
    againHref: authorizePath(user, query),
    decidedBy: isListed
      ? {
          kind: 'user',
          code: waiting && formatApprovalCode(waiting.code),
          isFirstTime: waiting?.isNew ?? true,
        }
      : { kind: 'file', lines, wasRefused },
  });
  const status = wasRefused ? 403 : 200;
  return sendPage(reply, page, { status, formLeadsTo: redirect.origin, opensFromApps: true });
}

/** Somebody looks at the page: a GET for a document, not one that fetches it ahead. Older browsers do not say. */
export function isPageVisit({ method, headers }: FastifyRequest): boolean {
  const { 'sec-fetch-dest': destination = 'document', 'sec-purpose': purpose } = headers;
  return method === 'GET' && destination === 'document' && purpose === undefined;
}

/** A form token is good for exactly the request that the page showed. */
export function consentPurpose({ user, query }: Question): string {
  return `decide ${user} ${query}`;
}

/** The question as an approval from the terminal knows it: asked in this browser session. */
export function waitingRequest(
  request: FastifyRequest,
  { user, query, authorize: { redirect, scopes } }: Question,
): WaitingRequest {
  const session = readCookie(request, 'session');
  if (session === undefined) throw new GitsteadError('internal', 'a question without a session');
  return { user, session, query, app: redirect.origin, redirect: redirect.origin + redirect.path, scopes };
}

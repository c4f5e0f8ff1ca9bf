// `/oauth/<user>/authorize`: an app asks, the user decides by a click, the browser goes back to the app with a
// token, a code or a refusal (the draft's section 10; RFC 6749, sections 4.1 and 4.2). Until the user has decided, every fault is
// shown here and nothing leads to the app (threats 1 and 33). A yes in the terminal (db/approvals.ts) is as good as a click;
// where there is a file of grants, neither is enough without its lines.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Approvals } from '../db/approvals.ts';
import type { Audit } from '../db/audit.ts';
import type { CodeFlow } from '../db/code-flow.ts';
import type { Grants } from '../db/grants.ts';
import type { Tokens } from '../db/tokens.ts';
import type { Users } from '../db/users.ts';
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  type AuthorizeRequest,
  codeRedirect,
  deniedRedirect,
  parseAuthorizeRequest,
  tokenRedirect,
} from '../protocol/authorize.ts';
import { parseUserName, type UserName } from '../protocol/paths.ts';
import { formatScopes } from '../protocol/scopes.ts';
import { sourceOf } from './audit-source.ts';
import { consentPurpose, isPageVisit, type Question, sendConsent, waitingRequest } from './consent.ts';
import { type Forms, field } from './forms.ts';
import type { GrantsFile } from './grants-file.ts';
import { sendSignIn } from './login.ts';
import { authorizePath } from './next-page.ts';
import { redirectToApp, redirectWithin } from './page-headers.ts';

type ForUser = { Params: { user: string } };

export type AuthorizeOptions = {
  users: Users;
  grants: Grants;
  tokens: Tokens;
  codeFlow: CodeFlow;
  approvals: Approvals;
  audit: Audit;
  /** undefined: the user alone decides */
  grantsFile: GrantsFile | undefined;
  forms: Forms;
  log: Log;
  /** Unix milliseconds */
  now: () => number;
  /** how long tokens of the implicit grant last, in milliseconds; undefined: until they are revoked */
  tokenLifeMs: number | undefined;
};

export function registerAuthorize(app: FastifyInstance, options: AuthorizeOptions): void {
  const { users, approvals, audit, forms } = options;
  app.get('/oauth/authorize', async (request, reply) => {
    const query = rawQuery(request);
    parseAuthorizeRequest(query);
    return sendSignIn(request, reply, forms, { next: { kind: 'authorize', user: undefined, query } });
  });

  app.get<ForUser>('/oauth/:user/authorize', async (request, reply) => {
    const user = await existingUser(users, request.params.user);
    const query = rawQuery(request);
    const authorize = parseAuthorizeRequest(query);
    if (request.session?.user !== user) {
      return sendSignIn(request, reply, forms, { next: { kind: 'authorize', user, query } });
    }
    const question = { user, query, authorize };
    const lines = await missingLines(options, question);
    if (lines.length === 0 && isPageVisit(request)) {
      const isApproved = await approvals.take(waitingRequest(request, question));
      if (isApproved) return letIn(request, reply, options, question, 'in the terminal');
    }
    return sendConsent(request, reply, options, question, { lines });
  });

  app.post<ForUser>('/oauth/:user/authorize', async (request, reply) => {
    const user = await existingUser(users, request.params.user);
    const query = rawQuery(request);
    const authorize = parseAuthorizeRequest(query);
    // the session ended while the page stood open
    if (request.session?.user !== user) return redirectWithin(reply, authorizePath(user, query));
    const question = { user, query, authorize };
    forms.check(request, consentPurpose(question));
    switch (field(request, 'decision')) {
      case 'deny':
        await approvals.drop(waitingRequest(request, question));
        await audit.record({ kind: 'app-denied', ...whatWasDecided(request, question) });
        return redirectToApp(reply, deniedRedirect(authorize, request.origin.linkOrigin));
      case 'allow': {
        const lines = await missingLines(options, question);
        if (lines.length > 0)
          return sendConsent(request, reply, options, question, { lines, wasRefused: true });
        await approvals.drop(waitingRequest(request, question));
        return letIn(request, reply, options, question);
      }
      default:
        throw new GitsteadError('bad-request', 'The form says neither Allow nor Deny.');
    }
  });
}

/** @throws not-found */
async function existingUser(users: Users, raw: string): Promise<UserName> {
  const name = parseUserName(raw);
  if (name === undefined || !(await users.find(name))) {
    throw new GitsteadError('not-found', 'There is no such account on this server.');
  }
  return name;
}

/** The lines that the file of grants lacks; none where there is no such file. */
async function missingLines(
  { grantsFile }: AuthorizeOptions,
  { user, authorize: { redirect, scopes } }: Question,
): Promise<readonly string[]> {
  const asker = { user, app: redirect.origin, redirect: redirect.origin + redirect.path };
  return grantsFile ? grantsFile.missingLines(asker, scopes) : [];
}

/** Sends the browser back to the app with what Allow gives. @param where it was allowed, when not on the page */
async function letIn(
  request: FastifyRequest,
  reply: FastifyReply,
  options: AuthorizeOptions,
  question: Question,
  where?: string,
): Promise<FastifyReply> {
  const { user, authorize } = question;
  const location = await allow(options, user, authorize, request.origin.linkOrigin);
  const scopes = formatScopes(authorize.scopes);
  const detail = where === undefined ? scopes : `${scopes}, ${where}`;
  await options.audit.record({ kind: 'app-allowed', ...whatWasDecided(request, question), detail });
  return redirectToApp(reply, location);
}

function whatWasDecided(request: FastifyRequest, { user, authorize }: Question) {
  return { user, app: authorize.redirect.origin, ...sourceOf(request) };
}

/** What Allow leads to. @param issuer this server's name in answers with a code */
async function allow(
  { tokens, codeFlow, log, now, tokenLifeMs }: AuthorizeOptions,
  user: UserName,
  authorize: AuthorizeRequest,
  issuer: string,
): Promise<string> {
  const { answer, redirect, scopes } = authorize;
  const { origin: app, written: redirectUri } = redirect;
  const allowed = { user, app, redirect: app + redirect.path, scopes };
  const line = { user, app, scopes: formatScopes(scopes) };
  if (answer.kind === 'code') {
    const code = await codeFlow.createCode({ ...allowed, redirectUri, challenge: answer.challenge });
    log.info(line, 'an app was allowed to fetch a token');
    return codeRedirect(authorize, code, issuer);
  }
  const expiresAt = tokenLifeMs === undefined ? undefined : now() + tokenLifeMs;
  const { token, id } = await tokens.create({ ...allowed, kind: 'implicit' }, expiresAt);
  log.info({ ...line, grant: id }, 'an app was allowed');
  return tokenRedirect(authorize, token, tokenLifeMs && Math.floor(tokenLifeMs / 1000));
}

/** The query as it came: `state` must go back as it was written. */
function rawQuery(request: FastifyRequest): string {
  const url = request.raw.url ?? '';
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}

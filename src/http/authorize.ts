// `/oauth/<user>/authorize`: an app asks, the user decides by a click, the browser goes back to the app with a
// token, a code or a refusal (the draft's section 10; RFC 6749, sections 4.1 and 4.2). Until the user has decided, every fault is
// shown here and nothing leads to the app (threats 1 and 33).
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
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
import { consentPage } from '../ui/consent.ts';
import { sourceOf } from './audit-source.ts';
import { type Forms, field } from './forms.ts';
import { sendSignIn } from './login.ts';
import { authorizePath } from './next-page.ts';
import { redirectToApp, redirectWithin, sendPage } from './page-headers.ts';

type ForUser = { Params: { user: string } };

export type AuthorizeOptions = {
  users: Users;
  grants: Grants;
  tokens: Tokens;
  codeFlow: CodeFlow;
  audit: Audit;
  forms: Forms;
  log: Log;
  /** Unix milliseconds */
  now: () => number;
  /** how long tokens of the implicit grant last, in milliseconds; undefined: until they are revoked */
  tokenLifeMs: number | undefined;
};

export function registerAuthorize(app: FastifyInstance, options: AuthorizeOptions): void {
  const { users, audit, forms } = options;
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
    return sendConsent(request, reply, options, user, authorize);
  });

  app.post<ForUser>('/oauth/:user/authorize', async (request, reply) => {
    const user = await existingUser(users, request.params.user);
    const query = rawQuery(request);
    const authorize = parseAuthorizeRequest(query);
    // the session ended while the page stood open
    if (request.session?.user !== user) return redirectWithin(reply, authorizePath(user, query));
    forms.check(request, consentPurpose(user, query));
    const decided = { user, app: authorize.redirect.origin, ...sourceOf(request) };
    switch (field(request, 'decision')) {
      case 'deny':
        await audit.record({ kind: 'app-denied', ...decided });
        return redirectToApp(reply, deniedRedirect(authorize, request.origin.linkOrigin));
      case 'allow': {
        const location = await allow(options, user, authorize, request.origin.linkOrigin);
        await audit.record({ kind: 'app-allowed', ...decided, detail: formatScopes(authorize.scopes) });
        return redirectToApp(reply, location);
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

/** Sends the page with Allow and Deny, and with what the app was allowed before. */
async function sendConsent(
  request: FastifyRequest,
  reply: FastifyReply,
  { grants, forms }: AuthorizeOptions,
  user: UserName,
  { redirect, scopes }: AuthorizeRequest,
): Promise<FastifyReply> {
  const query = rawQuery(request);
  const before = (await grants.list(user)).find(({ app }) => app === redirect.origin);
  const page = consentPage({
    formToken: forms.token(request, reply, consentPurpose(user, query)),
    redirect,
    scopes,
    address: `${user}@${request.origin.addressHost}`,
    switchHref: authorizePath(undefined, query),
    before: before && {
      since: before.createdAt,
      path: before.redirect?.slice(redirect.origin.length),
      scopes: before.scopes,
    },
  });
  return sendPage(reply, page, { formLeadsTo: redirect.origin, opensFromApps: true });
}

/** A form token is good for exactly the request that the page showed. */
function consentPurpose(user: UserName, query: string): string {
  return `decide ${user} ${query}`;
}

/** The query as it came: `state` must go back as it was written. */
function rawQuery(request: FastifyRequest): string {
  const url = request.raw.url ?? '';
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}

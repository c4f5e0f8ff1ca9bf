// Signing in and out. Names are tried and failures counted (threat 24); a sign-in always makes a new session
// (threat 23).
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Audit } from '../db/audit.ts';
import type { Sessions } from '../db/sessions.ts';
import type { User, Users } from '../db/users.ts';
import { asGitsteadError, type GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type AuthorizeRequest, parseAuthorizeRequest } from '../protocol/authorize.ts';
import { parseUserName } from '../protocol/paths.ts';
import { signInPage } from '../ui/sign-in.ts';
import { sourceOf } from './audit-source.ts';
import { clearCookie, readCookie, setCookie } from './cookies.ts';
import { type Forms, field } from './forms.ts';
import { authorizePath, formatNextPage, type NextPage, parseNextPage } from './next-page.ts';
import { redirectWithin, sendPage } from './page-headers.ts';
import type { Throttle } from './throttle.ts';
import { browserName } from './visitor.ts';

const SIGN_IN = 'sign in';
export const SIGN_OUT = 'sign out';

export function registerLogin(
  app: FastifyInstance,
  options: { users: Users; sessions: Sessions; audit: Audit; forms: Forms; throttle: Throttle; log: Log },
): void {
  const { users, sessions, audit, forms, throttle, log } = options;
  app.get('/login', async (request, reply) => {
    const next = parseNextPage(textOf((request.query as Record<string, unknown>).next));
    if (request.session && next.kind === 'account') return redirectWithin(reply, next.path);
    return sendSignIn(request, reply, forms, { next });
  });

  app.post('/login', async (request, reply) => {
    const next = parseNextPage(field(request, 'next'));
    const username = field(request, 'username').trim().toLowerCase().slice(0, 63);
    const user = await signIn(request).catch((thrown: unknown) => {
      const error = asGitsteadError(thrown);
      if (error.status >= 500) throw error;
      return error;
    });
    // without the name: people type passwords into the wrong field
    if (user instanceof Error || user === undefined) {
      log.info({ client: request.origin.client }, 'a sign-in failed');
      await recordFailure(options, request, username, user);
    }
    if (user instanceof Error) return sendSignIn(request, reply, forms, { next, username, error: user });
    if (user === undefined) return sendSignIn(request, reply, forms, { next, username, error: 'wrong' });
    await startSession(request, reply, sessions, user);
    await audit.record({ kind: 'signed-in', user: user.name, ...sourceOf(request) });
    return redirectWithin(reply, formatNextPage(afterSignIn(next, user)));

    async function signIn(from: FastifyRequest): Promise<User | undefined> {
      forms.check(from, SIGN_IN);
      const account = parseUserName(username);
      const who = {
        account,
        address: from.origin.client,
        knownBrowser: await knownBrowser(from, sessions, username),
      };
      return throttle.guard(who, () => users.verify(username, field(from, 'password')));
    }
  });

  app.get('/logout', async (_request, reply) => redirectWithin(reply, '/'));

  app.post('/logout', async (request, reply) => {
    forms.check(request, SIGN_OUT);
    const secret = readCookie(request, 'session');
    if (secret !== undefined) await sessions.end(secret);
    clearCookie(request, reply, 'session');
    const user = request.session?.user;
    if (user !== undefined) await audit.record({ kind: 'signed-out', user, ...sourceOf(request) });
    return redirectWithin(reply, '/');
  });
}

/** The trail names an account that exists, never what was typed. A form that is none of ours was no guess. */
async function recordFailure(
  { users, audit }: { users: Users; audit: Audit },
  request: FastifyRequest,
  username: string,
  error: GitsteadError | undefined,
): Promise<void> {
  if (error !== undefined && error.code !== 'too-many') return;
  const user = (await users.find(username))?.name;
  if (user === undefined) return;
  const detail = error === undefined ? 'wrong password' : 'too many wrong passwords before';
  await audit.record({ kind: 'sign-in-failed', user, detail, ...sourceOf(request) });
}

/** The page that asks which account comes before the choice, so whoever signed in is the choice. */
function afterSignIn(next: NextPage, user: User): NextPage {
  return next.kind === 'authorize' && next.user === undefined ? { ...next, user: user.name } : next;
}

/** Gives the browser a new session and ends the one that it came with. */
export async function startSession(
  request: FastifyRequest,
  reply: FastifyReply,
  sessions: Sessions,
  user: User,
): Promise<void> {
  const old = readCookie(request, 'session');
  if (old !== undefined) await sessions.end(old);
  setCookie(
    request,
    reply,
    'session',
    await sessions.create(user.name, browserName(request.headers['user-agent'])),
  );
  clearCookie(request, reply, 'form');
  if ((await knownBrowser(request, sessions, user.name)) === undefined) {
    setCookie(request, reply, 'browser', await sessions.rememberBrowser(user.name));
  }
}

async function knownBrowser(
  request: FastifyRequest,
  sessions: Sessions,
  username: string,
): Promise<string | undefined> {
  const secret = readCookie(request, 'browser');
  return secret !== undefined && (await sessions.knowsBrowser(secret, username)) ? secret : undefined;
}

type SignInState = {
  next: NextPage;
  username?: string;
  /** `wrong`: name or password; the page does not say which */
  error?: GitsteadError | 'wrong';
};

/** Sends the sign-in page; with an app waiting, it says so and fills the account in. */
export function sendSignIn(
  request: FastifyRequest,
  reply: FastifyReply,
  forms: Forms,
  { next, username, error }: SignInState,
): FastifyReply {
  const app = next.kind === 'authorize' ? waitingApp(next) : undefined;
  const isChoice = next.kind === 'authorize' && next.user === undefined && request.session !== undefined;
  if (error !== undefined && error !== 'wrong' && error.code === 'too-many')
    reply.header('retry-after', '900');
  const page = signInPage({
    formToken: forms.token(request, reply, SIGN_IN),
    next: formatNextPage(next),
    username: username ?? app?.wantsUser ?? '',
    error: error === 'wrong' ? 'The name or the password is wrong.' : error?.message,
    app,
    signedInAs: request.session?.user,
    continueHref: isChoice ? authorizePath(request.session!.user, next.query) : undefined,
  });
  const status = error === undefined ? 200 : error === 'wrong' ? 401 : error.status;
  return sendPage(reply, page, { status, opensFromApps: true });
}

function waitingApp(
  next: NextPage & { kind: 'authorize' },
): { origin: string; wantsUser: string | undefined } | undefined {
  const request = requestOf(next.query);
  return request && { origin: request.redirect.origin, wantsUser: next.user };
}

/** A query that is no request is told about on the next page; the sign-in page need not know. */
function requestOf(query: string): AuthorizeRequest | undefined {
  try {
    return parseAuthorizeRequest(query);
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

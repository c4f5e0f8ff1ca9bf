// The first account: a new server prints a one-time link, and whoever opens it makes the account that administers
// the server. The link's secret lives in memory only, is new at each start, and ends with the first account
// (threat 36).
import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Audit } from '../db/audit.ts';
import { passwordFault } from '../db/passwords.ts';
import type { Sessions } from '../db/sessions.ts';
import type { Users } from '../db/users.ts';
import { GitsteadError } from '../errors.ts';
import { parseUserName } from '../protocol/paths.ts';
import { type FirstAccountPage, firstAccountPage } from '../ui/first-account.ts';
import { sourceOf } from './audit-source.ts';
import { type Forms, field } from './forms.ts';
import { startSession } from './login.ts';
import { ACCOUNT_PAGE } from './next-page.ts';
import { redirectWithin, sendPage } from './page-headers.ts';

const FIRST_ACCOUNT = 'create the first account';

export const NAME_RULE =
  'This name cannot be used. Take lower-case letters, digits, dots, dashes and underscores, up to 63, and begin with a letter or a digit.';

export type SignupOptions = {
  users: Users;
  sessions: Sessions;
  audit: Audit;
  forms: Forms;
  /** of the link; undefined: there was an account already */
  firstSecret: string | undefined;
};

export function registerSignup(app: FastifyInstance, options: SignupOptions): void {
  const { users, sessions, audit, forms, firstSecret } = options;
  app.get('/signup', async (request, reply) => {
    await checkLink(request);
    return sendFirstAccount(request, reply, '');
  });

  app.post('/signup', async (request, reply) => {
    await checkLink(request);
    forms.check(request, FIRST_ACCOUNT);
    const username = field(request, 'username').trim();
    const password = field(request, 'password');
    const name = parseUserName(username);
    if (name === undefined)
      return sendFirstAccount(request, reply, username, { field: 'username', message: NAME_RULE });
    const fault = passwordFault(password);
    if (fault !== undefined)
      return sendFirstAccount(request, reply, name, { field: 'password', message: fault });
    const user = await users.createFirst({ name, password });
    if (!user) throw linkIsOver();
    const done = { user: user.name, ...sourceOf(request) };
    await audit.record({ kind: 'account-made', ...done });
    await startSession(request, reply, sessions, user);
    await audit.record({ kind: 'signed-in', ...done });
    return redirectWithin(reply, ACCOUNT_PAGE);
  });

  async function checkLink(request: FastifyRequest): Promise<void> {
    const given = Buffer.from(String((request.query as Record<string, unknown>).first ?? ''));
    const expected = Buffer.from(firstSecret ?? '');
    const isRight =
      expected.length > 0 && given.length === expected.length && timingSafeEqual(given, expected);
    if (!isRight || (await users.count()) > 0) throw linkIsOver();
  }

  function sendFirstAccount(
    request: FastifyRequest,
    reply: FastifyReply,
    username: string,
    error?: FirstAccountPage['error'],
  ): FastifyReply {
    const page = firstAccountPage({
      formToken: forms.token(request, reply, FIRST_ACCOUNT),
      username,
      addressHost: request.origin.addressHost,
      error,
    });
    return sendPage(reply, page, { status: error ? 400 : 200 });
  }
}

/** The path of the link that a new server prints. */
export function firstAccountPath(secret: string): string {
  return `/signup?first=${secret}`;
}

function linkIsOver(): GitsteadError {
  return new GitsteadError(
    'not-found',
    'This link does not work any more. If you have an account, sign in; if there is none yet, restart the server: it prints a new link.',
  );
}

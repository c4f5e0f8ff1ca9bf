// `/account/activity`: the events of the audit trail that are about whoever is signed in, and about nobody else.
import type { FastifyInstance } from 'fastify';
import type { Audit, AuditKind } from '../db/audit.ts';
import type { Users } from '../db/users.ts';
import { type ActivityFilter, activityPage } from '../ui/activity.ts';
import type { Forms } from './forms.ts';
import { SIGN_OUT } from './login.ts';
import { redirectWithin, sendPage } from './page-headers.ts';

export const ACTIVITY_PAGE = '/account/activity';
const EVENTS_PER_PAGE = 50;

const KINDS: Record<Exclude<ActivityFilter, 'all'>, readonly AuditKind[]> = {
  'sign-ins': [
    'signed-in',
    'sign-in-failed',
    'signed-out',
    'session-ended',
    'password-changed',
    'account-made',
  ],
  apps: ['app-allowed', 'app-denied', 'app-revoked', 'token-made', 'code-reused', 'refresh-reused'],
};

export function registerActivity(
  app: FastifyInstance,
  { users, audit, forms }: { users: Users; audit: Audit; forms: Forms },
): void {
  app.get(ACTIVITY_PAGE, async (request, reply) => {
    const user = request.session && (await users.find(request.session.user));
    if (!user) return redirectWithin(reply, '/login');
    const query = request.query as Record<string, unknown>;
    const filter = parseFilter(query.show);
    const before = parseId(query.before);
    const found = await audit.list({
      user: user.name,
      // the trail outlives accounts: what an earlier one of this name did is not for this one
      since: user.createdAt,
      kinds: filter === 'all' ? undefined : KINDS[filter],
      before,
      limit: EVENTS_PER_PAGE + 1,
    });
    const events = found.slice(0, EVENTS_PER_PAGE);
    const page = activityPage({
      events,
      filter,
      olderHref: found.length > events.length ? hrefOf(filter, events.at(-1)?.id) : undefined,
      newestHref: before === undefined ? undefined : hrefOf(filter, undefined),
      signOutToken: forms.token(request, reply, SIGN_OUT),
    });
    return sendPage(reply, page);
  });
}

/** Anything that is no filter of ours shows everything. */
function parseFilter(value: unknown): ActivityFilter {
  return value === 'sign-ins' || value === 'apps' ? value : 'all';
}

function parseId(value: unknown): number | undefined {
  return typeof value === 'string' && /^[1-9]\d{0,14}$/.test(value) ? Number(value) : undefined;
}

function hrefOf(filter: ActivityFilter, before: number | undefined): string {
  const query = [filter !== 'all' && `show=${filter}`, before !== undefined && `before=${before}`];
  const text = query.filter((part) => part !== false).join('&');
  return text === '' ? ACTIVITY_PAGE : `${ACTIVITY_PAGE}?${text}`;
}

// `/account/sessions`: the browsers in which somebody is signed in, and the forms that sign them out. The secrets of
// sessions stay in cookies and their hashes in the database; forms know sessions by a public name.
import type { FastifyInstance } from 'fastify';
import type { Audit } from '../db/audit.ts';
import type { Session, Sessions } from '../db/sessions.ts';
import { END_OTHERS_PATH, END_SESSION_PATH, sessionsPage } from '../ui/sessions.ts';
import { doneBefore, redirectWhenDone } from './account-notice.ts';
import { sourceOf } from './audit-source.ts';
import { clearCookie } from './cookies.ts';
import { type Forms, field } from './forms.ts';
import { SIGN_OUT } from './login.ts';
import { redirectWithin, sendPage } from './page-headers.ts';

const SESSIONS_PAGE = '/account/sessions';
const END_OTHERS = 'sign out everywhere else';

export function registerSessions(
  app: FastifyInstance,
  { sessions, audit, forms }: { sessions: Sessions; audit: Audit; forms: Forms },
): void {
  app.get(SESSIONS_PAGE, async (request, reply) => {
    const { session } = request;
    if (!session) return redirectWithin(reply, '/login');
    const page = sessionsPage({
      browsers: thisFirst(session, await sessions.list(session.user)).map((each) => ({
        id: each.id,
        browser: each.browser,
        since: each.createdAt,
        lastUsedAt: each.lastUsedAt,
        isThis: each.id === session.id,
        formToken: forms.token(request, reply, endPurpose(each.id)),
      })),
      endOthersToken: forms.token(request, reply, END_OTHERS),
      signOutToken: forms.token(request, reply, SIGN_OUT),
      done: doneBefore(request, reply, forms),
    });
    return sendPage(reply, page);
  });

  app.post(END_SESSION_PATH, async (request, reply) => {
    const { session } = request;
    if (!session) return redirectWithin(reply, '/login');
    const id = field(request, 'session');
    forms.check(request, endPurpose(id));
    const ended = await sessions.endOne(session.user, id);
    if (ended?.id === session.id) {
      await audit.record({ kind: 'signed-out', user: session.user, ...sourceOf(request) });
      clearCookie(request, reply, 'session');
      return redirectWithin(reply, '/');
    }
    if (ended) await audit.record(endedBy(ended, sourceOf(request)));
    return redirectWhenDone(request, reply, forms, SESSIONS_PAGE, { kind: 'session-ended' });
  });

  app.post(END_OTHERS_PATH, async (request, reply) => {
    const { session } = request;
    if (!session) return redirectWithin(reply, '/login');
    forms.check(request, END_OTHERS);
    for (const ended of await sessions.endOthers(session.user, session.id)) {
      await audit.record(endedBy(ended, sourceOf(request)));
    }
    return redirectWhenDone(request, reply, forms, SESSIONS_PAGE, { kind: 'others-ended' });
  });
}

function endPurpose(id: string): string {
  return `sign out the browser ${id}`;
}

function endedBy({ user, browser }: Session, source: ReturnType<typeof sourceOf>) {
  return { kind: 'session-ended', user, detail: browser, ...source } as const;
}

function thisFirst(session: Session, list: readonly Session[]): Session[] {
  return [session, ...list.filter(({ id }) => id !== session.id)];
}

// The apps on the account page: grants brought together by app, the address that starts each, and the forms that end what
// was allowed. A form is good for one app, or one token, of one session (threat 21); grants of others are never found.
import type { FastifyInstance } from 'fastify';
import type { Audit } from '../db/audit.ts';
import type { Grant, Grants } from '../db/grants.ts';
import type { Log } from '../log.ts';
import type { Scope } from '../protocol/scopes.ts';
import { REVOKE_APP_PATH, REVOKE_TOKEN_PATH } from '../ui/account-apps.ts';
import { redirectWhenDone } from './account-notice.ts';
import { sourceOf } from './audit-source.ts';
import { type Forms, field } from './forms.ts';
import { ACCOUNT_PAGE } from './next-page.ts';
import { redirectWithin } from './page-headers.ts';

/** All that one app was allowed. */
export type AppAccess = {
  app: string;
  /** address of the app's page, without query and fragment */
  page: string;
  /** each module once, `*` first; what `*` covers is left out */
  scopes: readonly Scope[];
  /** number of grants */
  times: number;
  since: number;
  lastUsedAt: number | undefined;
  endsAt: number | undefined;
};

/** The grants of one user, by app: the app used last comes first. @param grants newest first */
export function byApp(grants: readonly Grant[]): { apps: AppAccess[]; tokens: Grant[] } {
  const found = new Map<string, Grant[]>();
  for (const grant of grants) {
    if (grant.app !== undefined) found.set(grant.app, [...(found.get(grant.app) ?? []), grant]);
  }
  const apps = [...found].map(([app, ofApp]) => accessOf(app, ofApp));
  const touched = ({ lastUsedAt, since }: AppAccess) => lastUsedAt ?? since;
  return {
    apps: apps.sort((a, b) => touched(b) - touched(a)),
    tokens: grants.filter(({ app }) => app === undefined),
  };
}

function accessOf(app: string, grants: readonly Grant[]): AppAccess {
  const uses = grants.flatMap(({ lastUsedAt }) => lastUsedAt ?? []);
  const ends = grants.flatMap(({ expiresAt }) => expiresAt ?? []);
  return {
    app,
    page: pageOf(app, grants),
    scopes: sumOfScopes(grants.flatMap(({ scopes }) => scopes)),
    times: grants.length,
    since: Math.min(...grants.map(({ createdAt }) => createdAt)),
    lastUsedAt: uses.length === 0 ? undefined : Math.max(...uses),
    endsAt: ends.length < grants.length ? undefined : Math.max(...ends),
  };
}

/** Where the app was sent back to last: it may not live at the root of its origin. */
function pageOf(app: string, grants: readonly Grant[]): string {
  const redirect = grants.find(({ redirect }) => redirect !== undefined)?.redirect;
  return redirect !== undefined && URL.parse(redirect)?.origin === app ? redirect : `${app}/`;
}

function sumOfScopes(scopes: readonly Scope[]): Scope[] {
  const levels = new Map<string, Scope['level']>();
  for (const { module, level } of scopes) if (levels.get(module) !== 'rw') levels.set(module, level);
  const all = levels.get('*');
  const sum = [...levels].map(([module, level]) => ({ module, level }));
  if (all === undefined) return sum;
  const more = sum.filter(({ module, level }) => module !== '*' && level === 'rw' && all === 'r');
  return [{ module: '*', level: all }, ...more];
}

/** The app's page, told which account to connect to (draft, section 11). @param address `alice@example.com` */
export function launchAddress({ page }: AppAccess, address: string): string {
  return `${page}#remotestorage=${address}`;
}

/** What the form that ends an app does. */
export function revokeAppPurpose(app: string): string {
  return `revoke the app ${app}`;
}

export function revokeTokenPurpose(id: string): string {
  return `revoke the token ${id}`;
}

export function registerRevoking(
  app: FastifyInstance,
  { grants, audit, forms, log }: { grants: Grants; audit: Audit; forms: Forms; log: Log },
): void {
  app.post(REVOKE_APP_PATH, async (request, reply) => {
    // the session ended while the page stood open
    if (!request.session) return redirectWithin(reply, '/login');
    const { user } = request.session;
    const origin = field(request, 'app');
    forms.check(request, revokeAppPurpose(origin));
    const count = await grants.revokeApp(user, origin);
    if (count > 0) {
      log.info({ user, app: origin, grants: count }, 'an app was revoked');
      await audit.record({ kind: 'app-revoked', user, app: origin, ...sourceOf(request) });
    }
    return redirectWhenDone(request, reply, forms, ACCOUNT_PAGE, { kind: 'app-revoked', app: origin });
  });

  app.post(REVOKE_TOKEN_PATH, async (request, reply) => {
    if (!request.session) return redirectWithin(reply, '/login');
    const { user } = request.session;
    const id = field(request, 'grant');
    forms.check(request, revokeTokenPurpose(id));
    const revoked = await grants.revoke(id, user);
    if (revoked) {
      log.info({ user, grant: id }, 'a token was revoked');
      await audit.record({ kind: 'app-revoked', user, app: revoked.app, ...sourceOf(request) });
    }
    return redirectWhenDone(request, reply, forms, ACCOUNT_PAGE, { kind: 'token-revoked' });
  });
}

// The start page and the signed-in home. What stands on them is asked of the accounts and the storage.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Audit } from '../db/audit.ts';
import type { Grants } from '../db/grants.ts';
import type { Sessions } from '../db/sessions.ts';
import type { User, Users } from '../db/users.ts';
import type { Log } from '../log.ts';
import type { UserName } from '../protocol/paths.ts';
import type { ReadRecentWrites } from '../storage/recent-writes.ts';
import { accountPage } from '../ui/account.ts';
import type { ConnectedApp } from '../ui/account-apps.ts';
import type { Done } from '../ui/account-layout.ts';
import { landingPage } from '../ui/landing.ts';
import {
  type AppAccess,
  byApp,
  launchAddress,
  registerRevoking,
  revokeAppPurpose,
  revokeTokenPurpose,
} from './account-apps.ts';
import { doneBefore } from './account-notice.ts';
import { registerSessions } from './account-sessions.ts';
import type { Forms } from './forms.ts';
import { SIGN_OUT } from './login.ts';
import { ACCOUNT_PAGE } from './next-page.ts';
import { redirectWithin, sendPage } from './page-headers.ts';

/** What the pages ask of the storage. */
export type StoredAmounts = {
  usage(user: UserName): { bytes: number; documents: number };
  modules(user: UserName): { module: string; documents: number; bytes: number }[];
  recentWrites: ReadRecentWrites;
};

export type AccountOptions = {
  users: Users;
  sessions: Sessions;
  grants: Grants;
  audit: Audit;
  /** undefined: another process has it */
  storage: StoredAmounts | undefined;
  forms: Forms;
  log: Log;
  defaultQuotaBytes: number | undefined;
};

export function registerAccount(app: FastifyInstance, options: AccountOptions): void {
  const { users } = options;
  app.get('/', async (request, reply) => {
    if (request.session) return redirectWithin(reply, ACCOUNT_PAGE);
    return sendPage(reply, landingPage({ isNew: (await users.count()) === 0 }));
  });

  app.get(ACCOUNT_PAGE, async (request, reply) => {
    const { session } = request;
    const user = session && (await users.find(session.user));
    if (!user) return redirectWithin(reply, '/login');
    return sendAccount(request, reply, options, user);
  });

  registerRevoking(app, options);
  registerSessions(app, options);
}

/** Sends the home of `user`. */
async function sendAccount(
  request: FastifyRequest,
  reply: FastifyReply,
  { grants, storage, forms, defaultQuotaBytes }: AccountOptions,
  user: User,
): Promise<FastifyReply> {
  const { apps, tokens } = byApp(await grants.list(user.name));
  const recent = await storage?.recentWrites(user.name, apps);
  const address = `${user.name}@${request.origin.addressHost}`;
  const token = (purpose: string) => forms.token(request, reply, purpose);
  const asEntry = (access: AppAccess): ConnectedApp => ({
    ...access,
    openHref: launchAddress(access, address),
    writes:
      recent && access.scopes.some(({ level }) => level === 'rw')
        ? (recent.byApp.get(access.app) ?? [])
        : undefined,
    formToken: token(revokeAppPurpose(access.app)),
  });
  const page = accountPage({
    ...{ name: user.name, isAdmin: user.isAdmin, address, unreadable: recent?.unreadable ?? [] },
    apps: apps.map(asEntry),
    tokens: tokens.map(({ id, scopes, createdAt, lastUsedAt, expiresAt }) => ({
      ...{ id, scopes, lastUsedAt, since: createdAt, endsAt: expiresAt },
      formToken: token(revokeTokenPurpose(id)),
    })),
    modules: storage?.modules(user.name),
    usage: storage?.usage(user.name),
    quotaBytes: user.quotaBytes ?? defaultQuotaBytes,
    signOutToken: token(SIGN_OUT),
    done: stillTrue(doneBefore(request, reply, forms), apps),
  });
  return sendPage(reply, page);
}

/** Of an app that was allowed again since it was revoked, a page that is loaded anew says nothing. */
function stillTrue(done: Done | undefined, apps: readonly AppAccess[]): Done | undefined {
  return done?.kind === 'app-revoked' && apps.some(({ app }) => app === done.app) ? undefined : done;
}

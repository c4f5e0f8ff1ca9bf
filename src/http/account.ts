// The start page and the signed-in home. What stands on them is asked of the accounts and the storage.
import type { FastifyInstance } from 'fastify';
import type { Users } from '../db/users.ts';
import type { UserName } from '../protocol/paths.ts';
import { accountPage } from '../ui/account.ts';
import { landingPage } from '../ui/landing.ts';
import type { Forms } from './forms.ts';
import { SIGN_OUT } from './login.ts';
import { ACCOUNT_PAGE } from './next-page.ts';
import { redirectWithin, sendPage } from './page-headers.ts';

/** What the pages ask of the storage. */
export type StoredAmounts = {
  usage(user: UserName): { bytes: number; documents: number };
  modules(user: UserName): { module: string; documents: number; bytes: number }[];
};

export function registerAccount(
  app: FastifyInstance,
  {
    users,
    storage,
    forms,
    defaultQuotaBytes,
  }: { users: Users; storage: StoredAmounts | undefined; forms: Forms; defaultQuotaBytes: number | undefined },
): void {
  app.get('/', async (request, reply) => {
    if (request.session) return redirectWithin(reply, ACCOUNT_PAGE);
    return sendPage(reply, landingPage({ isNew: (await users.count()) === 0 }));
  });

  app.get(ACCOUNT_PAGE, async (request, reply) => {
    const { session } = request;
    const user = session && (await users.find(session.user));
    if (!user) return redirectWithin(reply, '/login');
    const page = accountPage({
      name: user.name,
      isAdmin: user.isAdmin,
      address: `${user.name}@${request.origin.addressHost}`,
      modules: storage?.modules(user.name),
      usage: storage?.usage(user.name),
      quotaBytes: user.quotaBytes ?? defaultQuotaBytes,
      signOutToken: forms.token(request, reply, SIGN_OUT),
    });
    return sendPage(reply, page);
  });
}

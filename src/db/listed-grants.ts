// The lines of the file of grants that may have given something (grants-file.ts in protocol/ reads them): kept here, so
// that a line which is gone, also one that went while the server was stopped, is known to have been there.
import type { Kysely } from 'kysely';
import { grantHash, type ListedGrants, linesOf, listedIn, missingScopes } from '../protocol/grants-file.ts';
import type { UserName } from '../protocol/paths.ts';
import type { Scope } from '../protocol/scopes.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { storedScopes } from './token-check.ts';

/** What ended with its lines: a grant, or the code of one that was not fetched yet (`id` is undefined). */
export type EndedGrant = { id: string | undefined; user: UserName; app: string };

export interface ListedGrantsTable {
  list(): Promise<ListedGrants>;
  /** Before these lines give anything. */
  add(listed: ListedGrants): Promise<void>;
  /**
   * These lines are all that is left: what only others covered ends, but for what was made on the command line, and
   * what no line ever covered.
   */
  settle(listed: ListedGrants): Promise<EndedGrant[]>;
}

/** @param forget tells the check of tokens that grants have ended */
export function openListedGrants(db: Kysely<AccountsTables>, forget: () => void): ListedGrantsTable {
  return {
    list: () => readLines(db),

    async add(listed) {
      await db.transaction().execute((transaction) => insertLines(transaction, listed));
    },

    async settle(listed) {
      const ended = await db.transaction().execute(async (transaction) => {
        const before = await readLines(transaction);
        const gone = (await givenToApps(transaction)).filter((given) => {
          const hash = grantHash(given);
          const isCovered = (by: ListedGrants) => missingScopes(by, hash, given.scopes).length === 0;
          return isCovered(before) && !isCovered(listed);
        });
        for (const { table, key } of gone) {
          if (table === 'grants') await transaction.deleteFrom('grants').where('id', '=', key).execute();
          else await transaction.deleteFrom('codes').where('code_hash', '=', key).execute();
        }
        await transaction.deleteFrom('listed_grants').execute();
        await insertLines(transaction, listed);
        return gone;
      });
      if (ended.length > 0) forget();
      return ended.map(({ table, key, user, app }) => ({
        id: table === 'grants' ? key : undefined,
        user,
        app,
      }));
    },
  };
}

async function readLines(db: Kysely<AccountsTables>): Promise<ListedGrants> {
  const rows = await db.selectFrom('listed_grants').selectAll().execute();
  return listedIn(
    rows.map(({ hash, module, level }) => ({ hash, scope: { module, level: level as Scope['level'] } })),
  );
}

async function insertLines(db: Kysely<AccountsTables>, listed: ListedGrants): Promise<void> {
  for (const { hash, scope } of linesOf(listed)) {
    await db
      .insertInto('listed_grants')
      .values({ hash, ...scope })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

type Given = {
  table: 'grants' | 'codes';
  key: string;
  user: UserName;
  app: string;
  redirect: string;
  scopes: readonly Scope[];
};

/** Grants of apps, and codes that an app has not redeemed yet. */
async function givenToApps(db: Kysely<AccountsTables>): Promise<Given[]> {
  const grants = await db
    .selectFrom('grants')
    .select(['id as key', 'user', 'app', 'redirect', 'scopes'])
    .where('kind', 'in', ['implicit', 'code'])
    .where('app', 'is not', null)
    .where('redirect', 'is not', null)
    .execute();
  const codes = await db
    .selectFrom('codes')
    .select(['code_hash as key', 'user', 'app', 'redirect', 'scopes'])
    .where('grant_id', 'is', null)
    .execute();
  const given = (table: Given['table']) => (row: (typeof grants)[number]) => ({
    ...{ table, key: row.key, user: row.user as UserName },
    ...{ app: row.app!, redirect: row.redirect!, scopes: storedScopes(row.scopes) },
  });
  return [...grants.map(given('grants')), ...codes.map(given('codes'))];
}

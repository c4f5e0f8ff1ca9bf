// The lines of the file of grants (grants-file.ts in protocol/ reads them): those that it had when it was read last, and those
// that are gone but may have given something. Kept here, so that both are known also after a restart.
import type { Kysely } from 'kysely';
import { grantHash, type ListedGrants, linesOf, listedIn, missingScopes } from '../protocol/grants-file.ts';
import type { UserName } from '../protocol/paths.ts';
import type { Scope } from '../protocol/scopes.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { storedScopes } from './token-check.ts';

/** Of one statement: a file of 1 MiB has some 15,000 lines. */
const ROWS_AT_ONCE = 500;

/** What ended with its lines: a grant, or the code of one that was not fetched yet (`id` is undefined). */
export type EndedGrant = { id: string | undefined; user: UserName; app: string };

export interface ListedGrantsTable {
  /** What the file said when it was read last. */
  list(): Promise<ListedGrants>;
  /** The file says this now. To be called before it gives anything; what is gone is remembered until it is settled. */
  record(listed: ListedGrants): Promise<void>;
  /**
   * The lines recorded last are all that is left: what only gone ones covered ends, but for what was made on the command
   * line, and what no line ever covered.
   */
  settle(): Promise<EndedGrant[]>;
}

/** @param forget tells the check of tokens that grants have ended */
export function openListedGrants(db: Kysely<AccountsTables>, forget: () => void): ListedGrantsTable {
  return {
    list: async () => (await readLines(db)).now,

    async record(listed) {
      await db.transaction().execute(async (transaction) => {
        await transaction.updateTable('listed_grants').set({ current: 0 }).execute();
        await insertLines(transaction, listed);
      });
    },

    async settle() {
      const ended = await db.transaction().execute(async (transaction) => {
        const { ever, now } = await readLines(transaction);
        const gone = (await givenToApps(transaction)).filter((given) => {
          const hash = grantHash(given);
          const isCovered = (by: ListedGrants) => missingScopes(by, hash, given.scopes).length === 0;
          return isCovered(ever) && !isCovered(now);
        });
        for (const { table, key } of gone) {
          if (table === 'grants') await transaction.deleteFrom('grants').where('id', '=', key).execute();
          else await transaction.deleteFrom('codes').where('code_hash', '=', key).execute();
        }
        await transaction.deleteFrom('listed_grants').where('current', '=', 0).execute();
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

/** @returns `now`: what the file said last; `ever`: together with what is gone and not settled */
async function readLines(db: Kysely<AccountsTables>): Promise<{ now: ListedGrants; ever: ListedGrants }> {
  const rows = await db.selectFrom('listed_grants').selectAll().execute();
  const lines = rows.map(({ hash, module, level, current }) => ({
    ...{ hash, scope: { module, level: level as Scope['level'] } },
    isCurrent: current === 1,
  }));
  return { now: listedIn(lines.filter(({ isCurrent }) => isCurrent)), ever: listedIn(lines) };
}

async function insertLines(db: Kysely<AccountsTables>, listed: ListedGrants): Promise<void> {
  const rows = linesOf(listed).map(({ hash, scope }) => ({ hash, ...scope, current: 1 }));
  for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
    await db
      .insertInto('listed_grants')
      .values(rows.slice(start, start + ROWS_AT_ONCE))
      .onConflict((conflict) => conflict.doUpdateSet({ current: 1 }))
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

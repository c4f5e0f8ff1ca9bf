// What users allowed: one grant for each authorisation, and for each token made on the command line. Bearer tokens, codes and
// refresh tokens belong to a grant and end with it; they are made in tokens.ts and code-flow.ts.
import type { Kysely, Selectable } from 'kysely';
import type { UserName } from '../protocol/paths.ts';
import { formatScopes, type Scope } from '../protocol/scopes.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { hashSecret, isSecret, type RandomBytes } from './secrets.ts';
import { storedScopes } from './token-check.ts';

const ID_BYTES = 8;

/** How it was given: by the implicit grant or by a code on the consent page, or in the terminal. */
export type GrantKind = 'implicit' | 'code' | 'command-line';

export type NewGrant = {
  user: UserName;
  /** origin of the app; undefined: for no app */
  app: string | undefined;
  /** where the app was sent back to, without query and fragment */
  redirect?: string | undefined;
  scopes: readonly Scope[];
  kind: GrantKind;
};

/** A grant as lists show it: nothing in it opens anything. */
export type Grant = {
  id: string;
  user: UserName;
  app: string | undefined;
  redirect: string | undefined;
  scopes: readonly Scope[];
  kind: GrantKind;
  createdAt: number;
  /** when its token ends; undefined: never, or it is renewed by the app */
  expiresAt: number | undefined;
  /** at most a minute old; undefined: never used */
  lastUsedAt: number | undefined;
};

export interface Grants {
  /** Newest first; those whose only token has expired are left out. @param user only theirs */
  list(user?: string): Promise<Grant[]>;
  /**
   * Ends a grant and everything that was given for it.
   * @param user only a grant of theirs
   * @returns the grant that is no more; undefined: there was none
   */
  revoke(id: string, user?: string): Promise<Grant | undefined>;
  /** The same by a bearer token or a refresh token of it. */
  revokeToken(token: string): Promise<Grant | undefined>;
  /** Ends all grants of an app. @returns how many there were */
  revokeApp(user: UserName, app: string): Promise<number>;
}

/** What grants.ts asks of the check of tokens. */
export type UseOfGrants = { pending(id: string): number | undefined; forget(): void };

export function openGrants(db: Kysely<AccountsTables>, use: UseOfGrants, now: () => number): Grants {
  async function findByToken(token: string): Promise<string | undefined> {
    const hash = hashSecret(token);
    const access = await db
      .selectFrom('tokens')
      .select('grant_id')
      .where('token_hash', '=', hash)
      .executeTakeFirst();
    if (access) return access.grant_id;
    const refresh = await db
      .selectFrom('refresh_tokens')
      .select('grant_id')
      .where('token_hash', '=', hash)
      .executeTakeFirst();
    return refresh?.grant_id;
  }

  async function revoke(id: string, user?: string): Promise<Grant | undefined> {
    let query = db.deleteFrom('grants').where('id', '=', id);
    if (user !== undefined) query = query.where('user', '=', user);
    const row = await query.returningAll().executeTakeFirst();
    use.forget();
    return row && asGrant(row, undefined, use.pending(row.id));
  }

  return {
    async list(user) {
      let query = db.selectFrom('grants').selectAll().orderBy('created_at', 'desc').orderBy('id');
      if (user !== undefined) query = query.where('user', '=', user);
      const lives = await livesOf(db, user);
      const time = now();
      return (await query.execute())
        .map((row) => asGrant(row, lives.get(row.id), use.pending(row.id)))
        .filter(({ expiresAt }) => expiresAt === undefined || expiresAt > time);
    },

    revoke,

    async revokeToken(token) {
      const id = isSecret(token) ? await findByToken(token) : undefined;
      return id === undefined ? undefined : revoke(id);
    },

    async revokeApp(user, app) {
      // a code that is on its way would make a new one
      await db
        .deleteFrom('codes')
        .where('user', '=', user)
        .where('app', '=', app)
        .where('grant_id', 'is', null)
        .execute();
      const result = await db
        .deleteFrom('grants')
        .where('user', '=', user)
        .where('app', '=', app)
        .executeTakeFirst();
      use.forget();
      return Number(result.numDeletedRows);
    },
  };
}

/** The rows of a grant: the caller adds what is given for it, in the same transaction. @returns its id */
export async function insertGrant(
  db: Kysely<AccountsTables>,
  grant: NewGrant,
  time: number,
  randomBytes: RandomBytes,
): Promise<string> {
  const id = randomBytes(ID_BYTES).toString('hex');
  const { user, kind } = grant;
  await db
    .insertInto('grants')
    .values({
      ...{ id, user, kind },
      app: grant.app ?? null,
      redirect: grant.redirect ?? null,
      scopes: formatScopes(grant.scopes),
      created_at: time,
      last_used_at: null,
    })
    .execute();
  return id;
}

/** When the last token of each grant ends, of those that cannot be renewed; null: never. */
async function livesOf(
  db: Kysely<AccountsTables>,
  user: string | undefined,
): Promise<Map<string, number | null>> {
  let query = db
    .selectFrom('tokens')
    .innerJoin('grants', 'grants.id', 'tokens.grant_id')
    .select(['grant_id', 'expires_at'])
    .where('kind', '!=', 'code');
  if (user !== undefined) query = query.where('user', '=', user);
  return new Map((await query.execute()).map((row) => [row.grant_id, row.expires_at]));
}

function asGrant(
  row: Selectable<AccountsTables['grants']>,
  expiresAt: number | null | undefined,
  usedJustNow: number | undefined,
): Grant {
  return {
    id: row.id,
    user: row.user as UserName,
    app: row.app ?? undefined,
    redirect: row.redirect ?? undefined,
    scopes: storedScopes(row.scopes),
    kind: row.kind as GrantKind,
    createdAt: row.created_at,
    expiresAt: expiresAt ?? undefined,
    lastUsedAt: usedJustNow ?? row.last_used_at ?? undefined,
  };
}

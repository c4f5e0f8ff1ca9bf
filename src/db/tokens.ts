// Bearer tokens: made here, each for a grant. The check on every storage request, and the times of last use, stand in
// token-check.ts.
import type { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import { formatScopes } from '../protocol/scopes.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { insertGrant, type NewGrant, type UseOfGrants } from './grants.ts';
import type { CacheMeasures } from './measures.ts';
import { hashSecret, makeSecret, type RandomBytes } from './secrets.ts';
import { openChecker, openLastUsed, type TokenGrant } from './token-check.ts';

export type { TokenGrant };

const DEFAULT_CACHE_BYTES = 4 << 20;
/** So many implicit grants for the same app, redirect address and scopes: more than anyone has devices. */
export const MAX_SAME_GRANTS = 20;

export interface Tokens {
  /**
   * Makes a grant with the one token that it gives. Of implicit grants the oldest like it ends when there are
   * `MAX_SAME_GRANTS` already: allowing again and again adds no more.
   * @param expiresAt Unix milliseconds; undefined: never
   * @returns the token (43 characters of base64url; only its SHA-256 is kept) and the grant's id
   */
  create(grant: NewGrant, expiresAt: number | undefined): Promise<{ token: string; id: string }>;
  /** The grant of a valid token. Unknown, revoked and expired ones are undefined. */
  check(token: string): TokenGrant | undefined;
  /** of what is known of tokens */
  measures(): CacheMeasures;
}

export type TokenStore = Tokens &
  UseOfGrants & {
    /** writes the times of last use that are still only in memory */
    close(): Promise<void>;
  };

/** @param reader a connection of its own: its PRAGMA data_version moves with every commit by any other connection */
export function openTokens(
  db: Kysely<AccountsTables>,
  reader: DatabaseSync,
  now: () => number,
  randomBytes: RandomBytes,
  cacheBytes = DEFAULT_CACHE_BYTES,
): TokenStore {
  const lastUsed = openLastUsed(db);
  const checker = openChecker(reader, cacheBytes);
  return {
    async create(grant, expiresAt) {
      const time = now();
      const made = await db.transaction().execute(async (transaction) => {
        await removeExpired(transaction, time);
        if (grant.kind === 'implicit') await endOldestLike(transaction, grant);
        const id = await insertGrant(transaction, grant, time, randomBytes);
        return { id, token: await insertToken(transaction, id, expiresAt, randomBytes) };
      });
      checker.forget();
      return made;
    },

    check(token) {
      const time = now();
      const grant = checker.check(token, time);
      if (grant) lastUsed.note(grant.id, time);
      return grant;
    },

    measures: checker.measures,
    pending: lastUsed.pending,
    forget: checker.forget,
    close: lastUsed.close,
  };
}

/** Adds a token to a grant, within the caller's transaction. @returns the token */
export async function insertToken(
  db: Kysely<AccountsTables>,
  grant: string,
  expiresAt: number | undefined,
  randomBytes: RandomBytes,
): Promise<string> {
  const token = makeSecret(randomBytes);
  const row = { token_hash: hashSecret(token), grant_id: grant, expires_at: expiresAt ?? null };
  await db.insertInto('tokens').values(row).execute();
  return token;
}

/** Makes room for one more: done before it is added, so that a clock that was set back never ends the new one. */
async function endOldestLike(db: Kysely<AccountsTables>, grant: NewGrant): Promise<void> {
  await db
    .deleteFrom('grants')
    .where('id', 'in', (from) =>
      from
        .selectFrom('grants')
        .select('id')
        .where('user', '=', grant.user)
        .where('kind', '=', grant.kind)
        .where('app', 'is', grant.app ?? null)
        .where('redirect', 'is', grant.redirect ?? null)
        .where('scopes', '=', formatScopes(grant.scopes))
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(-1)
        .offset(MAX_SAME_GRANTS - 1),
    )
    .execute();
}

/** Takes out expired tokens, and grants that gave only these: those by codes may be renewed. */
export async function removeExpired(db: Kysely<AccountsTables>, time: number): Promise<void> {
  await db
    .deleteFrom('grants')
    .where('kind', '!=', 'code')
    .where('id', 'in', (from) => from.selectFrom('tokens').select('grant_id').where('expires_at', '<=', time))
    .execute();
  await db.deleteFrom('tokens').where('expires_at', '<=', time).execute();
}

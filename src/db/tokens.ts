// Bearer tokens: made, listed and revoked. The check on every storage request, and the times of last use, stand
// in token-check.ts.
import type { DatabaseSync } from 'node:sqlite';
import type { Kysely, Selectable } from 'kysely';
import type { UserName } from '../protocol/paths.ts';
import { formatScopes, type Scope } from '../protocol/scopes.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { hashSecret, isSecret, makeSecret, type RandomBytes } from './secrets.ts';
import { openChecker, openLastUsed, storedScopes, type TokenGrant } from './token-check.ts';

const ID_BYTES = 8;

export type { TokenGrant };

export type TokenKind = 'implicit' | 'command-line';

export type NewToken = {
  user: UserName;
  /** origin of the app; undefined: for no app */
  app: string | undefined;
  scopes: readonly Scope[];
  /** Unix milliseconds; undefined: never */
  expiresAt: number | undefined;
  kind: TokenKind;
  /** where the app was sent back to, without query and fragment */
  redirect?: string | undefined;
};

/** A token as lists show it: never the token itself. */
export type Token = {
  id: string;
  user: UserName;
  app: string | undefined;
  redirect: string | undefined;
  scopes: readonly Scope[];
  kind: TokenKind;
  createdAt: number;
  expiresAt: number | undefined;
  /** at most a minute old; undefined: never used */
  lastUsedAt: number | undefined;
};

export interface Tokens {
  /** @returns the token (43 characters of base64url; only its SHA-256 is kept) and its public id */
  create(token: NewToken): Promise<{ token: string; id: string }>;
  /** The grant of a valid token. Unknown, revoked and expired ones are undefined. */
  check(token: string): TokenGrant | undefined;
  /** Newest first; expired ones are left out. @param user only theirs */
  list(user?: string): Promise<Token[]>;
  /** @returns false: there is no such token */
  revoke(idOrToken: string): Promise<boolean>;
}

export type TokenStore = Tokens & {
  /** forgets what check remembers: something changed that it depends on */
  forget(): void;
  /** writes the times of last use that are still only in memory */
  close(): Promise<void>;
};

/** @param reader a connection of its own: its PRAGMA data_version moves with every commit by any other connection */
export function openTokens(
  db: Kysely<AccountsTables>,
  reader: DatabaseSync,
  now: () => number,
  randomBytes: RandomBytes,
): TokenStore {
  const lastUsed = openLastUsed(db, now);
  const checker = openChecker(reader, now);
  return {
    async create(wanted) {
      const token = makeSecret(randomBytes);
      const id = randomBytes(ID_BYTES).toString('hex');
      const time = now();
      await db.deleteFrom('tokens').where('expires_at', '<=', time).execute();
      await db
        .insertInto('tokens')
        .values(newRow(wanted, id, token, time))
        .execute();
      checker.forget();
      return { token, id };
    },

    check(token) {
      if (!isSecret(token)) return undefined;
      const grant = checker.check(hashSecret(token));
      if (grant) lastUsed.note(grant.id);
      return grant;
    },

    async list(user) {
      let query = db
        .selectFrom('tokens')
        .selectAll()
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now())]))
        .orderBy('created_at', 'desc')
        .orderBy('id');
      if (user !== undefined) query = query.where('user', '=', user);
      return (await query.execute()).map((row) => asToken(row, lastUsed.pending(row.id)));
    },

    async revoke(idOrToken) {
      const all = db.deleteFrom('tokens');
      const one = isSecret(idOrToken)
        ? all.where('token_hash', '=', hashSecret(idOrToken))
        : all.where('id', '=', idOrToken);
      const result = await one.executeTakeFirst();
      checker.forget();
      return result.numDeletedRows > 0n;
    },

    forget: checker.forget,
    close: lastUsed.close,
  };
}

type TokenRow = Selectable<AccountsTables['tokens']>;

function newRow(wanted: NewToken, id: string, token: string, time: number): TokenRow {
  return {
    id,
    token_hash: hashSecret(token),
    user: wanted.user,
    app: wanted.app ?? null,
    redirect: wanted.redirect ?? null,
    scopes: formatScopes(wanted.scopes),
    kind: wanted.kind,
    created_at: time,
    expires_at: wanted.expiresAt ?? null,
    last_used_at: null,
  };
}

function asToken(row: TokenRow, usedJustNow: number | undefined): Token {
  return {
    id: row.id,
    user: row.user as UserName,
    app: row.app ?? undefined,
    redirect: row.redirect ?? undefined,
    scopes: storedScopes(row.scopes),
    kind: row.kind as TokenKind,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: usedJustNow ?? row.last_used_at ?? undefined,
  };
}

// Bearer tokens: made, listed, revoked, and checked on every storage request. The check is synchronous and
// answers from memory; a change by this process is seen at once, one by another process within 100 ms.
import type { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import { formatScopes, parseScopes, type Scope } from '../protocol/scopes.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { hashSecret, isSecret, makeSecret, type RandomBytes } from './secrets.ts';

const LOOK_FOR_CHANGES_MS = 100;
const MAX_CACHED = 10_000;
const LAST_USED_GRAIN_MS = 60_000;
const ID_BYTES = 8;

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

/** What a valid token allows. */
export type TokenGrant = {
  id: string;
  user: UserName;
  app: string | undefined;
  scopes: readonly Scope[];
  quotaBytes: number | undefined;
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
    async create({ user, app, scopes, expiresAt, kind, redirect }) {
      const token = makeSecret(randomBytes);
      const id = randomBytes(ID_BYTES).toString('hex');
      const time = now();
      await db.deleteFrom('tokens').where('expires_at', '<=', time).execute();
      await db
        .insertInto('tokens')
        .values({
          id,
          token_hash: hashSecret(token),
          user,
          app: app ?? null,
          redirect: redirect ?? null,
          scopes: formatScopes(scopes),
          kind,
          created_at: time,
          expires_at: expiresAt ?? null,
          last_used_at: null,
        })
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
      return (await query.execute()).map((row) => ({
        id: row.id,
        user: row.user as UserName,
        app: row.app ?? undefined,
        redirect: row.redirect ?? undefined,
        scopes: scopesOf(row.scopes),
        kind: row.kind as TokenKind,
        createdAt: row.created_at,
        expiresAt: row.expires_at ?? undefined,
        lastUsedAt: lastUsed.pending(row.id) ?? row.last_used_at ?? undefined,
      }));
    },

    async revoke(idOrToken) {
      const result = await db
        .deleteFrom('tokens')
        .where(
          isSecret(idOrToken) ? 'token_hash' : 'id',
          '=',
          isSecret(idOrToken) ? hashSecret(idOrToken) : idOrToken,
        )
        .executeTakeFirst();
      checker.forget();
      return result.numDeletedRows > 0n;
    },

    forget: checker.forget,
    close: lastUsed.close,
  };
}

type CachedGrant = TokenGrant & { expiresAt: number | undefined };
type GrantRow = {
  id: string;
  user: string;
  app: string | null;
  scopes: string;
  expires_at: number | null;
  quota_bytes: number | null;
};

function openChecker(
  reader: DatabaseSync,
  now: () => number,
): { check(tokenHash: string): TokenGrant | undefined; forget(): void } {
  const find = reader.prepare(
    `SELECT tokens.id, tokens.user, tokens.app, tokens.scopes, tokens.expires_at, users.quota_bytes
     FROM tokens JOIN users ON users.name = tokens.user WHERE tokens.token_hash = ?`,
  );
  const version = reader.prepare('PRAGMA data_version');
  const known = new Map<string, CachedGrant>();
  const unknown = new Set<string>();
  let seenVersion = -1;
  let askedAt = Number.NEGATIVE_INFINITY;

  function forget(): void {
    known.clear();
    unknown.clear();
  }

  function forgetWhatOthersChanged(time: number): void {
    if (Math.abs(time - askedAt) < LOOK_FOR_CHANGES_MS) return;
    askedAt = time;
    const { data_version: newest } = version.get() as { data_version: number };
    if (newest !== seenVersion) forget();
    seenVersion = newest;
  }

  return {
    forget,
    check(tokenHash) {
      const time = now();
      forgetWhatOthersChanged(time);
      if (unknown.has(tokenHash)) return undefined;
      let grant = known.get(tokenHash);
      if (!grant) {
        const row = find.get(tokenHash) as GrantRow | undefined;
        if (!row) {
          // guesses must not drive out the tokens in use: they have a bounded set of their own
          if (unknown.size >= MAX_CACHED) unknown.clear();
          unknown.add(tokenHash);
          return undefined;
        }
        grant = {
          id: row.id,
          user: row.user as UserName,
          app: row.app ?? undefined,
          scopes: scopesOf(row.scopes),
          quotaBytes: row.quota_bytes ?? undefined,
          expiresAt: row.expires_at ?? undefined,
        };
        if (known.size >= MAX_CACHED) known.delete(known.keys().next().value!);
        known.set(tokenHash, grant);
      }
      return grant.expiresAt !== undefined && grant.expiresAt <= time ? undefined : grant;
    },
  };
}

/** Times of last use: kept in memory, written together once a minute, and only for tokens that were used. */
function openLastUsed(
  db: Kysely<AccountsTables>,
  now: () => number,
): { note(id: string): void; pending(id: string): number | undefined; close(): Promise<void> } {
  let pending = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const batch = pending;
    pending = new Map();
    try {
      await db.transaction().execute(async (transaction) => {
        for (const [id, time] of batch) {
          await transaction.updateTable('tokens').set({ last_used_at: time }).where('id', '=', id).execute();
        }
      });
    } catch {
      // A full disk or a busy file: nothing depends on these times, so they wait for the next minute.
      pending = new Map([...batch, ...pending]);
    }
  }

  return {
    note(id) {
      pending.set(id, now());
      timer ??= setTimeout(() => {
        timer = undefined;
        writing = write();
      }, LAST_USED_GRAIN_MS).unref();
    },
    pending: (id) => pending.get(id),
    async close() {
      clearTimeout(timer);
      await writing;
      if (pending.size > 0) await write();
    },
  };
}

function scopesOf(stored: string): readonly Scope[] {
  const scopes = parseScopes(stored);
  if (!scopes) throw new GitsteadError('corrupt', 'the scopes of a stored token cannot be read');
  return scopes;
}

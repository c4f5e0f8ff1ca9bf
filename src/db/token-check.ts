// The check of a bearer token on every storage request: synchronous, and from memory. A change by this process is
// seen at once, one by another process within 100 ms. Times of last use are written from here, and lazily.
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import { parseScopes, type Scope } from '../protocol/scopes.ts';
import type { AccountsTables } from './accounts-schema.ts';
import type { CacheMeasures } from './measures.ts';
import { hashSecret, isSecret } from './secrets.ts';

const LOOK_FOR_CHANGES_MS = 100;
/** What a known token takes beside its scopes, each scope beside its name, and a token that is known to be none: measured, in bytes. */
const TOKEN_BYTES = 400;
const SCOPE_BYTES = 100;
const UNKNOWN_BYTES = 150;
const LAST_USED_GRAIN_MS = 60_000;
/** Written by one statement, which holds up the event loop for some milliseconds; then requests have their turn. */
const TIMES_AT_ONCE = 250;

/** What a valid token allows. */
export type TokenGrant = {
  /** the grant's */
  id: string;
  user: UserName;
  app: string | undefined;
  scopes: readonly Scope[];
  quotaBytes: number | undefined;
  /** when the token ends, in Unix milliseconds; undefined: never */
  expiresAt?: number | undefined;
};

type CachedGrant = TokenGrant & { expiresAt: number | undefined };
type GrantRow = {
  id: string;
  user: string;
  app: string | null;
  scopes: string;
  expires_at: number | null;
  quota_bytes: number | null;
};

export type Checker = {
  /** @param time Unix milliseconds */
  check(token: string, time: number): TokenGrant | undefined;
  forget(): void;
  /** of what is known of tokens */
  measures(): CacheMeasures;
};

/**
 * @param reader a connection of its own: its PRAGMA data_version moves with every commit by any other connection
 * @param limitBytes memory for what is known of tokens; a quarter of it for those that are none
 */
export function openChecker(reader: DatabaseSync, limitBytes: number): Checker {
  const find = reader.prepare(
    `SELECT grants.id, grants.user, grants.app, grants.scopes, tokens.expires_at, users.quota_bytes
     FROM tokens JOIN grants ON grants.id = tokens.grant_id JOIN users ON users.name = grants.user
     WHERE tokens.token_hash = ?`,
  );
  const version = reader.prepare('PRAGMA data_version');
  /** by the tokens themselves: hashing one again would cost a tenth of a small GET */
  const known = new Map<string, CachedGrant>();
  /** hashes */
  const unknown = new Set<string>();
  const maxUnknown = Math.ceil(limitBytes / 4 / UNKNOWN_BYTES);
  const maxKnownBytes = limitBytes - maxUnknown * UNKNOWN_BYTES;
  let knownBytes = 0;
  let asked = 0;
  let misses = 0;
  let seenVersion = -1;
  let askedAt = Number.NEGATIVE_INFINITY;

  function forget(): void {
    knownBytes = 0;
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

  function lookUp(token: string): CachedGrant | undefined {
    misses++;
    if (!isSecret(token)) return undefined;
    const tokenHash = hashSecret(token);
    if (unknown.has(tokenHash)) return undefined;
    const row = find.get(tokenHash) as GrantRow | undefined;
    if (!row) {
      // guesses must not drive out the tokens in use: they have a bounded set of their own
      if (unknown.size >= maxUnknown) unknown.clear();
      unknown.add(tokenHash);
      return undefined;
    }
    const grant = {
      id: row.id,
      user: row.user as UserName,
      app: row.app ?? undefined,
      scopes: storedScopes(row.scopes),
      quotaBytes: row.quota_bytes ?? undefined,
      expiresAt: row.expires_at ?? undefined,
    };
    keep(token, grant);
    return grant;
  }

  /** The oldest go when there are too many. */
  function keep(token: string, grant: CachedGrant): void {
    const bytes = bytesOf(grant);
    for (const [oldest, old] of known) {
      if (knownBytes + bytes <= maxKnownBytes) break;
      known.delete(oldest);
      knownBytes -= bytesOf(old);
    }
    if (knownBytes + bytes > maxKnownBytes) return;
    known.set(token, grant);
    knownBytes += bytes;
  }

  return {
    forget,
    check(token, time) {
      forgetWhatOthersChanged(time);
      asked++;
      const grant = known.get(token) ?? lookUp(token);
      return grant?.expiresAt !== undefined && grant.expiresAt <= time ? undefined : grant;
    },
    measures: () => ({
      hits: asked - misses,
      misses,
      held: knownBytes + unknown.size * UNKNOWN_BYTES,
      limit: limitBytes,
    }),
  };
}

function bytesOf({ scopes }: TokenGrant): number {
  return scopes.reduce((sum, scope) => sum + SCOPE_BYTES + scope.module.length, TOKEN_BYTES);
}

/** Times of last use: kept in memory, written together once a minute, and only for grants that were used. */
export function openLastUsed(db: Kysely<AccountsTables>): {
  /** @param time Unix milliseconds */
  note(id: string, time: number): void;
  pending(id: string): number | undefined;
  close(): Promise<void>;
} {
  let pending = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const batch = [...pending];
    pending = new Map();
    for (let from = 0; from < batch.length; from += TIMES_AT_ONCE) {
      const times = JSON.stringify(Object.fromEntries(batch.slice(from, from + TIMES_AT_ONCE)));
      try {
        await sql`UPDATE grants SET last_used_at = used.value FROM json_each(${times}) AS used
          WHERE grants.id = used.key`.execute(db);
      } catch {
        // A full disk or a busy file: nothing depends on these times, so they wait for the next minute.
        pending = new Map([...batch.slice(from), ...pending]);
        return;
      }
      await setImmediate();
    }
  }

  return {
    note(id, time) {
      pending.set(id, time);
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

/** @throws corrupt */
export function storedScopes(stored: string): readonly Scope[] {
  const scopes = parseScopes(stored);
  if (!scopes) throw new GitsteadError('corrupt', 'the scopes of a stored token cannot be read');
  return scopes;
}

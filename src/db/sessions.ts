// Signed-in browsers (sessions) and browsers in which somebody signed in before (a session's successor in
// trust: it only gives the browser a budget of password guesses of its own). Cookies are http's business.
import { hash } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { UserName } from '../protocol/paths.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { hashSecret, isSecret, makeSecret, type RandomBytes } from './secrets.ts';

const DAY_MS = 86_400_000;
export const DEFAULT_SESSION_IDLE_MS = 30 * DAY_MS;
const BROWSER_IDLE_MS = 400 * DAY_MS;
/** How stale `lastUsedAt` may be: a page view should not cost a write. */
const LAST_USED_GRAIN_MS = 60_000;
/** Of so many a person finds the one that they look for; the others can be ended all at once. */
const MAX_LISTED = 100;
const ID_LENGTH = 16;

export type Session = {
  /** public name, for lists and for ending it: 16 hex digits that open nothing */
  id: string;
  user: UserName;
  isAdmin: boolean;
  /** coarse name such as `Firefox on Linux` */
  browser: string;
  /** when the password was given, Unix milliseconds */
  createdAt: number;
  lastUsedAt: number;
};

export interface Sessions {
  /** @returns the secret for the cookie: 43 characters of base64url; only its SHA-256 is kept */
  create(user: UserName, browser: string): Promise<string>;
  /** The session, unless it ended or was idle for too long. */
  find(secret: string): Promise<Session | undefined>;
  end(secret: string): Promise<void>;
  /** Those of a user that are alive, the one used last first; at most 100. */
  list(user: UserName): Promise<Session[]>;
  /** Ends the session of this user with this public name. @returns the one that is no more; undefined: there was none */
  endOne(user: UserName, id: string): Promise<Session | undefined>;
  /** Ends all sessions of this user but the one with this public name. @returns those that were alive */
  endOthers(user: UserName, keptId: string): Promise<Session[]>;
  /** Remembers this browser for `user`. @returns the secret for its long-lived cookie */
  rememberBrowser(user: UserName): Promise<string>;
  /** Whether `user` signed in before in the browser that holds this secret. */
  knowsBrowser(secret: string, user: string): Promise<boolean>;
}

/** @param idleMs how long a session lives without being used */
export function openSessions(
  db: Kysely<AccountsTables>,
  now: () => number,
  randomBytes: RandomBytes,
  idleMs: number,
): Sessions {
  return {
    async create(user, browser) {
      const secret = makeSecret(randomBytes);
      const time = now();
      await db
        .deleteFrom('sessions')
        .where('last_used_at', '<', time - idleMs)
        .execute();
      await db
        .insertInto('sessions')
        .values({ secret_hash: hashSecret(secret), user, browser, created_at: time, last_used_at: time })
        .execute();
      return secret;
    },

    find: (secret) => findSession(db, secret, now(), idleMs),

    async end(secret) {
      await db.deleteFrom('sessions').where('secret_hash', '=', hashSecret(secret)).execute();
    },

    list: async (user) => (await listAlive(db, user, now() - idleMs)).slice(0, MAX_LISTED).map(asSession),

    async endOne(user, id) {
      const found = (await listAlive(db, user, now() - idleMs)).find(
        (row) => publicId(row.secret_hash) === id,
      );
      if (!found) return undefined;
      await db
        .deleteFrom('sessions')
        .where('secret_hash', '=', found.secret_hash)
        .where('user', '=', user)
        .execute();
      return asSession(found);
    },

    async endOthers(user, keptId) {
      const alive = await listAlive(db, user, now() - idleMs);
      const kept = alive.find((row) => publicId(row.secret_hash) === keptId);
      let query = db.deleteFrom('sessions').where('user', '=', user);
      if (kept) query = query.where('secret_hash', '!=', kept.secret_hash);
      await query.execute();
      return alive.filter((row) => row !== kept).map(asSession);
    },

    async rememberBrowser(user) {
      const secret = makeSecret(randomBytes);
      const time = now();
      await db
        .deleteFrom('browsers')
        .where('last_used_at', '<', time - BROWSER_IDLE_MS)
        .execute();
      await db
        .insertInto('browsers')
        .values({ secret_hash: hashSecret(secret), user, last_used_at: time })
        .execute();
      return secret;
    },

    async knowsBrowser(secret, user) {
      if (!isSecret(secret)) return false;
      const row = await db
        .selectFrom('browsers')
        .select('user')
        .where('secret_hash', '=', hashSecret(secret))
        .where('user', '=', user)
        .executeTakeFirst();
      return row !== undefined;
    },
  };
}

type SessionRow = Selectable<AccountsTables['sessions']> & { is_admin: number };

function aliveSessions(db: Kysely<AccountsTables>, since: number) {
  return db
    .selectFrom('sessions')
    .innerJoin('users', 'users.name', 'sessions.user')
    .select(['secret_hash', 'user', 'is_admin', 'browser', 'sessions.created_at', 'last_used_at'])
    .where('last_used_at', '>=', since);
}

function listAlive(db: Kysely<AccountsTables>, user: UserName, since: number): Promise<SessionRow[]> {
  return aliveSessions(db, since)
    .where('user', '=', user)
    .orderBy('last_used_at', 'desc')
    .orderBy('secret_hash')
    .execute();
}

async function findSession(
  db: Kysely<AccountsTables>,
  secret: string,
  time: number,
  idleMs: number,
): Promise<Session | undefined> {
  if (!isSecret(secret)) return undefined;
  const secretHash = hashSecret(secret);
  const row = await aliveSessions(db, time - idleMs)
    .where('secret_hash', '=', secretHash)
    .executeTakeFirst();
  if (!row) return undefined;
  if (time - row.last_used_at >= LAST_USED_GRAIN_MS) {
    const used = db.updateTable('sessions').set({ last_used_at: time });
    await used.where('secret_hash', '=', secretHash).execute();
  }
  return { ...asSession(row), lastUsedAt: time };
}

function asSession(row: SessionRow): Session {
  return {
    id: publicId(row.secret_hash),
    user: row.user as UserName,
    isAdmin: row.is_admin === 1,
    browser: row.browser,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
  };
}

/** A hash of the hash: what is kept of the secret stays in the database. */
function publicId(secretHash: string): string {
  return hash('sha256', secretHash, 'hex').slice(0, ID_LENGTH);
}

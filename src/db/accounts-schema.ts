// The tables of accounts.db and the migrations that make them. Times are Unix milliseconds. Secrets (session
// cookies, tokens) are kept as their SHA-256 only; one-time links for the first account are never kept.
import { type Kysely, type Migration, sql } from 'kysely';

export type AccountsTables = {
  users: {
    name: string;
    /** argon2id with its parameters, see passwords.ts */
    password: string;
    is_admin: number;
    /** null: no limit */
    quota_bytes: number | null;
    created_at: number;
  };
  sessions: {
    secret_hash: string;
    user: string;
    /** coarse name such as `Firefox on Linux`, for the list of sessions */
    browser: string;
    /** when the password was last given: sensitive changes need a recent one */
    created_at: number;
    last_used_at: number;
  };
  /** browsers in which a user signed in before; they have a budget of guesses of their own */
  browsers: {
    secret_hash: string;
    user: string;
    last_used_at: number;
  };
  tokens: {
    /** short public name, for lists and `token revoke` */
    id: string;
    token_hash: string;
    user: string;
    /** origin of the app; null when made on the command line for no app */
    app: string | null;
    /** redirect address without query and fragment; null when there was none */
    redirect: string | null;
    /** `notes:rw contacts:r` */
    scopes: string;
    /** how it was granted: `implicit` or `command-line` */
    kind: string;
    created_at: number;
    expires_at: number | null;
    last_used_at: number | null;
  };
};

/** In order; a name once released never changes. */
export const ACCOUNTS_MIGRATIONS: Record<string, Migration> = {
  '0001-users-sessions-tokens': { up: makeFirstTables },
};

// biome-ignore lint/suspicious/noExplicitAny: kysely's type for a schema that is only being made
async function makeFirstTables(db: Kysely<any>): Promise<void> {
  await sql`CREATE TABLE users (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL,
    is_admin INTEGER NOT NULL,
    quota_bytes INTEGER,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID`.execute(db);
  await sql`CREATE TABLE sessions (
    secret_hash TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    browser TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
  ) WITHOUT ROWID`.execute(db);
  await sql`CREATE INDEX sessions_by_user ON sessions (user)`.execute(db);
  await sql`CREATE TABLE browsers (
    secret_hash TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    last_used_at INTEGER NOT NULL
  ) WITHOUT ROWID`.execute(db);
  await sql`CREATE INDEX browsers_by_user ON browsers (user)`.execute(db);
  await sql`CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    app TEXT,
    redirect TEXT,
    scopes TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER
  ) WITHOUT ROWID`.execute(db);
  await sql`CREATE INDEX tokens_by_user ON tokens (user, created_at)`.execute(db);
}

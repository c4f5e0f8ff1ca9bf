// The tables of accounts.db and the migrations that make them. Times are Unix milliseconds. Secrets (session
// cookies, tokens) are kept as their SHA-256 only; one-time links for the first account are never kept.
import { type Generated, type Kysely, type Migration, sql } from 'kysely';

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
  /** what a user allowed an app, or made on the command line; everything that was given for it ends with it */
  grants: {
    /** short public name, for lists and for revoking */
    id: string;
    user: string;
    /** origin of the app; null when made on the command line for no app */
    app: string | null;
    /** redirect address without query and fragment; null when there was none */
    redirect: string | null;
    /** `notes:rw contacts:r` */
    scopes: string;
    /** how it was given: `implicit`, `code` or `command-line` */
    kind: string;
    created_at: number;
    last_used_at: number | null;
  };
  /** bearer tokens */
  tokens: {
    token_hash: string;
    grant_id: string;
    expires_at: number | null;
  };
  /** authorisation codes, kept a while after their use so that a replay is noticed */
  codes: {
    code_hash: string;
    user: string;
    app: string;
    redirect: string;
    /** as the app wrote it: it must write the same again */
    redirect_uri: string;
    scopes: string;
    /** base64url of the SHA-256 of the app's verifier */
    challenge: string;
    expires_at: number;
    /** what it gave; null: it was not used yet */
    grant_id: string | null;
  };
  refresh_tokens: {
    token_hash: string;
    grant_id: string;
    /** the one that it was given for; null for the first of a grant */
    parent_hash: string | null;
    created_at: number;
    used_at: number | null;
  };
  /** what happened, see audit.ts; rows outlive their account */
  audit: {
    id: Generated<number>;
    time: number;
    user: string;
    kind: string;
    app: string | null;
    detail: string;
    client: string | null;
    browser: string | null;
  };
  /** requests that wait for a decision in the terminal, see approvals.ts */
  approvals: {
    code_hash: string;
    /** what the code is made of, together with the session's secret */
    nonce: string;
    session_hash: string;
    /** of the user and the request's query */
    request_hash: string;
    user: string;
    app: string;
    redirect: string;
    scopes: string;
    created_at: number;
    /** until then it can be approved; once it is, until then the browser can go on */
    expires_at: number;
    approved_at: number | null;
    /** when the request was decided on the page, or the browser went on */
    used_at: number | null;
  };
  /** lines of the file of grants that may have given something, see listed-grants.ts */
  listed_grants: {
    hash: string;
    module: string;
    level: string;
    /** 1: the file said so when it was read last; 0: gone, and what it gave is not ended yet */
    current: number;
  };
};

/** In order; a name once released never changes. */
export const ACCOUNTS_MIGRATIONS: Record<string, Migration> = {
  '0001-users-sessions-tokens': { up: makeFirstTables },
  '0002-grants': { up: makeGrants },
  '0003-audit': { up: makeAudit },
  '0004-approvals': { up: makeApprovals },
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

/** Until then a grant was one token: both had the token's public name. */
// biome-ignore lint/suspicious/noExplicitAny: see above
async function makeGrants(db: Kysely<any>): Promise<void> {
  await sql`CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    app TEXT,
    redirect TEXT,
    scopes TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER
  ) WITHOUT ROWID`.execute(db);
  await sql`CREATE INDEX grants_by_user ON grants (user, created_at)`.execute(db);
  await sql`INSERT INTO grants SELECT id, user, app, redirect, scopes, kind, created_at, last_used_at FROM tokens`.execute(
    db,
  );
  await sql`ALTER TABLE tokens RENAME TO old_tokens`.execute(db);
  await sql`CREATE TABLE tokens (
    token_hash TEXT PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires_at INTEGER
  ) WITHOUT ROWID`.execute(db);
  await sql`INSERT INTO tokens SELECT token_hash, id, expires_at FROM old_tokens`.execute(db);
  await sql`DROP TABLE old_tokens`.execute(db);
  await sql`CREATE INDEX tokens_by_grant ON tokens (grant_id)`.execute(db);
  await sql`CREATE INDEX tokens_by_end ON tokens (expires_at) WHERE expires_at IS NOT NULL`.execute(db);
  await sql`CREATE TABLE codes (
    code_hash TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    app TEXT NOT NULL,
    redirect TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    scopes TEXT NOT NULL,
    challenge TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    grant_id TEXT
  ) WITHOUT ROWID`.execute(db);
  await sql`CREATE TABLE refresh_tokens (
    token_hash TEXT PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    parent_hash TEXT,
    created_at INTEGER NOT NULL,
    used_at INTEGER
  ) WITHOUT ROWID`.execute(db);
  await sql`CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id)`.execute(db);
}

/** A row is never changed nor replaced, and removed only after a year by this machine's clock. */
// biome-ignore lint/suspicious/noExplicitAny: see above
async function makeAudit(db: Kysely<any>): Promise<void> {
  await sql`CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
    time INTEGER NOT NULL,
    user TEXT NOT NULL,
    kind TEXT NOT NULL,
    app TEXT,
    detail TEXT NOT NULL,
    client TEXT,
    browser TEXT
  )`.execute(db);
  await sql`CREATE INDEX audit_by_user ON audit (user, id)`.execute(db);
  await sql`CREATE INDEX audit_by_time ON audit (time)`.execute(db);
  await sql`CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'rows of the audit trail are never changed');
  END`.execute(db);
  await sql`CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
  WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'rows of the audit trail are never replaced');
  END`.execute(db);
  await sql`CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
  WHEN OLD.time > unixepoch('subsec') * 1000 - 31536000000 BEGIN
    SELECT RAISE(ABORT, 'rows of the audit trail are kept for a year');
  END`.execute(db);
}

/** An approval ends with the session that it is bound to. */
// biome-ignore lint/suspicious/noExplicitAny: see above
async function makeApprovals(db: Kysely<any>): Promise<void> {
  await sql`CREATE TABLE approvals (
    code_hash TEXT PRIMARY KEY,
    nonce TEXT NOT NULL,
    session_hash TEXT NOT NULL REFERENCES sessions (secret_hash) ON DELETE CASCADE,
    request_hash TEXT NOT NULL,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    app TEXT NOT NULL,
    redirect TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    approved_at INTEGER,
    used_at INTEGER
  ) WITHOUT ROWID`.execute(db);
  await sql`CREATE UNIQUE INDEX approvals_by_request ON approvals (session_hash, request_hash)`.execute(db);
  await sql`CREATE INDEX approvals_by_user ON approvals (user)`.execute(db);
  await sql`CREATE TABLE listed_grants (
    hash TEXT NOT NULL,
    module TEXT NOT NULL,
    level TEXT NOT NULL,
    current INTEGER NOT NULL,
    PRIMARY KEY (hash, module, level)
  ) WITHOUT ROWID`.execute(db);
}

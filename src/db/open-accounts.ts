// accounts.db: users, sessions, and what users allowed. Durable (WAL, synchronous=FULL), and several processes may have it
// open at once. Statements stand beside their tables, in users.ts, sessions.ts, grants.ts, tokens.ts,
// code-flow.ts, approvals.ts, listed-grants.ts and audit.ts.
import { randomBytes as systemRandomBytes } from 'node:crypto';
import { chmodSync, closeSync, openSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, type Migration, Migrator } from 'kysely';
import { GitsteadError } from '../errors.ts';
import { ACCOUNTS_MIGRATIONS, type AccountsTables } from './accounts-schema.ts';
import { type Approvals, openApprovals } from './approvals.ts';
import { type Audit, openAudit } from './audit.ts';
import { type CodeFlow, type CodeFlowLives, openCodeFlow } from './code-flow.ts';
import { type Grants, openGrants } from './grants.ts';
import { type ListedGrantsTable, openListedGrants } from './listed-grants.ts';
import { openPasswords } from './passwords.ts';
import type { RandomBytes } from './secrets.ts';
import { DEFAULT_SESSION_IDLE_MS, openSessions, type Sessions } from './sessions.ts';
import { sqliteDialect } from './sqlite-dialect.ts';
import { openTokens, type Tokens } from './tokens.ts';
import { openUsers, type Users } from './users.ts';

export interface Accounts extends AsyncDisposable {
  readonly users: Users;
  readonly sessions: Sessions;
  readonly grants: Grants;
  readonly tokens: Tokens;
  readonly codeFlow: CodeFlow;
  readonly approvals: Approvals;
  readonly listedGrants: ListedGrantsTable;
  readonly audit: Audit;
  close(): Promise<void>;
}

export type AccountsOptions = {
  /** how long a browser stays signed in without being used; 30 days unless given */
  sessionIdleMs?: number;
  /** lives of what is given for a code; an hour, and 180 days without use, unless given */
  codeLives?: CodeFlowLives;
  /** called when the audit trail could not be written: what it tells of goes on */
  auditFailed?: (error: unknown) => void;
  /** memory for what is known of tokens, in bytes; 4 MiB unless given */
  tokenBytes?: number;
  randomBytes?: RandomBytes;
  migrations?: Record<string, Migration>;
};

const DEFAULT_CODE_LIVES: CodeFlowLives = { tokenMs: 3_600_000, refreshIdleMs: 180 * 86_400_000 };

/**
 * Opens accounts.db at `file`, makes it if it is missing, and brings it to the newest layout (an older one is
 * copied to `<file>.before-<migration>` first).
 * Open it once per process: a transaction of one opening would block another in the same thread.
 * @param now Unix milliseconds
 * @throws not-ready when a newer Gitstead wrote the file, or when it is damaged
 */
export async function openAccounts(
  file: string,
  now: () => number,
  options: AccountsOptions = {},
): Promise<Accounts> {
  const { randomBytes = systemRandomBytes, migrations = ACCOUNTS_MIGRATIONS } = options;
  makePrivate(file);
  const database = connect(file);
  const db = new Kysely<AccountsTables>({ dialect: sqliteDialect(database) });
  try {
    await migrate(file, database, db, migrations);
  } catch (error) {
    database.close();
    throw error;
  }
  const reader = connect(file);
  const tokens = openTokens(db, reader, now, randomBytes, options.tokenBytes);
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    await tokens.close();
    reader.close();
    await db.destroy();
  }
  return {
    users: openUsers(db, openPasswords(randomBytes), now, tokens.forget),
    sessions: openSessions(db, now, randomBytes, options.sessionIdleMs ?? DEFAULT_SESSION_IDLE_MS),
    grants: openGrants(db, tokens, now),
    tokens,
    codeFlow: openCodeFlow(db, now, randomBytes, options.codeLives ?? DEFAULT_CODE_LIVES, tokens.forget),
    approvals: openApprovals(db, now, randomBytes),
    listedGrants: openListedGrants(db, tokens.forget),
    audit: openAudit(db, now, options.auditFailed ?? (() => {})),
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

/** SQLite gives its WAL the mode of the database file, so the file is made before SQLite makes it. */
function makePrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
  if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
}

function connect(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  } catch (error) {
    database.close();
    throw new GitsteadError('not-ready', 'accounts.db cannot be read: restore it from a backup', {
      cause: error,
    });
  }
  return database;
}

/** One transaction around all migrations: two processes that start together take turns, and a failed
    migration leaves nothing. (kysely opens none of its own on SQLite.) */
async function migrate(
  file: string,
  database: DatabaseSync,
  db: Kysely<AccountsTables>,
  migrations: Record<string, Migration>,
): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  await copyBeforeMigrating(file, database, migrator);
  database.exec('BEGIN IMMEDIATE');
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) {
    database.exec('COMMIT');
    return;
  }
  if (database.isTransaction) database.exec('ROLLBACK');
  const message =
    results === undefined || results.length === 0
      ? 'accounts.db was written by a newer Gitstead: start that one, or restore a backup'
      : 'accounts.db could not be brought to the layout of this Gitstead; it is unchanged';
  throw new GitsteadError('not-ready', message, { cause: error });
}

async function copyBeforeMigrating(file: string, database: DatabaseSync, migrator: Migrator): Promise<void> {
  const states = await migrator.getMigrations();
  const next = states.find(({ executedAt }) => executedAt === undefined);
  if (!next || next === states[0]) return;
  const copy = `${file}.before-${next.name}`;
  rmSync(copy, { force: true });
  makePrivate(copy);
  database.prepare('VACUUM INTO ?').run(copy);
}

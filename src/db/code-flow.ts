// Authorisation codes and refresh tokens (RFC 6749, sections 4.1 and 6; RFC 9700, sections 2.1 and 4.14). Each step is one
// transaction, so that of two requests with the same code or token one comes first. A code that comes twice, or a refresh
// token that comes again although its successor is in use, was stolen by somebody: what it gave ends.
import type { Kysely, Selectable } from 'kysely';
import type { UserName } from '../protocol/paths.ts';
import { formatScopes, type Scope } from '../protocol/scopes.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { insertGrant } from './grants.ts';
import { hashSecret, isSecret, makeSecret, type RandomBytes } from './secrets.ts';
import { storedScopes } from './token-check.ts';
import { insertToken, removeExpired } from './tokens.ts';

/** An app redeems its code at once. */
const CODE_LIFE_MS = 60_000;
/** What is long over is looked for so often. */
const REMOVE_EVERY_MS = 3_600_000;
/** How long a replay is still told from a code that never was. */
const CODE_KEPT_MS = 86_400_000;

/** Successors of one refresh token, and bearer tokens of one grant, that are kept: the newest. */
const MAX_SUCCESSORS = 5;
const MAX_TOKENS = 50;
/** Beyond its end, a grant that no app has renewed is kept for so long: a clock that is wrong for a while ends nothing. */
const STALE_GRANT_KEPT_MS = 365 * 86_400_000;

/** What a code stands for: a user's click on Allow. */
export type AllowedByCode = {
  user: UserName;
  /** origin of the app */
  app: string;
  /** where it was sent back to, without query and fragment */
  redirect: string;
  /** the redirect address as the app wrote it */
  redirectUri: string;
  scopes: readonly Scope[];
  /** base64url of the SHA-256 of the app's verifier (RFC 7636) */
  challenge: string;
};

/** What an app gets for a code or a refresh token. */
export type Given = {
  /** the grant's id */
  id: string;
  user: UserName;
  app: string;
  accessToken: string;
  /** seconds */
  expiresIn: number;
  refreshToken: string;
  scopes: readonly Scope[];
};

/** `reused`: it was good once, and what it gave has been ended just now. */
export type Refused =
  | { refused: 'unknown' | 'other-scope' }
  | { refused: 'reused'; user: UserName; app: string | undefined };

export interface CodeFlow {
  /** @returns the code: one use, a minute; only its SHA-256 is kept */
  createCode(allowed: AllowedByCode): Promise<string>;
  /** @param proof what the app sends with the code: they must be what the code was made for */
  redeem(code: string, proof: { redirectUri: string; challenge: string }): Promise<Given | Refused>;
  /**
   * A new bearer token, and the next refresh token. The old one works until that has been used.
   * @param scope what the app says that it has, `notes:rw contacts:r`; undefined: it says nothing
   */
  refresh(token: string, scope?: string): Promise<Given | Refused>;
}

export type CodeFlowLives = {
  /** of the bearer tokens, in milliseconds */
  tokenMs: number;
  /** how long a refresh token may lie unused, in milliseconds */
  refreshIdleMs: number;
};

/** @param forget tells the check of tokens that grants have ended */
export function openCodeFlow(
  db: Kysely<AccountsTables>,
  now: () => number,
  randomBytes: RandomBytes,
  lives: CodeFlowLives,
  forget: () => void,
): CodeFlow {
  let removedAt = Number.NEGATIVE_INFINITY;

  async function give(
    transaction: Kysely<AccountsTables>,
    grant: Pick<Selectable<AccountsTables['grants']>, 'id' | 'user' | 'app' | 'scopes'>,
    parent: string | null,
  ): Promise<Given> {
    const time = now();
    await removeExpired(transaction, time);
    const refreshToken = makeSecret(randomBytes);
    const row = {
      ...{ token_hash: hashSecret(refreshToken), grant_id: grant.id, parent_hash: parent },
      ...{ created_at: time, used_at: null },
    };
    await transaction.insertInto('refresh_tokens').values(row).execute();
    return {
      id: grant.id,
      user: grant.user as UserName,
      app: grant.app!,
      accessToken: await insertToken(transaction, grant.id, time + lives.tokenMs, randomBytes),
      expiresIn: Math.floor(lives.tokenMs / 1000),
      refreshToken,
      scopes: storedScopes(grant.scopes),
    };
  }

  /** Ends a grant of which something came a second time; there may be none any more. */
  async function end(
    transaction: Kysely<AccountsTables>,
    grant: string,
    { user, app }: { user: string; app: string | null },
  ): Promise<Refused> {
    const { numDeletedRows } = await transaction
      .deleteFrom('grants')
      .where('id', '=', grant)
      .executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) return { refused: 'unknown' };
    return { refused: 'reused', user: user as UserName, app: app ?? undefined };
  }

  /** Codes of long ago, and grants that no app has renewed in time. */
  async function removeStale(time: number): Promise<void> {
    if (Math.abs(time - removedAt) < REMOVE_EVERY_MS) return;
    removedAt = time;
    await db
      .deleteFrom('codes')
      .where('expires_at', '<', time - CODE_KEPT_MS)
      .execute();
    const renewable = db
      .selectFrom('refresh_tokens')
      .select('grant_id')
      .where('created_at', '>=', time - lives.refreshIdleMs - STALE_GRANT_KEPT_MS);
    await db.deleteFrom('grants').where('kind', '=', 'code').where('id', 'not in', renewable).execute();
  }

  return {
    async createCode({ challenge, redirectUri, scopes, ...allowed }) {
      const code = makeSecret(randomBytes);
      const time = now();
      await removeStale(time);
      await db
        .insertInto('codes')
        .values({
          ...allowed,
          ...{ code_hash: hashSecret(code), redirect_uri: redirectUri, scopes: formatScopes(scopes) },
          ...{ challenge, expires_at: time + CODE_LIFE_MS, grant_id: null },
        })
        .execute();
      return code;
    },

    async redeem(code, proof) {
      if (!isSecret(code)) return { refused: 'unknown' };
      const outcome = await db.transaction().execute(async (transaction): Promise<Given | Refused> => {
        const hash = hashSecret(code);
        const row = await transaction
          .selectFrom('codes')
          .selectAll()
          .where('code_hash', '=', hash)
          .executeTakeFirst();
        if (!row) return { refused: 'unknown' };
        // a spent code stands in histories and logs: without proof it says nothing about who has it
        const isProven = row.redirect_uri === proof.redirectUri && row.challenge === proof.challenge;
        if (!isProven) return { refused: 'unknown' };
        if (row.grant_id !== null) return end(transaction, row.grant_id, row);
        if (row.expires_at <= now()) return { refused: 'unknown' };
        const { app, redirect } = row;
        const allowed = { user: row.user as UserName, app, redirect, scopes: storedScopes(row.scopes) };
        const id = await insertGrant(transaction, { ...allowed, kind: 'code' }, now(), randomBytes);
        await transaction.updateTable('codes').set({ grant_id: id }).where('code_hash', '=', hash).execute();
        return give(transaction, { id, user: row.user, app, scopes: row.scopes }, null);
      });
      forget();
      return outcome;
    },

    async refresh(token, scope) {
      if (!isSecret(token)) return { refused: 'unknown' };
      const outcome = await db.transaction().execute(async (transaction): Promise<Given | Refused> => {
        const hash = hashSecret(token);
        const row = await transaction
          .selectFrom('refresh_tokens')
          .innerJoin('grants', 'grants.id', 'refresh_tokens.grant_id')
          .select([
            'grants.id',
            'user',
            'app',
            'scopes',
            'used_at',
            'parent_hash',
            'refresh_tokens.created_at',
          ])
          .where('token_hash', '=', hash)
          .executeTakeFirst();
        if (!row) return { refused: 'unknown' };
        const idleSince = now() - lives.refreshIdleMs;
        if (row.created_at < idleSince) return { refused: 'unknown' };
        if (await isStolen(transaction, row, hash)) return end(transaction, row.id, row);
        if (scope !== undefined && scope !== row.scopes) return { refused: 'other-scope' };
        const used = transaction.updateTable('refresh_tokens').set({ used_at: now() });
        await used.where('token_hash', '=', hash).execute();
        await removeSpent(transaction, row.id, hash, idleSince);
        return give(transaction, row, hash);
      });
      forget();
      return outcome;
    },
  };
}

/**
 * Whether somebody else has the same tokens: a used one comes again although a successor was used, or two successors of one are
 * used. (Only one of two that were given for the same token can be the client's that lost an answer.)
 */
async function isStolen(
  db: Kysely<AccountsTables>,
  row: { id: string; used_at: number | null; parent_hash: string | null },
  hash: string,
): Promise<boolean> {
  const usedOf = async (parent: string) =>
    db
      .selectFrom('refresh_tokens')
      .select('token_hash')
      .where('grant_id', '=', row.id)
      .where('parent_hash', '=', parent)
      .where('token_hash', '!=', hash)
      .where('used_at', 'is not', null)
      .executeTakeFirst();
  if (row.used_at !== null) return (await usedOf(hash)) !== undefined;
  return row.parent_hash !== null && (await usedOf(row.parent_hash)) !== undefined;
}

/** What a client that asks again and again leaves behind, and refresh tokens that lay too long. */
async function removeSpent(
  db: Kysely<AccountsTables>,
  grant: string,
  parent: string,
  idleSince: number,
): Promise<void> {
  const ofGrant = db.deleteFrom('refresh_tokens').where('grant_id', '=', grant);
  await ofGrant.where('created_at', '<', idleSince).execute();
  const successors = db
    .selectFrom('refresh_tokens')
    .select('token_hash')
    .where('grant_id', '=', grant)
    .where('parent_hash', '=', parent);
  const newest = successors.orderBy('created_at', 'desc').limit(MAX_SUCCESSORS);
  await ofGrant.where('parent_hash', '=', parent).where('token_hash', 'not in', newest).execute();
  const tokens = db.selectFrom('tokens').select('token_hash').where('grant_id', '=', grant);
  await db
    .deleteFrom('tokens')
    .where('grant_id', '=', grant)
    .where('token_hash', 'not in', tokens.orderBy('expires_at', 'desc').limit(MAX_TOKENS))
    .execute();
}

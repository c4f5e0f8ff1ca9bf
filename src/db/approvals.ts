// Approvals from the terminal: the consent page shows a code, a command says yes to it, and the browser goes on. The
// code names a request, it opens nothing: saying yes needs the data folder, and going on needs the session that asked.
// Who is signed in, and what going on gives, is left to http.
import { createHmac, hash } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { UserName } from '../protocol/paths.ts';
import { formatScopes, type Scope } from '../protocol/scopes.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { hashSecret, type RandomBytes } from './secrets.ts';
import { storedScopes } from './token-check.ts';

/** How long a code can be approved, and how long the browser can go on after that. */
export const APPROVAL_LIFE_MS = 600_000;
/** How long a late code is still told from a wrong one. */
const KEPT_MS = 86_400_000;
/** Pages of one session that can wait for a yes at once; the oldest give way. */
export const MAX_WAITING = 20;
/** No two of these look or sound alike, and none is a vowel. */
const ALPHABET = 'CDFGHJKMNPQRTVWXY34679';
const CODE_LENGTH = 8;
const NONCE_BYTES = 16;

/** A request in the browser that came with it. */
export type WaitingRequest = {
  user: UserName;
  /** secret of the session's cookie */
  session: string;
  /** the query as it came, to the last character */
  query: string;
  /** origin of the app */
  app: string;
  /** where it is sent back to, without query and fragment */
  redirect: string;
  scopes: readonly Scope[];
};

/** What a code stands for, as it is shown to whoever decides. */
export type Approval = {
  user: UserName;
  app: string;
  redirect: string;
  scopes: readonly Scope[];
  createdAt: number;
  expiresAt: number;
  isApproved: boolean;
};

/** Why a code is not good: nobody was shown it, its time is over, or its request is decided. */
export type CodeFault = 'unknown' | 'late' | 'used';

export interface Approvals {
  /**
   * The code of this request, the same each time until it is late or used.
   * @returns `isNew`: it was not shown before
   */
  codeFor(request: WaitingRequest): Promise<{ code: string; isNew: boolean }>;
  /** Whether the terminal said yes to this very request. That is said once: then it is used. */
  take(request: WaitingRequest): Promise<boolean>;
  /** The request was decided on the page: its code is good for nothing any more. */
  drop(request: WaitingRequest): Promise<void>;
  /** @param code as parseApprovalCode gives it */
  find(code: string): Promise<Approval | CodeFault>;
  /** Says yes. @returns what was approved, and until when the browser can go on */
  approve(code: string): Promise<Approval | CodeFault>;
  /** Those that wait for a yes, or for the browser to go on; newest first. */
  list(): Promise<Approval[]>;
}

/** `k7qm 3xrn` → `K7QM3XRN`; undefined when it cannot be a code. */
export function parseApprovalCode(text: string): string | undefined {
  const code = text.replaceAll(/[\s-]/g, '').toUpperCase();
  return code.length === CODE_LENGTH && [...code].every((letter) => ALPHABET.includes(letter))
    ? code
    : undefined;
}

/** `K7QM3XRN` → `K7QM-3XRN` */
export function formatApprovalCode(code: string): string {
  return `${code.slice(0, CODE_LENGTH / 2)}-${code.slice(CODE_LENGTH / 2)}`;
}

type Row = Selectable<AccountsTables['approvals']>;

export function openApprovals(
  db: Kysely<AccountsTables>,
  now: () => number,
  randomBytes: RandomBytes,
): Approvals {
  const find = async (code: string): Promise<Row | undefined> =>
    db.selectFrom('approvals').selectAll().where('code_hash', '=', hashSecret(code)).executeTakeFirst();

  return {
    async codeFor(request) {
      const keys = keysOf(request);
      return db.transaction().execute(async (transaction) => {
        const shown = await ofRequest(
          transaction.selectFrom('approvals').selectAll(),
          keys,
        ).executeTakeFirst();
        if (shown && shown.used_at === null && shown.expires_at > now()) {
          return { code: makeCode(request.session, shown.nonce), isNew: false };
        }
        await ofRequest(transaction.deleteFrom('approvals'), keys).execute();
        await makeRoom(transaction, keys.session_hash, now());
        const nonce = randomBytes(NONCE_BYTES).toString('hex');
        const code = makeCode(request.session, nonce);
        await transaction
          .insertInto('approvals')
          .values(rowOf(request, code, nonce, now()))
          .execute();
        return { code, isNew: true };
      });
    },

    async take(request) {
      const time = now();
      const taken = await ofRequest(db.updateTable('approvals').set({ used_at: time }), keysOf(request))
        .where('approved_at', 'is not', null)
        .where('used_at', 'is', null)
        .where('expires_at', '>', time)
        .executeTakeFirst();
      return taken.numUpdatedRows > 0n;
    },

    async drop(request) {
      await ofRequest(db.updateTable('approvals').set({ used_at: now() }), keysOf(request))
        .where('used_at', 'is', null)
        .execute();
    },

    async find(code) {
      const row = await find(code);
      if (!row) return 'unknown';
      return faultOf(row, now()) ?? asApproval(row);
    },

    async approve(code) {
      const time = now();
      const approved = await db
        .updateTable('approvals')
        .set({ approved_at: time, expires_at: time + APPROVAL_LIFE_MS })
        .where('code_hash', '=', hashSecret(code))
        .where('approved_at', 'is', null)
        .where('used_at', 'is', null)
        .where('expires_at', '>', time)
        .returningAll()
        .executeTakeFirst();
      if (approved) return asApproval(approved);
      const row = await find(code);
      return (row && faultOf(row, time)) ?? 'unknown';
    },

    async list() {
      const rows = await db
        .selectFrom('approvals')
        .selectAll()
        .where('used_at', 'is', null)
        .where('expires_at', '>', now())
        .orderBy('created_at', 'desc')
        .orderBy('code_hash')
        .execute();
      return rows.map(asApproval);
    },
  };
}

/** Made of the session's secret, so that the page can show it again although only its hash is kept. 128 bits give
    each letter all but the same chance. */
function makeCode(session: string, nonce: string): string {
  const size = BigInt(ALPHABET.length);
  const digest = createHmac('sha256', session).update(`approval ${nonce}`).digest('hex');
  let rest = BigInt(`0x${digest.slice(0, 32)}`);
  let code = '';
  while (code.length < CODE_LENGTH) {
    code += ALPHABET[Number(rest % size)];
    rest /= size;
  }
  return code;
}

type Keys = Pick<Row, 'session_hash' | 'request_hash'>;

function keysOf({ user, session, query }: WaitingRequest): Keys {
  return { session_hash: hashSecret(session), request_hash: hash('sha256', `${user}\n${query}`, 'hex') };
}

/** Narrows a statement to the one row of a request in a session. */
function ofRequest<S extends { where(column: keyof Keys, operator: '=', value: string): S }>(
  statement: S,
  keys: Keys,
): S {
  return statement
    .where('session_hash', '=', keys.session_hash)
    .where('request_hash', '=', keys.request_hash);
}

function rowOf(request: WaitingRequest, code: string, nonce: string, time: number): Row {
  const { user, app, redirect, scopes } = request;
  return {
    ...{ code_hash: hashSecret(code), nonce, ...keysOf(request) },
    ...{ user, app, redirect, scopes: formatScopes(scopes) },
    ...{ created_at: time, expires_at: time + APPROVAL_LIFE_MS, approved_at: null, used_at: null },
  };
}

/** Those that were approved are spared: each was typed by somebody, and the browser may be about to go on. */
async function makeRoom(db: Kysely<AccountsTables>, session: string, time: number): Promise<void> {
  await db
    .deleteFrom('approvals')
    .where('expires_at', '<', time - KEPT_MS)
    .execute();
  const surplus = db
    .selectFrom('approvals')
    .select('code_hash')
    .where('session_hash', '=', session)
    .where((row) =>
      row.or([row('approved_at', 'is', null), row('used_at', 'is not', null), row('expires_at', '<=', time)]),
    )
    .orderBy('created_at', 'desc')
    .limit(-1)
    .offset(MAX_WAITING - 1);
  await db.deleteFrom('approvals').where('code_hash', 'in', surplus).execute();
}

function faultOf(row: Row, time: number): CodeFault | undefined {
  if (row.approved_at !== null || row.used_at !== null) return 'used';
  return row.expires_at <= time ? 'late' : undefined;
}

function asApproval(row: Row): Approval {
  return {
    user: row.user as UserName,
    app: row.app,
    redirect: row.redirect,
    scopes: storedScopes(row.scopes),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    isApproved: row.approved_at !== null,
  };
}

// The audit trail: who signed in, what apps were allowed, and what was ended, for a year. Rows are only ever added: triggers
// refuse changes, and removals before their time (0003-audit in accounts-schema.ts). No secret is ever among them, and
// what others typed neither.
import type { Insertable, Kysely, Selectable } from 'kysely';
import { plainText } from '../protocol/plain-text.ts';
import type { AccountsTables } from './accounts-schema.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** How long a row is kept. The triggers hold us to it. */
export const AUDIT_KEPT_MS = 365 * DAY_MS;
/** Of kinds that strangers can cause: so many rows for each account and hour, then one each time that their number doubled. */
export const STRANGERS_ROWS_PER_HOUR = 20;
/** The same bound for all other kinds: nobody can take rows out, so whoever is signed in must not add any number of them. */
export const OWN_ROWS_PER_HOUR = 500;
/** The longest list of scopes has some less. */
const MAX_DETAIL_CHARACTERS = 9_000;
const MAX_NAME_CHARACTERS = 300;

export const AUDIT_KINDS = [
  'signed-in',
  'sign-in-failed',
  'signed-out',
  'account-made',
  'account-removed',
  'password-changed',
  'app-allowed',
  'app-denied',
  'token-made',
  'app-revoked',
  'session-ended',
  'code-reused',
  'refresh-reused',
] as const;

export type AuditKind = (typeof AUDIT_KINDS)[number];

/** Kinds that need no sign-in: the bound on their rows is lower. */
const BY_STRANGERS: readonly AuditKind[] = ['sign-in-failed', 'code-reused', 'refresh-reused'];

/** From where something was done; a command in the server's terminal has neither. */
export type AuditSource = {
  /** address */
  client?: string | undefined;
  /** coarse name such as `Firefox on Linux` */
  browser?: string | undefined;
};

export type NewAuditEvent = AuditSource & {
  kind: AuditKind;
  /** name of an account that exists, or existed until now */
  user: string;
  /** origin of the app that it is about */
  app?: string | undefined;
  /** text of ours: the scopes of `app-allowed` and `token-made`, how something came about for others */
  detail?: string | undefined;
};

export type AuditEvent = {
  /** grows from event to event */
  id: number;
  /** Unix milliseconds */
  time: number;
  kind: AuditKind;
  user: string;
  app: string | undefined;
  /** '' when there is nothing to say */
  detail: string;
  client: string | undefined;
  browser: string | undefined;
};

export type AuditQuery = {
  user?: string | undefined;
  kinds?: readonly AuditKind[] | undefined;
  app?: string | undefined;
  /** only events older than the one of this id */
  before?: number | undefined;
  /** only events from this time on, Unix milliseconds */
  since?: number | undefined;
  limit: number;
};

export interface Audit {
  /** Adds an event. Never fails: what it tells of has happened already. */
  record(event: NewAuditEvent): Promise<void>;
  /** Newest first. */
  list(query: AuditQuery): Promise<AuditEvent[]>;
}

/** @param failed called with what kept a row from being written, or old ones from being removed */
export function openAudit(
  db: Kysely<AccountsTables>,
  now: () => number,
  failed: (error: unknown) => void,
): Audit {
  const countOf = hourlyCounter(now);
  let removedAt = Number.NEGATIVE_INFINITY;

  async function removeOld(): Promise<void> {
    const time = now();
    if (time - removedAt < DAY_MS) return;
    removedAt = time;
    await db
      .deleteFrom('audit')
      .where('time', '<', time - AUDIT_KEPT_MS)
      .execute();
  }

  return {
    async record(event) {
      try {
        const count = countOf(`${event.kind} ${event.user}`);
        if (!isWritten(count, boundOf(event.kind))) return;
        await db
          .insertInto('audit')
          .values(rowOf(event, count, now()))
          .execute();
        await removeOld();
      } catch (error) {
        failed(error);
      }
    },

    async list({ user, kinds, app, before, since, limit }) {
      let query = db.selectFrom('audit').selectAll().orderBy('id', 'desc').limit(limit);
      if (user !== undefined) query = query.where('user', '=', user);
      if (kinds !== undefined) query = query.where('kind', 'in', kinds);
      if (app !== undefined) query = query.where('app', '=', app);
      if (before !== undefined) query = query.where('id', '<', before);
      if (since !== undefined) query = query.where('time', '>=', since);
      return (await query.execute()).map(asEvent);
    },
  };
}

/** Counts what happens within an hour, in memory: of accounts that exist, so there is an end to it. */
function hourlyCounter(now: () => number): (what: string) => number {
  const counts = new Map<string, number>();
  let hour = 0;
  return (what) => {
    const current = Math.floor(now() / HOUR_MS);
    if (current !== hour) counts.clear();
    hour = current;
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    return count;
  };
}

function boundOf(kind: AuditKind): number {
  return BY_STRANGERS.includes(kind) ? STRANGERS_ROWS_PER_HOUR : OWN_ROWS_PER_HOUR;
}

/** With a bound of 20: 1 to 20, 40, 80, 160 … */
function isWritten(count: number, bound: number): boolean {
  return count <= bound || Number.isInteger(Math.log2(count / bound));
}

function rowOf(
  { kind, user, app, detail = '', client, browser }: NewAuditEvent,
  count: number,
  time: number,
): Insertable<AccountsTables['audit']> {
  const text = count > boundOf(kind) ? `${detail === '' ? '' : `${detail}; `}${count} in this hour` : detail;
  const name = (value: string | undefined) =>
    value === undefined ? null : plainText(value, MAX_NAME_CHARACTERS);
  return {
    ...{ time, kind },
    user: plainText(user, MAX_NAME_CHARACTERS),
    app: name(app),
    detail: plainText(text, MAX_DETAIL_CHARACTERS),
    client: name(client),
    browser: name(browser),
  };
}

function asEvent(row: Selectable<AccountsTables['audit']>): AuditEvent {
  return {
    id: row.id,
    time: row.time,
    kind: row.kind as AuditKind,
    user: row.user,
    app: row.app ?? undefined,
    detail: row.detail,
    client: row.client ?? undefined,
    browser: row.browser ?? undefined,
  };
}

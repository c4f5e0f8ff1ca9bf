// The table of accounts: a name, a password, whether it administers, how much it may store. Removing one takes
// its sessions and tokens with it; its documents are the storage's business.
import type { Kysely, Selectable } from 'kysely';
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import type { AccountsTables } from './accounts-schema.ts';
import { type Passwords, passwordFault } from './passwords.ts';

export type User = {
  name: UserName;
  isAdmin: boolean;
  /** undefined: no limit */
  quotaBytes: number | undefined;
  /** Unix milliseconds */
  createdAt: number;
};

export type NewUser = { name: UserName; password: string; isAdmin: boolean };

export interface Users {
  /** @throws bad-request when the name is taken or the password is not acceptable; the message says which */
  create(user: NewUser): Promise<User>;
  /** Creates the first account, an administrator. @returns undefined when there is an account already */
  createFirst(user: { name: UserName; password: string }): Promise<User | undefined>;
  find(name: string): Promise<User | undefined>;
  /** by name */
  list(): Promise<User[]>;
  count(): Promise<number>;
  /** The user if name and password are right. Takes as long for an unknown name as for a wrong password. */
  verify(name: string, password: string): Promise<User | undefined>;
  /** Ends all sessions of the user and forgets its browsers; tokens of apps stay. @returns false: no such user */
  setPassword(name: string, password: string): Promise<boolean>;
  /** @param bytes undefined: no limit. @returns false: no such user */
  setQuota(name: string, bytes: number | undefined): Promise<boolean>;
  /** @returns false: no such user */
  remove(name: string): Promise<boolean>;
}

/** @param changed called after a change that tokens depend on */
export function openUsers(
  db: Kysely<AccountsTables>,
  passwords: Passwords,
  now: () => number,
  changed: () => void,
): Users {
  async function findRow(name: string): Promise<UserRow | undefined> {
    return db.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst();
  }

  return {
    create: async (user) => insertUser(db, await newRow(user, passwords, now())),

    createFirst: async (user) => insertFirst(db, await newRow({ ...user, isAdmin: true }, passwords, now())),

    async find(name) {
      const row = await findRow(name);
      return row && asUser(row);
    },

    async list() {
      return (await db.selectFrom('users').selectAll().orderBy('name').execute()).map(asUser);
    },

    async count() {
      const { count } = await db
        .selectFrom('users')
        .select(db.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return count;
    },

    async verify(name, password) {
      const row = await findRow(name);
      return (await passwords.verify(password, row?.password)) && row ? asUser(row) : undefined;
    },

    async setPassword(name, password) {
      refuseBadPassword(password);
      return replacePassword(db, name, await passwords.hash(password));
    },

    async setQuota(name, bytes) {
      const result = await db
        .updateTable('users')
        .set({ quota_bytes: bytes ?? null })
        .where('name', '=', name)
        .executeTakeFirst();
      changed();
      return result.numUpdatedRows > 0n;
    },

    async remove(name) {
      const result = await db.deleteFrom('users').where('name', '=', name).executeTakeFirst();
      changed();
      return result.numDeletedRows > 0n;
    },
  };
}

type UserRow = Selectable<AccountsTables['users']>;

async function newRow(
  { name, password, isAdmin }: NewUser,
  passwords: Passwords,
  time: number,
): Promise<UserRow> {
  refuseBadPassword(password);
  const hash = await passwords.hash(password);
  return { name, password: hash, is_admin: Number(isAdmin), quota_bytes: null, created_at: time };
}

async function insertUser(db: Kysely<AccountsTables>, row: UserRow): Promise<User> {
  const made = await db
    .insertInto('users')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (!made.numInsertedOrUpdatedRows) {
    throw new GitsteadError('bad-request', `There is already an account named “${row.name}”.`);
  }
  return asUser(row);
}

async function insertFirst(db: Kysely<AccountsTables>, row: UserRow): Promise<User | undefined> {
  return db.transaction().execute(async (transaction) => {
    const other = await transaction.selectFrom('users').select('name').limit(1).executeTakeFirst();
    if (other) return undefined;
    await transaction.insertInto('users').values(row).execute();
    return asUser(row);
  });
}

async function replacePassword(db: Kysely<AccountsTables>, name: string, hash: string): Promise<boolean> {
  return db.transaction().execute(async (transaction) => {
    const result = await transaction
      .updateTable('users')
      .set({ password: hash })
      .where('name', '=', name)
      .executeTakeFirst();
    await transaction.deleteFrom('sessions').where('user', '=', name).execute();
    await transaction.deleteFrom('browsers').where('user', '=', name).execute();
    return result.numUpdatedRows > 0n;
  });
}

function refuseBadPassword(password: string): void {
  const fault = passwordFault(password);
  if (fault !== undefined) throw new GitsteadError('bad-request', fault);
}

function asUser(row: UserRow): User {
  return {
    name: row.name as UserName,
    isAdmin: row.is_admin === 1,
    quotaBytes: row.quota_bytes ?? undefined,
    createdAt: row.created_at,
  };
}

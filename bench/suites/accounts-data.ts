// A data folder of many accounts, as a server leaves it after a clean stop: accounts and tokens, repositories, and the index
// of all of them. Made by the product's own code, but in large transactions and without waiting for the disk.
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { Kysely } from 'kysely';
import type { AccountsTables } from '../../src/db/accounts-schema.ts';
import { insertGrant } from '../../src/db/grants.ts';
import { openAccounts } from '../../src/db/open-accounts.ts';
import { type Index, openIndex } from '../../src/db/open-index.ts';
import { openPasswords } from '../../src/db/passwords.ts';
import { sqliteDialect } from '../../src/db/sqlite-dialect.ts';
import { insertToken } from '../../src/db/tokens.ts';
import { keepPack } from '../../src/git/pack-files.ts';
import { createRepository } from '../../src/git/repository.ts';
import { parseUserName } from '../../src/protocol/paths.ts';
import { claimDataFolder, partsOf } from '../../src/storage/data-folder.ts';
import type { MadeRepository, RepositoriesJob } from './accounts-repositories.ts';

export const ACCOUNTS_MODULES = ['bookmarks', 'notes', 'tasks'] as const;
export const ACCOUNTS_DOCUMENTS = 20;

export function accountName(account: number): string {
  return `user${String(account).padStart(6, '0')}`;
}

/**
 * Makes the folder with that many accounts, each with three modules of twenty documents of 200 bytes.
 * @returns each account's token
 */
export async function makeAccountsFolder(folder: string, accounts: number): Promise<string[]> {
  const lock = await claimDataFolder(folder);
  const parts = partsOf(folder);
  const users = Array.from({ length: accounts }, (_, account) => accountName(account));
  const tokens = await makeAccounts(parts.accounts, users);
  const index = openIndex(parts.index);
  try {
    await makeRepositories(parts.repositories, users, index);
  } finally {
    index.close();
    lock.release();
  }
  return tokens;
}

/** In one transaction, and all with one password: hashing one takes longer than all the rest of an account. */
async function makeAccounts(file: string, users: readonly string[]): Promise<string[]> {
  await (await openAccounts(file, Date.now)).close();
  const password = await openPasswords(randomBytes).hash(randomBytes(18).toString('base64url'));
  const db = new Kysely<AccountsTables>({ dialect: sqliteDialect(new DatabaseSync(file)) });
  const time = Date.now();
  const tokens: string[] = [];
  await db.transaction().execute(async (transaction) => {
    for (const name of users) {
      await transaction
        .insertInto('users')
        .values({ name, password, is_admin: 0, quota_bytes: null, created_at: time })
        .execute();
      const scopes = [{ module: '*', level: 'rw' as const }];
      const user = parseUserName(name)!;
      const grant = { user, app: 'http://bench.example', scopes, kind: 'command-line' as const };
      const id = await insertGrant(transaction, grant, time, randomBytes);
      tokens.push(await insertToken(transaction, id, undefined, randomBytes));
    }
  });
  await db.destroy();
  return tokens;
}

async function makeRepositories(folder: string, users: string[], index: Index): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const template = join(folder, '.template.git');
  createRepository(template);
  keepPack(template, 'pack-template');
  const threads = cpus().length;
  const share = Math.ceil(users.length / threads);
  const makers = Array.from({ length: threads }, (_, thread) => {
    const theirs = users.slice(thread * share, (thread + 1) * share);
    const job = { repositoriesFolder: folder, users: theirs, modules: ACCOUNTS_MODULES, template };
    return make({ ...job, documents: ACCOUNTS_DOCUMENTS }, index);
  });
  await Promise.all(makers);
  rmSync(template, { recursive: true });
}

function make(job: RepositoriesJob, index: Index): Promise<void> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./accounts-repositories.ts', import.meta.url), { workerData: job });
    thread.on('message', (made: MadeRepository[]) => {
      index.apply(
        made.map(({ user, module, change }) => ({
          repository: index.repositories.ensure(user, module).id,
          ...change,
        })),
      );
    });
    thread.on('error', reject).on('exit', () => resolve());
  });
}

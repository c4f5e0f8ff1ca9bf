// Databases of earlier layouts, brought to the newest one with what was in them.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { Kysely, Migrator } from 'kysely';
import { ACCOUNTS_MIGRATIONS, type AccountsTables } from './accounts-schema.ts';
import { openAccounts } from './open-accounts.ts';
import { hashSecret } from './secrets.ts';
import { sqliteDialect } from './sqlite-dialect.ts';

const folder = mkdtempSync(join(tmpdir(), 'gitstead-migrations-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A file of the layout that the named migration made, with what `fill` puts into it. */
async function older(name: string, fill: string): Promise<string> {
  const file = join(folder, `${name}.db`);
  const database = new DatabaseSync(file);
  const db = new Kysely<AccountsTables>({ dialect: sqliteDialect(database) });
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ACCOUNTS_MIGRATIONS } });
  const { error } = await migrator.migrateTo(name);
  assert.equal(error, undefined);
  database.exec(fill);
  await db.destroy();
  return file;
}

test('tokens from before there were grants go on working, each as a grant of its own', async () => {
  const [limited, endless] = ['a'.repeat(43), 'b'.repeat(43)];
  const file = await older(
    '0001-users-sessions-tokens',
    `INSERT INTO users VALUES ('alice', 'no hash', 0, NULL, 1);
     INSERT INTO tokens VALUES
       ('id-1', '${hashSecret(limited)}', 'alice', 'https://a.example', 'https://a.example/x', 'notes:rw', 'implicit', 5, 1000, 7),
       ('id-2', '${hashSecret(endless)}', 'alice', NULL, NULL, '*:r', 'command-line', 6, NULL, NULL);`,
  );
  const clock = { time: 900 };
  await using accounts = await openAccounts(file, () => clock.time);
  assert.deepEqual(
    (await accounts.grants.list('alice')).map(({ scopes: _, ...grant }) => grant),
    [
      {
        ...{ id: 'id-2', user: 'alice', app: undefined, redirect: undefined, kind: 'command-line' },
        ...{ createdAt: 6, expiresAt: undefined, lastUsedAt: undefined },
      },
      {
        ...{ id: 'id-1', user: 'alice', app: 'https://a.example', redirect: 'https://a.example/x' },
        ...{ kind: 'implicit', createdAt: 5, expiresAt: 1000, lastUsedAt: 7 },
      },
    ],
  );
  assert.equal(accounts.tokens.check(limited)?.id, 'id-1');
  assert.deepEqual(accounts.tokens.check(endless)?.scopes, [{ module: '*', level: 'r' }]);
  clock.time = 1000;
  assert.equal(accounts.tokens.check(limited), undefined);
  await accounts.grants.revoke('id-2');
  assert.equal(accounts.tokens.check(endless), undefined);
});

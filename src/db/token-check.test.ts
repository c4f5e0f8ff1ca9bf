import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Kysely } from 'kysely';
import type { AccountsTables } from './accounts-schema.ts';
import { sqliteDialect } from './sqlite-dialect.ts';
import { openLastUsed } from './token-check.ts';

test('times of last use are all kept, though they are written in parts', async () => {
  const database = new DatabaseSync(':memory:');
  database.exec('CREATE TABLE grants (id TEXT PRIMARY KEY, last_used_at INTEGER)');
  const ids = Array.from({ length: 1_100 }, (_, n) => `grant-${n}`);
  const insert = database.prepare('INSERT INTO grants VALUES (?, NULL)');
  for (const id of [...ids, 'never used']) insert.run(id);
  let time = 1_893_456_000_000;
  const lastUsed = openLastUsed(new Kysely<AccountsTables>({ dialect: sqliteDialect(database) }));
  for (const id of ids) lastUsed.note(id, time++);
  const noted = ids.map((id) => ({ id, time: lastUsed.pending(id) }));
  await lastUsed.close();
  const kept = database
    .prepare('SELECT id, last_used_at AS time FROM grants WHERE last_used_at NOT NULL ORDER BY time')
    .all();
  assert.deepEqual(
    kept.map((row) => ({ ...row })),
    noted,
  );
  assert.equal(lastUsed.pending(ids[0]!), undefined);
  database.close();
});

test('times that cannot be written now wait for the next time', async () => {
  const database = new DatabaseSync(':memory:');
  const lastUsed = openLastUsed(new Kysely<AccountsTables>({ dialect: sqliteDialect(database) }));
  lastUsed.note('a', 7);
  await lastUsed.close();
  assert.equal(lastUsed.pending('a'), 7);
  database.exec(
    "CREATE TABLE grants (id TEXT PRIMARY KEY, last_used_at INTEGER); INSERT INTO grants VALUES ('a', NULL)",
  );
  await lastUsed.close();
  assert.deepEqual({ ...database.prepare('SELECT * FROM grants').get() }, { id: 'a', last_used_at: 7 });
  database.close();
});

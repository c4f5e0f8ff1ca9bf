// The audit trail: that nothing is taken out of it, that it cannot be flooded, and that nothing fails because of it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { AUDIT_KEPT_MS, type Audit, OWN_ROWS_PER_HOUR, STRANGERS_ROWS_PER_HOUR } from './audit.ts';
import { openAccounts } from './open-accounts.ts';

const HOUR_MS = 3_600_000;

type Trail = AsyncDisposable & {
  audit: Audit;
  clock: { time: number };
  file: string;
  failures: unknown[];
  /** the file as somebody with a program of their own has it open */
  other: DatabaseSync;
};

async function openTrail(time = Date.UTC(2030, 0, 1)): Promise<Trail> {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-audit-'));
  const file = join(folder, 'accounts.db');
  const clock = { time };
  const failures: unknown[] = [];
  const accounts = await openAccounts(file, () => clock.time, {
    auditFailed: (error) => void failures.push(error),
  });
  const other = new DatabaseSync(file);
  return {
    ...{ audit: accounts.audit, clock, file, failures, other },
    async [Symbol.asyncDispose]() {
      other.close();
      await accounts.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test('events come back newest first, by account, kind, app, time and page', async () => {
  await using trail = await openTrail();
  const { audit, clock } = trail;
  const start = clock.time;
  const app = 'https://notes.example';
  await audit.record({ kind: 'signed-in', user: 'alice', client: '192.0.2.1', browser: 'Firefox' });
  clock.time++;
  await audit.record({ kind: 'app-allowed', user: 'alice', app, detail: 'notes:rw' });
  clock.time++;
  await audit.record({ kind: 'app-denied', user: 'bob', app });
  const all = await audit.list({ limit: 10 });
  assert.deepEqual(all, [
    {
      ...{ id: 3, time: start + 2, user: 'bob', kind: 'app-denied', app, detail: '' },
      ...{ client: undefined, browser: undefined },
    },
    {
      ...{ id: 2, time: start + 1, user: 'alice', kind: 'app-allowed', app, detail: 'notes:rw' },
      ...{ client: undefined, browser: undefined },
    },
    {
      ...{ id: 1, time: start, user: 'alice', kind: 'signed-in', app: undefined, detail: '' },
      ...{ client: '192.0.2.1', browser: 'Firefox' },
    },
  ]);
  const ids = async (query: Omit<Parameters<Audit['list']>[0], 'limit'>, limit = 10) =>
    (await audit.list({ ...query, limit })).map(({ id }) => id);
  assert.deepEqual(await ids({ user: 'alice' }), [2, 1]);
  assert.deepEqual(await ids({ kinds: ['signed-in', 'app-denied'] }), [3, 1]);
  assert.deepEqual(await ids({ kinds: [] }), []);
  assert.deepEqual(await ids({ app }), [3, 2]);
  assert.deepEqual(await ids({ since: start + 1 }), [3, 2]);
  assert.deepEqual(await ids({ before: 3 }, 1), [2]);
});

test('a row is never changed, replaced, or removed within a year, whoever tries', async () => {
  await using trail = await openTrail(Date.now());
  await trail.audit.record({ kind: 'signed-in', user: 'alice' });
  const before = await trail.audit.list({ limit: 10 });
  for (const [statement, refusal] of [
    ["UPDATE audit SET user = 'bob'", /never changed/],
    ['DELETE FROM audit', /kept for a year/],
    [
      "INSERT OR REPLACE INTO audit VALUES (1, 0, 'bob', 'signed-in', NULL, '', NULL, NULL)",
      /never replaced/,
    ],
    ["INSERT INTO audit VALUES (-1, 0, 'bob', 'signed-in', NULL, '', NULL, NULL)", /CHECK constraint/],
  ] as const) {
    assert.throws(() => trail.other.exec(statement), refusal, statement);
  }
  assert.deepEqual(await trail.audit.list({ limit: 10 }), before);
});

test('rows that are older than a year go when others come, once a day', async () => {
  const real = Date.now();
  await using trail = await openTrail(real - AUDIT_KEPT_MS - 2 * HOUR_MS);
  const { audit, clock } = trail;
  await audit.record({ kind: 'signed-in', user: 'old' });
  clock.time += HOUR_MS;
  await audit.record({ kind: 'signed-in', user: 'older-than-a-year' });
  clock.time = real - AUDIT_KEPT_MS + HOUR_MS;
  await audit.record({ kind: 'signed-in', user: 'kept' });
  assert.equal((await audit.list({ limit: 10 })).length, 3, 'the day is not over');
  clock.time = real;
  await audit.record({ kind: 'signed-in', user: 'new' });
  assert.deepEqual(
    (await audit.list({ limit: 10 })).map(({ user }) => user),
    ['new', 'kept'],
  );
  assert.deepEqual(trail.failures, []);
});

test('rows stay when their account is removed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-audit-'));
  try {
    await using accounts = await openAccounts(join(folder, 'accounts.db'), Date.now);
    await accounts.users.create({ name: 'alice' as never, password: 'correct horse', isAdmin: false });
    await accounts.audit.record({ kind: 'account-made', user: 'alice' });
    assert.equal(await accounts.users.remove('alice'), true);
    assert.equal((await accounts.audit.list({ user: 'alice', limit: 10 })).length, 1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a flood of failed sign-ins leaves few rows, with their number, and hides nothing of others', async () => {
  await using trail = await openTrail();
  const { audit, clock } = trail;
  for (let count = 0; count < 1000; count++) {
    await audit.record({ kind: 'sign-in-failed', user: 'alice', detail: 'wrong password' });
  }
  await audit.record({ kind: 'sign-in-failed', user: 'bob', detail: 'wrong password' });
  const details = async (user: string) =>
    (await audit.list({ user, limit: 2000 })).map(({ detail }) => detail);
  assert.deepEqual(await details('bob'), ['wrong password']);
  const [last, ...others] = await details('alice');
  assert.equal(last, 'wrong password; 640 in this hour');
  assert.equal(others.length, STRANGERS_ROWS_PER_HOUR + 4);
  clock.time += HOUR_MS;
  await audit.record({ kind: 'sign-in-failed', user: 'alice', detail: 'wrong password' });
  assert.equal((await details('alice')).length, others.length + 2);
  for (let count = 0; count < 50; count++) await audit.record({ kind: 'app-allowed', user: 'alice' });
  assert.equal((await audit.list({ kinds: ['app-allowed'], limit: 100 })).length, 50);
});

test('whoever is signed in cannot fill the trail either: each kind is bounded for each account and hour', async () => {
  await using trail = await openTrail();
  const { audit, clock } = trail;
  const rows = async (user: string) => audit.list({ user, limit: 5000 });
  for (const kind of ['app-allowed', 'app-denied'] as const) {
    for (let count = 0; count < 2 * OWN_ROWS_PER_HOUR + 10; count++) {
      await audit.record({ kind, user: 'alice', detail: 'notes:rw' });
    }
    const [last, before] = await rows('alice');
    assert.equal(last?.detail, `notes:rw; ${2 * OWN_ROWS_PER_HOUR} in this hour`);
    assert.equal(before?.detail, 'notes:rw');
  }
  assert.equal((await rows('alice')).length, 2 * (OWN_ROWS_PER_HOUR + 1));
  await audit.record({ kind: 'app-allowed', user: 'bob' });
  assert.equal((await rows('bob')).length, 1);
  clock.time += HOUR_MS;
  await audit.record({ kind: 'app-allowed', user: 'alice', detail: 'notes:rw' });
  assert.equal((await rows('alice'))[0]?.detail, 'notes:rw', 'the next hour counts anew');
});

test('characters that make lines, move cursors or turn text around are written as numbers', async () => {
  await using trail = await openTrail();
  const hostile = 'a\n\r\u0000\u001b[2J\u202e\u2028\u{e0041}\ud800b';
  const plain = 'a\\u{a}\\u{d}\\u{0}\\u{1b}[2J\\u{202e}\\u{2028}\\u{e0041}\\u{d800}b';
  await trail.audit.record({
    ...{ kind: 'app-allowed', user: hostile, app: hostile, detail: hostile },
    ...{ client: hostile, browser: hostile },
  });
  await trail.audit.record({ kind: 'app-allowed', user: 'a', detail: 'x'.repeat(100_000) });
  const [long, event] = await trail.audit.list({ limit: 2 });
  assert.deepEqual(
    event && [event.user, event.app, event.detail, event.client, event.browser],
    Array(5).fill(plain),
  );
  assert.ok(long!.detail.length < 10_000, 'and what is too long is cut');
});

test('what cannot be recorded is told, and fails nothing', async () => {
  await using trail = await openTrail();
  trail.other.exec('DROP TABLE audit');
  await trail.audit.record({ kind: 'signed-in', user: 'alice' });
  assert.equal(trail.failures.length, 1);
  assert.match(String(trail.failures[0]), /no such table: audit/);
});

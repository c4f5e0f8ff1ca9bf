// accounts.db as a whole: users, sessions, tokens, several connections at once, migrations.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import type { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import { parseScopes } from '../protocol/scopes.ts';
import { ACCOUNTS_MIGRATIONS } from './accounts-schema.ts';
import { type Accounts, openAccounts } from './open-accounts.ts';
import { hashSecret } from './secrets.ts';
import { MAX_SAME_GRANTS } from './tokens.ts';

const DAY_MS = 86_400_000;
const PASSWORD = 'correct horse';
const folder = mkdtempSync(join(tmpdir(), 'gitstead-accounts-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function newFile(): string {
  return join(folder, `accounts-${files++}.db`);
}

type World = { accounts: Accounts; file: string; clock: { time: number } };

async function withAccounts(body: (world: World) => Promise<void>): Promise<void> {
  const file = newFile();
  const clock = { time: Date.UTC(2030, 0, 1) };
  await using accounts = await openAccounts(file, () => clock.time);
  await body({ accounts, file, clock });
}

function addUser(accounts: Accounts, name: string): Promise<{ name: UserName }> {
  return accounts.users.create({ name: name as UserName, password: PASSWORD, isAdmin: false });
}

function notesToken(accounts: Accounts, user: UserName, expiresAt?: number) {
  const scopes = parseScopes('notes:rw')!;
  return accounts.tokens.create({ user, app: 'https://notes.example', scopes, kind: 'implicit' }, expiresAt);
}

/** Everything that stands in the database's files, as one string. */
function bytesOf(file: string): string {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => path.startsWith(file))
    .map((path) => readFileSync(path, 'latin1'))
    .join('');
}

describe('users', () => {
  test('an account is found, listed and counted', () =>
    withAccounts(async ({ accounts, clock }) => {
      await addUser(accounts, 'bob');
      await addUser(accounts, 'alice');
      const alice = { name: 'alice', isAdmin: false, quotaBytes: undefined, createdAt: clock.time };
      assert.deepEqual(await accounts.users.find('alice'), alice);
      assert.deepEqual(
        (await accounts.users.list()).map(({ name }) => name),
        ['alice', 'bob'],
      );
      assert.equal(await accounts.users.count(), 2);
      assert.equal(await accounts.users.find('carol'), undefined);
    }));

  test('a name is taken only once, and the message says so', () =>
    withAccounts(async ({ accounts }) => {
      await addUser(accounts, 'alice');
      await assert.rejects(addUser(accounts, 'alice'), { code: 'bad-request', message: /already.*“alice”/ });
    }));

  test('the first account is an administrator, and there is one first account only', () =>
    withAccounts(async ({ accounts }) => {
      const both = await Promise.all([
        accounts.users.createFirst({ name: 'alice' as UserName, password: PASSWORD }),
        accounts.users.createFirst({ name: 'eve' as UserName, password: PASSWORD }),
      ]);
      assert.equal(both.filter((user) => user?.isAdmin).length, 1);
      assert.equal(await accounts.users.count(), 1);
    }));

  test('a password is verified, and never stands in the file', () =>
    withAccounts(async ({ accounts, file }) => {
      await addUser(accounts, 'alice');
      assert.equal((await accounts.users.verify('alice', PASSWORD))?.name, 'alice');
      assert.equal(await accounts.users.verify('alice', 'wrong horse'), undefined);
      assert.equal(await accounts.users.verify('bob', PASSWORD), undefined);
      assert.ok(!bytesOf(file).includes(PASSWORD));
    }));

  test('a new password ends every session and leaves the tokens of apps', () =>
    withAccounts(async ({ accounts }) => {
      const { name } = await addUser(accounts, 'alice');
      const session = await accounts.sessions.create(name, 'Firefox on Linux');
      const browser = await accounts.sessions.rememberBrowser(name);
      const { token } = await notesToken(accounts, name);
      assert.equal(await accounts.users.setPassword('alice', 'battery staple'), true);
      assert.equal(await accounts.sessions.find(session), undefined);
      assert.equal(await accounts.sessions.knowsBrowser(browser, name), false);
      assert.ok(accounts.tokens.check(token));
      assert.equal((await accounts.users.verify('alice', 'battery staple'))?.name, 'alice');
      assert.equal(await accounts.users.setPassword('nobody', 'battery staple'), false);
    }));

  test('passwords that are too short or too long are refused', () =>
    withAccounts(async ({ accounts }) => {
      for (const password of ['', 'seven77', '€'.repeat(342)]) {
        await assert.rejects(accounts.users.create({ name: 'alice' as UserName, password, isAdmin: false }), {
          code: 'bad-request',
        });
      }
    }));

  test('removing an account takes its sessions and tokens with it', () =>
    withAccounts(async ({ accounts }) => {
      const { name } = await addUser(accounts, 'alice');
      const session = await accounts.sessions.create(name, 'Firefox on Linux');
      const { token } = await notesToken(accounts, name);
      assert.ok(accounts.tokens.check(token));
      assert.equal(await accounts.users.remove('alice'), true);
      assert.equal(accounts.tokens.check(token), undefined);
      assert.equal(await accounts.sessions.find(session), undefined);
      assert.equal(await accounts.users.remove('alice'), false);
    }));
});

describe('sessions', () => {
  test('a session lives for 30 days after its last use', () =>
    withAccounts(async ({ accounts, clock }) => {
      const { name } = await addUser(accounts, 'alice');
      const createdAt = clock.time;
      const secret = await accounts.sessions.create(name, 'Firefox on Linux');
      clock.time += 29 * DAY_MS;
      const found = await accounts.sessions.find(secret);
      assert.match(found?.id ?? '', /^[0-9a-f]{16}$/);
      assert.deepEqual(found, {
        id: found?.id,
        user: 'alice',
        isAdmin: false,
        browser: 'Firefox on Linux',
        createdAt,
        lastUsedAt: clock.time,
      });
      clock.time += 29 * DAY_MS;
      assert.ok(await accounts.sessions.find(secret));
      clock.time += 31 * DAY_MS;
      assert.equal(await accounts.sessions.find(secret), undefined);
    }));

  test('an ended session, an unknown secret and junk find nothing', () =>
    withAccounts(async ({ accounts }) => {
      const { name } = await addUser(accounts, 'alice');
      const secret = await accounts.sessions.create(name, '');
      await accounts.sessions.end(secret);
      for (const text of [secret, 'A'.repeat(43), '', 'x y']) {
        assert.equal(await accounts.sessions.find(text), undefined);
      }
    }));

  test('the list has the living sessions of one user, the one used last first, and no secret', () =>
    withAccounts(async ({ accounts, file, clock }) => {
      const { name } = await addUser(accounts, 'alice');
      const { name: bob } = await addUser(accounts, 'bob');
      await accounts.sessions.create(name, 'Edge on Windows');
      clock.time += 31 * DAY_MS;
      const phone = await accounts.sessions.create(name, 'Safari on iOS');
      const laptop = await accounts.sessions.create(name, 'Firefox on Linux');
      await accounts.sessions.create(bob, 'Chrome on Android');
      clock.time += DAY_MS;
      const { id } = (await accounts.sessions.find(phone))!;
      const list = await accounts.sessions.list(name);
      assert.deepEqual(
        list.map(({ browser, lastUsedAt }) => [browser, lastUsedAt]),
        [
          ['Safari on iOS', clock.time],
          ['Firefox on Linux', clock.time - DAY_MS],
        ],
      );
      assert.equal(list[0]!.id, id);
      const text = JSON.stringify(list);
      for (const secret of [phone, laptop]) {
        assert.ok(!text.includes(secret) && !text.includes(hashSecret(secret).slice(0, 16)));
      }
      assert.ok(!bytesOf(file).includes(id), 'the public name is derived, and not kept');
    }));

  test('a session is ended by its public name, by its own user only', () =>
    withAccounts(async ({ accounts }) => {
      const { name } = await addUser(accounts, 'alice');
      const { name: bob } = await addUser(accounts, 'bob');
      const phone = await accounts.sessions.create(name, 'Safari on iOS');
      const laptop = await accounts.sessions.create(name, 'Firefox on Linux');
      const { id } = (await accounts.sessions.find(phone))!;
      assert.equal(await accounts.sessions.endOne(bob, id), undefined);
      assert.equal(await accounts.sessions.endOne(name, hashSecret(phone)), undefined);
      assert.equal(await accounts.sessions.endOne(name, ''), undefined);
      assert.ok(await accounts.sessions.find(phone));
      assert.equal((await accounts.sessions.endOne(name, id))?.browser, 'Safari on iOS');
      assert.equal(await accounts.sessions.endOne(name, id), undefined);
      assert.equal(await accounts.sessions.find(phone), undefined);
      assert.ok(await accounts.sessions.find(laptop));
    }));

  test('all other sessions of a user are ended at once, those of others are not', () =>
    withAccounts(async ({ accounts }) => {
      const { name } = await addUser(accounts, 'alice');
      const { name: bob } = await addUser(accounts, 'bob');
      const kept = await accounts.sessions.create(name, 'Safari on iOS');
      const gone = [
        await accounts.sessions.create(name, 'Firefox on Linux'),
        await accounts.sessions.create(name, 'Edge on Windows'),
      ];
      const others = await accounts.sessions.create(bob, 'Chrome on Android');
      const { id } = (await accounts.sessions.find(kept))!;
      const ended = await accounts.sessions.endOthers(name, id);
      assert.deepEqual(ended.map(({ browser }) => browser).sort(), ['Edge on Windows', 'Firefox on Linux']);
      assert.deepEqual(await accounts.sessions.endOthers(name, id), []);
      assert.ok(await accounts.sessions.find(kept));
      assert.ok(await accounts.sessions.find(others));
      for (const secret of gone) assert.equal(await accounts.sessions.find(secret), undefined);
      assert.equal(
        (await accounts.sessions.endOthers(bob, id)).length,
        1,
        'a name of somebody else keeps nothing',
      );
    }));

  test('a browser is known for the user who signed in, and for nobody else', () =>
    withAccounts(async ({ accounts }) => {
      const { name } = await addUser(accounts, 'alice');
      const secret = await accounts.sessions.rememberBrowser(name);
      assert.equal(await accounts.sessions.knowsBrowser(secret, 'alice'), true);
      assert.equal(await accounts.sessions.knowsBrowser(secret, 'bob'), false);
      assert.equal(await accounts.sessions.knowsBrowser('junk', 'alice'), false);
    }));
});

describe('tokens', () => {
  test('a token gives what it was made with', () =>
    withAccounts(async ({ accounts }) => {
      const { name } = await addUser(accounts, 'alice');
      await accounts.users.setQuota('alice', 5000);
      const { token, id } = await notesToken(accounts, name);
      assert.match(token, /^[A-Za-z0-9_-]{43}$/);
      const grant = accounts.tokens.check(token)!;
      assert.equal(grant.id, id);
      assert.equal(grant.user, 'alice');
      assert.equal(grant.app, 'https://notes.example');
      assert.deepEqual(grant.scopes, [{ module: 'notes', level: 'rw' }]);
      assert.equal(grant.quotaBytes, 5000);
    }));

  test('threat 5: only the SHA-256 of tokens and cookies stands in the file', () =>
    withAccounts(async ({ accounts, file }) => {
      const { name } = await addUser(accounts, 'alice');
      const { token } = await notesToken(accounts, name);
      const session = await accounts.sessions.create(name, '');
      const bytes = bytesOf(file);
      assert.ok(bytes.includes('https://notes.example'), 'the rows are in what was read');
      assert.ok(!bytes.includes(token) && !bytes.includes(session));
    }));

  test('a token is revoked by its id and by itself, at once', () =>
    withAccounts(async ({ accounts }) => {
      const { name } = await addUser(accounts, 'alice');
      const first = await notesToken(accounts, name);
      const second = await notesToken(accounts, name);
      assert.ok(accounts.tokens.check(first.token) && accounts.tokens.check(second.token));
      assert.equal((await accounts.grants.revoke(first.id))?.app, 'https://notes.example');
      assert.equal((await accounts.grants.revokeToken(second.token))?.id, second.id);
      assert.equal(accounts.tokens.check(first.token), undefined);
      assert.equal(accounts.tokens.check(second.token), undefined);
      assert.equal(await accounts.grants.revoke(first.id), undefined);
    }));

  test('a token expires to the millisecond, also when it is remembered', () =>
    withAccounts(async ({ accounts, clock }) => {
      const { name } = await addUser(accounts, 'alice');
      const { token } = await notesToken(accounts, name, clock.time + 50);
      clock.time += 49;
      assert.ok(accounts.tokens.check(token));
      clock.time += 1;
      assert.equal(accounts.tokens.check(token), undefined);
      assert.deepEqual(await accounts.grants.list('alice'), []);
    }));

  test('allowing the same again and again ends the oldest of many, and nothing that differs', () =>
    withAccounts(async ({ accounts, clock }) => {
      const { tokens } = accounts;
      const { name: alice } = await addUser(accounts, 'alice');
      const { name: bob } = await addUser(accounts, 'bob');
      const allowed = {
        ...{ user: alice, app: 'https://notes.example', redirect: 'https://notes.example/app/' },
        ...{ scopes: parseScopes('notes:rw')!, kind: 'implicit' as const },
      };
      const different = [
        { ...allowed, user: bob },
        { ...allowed, app: 'https://other.example' },
        { ...allowed, redirect: 'https://notes.example/another/' },
        { ...allowed, redirect: undefined },
        { ...allowed, scopes: parseScopes('notes:r')! },
        { ...allowed, kind: 'command-line' as const },
      ];
      const others: string[] = [];
      for (const grant of different) others.push((await tokens.create(grant, undefined)).token);
      const same: string[] = [];
      for (let count = 0; count < MAX_SAME_GRANTS + 3; count++) {
        clock.time++;
        same.push((await tokens.create(allowed, undefined)).token);
      }
      const living = (list: string[]) => list.filter((token) => tokens.check(token) !== undefined);
      assert.deepEqual(living(same), same.slice(3));
      assert.deepEqual(living(others), others);
      clock.time -= DAY_MS;
      const { token } = await tokens.create(allowed, undefined);
      assert.ok(tokens.check(token), 'also when the clock was set back');
      assert.equal((await accounts.grants.list(alice)).length, MAX_SAME_GRANTS + different.length - 1);
      for (let count = 0; count < MAX_SAME_GRANTS + 3; count++) {
        await tokens.create({ ...allowed, kind: 'command-line' }, undefined);
      }
      assert.deepEqual(living(others), others, 'those of the command line are not counted');
    }));

  test('what another process changes is seen within 100 ms', () =>
    withAccounts(async ({ accounts, file, clock }) => {
      await using other = await openAccounts(file, () => clock.time);
      const { name } = await addUser(accounts, 'alice');
      const { token, id } = await notesToken(accounts, name);
      assert.ok(other.tokens.check(token));
      assert.ok(accounts.tokens.check(token));
      await other.grants.revoke(id);
      clock.time += 100;
      assert.equal(accounts.tokens.check(token), undefined);

      const later = await notesToken(other, name);
      clock.time += 100;
      assert.ok(accounts.tokens.check(later.token));
      await other.users.setQuota('alice', 10);
      clock.time += 100;
      assert.equal(accounts.tokens.check(later.token)?.quotaBytes, 10);
      await other.users.remove('alice');
      clock.time += 100;
      assert.equal(accounts.tokens.check(later.token), undefined);
    }));

  test('a token that was asked for before it was made is found afterwards', () =>
    withAccounts(async ({ file, clock }) => {
      // both processes draw the same "random" bytes, so that one can ask for the token of the other
      let drawn = 0;
      const randomBytes = (size: number): Buffer => Buffer.alloc(size, ++drawn);
      await using maker = await openAccounts(file, () => clock.time, { randomBytes });
      await using asker = await openAccounts(file, () => clock.time);
      const { name } = await addUser(maker, 'alice');
      // the grant's id is drawn before it
      const coming = Buffer.alloc(32, drawn + 2).toString('base64url');
      assert.equal(asker.tokens.check(coming), undefined);
      assert.equal(maker.tokens.check(coming), undefined);
      const { token } = await notesToken(maker, name);
      assert.equal(token, coming);
      assert.ok(maker.tokens.check(coming));
      clock.time += 100;
      assert.ok(asker.tokens.check(coming));
    }));

  test('the list is newest first and tells when a token was last used, also after a restart', () =>
    withAccounts(async ({ accounts, file, clock }) => {
      const { name } = await addUser(accounts, 'alice');
      const first = await notesToken(accounts, name);
      clock.time += 1000;
      const second = await notesToken(accounts, name);
      accounts.tokens.check(first.token);
      const expected = [
        [second.id, undefined],
        [first.id, clock.time],
      ];
      const seen = (await accounts.grants.list('alice')).map((token) => [token.id, token.lastUsedAt]);
      assert.deepEqual(seen, expected);
      await accounts.close();
      await using reopened = await openAccounts(file, () => clock.time);
      const kept = (await reopened.grants.list()).map((token) => [token.id, token.lastUsedAt]);
      assert.deepEqual(kept, expected);
    }));

  test('ten thousand guesses later the tokens in use are still right', () =>
    withAccounts(async ({ accounts }) => {
      const { name } = await addUser(accounts, 'alice');
      const { token } = await notesToken(accounts, name);
      for (let n = 0; n < 10_500; n++) {
        const guess = Buffer.alloc(32).fill(`guess ${n}`).toString('base64url');
        if (accounts.tokens.check(guess)) assert.fail(`a guess was right: ${n}`);
      }
      assert.ok(accounts.tokens.check(token));
    }));
});

describe('the file', () => {
  test('is readable by its owner only, with everything beside it', () =>
    withAccounts(async ({ accounts, file }) => {
      await addUser(accounts, 'alice');
      const beside = readdirSync(folder).filter((name) => join(folder, name).startsWith(file));
      assert.ok(beside.length >= 2, 'the WAL is there');
      for (const name of beside) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
    }));

  test('two processes that make it at the same time get along', async () => {
    const file = newFile();
    const script = `import { openAccounts } from ${JSON.stringify(import.meta.resolve('./open-accounts.ts'))};
      await (await openAccounts(${JSON.stringify(file)}, Date.now)).close();`;
    const open = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    await Promise.all([open(), open()]);
    await using accounts = await openAccounts(file, Date.now);
    assert.equal(await accounts.users.count(), 0);
  });

  test('a newer layout is refused, an older one is brought up after a copy was made', async () => {
    const file = newFile();
    await using old = await openAccounts(file, Date.now);
    await addUser(old, 'alice');
    await old.close();
    const newer = {
      ...ACCOUNTS_MIGRATIONS,
      '9999-later': {
        up: async (db: Parameters<(typeof ACCOUNTS_MIGRATIONS)[string]['up']>[0]) => {
          await sql`CREATE TABLE later (x)`.execute(db);
        },
      },
    };
    const upgraded = await openAccounts(file, Date.now, { migrations: newer });
    assert.equal(await upgraded.users.count(), 1);
    await upgraded.close();
    await using copy = await openAccounts(`${file}.before-9999-later`, Date.now);
    assert.equal(await copy.users.count(), 1);
    await assert.rejects(openAccounts(file, Date.now), (error: GitsteadError) => {
      assert.equal(error.code, 'not-ready');
      return /newer Gitstead/.test(error.message);
    });
  });

  test('a migration that fails leaves the file as it was', async () => {
    const file = newFile();
    await (await openAccounts(file, Date.now)).close();
    const broken = {
      ...ACCOUNTS_MIGRATIONS,
      '9999-broken': {
        up: async (db: Parameters<(typeof ACCOUNTS_MIGRATIONS)[string]['up']>[0]) => {
          await sql`CREATE TABLE half (x)`.execute(db);
          throw new Error('power cut');
        },
      },
    };
    await assert.rejects(openAccounts(file, Date.now, { migrations: broken }), { code: 'not-ready' });
    const database = new DatabaseSync(file);
    assert.deepEqual(database.prepare("SELECT name FROM sqlite_master WHERE name = 'half'").all(), []);
    database.close();
  });

  test('a file that is no database is refused in one line', async () => {
    const file = newFile();
    writeFileSync(file, 'this is not a database, but long enough to look like one. '.repeat(40));
    await assert.rejects(openAccounts(file, Date.now), { code: 'not-ready', message: /cannot be read/ });
  });
});

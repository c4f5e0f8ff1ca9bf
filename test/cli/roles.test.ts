// Accounts and storage as two real processes: on one data folder, and on two with introspection between them. When the
// accounts process is gone or hangs, storage says 503 to tokens that it does not know, and never 401.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, type TestContext, test } from 'node:test';
import { openAccounts } from '../../src/db/open-accounts.ts';
import { partsOf } from '../../src/storage/data-folder.ts';
import { openTestServer, type SpawnedServer, spawnTestServer } from '../open-test-server.ts';
import { gitstead } from './gitstead.ts';

const temporary = mkdtempSync(join(tmpdir(), 'gitstead-roles-'));
after(() => rmSync(temporary, { recursive: true, force: true }));
const secretFile = join(temporary, 'secret');
writeFileSync(secretFile, 'the-secret-between-two-processes\n', { mode: 0o600 });

type Two = AsyncDisposable & { accounts: SpawnedServer; storage: SpawnedServer };

/** Both on one folder. */
async function openOnOneFolder(): Promise<Two> {
  const storage = await spawnTestServer({ settings: { role: 'storage' } });
  const accounts = await spawnTestServer({
    settings: { role: 'accounts', storageUrl: storage.baseUrl },
    dataFolder: storage.dataFolder,
    checkAtEnd: false,
  });
  return together(accounts, storage);
}

/** Each on a folder of its own. */
async function openWithIntrospection(): Promise<Two> {
  // the port of the storage is not known yet, and nobody here asks where it is
  const accounts = await spawnTestServer({
    settings: { role: 'accounts', storageUrl: 'https://data.example', introspectSecretFile: secretFile },
  });
  const storage = await spawnTestServer({
    settings: {
      role: 'storage',
      introspect: accounts.baseUrl,
      introspectSecretFile: secretFile,
      'log.level': 'silent', // what goes wrong on purpose
    },
  });
  return together(accounts, storage);
}

function together(accounts: SpawnedServer, storage: SpawnedServer): Two {
  return {
    accounts,
    storage,
    async [Symbol.asyncDispose]() {
      accounts.process.kill('SIGCONT');
      await accounts.close();
      await storage.close();
    },
  };
}

async function readAs({ storage }: Two, token: string): Promise<number> {
  const answer = await fetch(`${storage.storageUrl('ann')}/notes/a`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await answer.arrayBuffer();
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  return answer.status;
}

async function write(two: Two, token: string): Promise<number> {
  const answer = await fetch(`${two.storage.storageUrl('ann')}/notes/a`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' },
    body: 'hello',
  });
  return answer.status;
}

/** Asks until the answer is `status`; whatever comes before must be among `before`. */
async function becomes(t: TestContext, ask: () => Promise<number>, status: number, before: number[]) {
  await t.waitFor(
    async () => {
      const now = await ask();
      assert.ok(now === status || before.includes(now), `${now} on the way to ${status}`);
      assert.equal(now, status);
    },
    { interval: 100, timeout: 20_000 },
  );
}

/** A token of a new account, once the storage process has asked about it and written with it. */
async function tokenThatWrites(t: TestContext, two: Two): Promise<string> {
  await two.accounts.createUser('ann');
  const token = await two.accounts.createToken('ann', 'notes:rw');
  await becomes(t, () => write(two, token), 201, [401]);
  return token;
}

async function statusOf(url: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(url, { redirect: 'manual', ...init });
  await answer.arrayBuffer();
  return answer.status;
}

test('on one folder a token works at once, ends at once, and each process serves its own', {
  timeout: 60_000,
}, async (t) => {
  await using two = await openOnOneFolder();
  const { accounts, storage } = two;
  await accounts.createUser('ann');
  const token = await accounts.createToken('ann', 'notes:rw');
  await becomes(t, () => write(two, token), 201, [401]); // seen within 100 ms
  assert.equal(await readAs(two, token), 200);

  const webfinger = `${accounts.baseUrl}/.well-known/webfinger?resource=acct:ann@127.0.0.1:${accounts.port}`;
  const record = (await (await fetch(webfinger)).json()) as { links: { href: string }[] };
  assert.equal(record.links[0]!.href, storage.storageUrl('ann'));
  await eachServesItsOwn(two, token);

  const second = await gitstead(['serve', '--role', 'storage', '--port', '0'], { data: storage.dataFolder });
  assert.equal(second.code, 1);
  assert.match(second.stderr, /is in use by another Gitstead process\n$/);

  const revoked = await fetch(`${accounts.baseUrl}/oauth/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ token }),
  });
  assert.equal(revoked.status, 200);
  await becomes(t, () => readAs(two, token), 401, [200]);

  const again = await storage.createToken('ann', 'notes:rw');
  assert.equal(await accounts.kill('SIGKILL'), 'SIGKILL');
  await becomes(t, () => readAs(two, again), 200, [401]);
  await accounts.start();
});

/** 421 with CORS for storage on the accounts side, 421 for pages on the storage side. */
async function eachServesItsOwn({ accounts, storage }: Two, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  for (const path of ['/storage/ann/notes/a', '/storage/ann/']) {
    const answer = await fetch(accounts.baseUrl + path, { headers });
    assert.equal(answer.status, 421, path);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    assert.match(await answer.text(), /there is no storage at this address: it is at http/);
  }
  for (const path of [
    '/',
    '/login',
    '/account',
    '/signup',
    '/oauth/ann/authorize',
    '/.well-known/oauth-authorization-server',
    '/.well-known/webfinger?resource=acct:ann@localhost',
    '/storage',
  ]) {
    const answer = await fetch(storage.baseUrl + path, { redirect: 'manual' });
    assert.equal(answer.status, 421, path);
    assert.equal(answer.headers.get('set-cookie'), null);
    assert.match(await answer.text(), /there is only storage at this address/);
  }
  for (const path of ['/oauth/token', '/oauth/introspect']) {
    assert.equal(await statusOf(storage.baseUrl + path, { method: 'POST', body: 'token=x' }), 421);
  }
  for (const { baseUrl } of [accounts, storage]) assert.equal(await statusOf(`${baseUrl}/health`), 200);
  assert.equal(await statusOf(`${accounts.baseUrl}/login`), 200);
  assert.equal(await statusOf(`${storage.baseUrl}/storage/ann/notes/a`, { method: 'OPTIONS' }), 204);
}

test('one process with a storage URL serves each part at its own name only', async () => {
  await using server = await openTestServer({
    settings: { publicUrl: 'https://rs.example', storageUrl: 'https://data.example' },
  });
  await server.createUser('ann');
  const token = await server.createToken('ann', 'notes:rw');
  const ask = async (host: string, path: string) => {
    const headers = { host, authorization: `Bearer ${token}` };
    const asked = request({ port: server.port, host: '127.0.0.1', path, headers }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return { status: response.statusCode, body: await text(response) };
  };
  assert.equal((await ask('data.example', '/storage/ann/notes/')).status, 200);
  assert.equal((await ask('rs.example', '/login')).status, 200);
  for (const host of ['rs.example', `localhost:${server.port}`]) {
    const { status, body } = await ask(host, '/storage/ann/notes/');
    assert.deepEqual([status, /https:\/\/data\.example/.test(body)], [421, true], host);
  }
  for (const path of [
    '/',
    '/login',
    '/oauth/ann/authorize',
    '/.well-known/webfinger?resource=acct:ann@rs.example',
  ]) {
    assert.equal((await ask('data.example', path)).status, 421, path);
  }
  const { body } = await ask('rs.example', '/.well-known/webfinger?resource=acct:ann@rs.example');
  assert.equal(JSON.parse(body).links[0].href, 'https://data.example/storage/ann');
  const printed = await gitstead(['webfinger', 'ann'], {
    data: server.dataFolder,
    env: { GITSTEAD_PUBLIC_URL: 'https://rs.example', GITSTEAD_STORAGE_URL: 'https://data.example' },
  });
  assert.deepEqual(
    JSON.parse(printed.stdout),
    JSON.parse(body),
    'the record to publish elsewhere is the same',
  );
});

test('both may start at once on a new folder', { timeout: 60_000 }, async () => {
  const dataFolder = join(temporary, 'new');
  const settings = { role: 'accounts', storageUrl: 'https://data.example' };
  const started = await Promise.all([
    spawnTestServer({ settings: { role: 'storage' }, dataFolder }),
    spawnTestServer({ settings, dataFolder, checkAtEnd: false }),
  ]);
  for (const server of started.toReversed()) await server.close();
});

test('by introspection a token works, and ends within 10 s of its revocation', {
  timeout: 60_000,
}, async (t) => {
  await using two = await openWithIntrospection();
  const { accounts } = two;
  const token = await tokenThatWrites(t, two);
  assert.equal(await readAs(two, token), 200);
  assert.equal(await readAs(two, 'x'.repeat(43)), 401);
  await eachServesItsOwn(two, token);

  await using opened = await openAccounts(partsOf(accounts.dataFolder).accounts, Date.now);
  const [grant] = await opened.grants.list('ann');
  await opened.grants.revoke(grant!.id);
  await becomes(t, () => readAs(two, token), 401, [200]);

  for (const { dataFolder } of [accounts, two.storage]) {
    const removed = await gitstead(['user', 'remove', 'ann', '--yes'], { data: dataFolder });
    assert.deepEqual([removed.code, removed.stderr], [0, ''], 'the account here, the documents there');
  }
});

test('an accounts process that is killed or hangs is 503 and never 401, and when it is back all works', {
  timeout: 120_000,
}, async (t) => {
  await using two = await openWithIntrospection();
  const { accounts } = two;
  const token = await tokenThatWrites(t, two);

  accounts.process.kill('SIGSTOP');
  assert.equal(await readAs(two, token), 200, 'a token that was asked about just now is known');
  const other = await accounts.createToken('ann', 'notes:r');
  assert.equal(await readAs(two, other), 503);
  await becomes(t, () => readAs(two, token), 503, [200]);
  accounts.process.kill('SIGCONT');
  await becomes(t, () => readAs(two, token), 200, [503]);
  await becomes(t, () => readAs(two, other), 200, [503]);

  assert.equal(await accounts.kill('SIGKILL'), 'SIGKILL');
  const late = await accounts.createToken('ann', 'notes:r');
  assert.equal(await readAs(two, late), 503);
  assert.equal(await statusOf(`${two.storage.baseUrl}/health`), 200, 'storage itself is well');
  await accounts.start();
  await becomes(t, () => readAs(two, late), 200, [503]);
  await becomes(t, () => readAs(two, token), 200, [503]);
});

test('settings of roles that make no sense together, and a secret that others may read, are refused in one line', async () => {
  const open = join(temporary, 'open-secret');
  writeFileSync(open, 'the-secret-between-two-processes\n', { mode: 0o644 });
  const refused: [string[], number, RegExp][] = [
    [['--role', 'accounts'], 1, /--storage-url/],
    [['--introspect', 'http://127.0.0.1:8000', '--introspect-secret-file', secretFile], 1, /--role storage/],
    [['--role', 'storage', '--introspect', 'http://127.0.0.1:8000'], 1, /--introspect-secret-file/],
    [['--role', 'storage', '--introspect', 'http://rs.example'], 2, /--introspect/],
    [['--storage-url', 'https://a.example', '--address-host', 'a.example'], 1, /a host of its own/],
    [['--storage-url', 'https://a.example', '--public-url', 'http://a.example'], 1, /a host of its own/],
    [['--role', 'both'], 2, /one of all, accounts, storage/],
    [['--introspect-secret-file', open], 1, /may be read by others/],
    [['--introspect-secret-file', join(temporary, 'nowhere')], 1, /cannot be read/],
  ];
  for (const [words, code, line] of refused) {
    const answer = await gitstead(['serve', '--port', '0', ...words], { data: join(temporary, 'refused') });
    assert.equal(answer.code, code, words.join(' '));
    assert.match(answer.stderr, line);
    assert.match(answer.stderr, /^gitstead: [^\n]+\n$/);
  }
});

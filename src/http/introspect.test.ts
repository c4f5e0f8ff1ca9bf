// RFC 7662 as the accounts side answers it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestPages, type TestPages, type TestPagesOptions } from '../../test/open-test-pages.ts';
import type { UserName } from '../protocol/paths.ts';
import { parseScopes } from '../protocol/scopes.ts';

const SECRET = 'the-secret-of-this-test';
const ALICE = 'alice' as UserName;
const WITH_SECRET = { port: 8000, readIntrospectSecret: () => SECRET, authorHost: 'example.com' };
const UNKNOWN = 'x'.repeat(43);

type Asked = {
  secret?: string | undefined;
  headers?: Record<string, string>;
  address?: string;
  body?: string;
};

async function ask(
  { pages }: TestPages,
  token: string,
  { secret = SECRET, headers, address, body }: Asked = {},
) {
  const response = await pages.app.inject({
    method: 'POST',
    url: '/oauth/introspect',
    remoteAddress: address ?? '127.0.0.1',
    headers: {
      host: 'localhost:8000',
      'content-type': 'application/x-www-form-urlencoded',
      ...(secret !== '' && { authorization: `Bearer ${secret}` }),
      ...headers,
    },
    payload: body ?? new URLSearchParams({ token }).toString(),
  });
  assert.equal(response.headers['access-control-allow-origin'], undefined, 'no browser asks this');
  return { status: response.statusCode, headers: response.headers, body: response.json() };
}

async function withPages(
  options: TestPagesOptions,
  run: (world: TestPages, token: string, id: string) => Promise<void>,
): Promise<void> {
  await using world = await openTestPages({ config: WITH_SECRET, ...options });
  const scopes = parseScopes('notes:rw contacts:r')!;
  const app = 'https://notes.example';
  const { token, id } = await world.accounts.tokens.create(
    { user: ALICE, app, scopes, kind: 'implicit' },
    world.clock.time + 90_500,
  );
  await run(world, token, id);
  assert.ok(!world.log().includes(SECRET) && !world.log().includes(token), 'nothing secret is logged');
}

test('a good token is described: whose it is, what it allows, until when, and who the author of a commit is', () =>
  withPages({}, async (world, token, grant) => {
    await world.accounts.users.setQuota(ALICE, 5_000);
    const answer = await ask(world, token);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.deepEqual(answer.body, {
      active: true,
      sub: 'alice',
      username: 'alice',
      scope: 'notes:rw contacts:r',
      exp: Math.floor((world.clock.time + 90_500) / 1000),
      app: 'https://notes.example',
      grant,
      name: 'alice',
      email: 'alice@example.com',
      quota: 5_000,
    });
  }));

test('a token without end, app and quota is described without them', () =>
  withPages({}, async (world) => {
    const { token } = await world.accounts.tokens.create(
      { user: ALICE, app: undefined, scopes: parseScopes('*:r')!, kind: 'command-line' },
      undefined,
    );
    const { body } = await ask(world, token);
    assert.deepEqual(Object.keys(body), ['active', 'sub', 'username', 'scope', 'grant', 'name', 'email']);
    assert.equal(body.scope, '*:r');
  }));

test('an account without a quota of its own has that of the settings', () =>
  withPages({ config: { ...WITH_SECRET, defaultQuotaBytes: 700 } }, async (world, token) => {
    assert.equal((await ask(world, token)).body.quota, 700);
  }));

test('unknown, revoked and expired tokens are not active, and nothing more is told', () =>
  withPages({}, async (world, token, grant) => {
    for (const text of [UNKNOWN, 'junk', `${token}x`]) {
      assert.deepEqual((await ask(world, text)).body, { active: false });
    }
    world.clock.time += 90_500;
    assert.deepEqual((await ask(world, token)).body, { active: false });
    world.clock.time -= 90_500;
    await world.accounts.grants.revoke(grant);
    const { status, body } = await ask(world, token);
    assert.deepEqual([status, body], [200, { active: false }]);
  }));

test('threat 5: without its secret the answer is 401, for good and bad tokens alike', () =>
  withPages({}, async (world, token) => {
    const others = ['', 'wrong', SECRET.slice(1), `${SECRET}x`, SECRET.toUpperCase(), token];
    for (const asked of [token, UNKNOWN]) {
      for (const secret of others) {
        const { status, headers, body } = await ask(world, asked, { secret });
        assert.equal(status, 401, secret);
        assert.match(String(headers['www-authenticate']), /^Bearer /);
        assert.equal(body.active, undefined);
      }
      const basic = { authorization: `Basic ${Buffer.from(`x:${SECRET}`).toString('base64')}` };
      assert.equal((await ask(world, asked, { headers: basic })).status, 401);
    }
  }));

test('without the setting it is there too, and answers 401 whatever is said', () =>
  withPages({ config: { port: 8000 } }, async (world, token) => {
    for (const secret of ['', SECRET, 'undefined']) {
      assert.equal((await ask(world, token, { secret })).status, 401);
    }
  }));

test('threat 3: it is asked from this machine, or by https through a trusted proxy; else 403, with or without the secret', () => {
  const config = { ...WITH_SECRET, publicUrl: 'https://rs.example', trustedProxies: ['10.0.0.1'] };
  return withPages({ config }, async (world, token) => {
    const status = async (address: string, headers: Record<string, string>, secret = SECRET) =>
      (await ask(world, token, { address, headers, secret })).status;
    const host = 'rs.example';
    assert.equal(await status('::1', {}), 200);
    assert.equal(await status('::ffff:127.0.0.1', {}), 200);
    assert.equal(await status('10.0.0.1', { host, 'x-forwarded-for': '192.0.2.1' }), 200);
    // plain http, whatever its headers claim
    assert.equal(await status('192.0.2.1', { host }), 403);
    assert.equal(await status('192.0.2.1', { host }, 'wrong'), 403);
    assert.equal(
      await status('192.0.2.1', { host, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' }),
      403,
    );
    const byHttp = { host, 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'http' };
    assert.equal(await status('10.0.0.1', byHttp), 403);
  });
});

test('a question without a token, or with two, is a fault', () =>
  withPages({}, async (world) => {
    for (const body of ['', 'token=', `token=${UNKNOWN}&token=${UNKNOWN}`]) {
      assert.equal((await ask(world, '', { body })).status, 400, body);
    }
  }));

test('the metadata names it only where somebody has the secret', async () => {
  for (const config of [WITH_SECRET, { port: 8000 }]) {
    await using world = await openTestPages({ config });
    const url = '/.well-known/oauth-authorization-server';
    const answer = await world.pages.app.inject({ method: 'GET', url, headers: { host: 'localhost:8000' } });
    assert.equal(
      answer.json().introspection_endpoint,
      config === WITH_SECRET ? 'http://localhost:8000/oauth/introspect' : undefined,
    );
  }
});

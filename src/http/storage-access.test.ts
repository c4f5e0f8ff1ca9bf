// Tokens in the query (RFC 6750, section 2.3; threat 4), which are taken only where the settings say so; and which of
// our names has storage.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openClient, type Reply } from '../../test/conformance/client.ts';
import { openMemoryServer } from '../../test/open-memory-server.ts';
import { openTestPages } from '../../test/open-test-pages.ts';
import { REMOTESTORAGE_REL } from '../protocol/webfinger.ts';

type World = {
  token: string;
  logged: string[];
  send: ReturnType<typeof openClient>['send'];
};

async function withQueryTokens(queryTokens: boolean, run: (world: World) => Promise<void>): Promise<void> {
  await using server = await openMemoryServer({ queryTokens });
  const client = openClient(server.baseUrl);
  const token = server.createToken('alice', 'notes:rw');
  for (const path of ['notes/a', 'public/notes/a']) {
    const put = { token, body: 'hello', headers: { 'Content-Type': 'text/plain' } };
    assert.equal((await client.send('PUT', `/storage/alice/${path}`, put)).status, 201);
  }
  await run({ token, logged: server.logged, send: client.send });
  client.close();
  assert.ok(!server.logged.join('').includes(token), 'threat 4: no token in the log');
}

const challengeOf = ({ headers }: Reply) => String(headers['www-authenticate']);

test('threat 4: a token in the query reads where the settings say so, and no cache keeps the answer', () =>
  withQueryTokens(true, async ({ token, send }) => {
    const query = `access_token=${token}`;
    const { etag } = (await send('GET', '/storage/alice/notes/a', { token })).headers;
    for (const [method, path, status, headers] of [
      ['GET', `notes/a?${query}`, 200, {}],
      ['GET', `notes/a?${query}`, 206, { Range: 'bytes=0-1' }],
      ['GET', `notes/a?${query}`, 304, { 'If-None-Match': etag! }],
      ['HEAD', `notes/a?x=1&${query}&y`, 200, {}],
      ['GET', `notes/?${query}`, 200, {}],
      ['GET', `public/notes/?${query}`, 200, {}],
      ['GET', `public/notes/a?${query}`, 200, {}],
      ['GET', 'public/notes/a?access_token=unknown', 200, {}],
    ] as const) {
      const reply = await send(method, `/storage/alice/${path}`, { headers });
      assert.equal(reply.status, status, path);
      assert.equal(reply.headers['cache-control'], 'no-store, private', path);
      assert.equal(reply.headers['referrer-policy'], 'no-referrer', 'nobody learns the address');
      assert.equal(reply.headers['access-control-allow-origin'], '*');
    }
    const missing = await send('GET', `/storage/alice/notes/none?${query}`);
    assert.equal(missing.status, 404);
    assert.equal(missing.headers['cache-control'], 'no-store, no-transform');
    for (const [path, cache] of [
      ['notes/a', 'no-cache'],
      ['notes/', 'no-cache'],
      ['public/notes/a?x=1', 'no-cache, public'],
    ] as const) {
      const { headers } = await send('GET', `/storage/alice/${path}`, { token });
      assert.equal(headers['cache-control'], cache, 'the draft’s, where the address holds no token');
      assert.equal(headers['referrer-policy'], undefined);
    }
  }));

test('threat 4: a token in the query never writes', () =>
  withQueryTokens(true, async ({ token, send }) => {
    for (const method of ['PUT', 'DELETE']) {
      const reply = await send(method, `/storage/alice/notes/a?access_token=${token}`, {
        headers: { 'Content-Type': 'text/plain' },
        ...(method === 'PUT' && { body: 'other' }),
      });
      assert.equal(reply.status, 401, method);
      assert.match(reply.text, /header/);
    }
    assert.equal((await send('GET', '/storage/alice/notes/a', { token })).text, 'hello');
  }));

test('more than one token is 400, wherever they stand', () =>
  withQueryTokens(true, async ({ token, send }) => {
    const inQuery = `/storage/alice/notes/a?access_token=${token}`;
    for (const reply of [
      await send('GET', inQuery, { token }),
      await send('HEAD', inQuery, { token }),
      await send('DELETE', inQuery, { token }),
      await send('GET', inQuery, { headers: { Authorization: 'Basic eDp5' } }),
      await send('GET', `${inQuery}&access_token=${token}`),
    ]) {
      assert.equal(reply.status, 400);
      assert.match(challengeOf(reply), /error="invalid_request"/);
      assert.equal(reply.headers['cache-control'], 'no-store, no-transform');
    }
  }));

test('a bad token in the query is a bad token', () =>
  withQueryTokens(true, async ({ token, send }) => {
    for (const text of ['', 'unknown', `${token}x`, '%00', `${token}%20`, 'a+b']) {
      const reply = await send('GET', `/storage/alice/notes/a?access_token=${text}`);
      assert.equal(reply.status, 401, JSON.stringify(text));
      assert.match(challengeOf(reply), /error="invalid_token"/);
    }
    assert.equal((await send('GET', `/storage/alice/other/a?access_token=${token}`)).status, 403);
    assert.equal((await send('GET', '/storage/alice/notes/a?ACCESS_TOKEN=x')).status, 401);
  }));

test('threat 4: unless the settings say so, a query means nothing', () =>
  withQueryTokens(false, async ({ token, send }) => {
    const path = `/storage/alice/notes/a?access_token=${token}`;
    assert.equal((await send('GET', path)).status, 401);
    assert.equal((await send('GET', path, { token })).status, 200);
  }));

test('threat 4: a fault is logged without the token of the query, by the storage and by the pages', async () => {
  await using server = await openMemoryServer({ queryTokens: true });
  const client = openClient(server.baseUrl);
  const token = server.createToken('alice', 'notes:rw');
  server.storage.failNext.set('document', new Error('broken'));
  const reply = await client.send('GET', `/storage/alice/notes/a?access_token=${token}`);
  client.close();
  assert.equal(reply.status, 500);
  assert.equal(server.logged.length, 1);
  assert.ok(!server.logged[0]!.includes(token) && !server.logged[0]!.includes('access_token'));

  await using world = await openTestPages();
  for (const path of ['/', '/login', '/nothing', '/.well-known/webfinger', '/%ff']) {
    await world.pages.app.inject({
      method: 'GET',
      url: `${path}?access_token=${token}`,
      headers: { host: 'localhost:8000' },
    });
  }
  assert.ok(!world.log().includes(token));
});

test('WebFinger announces tokens in the query only where they are taken', async () => {
  for (const queryTokens of [true, false]) {
    await using world = await openTestPages({ config: { port: 8000, queryTokens } });
    const url = '/.well-known/webfinger?resource=acct:alice@localhost:8000';
    const answer = await world.pages.app.inject({ method: 'GET', url, headers: { host: 'localhost:8000' } });
    const { rel, properties } = answer.json().links[0];
    assert.equal(rel, REMOTESTORAGE_REL);
    const announced = properties['http://tools.ietf.org/html/rfc6750#section-2.3'];
    assert.equal(announced, queryTokens ? 'true' : undefined);
  }
});

test('threat 20: with an origin of its own, storage is at that name only: elsewhere 421, with CORS', async () => {
  const origins = {
    publicUrl: 'https://rs.example',
    storageUrl: 'https://data.example',
    addressHost: 'example',
  };
  await using server = await openMemoryServer({ origins });
  const client = openClient(server.baseUrl);
  const token = server.createToken('alice', 'notes:rw');
  const get = (host: string) =>
    client.send('GET', '/storage/alice/notes/', { token, headers: { Host: host } });
  assert.equal((await get('data.example')).status, 200);
  for (const host of ['rs.example', 'example', `127.0.0.1:${server.port}`]) {
    const reply = await get(host);
    assert.equal(reply.status, 421, host);
    assert.match(reply.text, /https:\/\/data\.example/);
  }
  client.close();
});

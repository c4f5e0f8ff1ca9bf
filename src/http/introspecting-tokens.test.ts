// A storage process without accounts: when it asks, what it remembers and for how long, and that a question nobody
// answers is never a no.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { openClient } from '../../test/conformance/client.ts';
import { openMemoryServer } from '../../test/open-memory-server.ts';
import { openIntrospectingTokens } from './introspecting-tokens.ts';

const SECRET = 'the-secret-of-this-test';
const tokenOf = (letter: string) => letter.repeat(43);
const TOKEN = tokenOf('t');
const YES = { active: true, sub: 'alice', username: 'alice', scope: 'notes:rw', grant: 'g1' };

/** What the accounts process would be sent, and the answers that the test gives. */
function openAccountsSide(answer: () => unknown = () => YES) {
  const side = {
    asked: [] as { url: string; authorization: string | null; token: string | null }[],
    answer,
    clock: { now: 1_000_000_000_000, elapsed: 0 },
  };
  const send = (async (url: URL, { headers, body }: RequestInit) => {
    const authorization = new Headers(headers).get('authorization');
    side.asked.push({ url: url.href, authorization, token: (body as URLSearchParams).get('token') });
    const said = await side.answer();
    return said instanceof Response ? said : new Response(JSON.stringify(said));
  }) as typeof fetch;
  const { check } = openIntrospectingTokens({
    url: new URL('http://127.0.0.1:8000'),
    readSecret: () => SECRET,
    now: () => side.clock.now,
    elapsed: () => side.clock.elapsed,
    fetch: send,
  });
  return { side, check };
}

test('a token is asked about once, with the secret, and then known without a promise', async () => {
  const { side, check } = openAccountsSide();
  const first = check(TOKEN);
  assert.ok(first instanceof Promise);
  assert.equal(check(TOKEN), first, 'one question for all who wait');
  const grant = await first;
  assert.deepEqual(grant?.scopes, [{ module: 'notes', level: 'rw' }]);
  assert.equal(grant?.user, 'alice');
  assert.equal(check(TOKEN), grant, 'no promise any more');
  const url = 'http://127.0.0.1:8000/oauth/introspect';
  assert.deepEqual(side.asked, [{ url, authorization: `Bearer ${SECRET}`, token: TOKEN }]);
});

test('a yes is forgotten within 10 s of the question, however long the answer took', async () => {
  const { side, check } = openAccountsSide();
  side.answer = () => {
    side.clock.elapsed += 4_000;
    return YES;
  };
  await check(TOKEN);
  side.answer = () => ({ active: false });
  side.clock.elapsed = 8_999;
  assert.ok(!(check(TOKEN) instanceof Promise));
  side.clock.elapsed = 9_900;
  assert.equal(await check(TOKEN), undefined);
  assert.equal(side.asked.length, 2);
});

test('a no is forgotten after a second', async () => {
  const { side, check } = openAccountsSide(() => ({ active: false }));
  assert.equal(await check(TOKEN), undefined);
  side.clock.elapsed = 999;
  assert.equal(check(TOKEN), undefined);
  side.answer = () => YES;
  side.clock.elapsed = 1_000;
  assert.equal((await check(TOKEN))?.id, 'g1');
  assert.equal(side.asked.length, 2);
});

test('a token that ends meanwhile ends here at the same time', async () => {
  const { side, check } = openAccountsSide(() => ({ ...YES, exp: 1_000_000_005 }));
  assert.ok(await check(TOKEN));
  side.clock.now += 4_999;
  assert.ok(check(TOKEN));
  side.clock.now += 1;
  assert.equal(check(TOKEN), undefined);
});

test('quota and app are taken over', async () => {
  const { check } = openAccountsSide(() => ({ ...YES, quota: 5_000, app: 'https://notes.example' }));
  const grant = await check(TOKEN);
  assert.deepEqual([grant?.quotaBytes, grant?.app], [5_000, 'https://notes.example']);
});

test('what cannot be a token of ours is not asked about', () => {
  const { side, check } = openAccountsSide();
  for (const text of ['', 'short', `${TOKEN}x`, '☃'.repeat(43)]) assert.equal(check(text), undefined);
  assert.equal(side.asked.length, 0);
});

const NO_ANSWERS: Record<string, () => unknown> = {
  'the connection is refused': () => {
    throw new TypeError('fetch failed');
  },
  'the secret is not taken': () => new Response('{"error":"invalid_client"}', { status: 401 }),
  'it fails': () => new Response('', { status: 500 }),
  'something else answers': () => new Response('<h1>It works</h1>'),
  'active is no boolean': () => ({ active: 'yes' }),
  'nobody is named': () => ({ ...YES, username: '../etc' }),
  'the scopes cannot be read': () => ({ ...YES, scope: 'public:rw' }),
  'the end cannot be read': () => ({ ...YES, exp: 'soon' }),
  'the answer does not end': () => new Response('x'.repeat(70_000)),
  'it says nothing': () => null,
};
for (const [what, answer] of Object.entries(NO_ANSWERS)) {
  test(`when ${what}, that is not ready and no no, and the next request asks again`, async () => {
    const { side, check } = openAccountsSide(answer);
    await assert.rejects(async () => await check(TOKEN), { code: 'not-ready' });
    side.answer = () => YES;
    assert.equal((await check(TOKEN))?.id, 'g1');
  });
}

test('a yes that is too old does not help when nobody answers', async () => {
  const { side, check } = openAccountsSide();
  await check(TOKEN);
  side.answer = NO_ANSWERS['the connection is refused']!;
  side.clock.elapsed = 9_000;
  await assert.rejects(async () => await check(TOKEN), { code: 'not-ready' });
});

test('guesses in any number neither drive out a token in use nor are they all remembered', async () => {
  const { side, check } = openAccountsSide();
  await check(TOKEN);
  side.answer = () => ({ active: false });
  const guess = (number: number) => String(number).padStart(43, '0');
  for (let number = 0; number < 10_100; number++) await check(guess(number));
  assert.ok(!(check(TOKEN) instanceof Promise), 'still known');
  assert.ok(check(guess(0)) instanceof Promise, 'the oldest guess is forgotten');
  assert.ok(!(check(guess(10_099)) instanceof Promise));
});

test('more than a thousand questions at once are not asked', async () => {
  const { promise: held, resolve } = Promise.withResolvers<unknown>();
  const { side, check } = openAccountsSide(() => held);
  const waiting = Array.from({ length: 1_000 }, (_, number) => check(String(number).padStart(43, '0')));
  await assert.rejects(async () => await check(TOKEN), { code: 'not-ready' });
  assert.equal(side.asked.length, 1_000);
  resolve({ active: false });
  await Promise.all(waiting);
  assert.equal(await check(TOKEN), undefined);
});

test('an accounts process that hangs, or sends us elsewhere, is not waited for nor followed', async () => {
  let asked = 0;
  const elsewhere = createServer((request, response) => {
    asked++;
    if (request.url === '/followed') response.end(JSON.stringify(YES));
    else if (request.url === '/moved') response.writeHead(307, { location: '/followed' }).end();
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  const { port } = elsewhere.address() as AddressInfo;
  for (const path of ['moved', 'hanging']) {
    const url = new URL(`http://127.0.0.1:${port}/${path}`);
    const { check } = openIntrospectingTokens({
      ...{ url, readSecret: () => SECRET, now: Date.now },
      timeoutMs: path === 'moved' ? 5_000 : 50,
    });
    await assert.rejects(async () => await check(TOKEN), { code: 'not-ready' });
  }
  assert.equal(asked, 2);
  elsewhere.closeAllConnections();
  await new Promise((resolve) => elsewhere.close(resolve));
});

test('the storage answers 503 with CORS while nobody can tell, what is open to all stays so, and nothing is logged of the token', async () => {
  const { side, check } = openAccountsSide();
  await using server = await openMemoryServer({ checkToken: check });
  const client = openClient(server.baseUrl);
  const type = { 'Content-Type': 'text/plain' };
  const put = (path: string, token: string) =>
    client.send('PUT', `/storage/alice${path}`, { token, body: 'x', headers: type });
  assert.equal((await put('/notes/a', TOKEN)).status, 201);
  assert.equal((await put('/public/notes/a', TOKEN)).status, 201);
  side.answer = NO_ANSWERS['the connection is refused']!;
  const other = tokenOf('o');
  const methods = [
    ['GET', '/notes/a'],
    ['HEAD', '/notes/a'],
    ['GET', '/notes/'],
    ['PUT', '/notes/a'],
    ['DELETE', '/notes/a'],
    ['GET', '/public/notes/'],
  ] as const;
  for (const [method, path] of methods) {
    const body = method === 'PUT' ? { body: 'y', headers: type } : {};
    const reply = await client.send(method, `/storage/alice${path}`, { token: other, ...body });
    assert.equal(reply.status, 503, `${method} ${path}`);
    assert.equal(reply.headers['retry-after'], '5');
    assert.equal(reply.headers['www-authenticate'], undefined);
  }
  const open = await client.send('GET', '/storage/alice/public/notes/a', { token: other });
  assert.equal(open.status, 200);
  assert.equal((await client.send('GET', '/storage/alice/notes/a', { token: TOKEN })).text, 'x');
  client.close();
  const log = server.logged.join('');
  assert.match(log, /accounts process cannot be reached/);
  for (const secret of [TOKEN, other, SECRET]) assert.ok(!log.includes(secret));
});

test('what is open to all waits for nobody who has to be asked about the token', async () => {
  const { promise: asked, resolve: answer } = Promise.withResolvers<undefined>();
  await using server = await openMemoryServer({ checkToken: () => asked });
  const client = openClient(server.baseUrl);
  const path = '/storage/alice/public/notes/none';
  assert.equal((await client.send('GET', path, { token: tokenOf('o') })).status, 404);
  answer(undefined);
  client.close();
});

// The authorisation endpoint, threat by threat: no redirect before a decision, no token without a click.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ALICE,
  authorizePath,
  hiddenFields,
  openBrowser,
  openTestPages,
  PASSWORD,
} from '../../test/open-test-pages.ts';

const TOKEN_ANSWER =
  /^https:\/\/notes\.example\/app\/#access_token=([A-Za-z0-9_-]{43})&token_type=bearer&scope=notes%3Arw$/;

describe('the way of an app', () => {
  test('leads over sign-in and Allow to a token that works', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    const path = authorizePath();
    const signIn = await browser.get(path);
    assert.equal(signIn.status, 200);
    assert.match(signIn.body, /https:\/\/notes\.example<\/strong> asks for access/);
    assert.match(signIn.body, /name="username" value="alice"/);
    const signedIn = await browser.submit(path, { username: 'alice', password: PASSWORD });
    assert.equal(signedIn.status, 303);
    assert.equal(signedIn.location, path);
    const consent = await browser.get(signedIn.location);
    assert.match(consent.body, /Read and change your “notes” data/);
    assert.match(consent.body, /alice@localhost:8000/);
    const answer = await browser.submit(path, { decision: 'allow' });
    assert.equal(answer.status, 303);
    const token = TOKEN_ANSWER.exec(answer.location)?.[1];
    const grant = world.accounts.tokens.check(token ?? assert.fail(answer.location));
    assert.equal(grant?.user, 'alice');
    assert.equal(grant?.app, 'https://notes.example');
    assert.deepEqual(grant?.scopes, [{ module: 'notes', level: 'rw' }]);
    const [row] = await world.accounts.grants.list('alice');
    assert.equal(row?.redirect, 'https://notes.example/app/');
    assert.equal(row?.expiresAt, undefined);
  });

  test('leads over Deny to access_denied, with the state as it was', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    await browser.signIn();
    const path = `${authorizePath()}&state=a%2fb+c`;
    const answer = await browser.submit(path, { decision: 'deny' });
    assert.equal(answer.location, 'https://notes.example/app/#error=access_denied&state=a%2fb%20c');
    assert.deepEqual(await world.accounts.grants.list(), []);
  });

  test('without an account in its address asks which one first', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    const browser = openBrowser(world);
    const path = authorizePath({}, null);
    assert.match((await browser.get(path)).body, /name="username" value=""/);
    const signedIn = await browser.submit(path, { username: 'bob', password: PASSWORD });
    assert.equal(signedIn.location, authorizePath({}, 'bob'));
    const again = await browser.get(path);
    assert.match(again.body, /Continue as bob/);
    assert.ok(again.body.includes(authorizePath({}, 'bob').replaceAll('&', '&amp;')));
  });

  test('leads to sign-in when somebody else is signed in, and says so', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    const browser = openBrowser(world);
    await browser.signIn('bob');
    const { body } = await browser.get(authorizePath());
    assert.match(body, /You are signed in as bob/);
    assert.doesNotMatch(body, /Allow/);
  });

  test('leads back to sign-in when the session ended while the page stood open', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    await browser.signIn();
    const { body } = await browser.get(authorizePath());
    await world.accounts.users.setPassword('alice', 'another horse');
    const answer = await browser.post(authorizePath(), { ...hiddenFields(body), decision: 'allow' });
    assert.equal(answer.location, authorizePath());
    assert.deepEqual(await world.accounts.grants.list(), []);
  });

  test('to an account that does not exist ends on a page of ours', async () => {
    await using world = await openTestPages();
    for (const user of ['nobody', 'Alice', '..%2f']) {
      const answer = await openBrowser(world).get(authorizePath({}, user));
      assert.equal(answer.status, 404, user);
      assert.equal(answer.location, '');
    }
  });

  test('with a form that says neither Allow nor Deny ends on a page of ours', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    await browser.signIn();
    for (const decision of ['', 'Allow', 'yes']) {
      const answer = await browser.submit(authorizePath(), { decision });
      assert.equal(answer.status, 400);
    }
    assert.deepEqual(await world.accounts.grants.list(), []);
  });
});

test('threat 1: a faulty request is answered on a page of ours, signed in or not, by GET and by POST', async () => {
  await using world = await openTestPages();
  const signedIn = openBrowser(world);
  await signedIn.signIn();
  const faults: Record<string, string | undefined>[] = [
    { redirect_uri: 'http://evil.example/' },
    { redirect_uri: 'javascript:alert(1)' },
    { redirect_uri: undefined },
    { scope: undefined },
    { scope: 'nonsense' },
    { response_type: 'code' },
    { response_type: undefined },
  ];
  for (const browser of [openBrowser(world), signedIn]) {
    for (const fault of faults) {
      for (const answer of [
        await browser.get(authorizePath(fault)),
        await browser.get(authorizePath(fault, null)),
        await browser.post(authorizePath(fault), { decision: 'deny' }),
      ]) {
        assert.equal(answer.status, 400, JSON.stringify(fault));
        assert.equal(answer.location, '');
        assert.match(answer.body, /role="alert"/);
        assert.doesNotMatch(answer.body, /evil\.example|href="(?![/#])/);
      }
    }
  }
});

test('threat 2: the app is the parsed origin, whatever client_id says', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  const path = authorizePath({
    redirect_uri: 'https://google.com.evil.example/google.com',
    client_id: 'https://google.com',
  });
  const { body } = await browser.get(path);
  assert.match(body, /class="host">google\.com\.evil\.example</);
  assert.match(body, /https:\/\/google\.com\.evil\.example\/google\.com/);
  assert.doesNotMatch(body, />https:\/\/google\.com</);
  await browser.submit(path, { decision: 'allow' });
  assert.equal((await world.accounts.grants.list())[0]?.app, 'https://google.com.evil.example');
});

test('threat 3: redirects to apps carry no referrer and are not stored; pages neither', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  for (const decision of ['allow', 'deny']) {
    const { headers } = await browser.submit(authorizePath(), { decision });
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cache-control'], 'no-store');
  }
  for (const path of ['/account', '/login', authorizePath(), '/nope', authorizePath({ scope: '' })]) {
    const { headers, body } = await browser.get(path);
    assert.equal(headers['referrer-policy'], 'same-origin', path);
    assert.equal(headers['cache-control'], 'no-store', path);
    const withoutWaysOut = body.replaceAll(/<a [^>]*rel="noreferrer"[^>]*>/g, '');
    assert.doesNotMatch(withoutWaysOut, /(?:src|href|action)="(?:https?:)?\/\//, path);
  }
});

test('threat 21: a decision counts only with the token of exactly this page in exactly this browser', async () => {
  await using world = await openTestPages({ users: ['alice', 'bob'] });
  const browser = openBrowser(world);
  await browser.signIn();
  const path = authorizePath();
  const fields = { ...hiddenFields((await browser.get(path)).body), decision: 'allow' };
  const other = openBrowser(world);
  await other.signIn();
  const othersFields = hiddenFields((await other.get(path)).body);
  const wider = authorizePath({ scope: '*:rw' });
  const refused = [
    await browser.post(path, { decision: 'allow' }),
    await browser.post(path, { ...fields, form: '' }),
    await browser.post(path, { ...fields, form: 'A'.repeat(43) }),
    await browser.post(path, { ...fields, ...othersFields }),
    await browser.post(wider, fields),
    await browser.post(`${path}&state=x`, fields),
    await browser.post(path, fields, { origin: 'https://evil.example' }),
    await browser.post(path, fields, { origin: 'http://localhost:8001' }),
    await browser.post(path, fields, { origin: 'null', 'sec-fetch-site': 'cross-site' }),
    await browser.post(path, fields, { 'sec-fetch-site': 'same-site' }),
    await browser.post(path, fields, { 'sec-fetch-site': 'cross-site' }),
  ];
  for (const [index, answer] of refused.entries()) {
    assert.equal(answer.status, 403, `case ${index}`);
    assert.equal(answer.location, '');
  }
  assert.deepEqual(await world.accounts.grants.list(), []);
  assert.equal((await browser.post(path, fields)).status, 303);
});

test('threat 21: Origin: null is believed only when the browser says that the form is ours', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  const path = authorizePath();
  const allow = { decision: 'allow' };
  const noFetchSite = await browser.submit(path, allow, { origin: 'null', 'sec-fetch-site': 'none' });
  assert.equal(noFetchSite.status, 403);
  assert.equal((await browser.submit(path, allow, { origin: 'null' })).status, 303);
});

test('threat 22: no page can be framed, and consent may lead only to us and to the app that asks', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  const policy = async (path: string) => String((await browser.get(path)).headers['content-security-policy']);
  for (const path of [
    '/account',
    '/login?next=/oauth/authorize?x',
    authorizePath(),
    '/nope',
    authorizePath({ scope: '' }),
  ]) {
    assert.match(await policy(path), /frame-ancestors 'none'/, path);
    assert.match(await policy(path), /^default-src 'none'; style-src 'self'; img-src 'self'; /, path);
    assert.equal((await browser.get(path)).headers['x-frame-options'], 'DENY', path);
  }
  assert.match(await policy('/account'), /form-action 'self';/);
  assert.match(await policy(authorizePath()), /form-action 'self' https:\/\/notes\.example;/);
  const port = authorizePath({ redirect_uri: 'http://localhost:8772/x' });
  assert.match(await policy(port), /form-action 'self' http:\/\/localhost:8772;/);
  const v6 = authorizePath({ redirect_uri: 'http://[::1]:8772/' });
  assert.match(await policy(v6), /form-action 'self' http:;/);
  assert.equal((await browser.get(authorizePath())).headers['cross-origin-opener-policy'], undefined);
  assert.equal((await browser.get('/account')).headers['cross-origin-opener-policy'], 'same-origin');
});

test('threat 33: what was allowed before is shown, and never granted again without a click', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  await browser.submit(authorizePath(), { decision: 'allow' });
  for (const extra of [{}, { prompt: 'none' }, { decision: 'allow' }, { approval_prompt: 'auto' }]) {
    const again = await browser.get(authorizePath(extra));
    assert.equal(again.status, 200);
    assert.match(again.body, /It had this before/);
  }
  const wider = await browser.get(authorizePath({ scope: '*:rw' }));
  assert.match(wider.body, /not the same as before/);
  assert.equal((await world.accounts.grants.list()).length, 1);
});

test('threat 30: no log line holds a password, a token, a state or the first link', async () => {
  await using world = await openTestPages({ users: [] });
  const browser = openBrowser(world);
  const link = world.pages.firstAccountPath!;
  await browser.submit(link, { username: 'alice', password: PASSWORD });
  const answer = await browser.submit(authorizePath({ state: 'my-secret-state' }), { decision: 'allow' });
  await browser.post('/login', { username: 'alice', password: PASSWORD });
  await browser.get('/%zz?my-secret-state');
  const token = /access_token=([^&]+)/.exec(answer.location)![1]!;
  const secrets = [PASSWORD, token, 'my-secret-state', link.split('=')[1]!, ...browser.jar.values()];
  for (const secret of secrets) assert.ok(!world.log().includes(secret), secret);
  assert.ok(ALICE in Object.fromEntries((await world.accounts.users.list()).map(({ name }) => [name, true])));
});

// Signing in and out, threat by threat.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  authorizePath,
  hiddenFields,
  openBrowser,
  openTestPages,
  PASSWORD,
} from '../../test/open-test-pages.ts';
import { browserName } from './visitor.ts';

const HTTPS = { config: { publicUrl: 'https://rs.example', port: 8000 } };

describe('signing in', () => {
  test('leads to the account, and out again', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    assert.equal((await browser.get('/account')).location, '/login');
    const signedIn = await browser.signIn();
    assert.equal(signedIn.status, 303);
    assert.equal(signedIn.location, '/account');
    assert.match((await browser.get('/account')).body, /Hello, alice/);
    assert.equal((await browser.get('/login')).location, '/account');
    assert.equal((await browser.get('/')).location, '/account');
    const secret = browser.jar.get('gitstead-session-8000')!;
    const signedOut = await browser.submit('/account', {});
    assert.equal(signedOut.location, '/');
    assert.equal(browser.jar.has('gitstead-session-8000'), false);
    assert.equal(await world.accounts.sessions.find(secret), undefined);
    assert.match((await browser.get('/')).body, /Sign in/);
  });

  test('takes a name with a capital or a space around it, as phones type it', async () => {
    await using world = await openTestPages();
    assert.equal((await openBrowser(world).signIn(' Alice ')).location, '/account');
  });

  test('goes on only to pages of ours', async () => {
    await using world = await openTestPages();
    for (const next of [
      'https://evil.example/',
      '//evil.example/',
      '/\\evil.example',
      '/oauth/..//evil.example/authorize?x',
      '/oauth/alice/authorize/../../../x?y',
      '/logout',
      '/account\r\nSet-Cookie: a=b',
      'javascript:alert(1)',
      '',
    ]) {
      const browser = openBrowser(world);
      const shown = hiddenFields((await browser.get(`/login?next=${encodeURIComponent(next)}`)).body);
      assert.equal(shown.next, '/account', next);
      const answer = await browser.post('/login', { ...shown, next, username: 'alice', password: PASSWORD });
      assert.equal(answer.location, '/account', next);
    }
  });

  test('without a form token shows the form again and signs nobody in', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    const answer = await browser.post('/login', { username: 'alice', password: PASSWORD });
    assert.equal(answer.status, 403);
    assert.match(answer.body, /role="alert"/);
    assert.equal(browser.jar.has('gitstead-session-8000'), false);
    const fields = { ...hiddenFields(answer.body), username: 'alice', password: PASSWORD };
    assert.equal((await browser.post('/login', fields)).status, 303, 'and the form that was shown works');
  });

  test('with a form of another kind or a body that is too long is refused on a page', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    const json = await browser.post('/login', {}, { 'content-type': 'application/json' });
    assert.equal(json.status, 400);
    const long = await browser.post('/login', { password: 'x'.repeat(70_000) });
    assert.equal(long.status, 413);
    for (const answer of [json, long]) assert.match(String(answer.headers['content-type']), /^text\/html/);
  });
});

test('threat 21: cookies are HttpOnly and Lax; on https __Host- and Secure, on http with the port in the name', async () => {
  await using onHttp = await openTestPages();
  const plain = await openBrowser(onHttp).signIn();
  assert.deepEqual(
    [plain.headers['set-cookie']].flat().map((line) => String(line).replace(/=[^;]*/, '')),
    [
      'gitstead-session-8000; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax',
      'gitstead-form-8000; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
      'gitstead-browser-8000; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax',
    ],
  );
  await using onHttps = await openTestPages(HTTPS);
  const secure = await openBrowser(onHttps, 'https://rs.example').signIn();
  const lines = [secure.headers['set-cookie']].flat().map(String);
  assert.equal(lines.length, 3);
  for (const line of lines)
    assert.match(
      line,
      /^__Host-gitstead-(session|form|browser)=.*; Path=\/.*; HttpOnly; Secure; SameSite=Lax$/,
    );
});

test('threat 21: signing out needs the token of the page', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  assert.equal((await browser.post('/logout', {})).status, 403);
  assert.equal((await browser.get('/logout')).status, 303);
  assert.match((await browser.get('/account')).body, /Hello, alice/);
});

test('threat 23: a sign-in makes a new session id, and ends the one that the browser came with', async () => {
  await using world = await openTestPages({ users: ['alice', 'bob'] });
  const browser = openBrowser(world);
  await browser.signIn();
  const first = browser.jar.get('gitstead-session-8000')!;
  await browser.submit(authorizePath({}, 'bob'), { username: 'bob', password: PASSWORD });
  const second = browser.jar.get('gitstead-session-8000')!;
  assert.notEqual(first, second);
  assert.equal(await world.accounts.sessions.find(first), undefined);
  assert.equal((await world.accounts.sessions.find(second))?.user, 'bob');

  const planted = openBrowser(world);
  planted.jar.set('gitstead-session-8000', 'A'.repeat(43));
  await planted.signIn();
  assert.notEqual(planted.jar.get('gitstead-session-8000'), 'A'.repeat(43));
});

test('threat 24: a wrong password and an unknown user get the same answer', async () => {
  await using world = await openTestPages();
  const wrong = await openBrowser(world).signIn('alice', 'wrong horse');
  const unknown = await openBrowser(world).signIn('nobody', 'wrong horse');
  assert.equal(wrong.status, 401);
  assert.equal(unknown.status, 401);
  const normal = (body: string) => body.replace(/name="form" value="[^"]*"/, '').replace(/alice|nobody/g, '');
  assert.equal(normal(wrong.body), normal(unknown.body));
  assert.match(wrong.body, /The name or the password is wrong/);
});

test('threat 24: guesses are counted per account, and a browser that signed in before is not locked out', async () => {
  await using world = await openTestPages({ users: ['alice', 'bob'] });
  const owner = openBrowser(world);
  await owner.signIn();
  await owner.submit('/account', {});
  const statuses: number[] = [];
  for (let guess = 0; guess < 12; guess++) {
    statuses.push(
      (await openBrowser(world, undefined, `192.0.2.${guess}`).signIn('alice', `guess ${guess}`)).status,
    );
  }
  assert.deepEqual(statuses, [...Array<number>(10).fill(401), 429, 429]);
  const right = await openBrowser(world, undefined, '192.0.2.99').signIn();
  assert.equal(right.status, 429, 'the right password does not help a stranger');
  assert.equal(right.headers['retry-after'], '900');
  assert.equal((await openBrowser(world).signIn('bob')).status, 303, 'others are not concerned');
  assert.equal((await owner.signIn()).status, 303, 'nor is the owner');
});

test('threat 24: a browser that signed in before has a budget, too', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  await browser.submit('/account', {});
  for (let guess = 0; guess < 10; guess++)
    assert.equal((await browser.signIn('alice', 'wrong horse')).status, 401);
  assert.equal((await browser.signIn()).status, 429);
});

test('threat 24: guesses are counted per address, an IPv6 network as one', async () => {
  await using world = await openTestPages();
  for (let guess = 0; guess < 50; guess++) {
    const address = guess % 2 === 0 ? `2001:db8::${guess + 1}` : `2001:db8:0:0:${guess}::1`;
    const browser = openBrowser(world, undefined, address);
    assert.equal((await browser.signIn(`!${guess}`, 'wrong horse')).status, 401);
  }
  assert.equal((await openBrowser(world, undefined, '2001:db8::ffff').signIn()).status, 429);
  assert.equal((await openBrowser(world, undefined, '2001:db8:0:1::1').signIn()).status, 303);
});

test('threat 24: many right sign-ins use up nothing', async () => {
  await using world = await openTestPages();
  for (let time = 0; time < 12; time++) assert.equal((await openBrowser(world).signIn()).status, 303);
});

test('a browser is called by its coarse name', () => {
  const named: Record<string, string> = {
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0': 'Firefox on Linux',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0':
      'Edge on Windows',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1':
      'Safari on iOS',
    'Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36':
      'Chrome on Android',
    'curl/8.9': 'Unknown browser',
    '': 'Unknown browser',
  };
  for (const [userAgent, name] of Object.entries(named)) assert.equal(browserName(userAgent), name);
  assert.equal(browserName(undefined), 'Unknown browser');
});

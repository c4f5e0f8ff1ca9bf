// The signed-in home: connected apps and what ends them; and what a page says was done.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  ALICE,
  authorizePath,
  type Browser,
  openBrowser,
  openTestPages,
  type TestPages,
} from '../../test/open-test-pages.ts';
import type { UserName } from '../protocol/paths.ts';
import { parseScopes } from '../protocol/scopes.ts';

const NOTES = 'https://notes.example';
const FILES = 'https://files.example';
const BOB = 'bob' as UserName;
const DAY_MS = 86_400_000;

type Given = { user?: UserName; app?: string; redirect?: string; scopes?: string; expiresAt?: number };

function grant({ accounts }: TestPages, given: Given = {}): Promise<{ id: string; token: string }> {
  const { user = ALICE, app, redirect, scopes = 'notes:rw', expiresAt } = given;
  const kind = app === undefined ? 'command-line' : 'implicit';
  return accounts.tokens.create({ user, app, redirect, scopes: parseScopes(scopes)!, kind }, expiresAt);
}

type Form = { action: string; fields: Record<string, string>; button: string };

function formsOf(body: string): Form[] {
  return [...body.matchAll(/<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/g)].map(
    ([, action, inner]) => ({
      action: action!,
      fields: Object.fromEntries(
        [...inner!.matchAll(/name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
      ),
      button: /<button[^>]*>([^<]*)</.exec(inner!)![1]!,
    }),
  );
}

/** The form with this button that has this value in a field. */
async function formOn(browser: Browser, page: string, button: string, value = ''): Promise<Form> {
  const { body } = await browser.get(page);
  const found = formsOf(body).find(
    (form) => form.button === button && (value === '' || Object.values(form.fields).includes(value)),
  );
  assert.ok(found, `${page} has a form ${button} ${value}`);
  return found;
}

/** A form token as only the browser that holds the session can make it. */
function ownToken(browser: Browser, purpose: string): string {
  return createHmac('sha256', browser.jar.get('gitstead-session-8000')!).update(purpose).digest('base64url');
}

/** The markup of the entry of one app. */
function entryOf(body: string, host: string): string {
  const entry = body.split('<li class="entry').find((part) => part.includes(`>${host}</h3>`));
  assert.ok(entry, `${host} has an entry`);
  return entry;
}

async function signedIn(world: TestPages, name = 'alice'): Promise<Browser> {
  const browser = openBrowser(world);
  await browser.signIn(name);
  return browser;
}

describe('connected apps', () => {
  test('each app stands once, with what all of its grants allow, since when, and when it was used last', async () => {
    await using world = await openTestPages();
    await grant(world, { app: NOTES, scopes: 'notes:r' });
    world.clock.time += DAY_MS;
    const { token } = await grant(world, { app: NOTES, scopes: 'notes:rw contacts:r' });
    await grant(world, { app: FILES, scopes: 'notes:rw *:rw' });
    world.clock.time += DAY_MS;
    world.accounts.tokens.check(token);
    const browser = await signedIn(world);
    const { body } = await browser.get('/account');
    assert.equal(body.split('<h3').length, 3, 'two entries');
    const notes = entryOf(body, 'notes.example');
    for (const text of [
      'Read and change your “notes” data',
      'Read your “contacts” data',
      'Allowed 2 times since 1 January 2030',
      'Last used on 3 January 2030',
    ]) {
      assert.ok(notes.includes(text), text);
    }
    const files = entryOf(body, 'files.example');
    assert.match(files, /class="everything">Read and change everything you store here</);
    assert.match(files, /since 2 January 2030/);
    assert.match(files, /Never used/);
    assert.doesNotMatch(files, /“notes”/, 'what everything covers is left out');
    assert.ok(body.indexOf('notes.example') < body.indexOf('files.example'), 'used last comes first');
  });

  test('what ends by itself says when, unless the app has something that does not', async () => {
    await using world = await openTestPages();
    const expiresAt = world.clock.time + 30 * DAY_MS;
    await grant(world, { app: NOTES, expiresAt });
    await grant(world, { app: FILES, expiresAt });
    await grant(world, { app: FILES });
    const { body } = await (await signedIn(world)).get('/account');
    assert.match(entryOf(body, 'notes.example'), /Ends by itself on 31 January 2030/);
    assert.doesNotMatch(entryOf(body, 'files.example'), /by itself/);
  });

  test('Open starts the app where it came from, and tells it the account (draft, section 11)', async () => {
    await using world = await openTestPages();
    const browser = await signedIn(world);
    await browser.submit(authorizePath(), { decision: 'allow' });
    await grant(world, { app: FILES });
    const { body } = await browser.get('/account');
    for (const href of ['https://notes.example/app/', 'https://files.example/']) {
      const link = `<a class="button quiet" href="${href}#remotestorage=alice@localhost:8000" rel="noreferrer"`;
      assert.ok(body.includes(link), href);
    }
  });

  test('names beyond a–z are shown in punycode, with a warning; apps on this computer say so', async () => {
    await using world = await openTestPages();
    await grant(world, { app: 'https://xn--80ak6aa92e.com' });
    await grant(world, { app: 'http://localhost:3000' });
    const { body } = await (await signedIn(world)).get('/account');
    assert.match(entryOf(body, 'xn--80ak6aa92e.com'), /letters beyond a to z/);
    assert.match(entryOf(body, 'localhost:3000'), /runs on your own computer/);
  });

  test('says what an app changed lately, of apps that may change something', async () => {
    const asked: unknown[] = [];
    await using world = await openTestPages({
      storage: {
        async recentWrites(user, apps) {
          asked.push(user, ...apps.map(({ app }) => app).sort());
          const writes = [
            { path: 'notes/<b>.txt', kind: 'PUT' as const, time: Date.UTC(2029, 11, 31, 23, 5) },
            { path: 'notes/old', kind: 'DELETE' as const, time: Date.UTC(2029, 11, 30) },
          ];
          return { byApp: new Map([[NOTES, writes]]), unreadable: ['pictures'] };
        },
      },
    });
    await grant(world, { app: NOTES });
    await grant(world, { app: FILES, scopes: '*:r' });
    await grant(world, { app: 'https://idle.example' });
    const { body } = await (await signedIn(world)).get('/account');
    assert.deepEqual(asked, ['alice', FILES, 'https://idle.example', NOTES]);
    const notes = entryOf(body, 'notes.example');
    assert.match(notes, /notes\/&lt;b&gt;\.txt[\s\S]*31 December 2029, 23:05 UTC/);
    assert.match(notes, /notes\/old[\s\S]*Deleted </);
    assert.doesNotMatch(entryOf(body, 'files.example'), /Changed lately/);
    assert.match(entryOf(body, 'idle.example'), /Changed lately[\s\S]*Nothing\./);
    assert.match(body, /What apps changed in “pictures” cannot be told at the moment/);
  });

  test('says so when there is none, and shows nothing of others', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    await grant(world, { user: BOB, app: NOTES });
    await grant(world, { user: BOB });
    const { body } = await (await signedIn(world)).get('/account');
    assert.match(body, /No app can see or change/);
    assert.doesNotMatch(body, /notes\.example|Made in the terminal|>Revoke</);
  });
});

describe('Revoke', () => {
  test('ends all grants of the app at once, nothing else, and the next page says so', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    const ofNotes = [await grant(world, { app: NOTES }), await grant(world, { app: NOTES, scopes: '*:r' })];
    const kept = [
      await grant(world, { app: FILES }),
      await grant(world),
      await grant(world, { user: BOB, app: NOTES }),
    ];
    const { accounts } = world;
    assert.ok([...ofNotes, ...kept].every(({ token }) => accounts.tokens.check(token)));
    const browser = await signedIn(world);
    const { action, fields } = await formOn(browser, '/account', 'Revoke', NOTES);
    const answer = await browser.post(action, fields);
    assert.equal(answer.status, 303);
    assert.ok(ofNotes.every(({ token }) => accounts.tokens.check(token) === undefined));
    assert.ok(kept.every(({ token }) => accounts.tokens.check(token)));
    const { body } = await browser.get(answer.location);
    assert.match(body, /role="status"><p><strong>notes\.example can no longer reach your storage\./);
    assert.match(body, /<title>notes\.example can no longer reach your storage · Account of alice/);
    assert.match(body, /files\.example<\/h3>/);
    assert.doesNotMatch(body, /notes\.example<\/h3>/);
    const [event] = await accounts.audit.list({ user: 'alice', kinds: ['app-revoked'], limit: 9 });
    assert.equal(event?.app, NOTES);
    assert.match(world.log(), /an app was revoked/);
  });

  test('done twice, it is done once', async () => {
    await using world = await openTestPages();
    await grant(world, { app: NOTES });
    const browser = await signedIn(world);
    const { action, fields } = await formOn(browser, '/account', 'Revoke', NOTES);
    await browser.post(action, fields);
    assert.match((await browser.post(action, fields)).location, /^\/account\?done=app-revoked/);
    assert.equal((await world.accounts.audit.list({ kinds: ['app-revoked'], limit: 9 })).length, 1);
  });

  test('threat 21: without the token for this app, from elsewhere or without a session nothing is revoked', async () => {
    await using world = await openTestPages();
    await grant(world, { app: NOTES });
    await grant(world, { app: FILES });
    const browser = await signedIn(world);
    const { action, fields } = await formOn(browser, '/account', 'Revoke', NOTES);
    const evil = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    const answers = [
      await browser.post(action, { app: NOTES }),
      await browser.post(action, { ...fields, app: FILES }),
      await browser.post(action, { form: fields.form! }),
      await browser.post(action, fields, evil),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [403, 403, 403, 403],
    );
    assert.equal((await browser.get(action)).status, 404);
    const nobody = await openBrowser(world).post(action, fields);
    assert.equal(nobody.location, '/login');
    const other = await signedIn(world);
    assert.equal((await other.post(action, fields)).status, 403, 'a token is good in its own browser only');
    assert.equal((await world.accounts.grants.list('alice')).length, 2);
  });

  test('a token from the terminal is ended by its id', async () => {
    await using world = await openTestPages();
    const first = await grant(world, { scopes: 'pictures:r' });
    const second = await grant(world);
    const browser = await signedIn(world);
    assert.match((await browser.get('/account')).body, /Made in the terminal[\s\S]*“pictures”/);
    const { action, fields } = await formOn(browser, '/account', 'Revoke', first.id);
    assert.equal((await browser.post(action, { ...fields, grant: second.id })).status, 403);
    const { location } = await browser.post(action, fields);
    assert.match((await browser.get(location)).body, /<strong>The token no longer works\./);
    assert.equal(world.accounts.tokens.check(first.token), undefined);
    assert.ok(world.accounts.tokens.check(second.token));
  });

  test('grants of others cannot be ended, even with tokens that fit', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    const ofBob = [await grant(world, { user: BOB }), await grant(world, { user: BOB, app: NOTES })];
    const browser = await signedIn(world);
    for (const { id } of ofBob) {
      const form = ownToken(browser, `revoke the token ${id}`);
      assert.equal((await browser.post('/account/tokens/revoke', { form, grant: id })).status, 303);
    }
    const form = ownToken(browser, `revoke the app ${NOTES}`);
    assert.equal((await browser.post('/account/apps/revoke', { form, app: NOTES })).status, 303);
    assert.ok(ofBob.every(({ token }) => world.accounts.tokens.check(token)));
    assert.deepEqual(await world.accounts.audit.list({ kinds: ['app-revoked'], limit: 9 }), []);
  });

  test('every button that reads Revoke names the app that it is for', async () => {
    await using world = await openTestPages();
    await grant(world, { app: NOTES });
    await grant(world);
    const { body } = await (await signedIn(world)).get('/account');
    const described = [...body.matchAll(/<button[^>]*aria-describedby="([^"]*)"[^>]*>Revoke</g)];
    assert.equal(described.length, 2);
    for (const [, id] of described) assert.ok(body.includes(`id="${id}"`), id);
  });
});

describe('what a page says was done', () => {
  test('comes from a form of this session, and from no link', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    await grant(world, { app: NOTES });
    const browser = await signedIn(world);
    const { action, fields } = await formOn(browser, '/account', 'Revoke', NOTES);
    const { location } = await browser.post(action, fields);
    const text = `app-revoked ${NOTES}`;
    const sealed = (words: string) => ownToken(browser, `say that it was done: ${words}`);
    const link = (done: string, seal: string) => `/account?${new URLSearchParams({ done, seal })}`;
    assert.equal(location, link(text, sealed(text)));
    for (const path of [
      '/account?done=token-revoked',
      `/account?done=token-revoked&seal=${fields.form}`,
      '/account?done=token-revoked&done=x&seal=a&seal=b',
      link('app-revoked https://bank.example', sealed(text)),
      link('Send your password to eve', sealed('Send your password to eve')),
      link('app-revoked eve: call 555', sealed('app-revoked eve: call 555')),
      link('app-revoked https://eve.example/call', sealed('app-revoked https://eve.example/call')),
    ]) {
      const { status, body } = await browser.get(path);
      assert.equal(status, 200, path);
      assert.doesNotMatch(body, /role="status"|bank\.example|eve/, path);
    }
    const bob = await signedIn(world, 'bob');
    assert.doesNotMatch((await bob.get(location)).body, /role="status"/);
  });

  test('is not said of an app that was allowed again since', async () => {
    await using world = await openTestPages();
    await grant(world, { app: NOTES });
    const browser = await signedIn(world);
    const { action, fields } = await formOn(browser, '/account', 'Revoke', NOTES);
    const { location } = await browser.post(action, fields);
    assert.match((await browser.get(location)).body, /role="status"/);
    await grant(world, { app: NOTES });
    assert.doesNotMatch((await browser.get(location)).body, /role="status"/);
  });
});

const FIREFOX = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' };
const PHONE = {
  'user-agent': 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605 Version/18.0 Safari/604',
};

async function signedInWith(world: TestPages, headers: Record<string, string>, name = 'alice') {
  const browser = openBrowser(world);
  await browser.submit('/login', { username: name, password: 'correct horse' }, headers);
  return browser;
}

const isSignedIn = async (browser: Browser) => (await browser.get('/account')).status === 200;

describe('signed-in browsers', () => {
  test('are listed, this one first, with since when and last used', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    await signedInWith(world, PHONE);
    await signedInWith(world, { 'user-agent': 'Chrome/1 CrOS' }, 'bob');
    world.clock.time += 2 * DAY_MS;
    const browser = await signedInWith(world, FIREFOX);
    const { body } = await browser.get('/account/sessions');
    assert.match(body, /Firefox on Linux <span class="tag">This browser<[\s\S]*Safari on iOS/);
    assert.match(body, /Safari on iOS[\s\S]*Signed in on 1 January 2030[\s\S]*Last used on 1 January 2030/);
    assert.doesNotMatch(body, /ChromeOS/);
    assert.equal(body.split('This browser<').length, 2);
    assert.ok(!body.includes(browser.jar.get('gitstead-session-8000')!));
    assert.doesNotMatch(body, />Revoke</);
  });

  test('Sign out ends that one, and the next page says so', async () => {
    await using world = await openTestPages();
    const phone = await signedInWith(world, PHONE);
    const browser = await signedInWith(world, FIREFOX);
    const [phoneSession] = (await world.accounts.sessions.list(ALICE)).filter(
      ({ browser: name }) => name === 'Safari on iOS',
    );
    const { action, fields } = await formOn(browser, '/account/sessions', 'Sign out', phoneSession!.id);
    const { location } = await browser.post(action, fields);
    assert.match((await browser.get(location)).body, /role="status"><p><strong>That browser is signed out\./);
    assert.equal(await isSignedIn(phone), false);
    assert.equal(await isSignedIn(browser), true);
    const [event] = await world.accounts.audit.list({ kinds: ['session-ended'], limit: 9 });
    assert.equal(event?.detail, 'Safari on iOS');
  });

  test('Sign out of this browser leads to the start page', async () => {
    await using world = await openTestPages();
    const browser = await signedInWith(world, FIREFOX);
    const [session] = await world.accounts.sessions.list(ALICE);
    const { action, fields } = await formOn(browser, '/account/sessions', 'Sign out', session!.id);
    assert.equal((await browser.post(action, fields)).location, '/');
    assert.equal(browser.jar.has('gitstead-session-8000'), false);
    assert.deepEqual(await world.accounts.sessions.list(ALICE), []);
  });

  test('Sign out everywhere else ends all but this one, and none of others', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    const others = [await signedInWith(world, PHONE), await signedInWith(world, FIREFOX)];
    const bob = await signedInWith(world, PHONE, 'bob');
    const browser = await signedInWith(world, FIREFOX);
    const { action, fields } = await formOn(browser, '/account/sessions', 'Sign out everywhere else');
    const { body } = await browser.get((await browser.post(action, fields)).location);
    assert.match(body, /All other browsers are signed out/);
    assert.match(body, /signed in nowhere else/);
    assert.doesNotMatch(body, /Sign out everywhere else/);
    for (const other of others) assert.equal(await isSignedIn(other), false);
    assert.equal(await isSignedIn(browser), true);
    assert.equal(await isSignedIn(bob), true);
    assert.equal((await world.accounts.audit.list({ kinds: ['session-ended'], limit: 9 })).length, 2);
  });

  test('threat 21: without the token for this browser, from elsewhere or without a session nothing ends', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    const phone = await signedInWith(world, PHONE);
    const browser = await signedInWith(world, FIREFOX);
    const list = await world.accounts.sessions.list(ALICE);
    const idOf = (name: string) => list.find((session) => session.browser === name)!.id;
    const { action, fields } = await formOn(
      browser,
      '/account/sessions',
      'Sign out',
      idOf('Firefox on Linux'),
    );
    const all = await formOn(browser, '/account/sessions', 'Sign out everywhere else');
    const evil = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    const answers = [
      await browser.post(action, { session: fields.session! }),
      await browser.post(action, { ...fields, session: idOf('Safari on iOS') }),
      await browser.post(all.action, {}),
      await browser.post(all.action, { form: fields.form! }),
      await browser.post(all.action, all.fields, evil),
    ];
    for (const { status } of answers) assert.equal(status, 403);
    for (const path of ['/account/sessions/end', '/account/sessions/end-others']) {
      assert.equal((await openBrowser(world).post(path, fields)).location, '/login');
    }
    assert.equal((await openBrowser(world).get('/account/sessions')).location, '/login');
    assert.equal(await isSignedIn(phone), true);
    assert.equal(await isSignedIn(browser), true);
  });

  test('sessions of others cannot be ended, even with tokens that fit', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    const bob = await signedInWith(world, PHONE, 'bob');
    const [session] = await world.accounts.sessions.list(BOB);
    const browser = await signedInWith(world, FIREFOX);
    const form = ownToken(browser, `sign out the browser ${session!.id}`);
    const answer = await browser.post('/account/sessions/end', { form, session: session!.id });
    assert.equal(answer.status, 303);
    assert.equal(await isSignedIn(bob), true);
    assert.deepEqual(await world.accounts.audit.list({ kinds: ['session-ended'], limit: 9 }), []);
  });
});

test('the signed-in pages lead to each other, and say which one this is', async () => {
  await using world = await openTestPages();
  const browser = await signedIn(world);
  const paths = ['/account', '/account/sessions', '/account/activity'];
  for (const path of paths) {
    const { body } = await browser.get(path);
    assert.equal(/<a href="([^"]*)" aria-current="page"/.exec(body)?.[1], path);
    for (const other of paths) assert.ok(body.includes(`<a href="${other}"`), `${path} leads to ${other}`);
    assert.doesNotMatch(body, /<script|<style|style=| on\w+=/);
  }
});

test('threat 22: the new pages cannot be framed', async () => {
  await using world = await openTestPages();
  const browser = await signedIn(world);
  for (const path of ['/account', '/account/sessions']) {
    const { headers } = await browser.get(path);
    assert.match(String(headers['content-security-policy']), /form-action 'self'; frame-ancestors 'none'/);
    assert.equal(headers['x-frame-options'], 'DENY');
  }
});

test('where storage is another process’s, the page tells of apps, and nothing of what is stored', async () => {
  await using world = await openTestPages({ storage: 'elsewhere' });
  await grant(world, { app: NOTES });
  const browser = openBrowser(world);
  await browser.signIn();
  const page = await browser.get('/account');
  assert.equal(page.status, 200);
  assert.match(page.body, /notes\.example/);
  assert.doesNotMatch(page.body, /What you store|Nothing yet|id="stored"/);
});

// The audit trail over whole flows: what it tells, to whom, and what it never holds.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import {
  authorizePath,
  type Browser,
  hiddenFields,
  openBrowser,
  openTestPages,
  PASSWORD,
  type TestPages,
} from '../../test/open-test-pages.ts';

const ORIGIN = 'http://localhost:8000';
const NOTES = 'https://notes.example';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const FORM = { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': FIREFOX };

/** `kind app detail` of the events of an account, oldest first. */
async function eventsOf({ accounts }: Pick<TestPages, 'accounts'>, user = 'alice'): Promise<string[]> {
  const events = await accounts.audit.list({ user, limit: 100 });
  return events.map(({ kind, app, detail }) => [kind, app ?? '-', detail].join(' ').trimEnd()).reverse();
}

/** The sentences on a page of events. */
function sentencesIn(page: string): string[] {
  return [...page.matchAll(/<li[^>]*><time[^>]*>[^<]*<\/time><div>(.*?)<\/div><\/li>/g)].map((match) =>
    match[1]!.replaceAll(/<[^>]*>/g, ' ').trim(),
  );
}

async function submitWrong(browser: Browser, username: string, password = 'wrong horse'): Promise<void> {
  const answer = await browser.submit('/login', { username, password });
  assert.ok([401, 429].includes(answer.status), String(answer.status));
}

/** Sends the form of a page that leads to `action`, as it stands there. */
async function sendForm(browser: Browser, path: string, action: string): Promise<void> {
  const { body } = await browser.get(path);
  const form = body.split('<form ').find((part) => part.includes(`action="${action}"`));
  assert.ok(form, `${path} has a form that leads to ${action}`);
  assert.equal((await browser.post(action, hiddenFields(`<form ${form}`))).status, 303);
}

describe('the audit trail', () => {
  test('tells of signing in and out, from where and with what', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world, ORIGIN, '192.0.2.1');
    const form = hiddenFields((await browser.get('/login')).body);
    await browser.post(
      '/login',
      { ...form, username: 'alice', password: PASSWORD },
      { 'user-agent': FIREFOX },
    );
    await browser.submit('/account', {}, { 'user-agent': FIREFOX });
    const events = await world.accounts.audit.list({ limit: 10 });
    const at = {
      client: '192.0.2.1',
      browser: 'Firefox on Linux',
      user: 'alice',
      detail: '',
      app: undefined,
    };
    assert.deepEqual(events, [
      { id: 2, time: world.clock.time, kind: 'signed-out', ...at },
      { id: 1, time: world.clock.time, kind: 'signed-in', ...at },
    ]);
  });

  test('threat 30: names failed sign-ins of accounts that exist, and never what was typed', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    await submitWrong(browser, 'alice');
    await submitWrong(browser, 'correct horse battery');
    await submitWrong(browser, 'nobody');
    assert.deepEqual(
      (await world.accounts.audit.list({ limit: 10 })).map(({ user, detail }) => [user, detail]),
      [['alice', 'wrong password']],
    );
    for (let count = 0; count < 10; count++) await submitWrong(browser, 'alice');
    const [last] = await eventsOf(world).then((events) => events.reverse());
    assert.equal(last, 'sign-in-failed - too many wrong passwords before');
  });

  test('does not take a form that is none of ours for a guess', async () => {
    await using world = await openTestPages();
    const answer = await openBrowser(world).post('/login', { username: 'alice', password: 'wrong horse' });
    assert.equal(answer.status, 403);
    assert.deepEqual(await eventsOf(world), []);
  });

  test('tells what apps were allowed and denied, and what was ended on the pages of an account', async () => {
    await using world = await openTestPages();
    await openBrowser(world).signIn();
    const browser = openBrowser(world);
    await browser.signIn();
    await browser.submit(authorizePath(), { decision: 'deny' });
    await browser.submit(authorizePath({ scope: 'notes:rw contacts:r' }), { decision: 'allow' });
    const form = hiddenFields((await browser.get(authorizePath())).body);
    await browser.post(authorizePath(), { ...form, decision: 'perhaps' });
    await sendForm(browser, '/account', '/account/apps/revoke');
    await sendForm(browser, '/account/sessions', '/account/sessions/end-others');
    await browser.submit('/account', {});
    assert.deepEqual(await eventsOf(world), [
      ...['signed-in -', 'signed-in -', `app-denied ${NOTES}`],
      `app-allowed ${NOTES} notes:rw contacts:r`,
      ...[`app-revoked ${NOTES}`, 'session-ended - Unknown browser', 'signed-out -'],
    ]);
  });

  test('tells the log when it cannot be written, and what it would have told of happens', async () => {
    await using world = await openTestPages();
    const file = new DatabaseSync(world.file);
    file.exec('DROP TABLE audit');
    file.close();
    assert.equal((await openBrowser(world).signIn()).location, '/account');
    assert.match(world.log(), /"level":40.*the audit trail could not be written/);
  });
});

describe('/account/activity', () => {
  test('shows whoever is signed in their own events, and nobody those of others', async () => {
    await using world = await openTestPages({ users: ['alice', 'bob'] });
    const [alice, bob] = [openBrowser(world, ORIGIN, '192.0.2.1'), openBrowser(world, ORIGIN, '192.0.2.2')];
    assert.equal((await alice.get('/account/activity')).location, '/login');
    await alice.signIn('alice');
    await bob.signIn('bob');
    await bob.submit(authorizePath({}, 'bob'), { decision: 'allow' });
    assert.deepEqual(sentencesIn((await alice.get('/account/activity')).body), [
      'Signed in with Unknown browser from 192.0.2.1',
    ]);
    const pages = [];
    for (const query of [
      'user=bob',
      'show=apps',
      'before=99',
      'user=bob&show=apps&app=https://notes.example',
    ]) {
      pages.push((await alice.get(`/account/activity?${query}`)).body);
    }
    assert.doesNotMatch(pages.join(''), /192\.0\.2\.2|notes\.example/);
    assert.deepEqual(sentencesIn((await bob.get('/account/activity')).body), [
      'You allowed  notes.example  to read and change your “notes” data Unknown browser, 192.0.2.2',
      'Signed in with Unknown browser from 192.0.2.2',
    ]);
  });

  test('shows nothing of an earlier account of the same name', async () => {
    await using world = await openTestPages({ users: ['alice'] });
    await openBrowser(world, ORIGIN, '192.0.2.9').signIn();
    await world.accounts.users.remove('alice');
    world.clock.time += 1000;
    await world.accounts.users.create({ name: 'alice' as never, password: PASSWORD, isAdmin: false });
    const browser = openBrowser(world, ORIGIN, '192.0.2.1');
    await browser.signIn();
    const page = (await browser.get('/account/activity')).body;
    assert.deepEqual(sentencesIn(page), ['Signed in with Unknown browser from 192.0.2.1']);
  });

  test('shows sign-ins or apps alone, and fifty on a page', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    await browser.signIn();
    for (let count = 1; count <= 60; count++) {
      await world.accounts.audit.record({
        kind: 'app-denied',
        user: 'alice',
        app: `https://a${count}.example`,
      });
    }
    const newest = (await browser.get('/account/activity')).body;
    assert.equal(sentencesIn(newest).length, 50);
    assert.doesNotMatch(newest, />Newest</);
    const older = /<a href="([^"]*)" rel="next">Older</.exec(newest)?.[1];
    assert.equal(older, '/account/activity?before=12');
    const rest = (await browser.get(older!)).body;
    assert.equal(sentencesIn(rest).length, 11);
    assert.doesNotMatch(rest, />Older</);
    assert.match(rest, /<a href="\/account\/activity">Newest</);
    const signIns = (await browser.get('/account/activity?show=sign-ins')).body;
    assert.deepEqual(sentencesIn(signIns), ['Signed in with Unknown browser from 127.0.0.1']);
    assert.match(signIns, /<option value="sign-ins" selected>/);
    const apps = (await browser.get('/account/activity?show=apps')).body;
    assert.match(apps, /href="\/account\/activity\?show=apps&amp;before=12" rel="next"/);
    for (const odd of ['before=-1', 'before=1e3', 'before=x', 'show=users', 'before=1&before=2']) {
      assert.equal(sentencesIn((await browser.get(`/account/activity?${odd}`)).body).length, 50, odd);
    }
  });
});

/** Everything that opens something, or could have been typed by mistake, in one life of an account. */
async function liveThrough(world: TestPages, secrets: Set<string>): Promise<void> {
  const browser = openBrowser(world);
  const keep = (...found: (string | undefined)[]) => {
    for (const secret of [...found, ...browser.jar.values()]) {
      assert.ok(secret, 'there is a secret to look for');
      secrets.add(secret);
    }
  };
  const first = world.pages.firstAccountPath!;
  keep(first.split('=')[1], PASSWORD, hiddenFields((await browser.get(first)).body).form);
  await browser.submit(first, { username: 'alice', password: PASSWORD });
  keep();
  await browser.submit('/account', {});
  await submitWrong(browser, 'alice', 'almost-the-right-one');
  await submitWrong(browser, 'a-password-as-a-name', 'x');
  keep('almost-the-right-one', 'a-password-as-a-name');
  await browser.signIn();
  keep(hiddenFields((await browser.get('/account')).body).form);
  const implicit = await browser.submit(authorizePath({ state: 'state-of-app' }), { decision: 'allow' });
  keep('state-of-app', new URLSearchParams(new URL(implicit.location).hash.slice(1)).get('access_token')!);

  const verifier = 'v'.repeat(50);
  const redirect_uri = `${NOTES}/app/?secret=in-a-query`;
  const asked = authorizePath({
    ...{ response_type: 'code', redirect_uri, state: 'state-of-app' },
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const redeemNew = async () => {
    const answer = await browser.submit(asked, { decision: 'allow' });
    const code = new URL(answer.location).searchParams.get('code')!;
    const redeem = { grant_type: 'authorization_code', code, redirect_uri, code_verifier: verifier };
    const given = await ask(world, '/oauth/token', { ...redeem, client_id: NOTES });
    keep(code, verifier, given.access_token, given.refresh_token);
    return { redeem, given };
  };
  const { given } = await redeemNew();
  const refresh = (refresh_token = '') =>
    ask(world, '/oauth/token', { grant_type: 'refresh_token', refresh_token, client_id: NOTES });
  const next = await refresh(given.refresh_token);
  keep(next.access_token, next.refresh_token);
  const last = await refresh(next.refresh_token);
  keep(last.access_token, last.refresh_token);
  assert.equal((await refresh(given.refresh_token)).error, 'invalid_grant');
  const { redeem } = await redeemNew();
  assert.equal((await ask(world, '/oauth/token', { ...redeem, client_id: NOTES })).error, 'invalid_grant');
  const token = new URLSearchParams(new URL(implicit.location).hash.slice(1)).get('access_token')!;
  assert.deepEqual(await ask(world, '/oauth/revoke', { token }), {});
}

async function ask(
  { pages }: TestPages,
  url: string,
  fields: Record<string, string>,
): Promise<Record<string, string | undefined>> {
  const payload = new URLSearchParams(fields).toString();
  const headers = { ...FORM, host: new URL(ORIGIN).host, origin: NOTES };
  const answer = await pages.app.inject({ method: 'POST', url, headers, payload });
  return answer.json();
}

test('threats 5 and 30: no secret of a whole life is in the trail, the database or the log', async () => {
  await using world = await openTestPages({ users: [] });
  const secrets = new Set<string>();
  await liveThrough(world, secrets);
  assert.deepEqual(await eventsOf(world), [
    ...['account-made -', 'signed-in -', 'signed-out -'],
    ...['sign-in-failed - wrong password', 'signed-in -'],
    ...[`app-allowed ${NOTES} notes:rw`, `app-allowed ${NOTES} notes:rw`],
    ...[`refresh-reused ${NOTES}`, `app-allowed ${NOTES} notes:rw`, `code-reused ${NOTES}`],
    `app-revoked ${NOTES} the app gave it back`,
  ]);
  const events = await world.accounts.audit.list({ limit: 99 });
  assert.ok(events.every(({ client }) => client === '127.0.0.1'));
  assert.equal(events[0]?.browser, 'Firefox on Linux');
  const files = readdirSync(dirname(world.file));
  assert.ok(files.includes('accounts.db-wal'), 'what is not yet in the database itself is looked at, too');
  const bytes = Buffer.concat(files.map((name) => readFileSync(join(dirname(world.file), name))));
  const places = { database: bytes.toString('latin1'), log: world.log() };
  assert.ok(places.database.includes('the app gave it back'), 'this is where the trail is');
  assert.ok(secrets.size >= 17, `only ${secrets.size} secrets`);
  for (const secret of secrets) {
    for (const [place, text] of Object.entries(places)) {
      assert.ok(!text.includes(secret), `${secret} is in the ${place}`);
    }
  }
});

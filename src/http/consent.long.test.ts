// Deciding from the terminal, as the browser sees it: codes, who may go on, and what a file of grants adds to it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  ALICE,
  type Answer,
  authorizePath,
  hiddenFields,
  openBrowser,
  openTestPages,
} from '../../test/open-test-pages.ts';
import { APPROVAL_LIFE_MS, MAX_WAITING, parseApprovalCode } from '../db/approvals.ts';
import { grantHash } from '../protocol/grants-file.ts';
import { SETTLE_MS } from './grants-file.ts';

const TOKEN = /#access_token=([A-Za-z0-9_-]{43})&/;
const APP = 'https://notes.example';
const HASH = grantHash({ user: ALICE, app: APP, redirect: `${APP}/app/` });

/** The code that a consent page shows, as the command reads it. */
function codeOn({ body }: Answer): string {
  const shown = /gitstead grant approve ([A-Z0-9]{4}-[A-Z0-9]{4})</.exec(body)?.[1];
  return parseApprovalCode(shown ?? assert.fail(body))!;
}

function buttonsOf({ body }: Answer): string[] {
  return [...body.matchAll(/<button[^>]*>([^<]*)<\/button>/g)].map((match) => match[1]!);
}

async function openSignedIn(config: { grantsFile?: string } = {}) {
  const world = await openTestPages({ users: ['alice', 'bob'], config: { port: 8000, ...config } });
  const browser = openBrowser(world);
  await browser.signIn();
  return { ...world, world, browser };
}

describe('an approval from the terminal', () => {
  test('lets the browser go on as if Allow had been clicked, when the page is loaded again', async () => {
    await using opened = await openSignedIn();
    const { browser, accounts } = opened;
    const path = `${authorizePath()}&state=a%2fb`;
    const page = await browser.get(path);
    assert.match(page.body, /Deciding in a terminal\?/);
    assert.deepEqual(buttonsOf(page), ['Allow', 'Deny']);
    const again = await browser.get(path);
    assert.equal(again.status, 200);
    assert.match(again.body, /Not decided in the terminal yet/);
    assert.equal(codeOn(again), codeOn(page));
    assert.deepEqual(await accounts.grants.list(), []);

    await accounts.approvals.approve(codeOn(page));
    assert.deepEqual(await accounts.grants.list(), [], 'the yes alone gives nothing');
    const answer = await browser.get(path);
    assert.equal(answer.status, 303);
    assert.equal(answer.headers['referrer-policy'], 'no-referrer');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.ok(answer.location.endsWith('&state=a%2fb'));
    const token = TOKEN.exec(answer.location)?.[1] ?? assert.fail(answer.location);
    assert.equal(accounts.tokens.check(token)?.app, APP);
    const [event] = await accounts.audit.list({ user: 'alice', limit: 1 });
    assert.deepEqual([event?.kind, event?.detail], ['app-allowed', 'notes:rw, in the terminal']);
  });

  test('gives a code to apps that ask for one', async () => {
    await using opened = await openSignedIn();
    const { browser, accounts } = opened;
    const path = authorizePath({
      response_type: 'code',
      code_challenge: 'c'.repeat(43),
      code_challenge_method: 'S256',
    });
    await accounts.approvals.approve(codeOn(await browser.get(path)));
    assert.match((await browser.get(path)).location, /^https:\/\/notes\.example\/app\/\?code=[\w-]{43}&iss=/);
  });

  test('“Continue” is a link to the same page', async () => {
    await using opened = await openSignedIn();
    const { body } = await opened.browser.get(authorizePath());
    const href = /<a href="([^"]*)">Continue<\/a>/.exec(body)?.[1];
    assert.equal(href?.replaceAll('&amp;', '&'), authorizePath());
  });

  test('threat 33: is good once; the next time the user is asked again', async () => {
    await using opened = await openSignedIn();
    const { browser, accounts } = opened;
    const page = await browser.get(authorizePath());
    await accounts.approvals.approve(codeOn(page));
    assert.equal((await browser.get(authorizePath())).status, 303);
    const next = await browser.get(authorizePath());
    assert.equal(next.status, 200);
    assert.notEqual(codeOn(next), codeOn(page));
    assert.equal((await accounts.grants.list()).length, 1);
  });

  test('that comes late is none', async () => {
    await using opened = await openSignedIn();
    const { browser, accounts, clock } = opened;
    const code = codeOn(await browser.get(authorizePath()));
    clock.time += APPROVAL_LIFE_MS;
    assert.equal(await accounts.approvals.approve(code), 'late');
    assert.equal((await browser.get(authorizePath())).status, 200);
  });

  test('is for no other session, user or request', async () => {
    await using opened = await openSignedIn();
    const { world, browser, accounts } = opened;
    const path = authorizePath();
    await accounts.approvals.approve(codeOn(await browser.get(path)));
    const otherSession = openBrowser(world);
    await otherSession.signIn();
    assert.equal((await otherSession.get(path)).status, 200);
    const bob = openBrowser(world);
    await bob.signIn('bob');
    assert.equal((await bob.get(authorizePath({}, 'bob'))).status, 200);
    assert.match((await bob.get(path)).body, /You are signed in as bob/);
    assert.match((await openBrowser(world).get(path)).body, /name="password"/);
    for (const other of [
      `${path}&state=x`,
      authorizePath({ scope: '*:rw' }),
      authorizePath({ redirect_uri: 'https://notes.example/app/other' }),
    ]) {
      assert.equal((await browser.get(other)).status, 200, other);
    }
    assert.deepEqual(await accounts.grants.list(), []);
    assert.equal((await browser.get(path)).status, 303);
  });

  test('waits for a page that somebody looks at: not for a HEAD, a picture or what is fetched ahead', async () => {
    await using opened = await openSignedIn();
    const { browser, accounts, pages } = opened;
    await accounts.approvals.approve(codeOn(await browser.get(authorizePath())));
    for (const headers of [{ 'sec-fetch-dest': 'image' }, { 'sec-purpose': 'prefetch' }]) {
      assert.equal((await browser.get(authorizePath(), headers)).status, 200, JSON.stringify(headers));
    }
    const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const head = await pages.app.inject({
      method: 'HEAD',
      url: authorizePath(),
      headers: { host: 'localhost:8000', cookie },
    });
    assert.equal(head.statusCode, 200);
    assert.deepEqual(await accounts.grants.list(), []);
    assert.equal((await browser.get(authorizePath(), { 'sec-fetch-dest': 'document' })).status, 303);
  });

  test('has its code kept while the browser is made to fetch other requests that nobody looks at', async () => {
    await using opened = await openSignedIn();
    const { browser, accounts } = opened;
    const page = await browser.get(authorizePath());
    for (let number = 0; number <= MAX_WAITING; number++) {
      const path = `${authorizePath()}&state=${number}`;
      const headers = number % 2 ? { 'sec-fetch-dest': 'image' } : { 'sec-purpose': 'prefetch' };
      const unseen = await browser.get(path, headers);
      assert.equal(unseen.status, 200);
      assert.doesNotMatch(unseen.body, /grant approve/);
      assert.deepEqual(buttonsOf(unseen), ['Allow', 'Deny']);
    }
    assert.equal((await accounts.approvals.list()).length, 1);
    assert.equal(codeOn(await browser.get(authorizePath())), codeOn(page));
    await accounts.approvals.approve(codeOn(page));
    assert.equal((await browser.get(authorizePath())).status, 303);
  });

  test('is over when the page was decided with a click', async () => {
    await using opened = await openSignedIn();
    const { browser, accounts } = opened;
    for (const decision of ['allow', 'deny']) {
      const page = await browser.get(authorizePath());
      await browser.post(authorizePath(), { ...hiddenFields(page.body), decision });
      assert.equal(await accounts.approvals.approve(codeOn(page)), 'used', decision);
    }
    const page = await browser.get(authorizePath());
    await accounts.approvals.approve(codeOn(page));
    const denied = await browser.post(authorizePath(), { ...hiddenFields(page.body), decision: 'deny' });
    assert.match(denied.location, /error=access_denied/);
    assert.equal((await browser.get(authorizePath())).status, 200);
    assert.equal((await accounts.grants.list()).length, 1);
  });

  test('threat 30: no log line holds its code', async () => {
    await using opened = await openSignedIn();
    const { browser, accounts } = opened;
    const page = await browser.get(authorizePath());
    await accounts.approvals.approve(codeOn(page));
    await browser.get(authorizePath());
    const shown = /approve ([A-Z0-9-]{9})</.exec(page.body)![1]!;
    for (const secret of [codeOn(page), shown]) assert.ok(!opened.log().includes(secret));
  });
});

describe('with a file of grants', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-consent-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const grantsFile = join(folder, '.auth');
  const write = (...lines: string[]) => writeFileSync(grantsFile, lines.map((line) => `${line}\n`).join(''));

  test('the page shows the line for each scope, and has no Allow, until the lines are there', async () => {
    write('# none');
    await using opened = await openSignedIn({ grantsFile });
    const { browser } = opened;
    const path = authorizePath({ scope: 'notes:rw *:r' });
    const page = await browser.get(path);
    assert.equal(page.status, 200);
    assert.ok(
      page.body.includes(`<code>${HASH} notes rw</code>\n<code>${HASH} root r</code>\n</pre>`),
      page.body,
    );
    assert.deepEqual(buttonsOf(page), ['Deny']);
    assert.doesNotMatch(page.body, /grant approve/);
    assert.ok(!page.body.includes(folder), 'no path of this machine');
    write(`${HASH} root r`);
    const half = await browser.get(path);
    assert.ok(half.body.includes(`<pre class="lines"><code>${HASH} notes rw</code>\n</pre>`));
    write(`${HASH} root r`, `${HASH} notes rw`);
    assert.deepEqual(buttonsOf(await browser.get(path)), ['Allow', 'Deny']);
  });

  test('Allow is refused also when it is sent nevertheless, and nothing is given', async () => {
    write(`${HASH} notes rw`);
    await using opened = await openSignedIn({ grantsFile });
    const { browser, accounts } = opened;
    const fields = hiddenFields((await browser.get(authorizePath())).body);
    write('');
    const refused = await browser.post(authorizePath(), { ...fields, decision: 'allow' });
    assert.equal(refused.status, 403);
    assert.equal(refused.location, '');
    assert.match(refused.body, /role="alert"/);
    assert.ok(refused.body.includes(`<code>${HASH} notes rw</code>`));
    assert.deepEqual(await accounts.grants.list(), []);
    const wider = authorizePath({ scope: 'notes:rw contacts:r' });
    write(`${HASH} notes rw`);
    assert.equal((await browser.submit(wider, { decision: 'allow' })).status, 403);
    assert.match((await browser.submit(wider, { decision: 'deny' })).location, /access_denied/);
  });

  test('a line waives nothing else: sign-in and the click remain', async () => {
    write(`${HASH} root rw`);
    await using opened = await openSignedIn({ grantsFile });
    const { world, browser, accounts } = opened;
    assert.match((await openBrowser(world).get(authorizePath())).body, /name="password"/);
    assert.deepEqual(buttonsOf(await browser.get(authorizePath())), ['Allow', 'Deny']);
    assert.equal((await browser.post(authorizePath(), { decision: 'allow' })).status, 403);
    assert.deepEqual(await accounts.grants.list(), []);
    assert.match((await browser.submit(authorizePath(), { decision: 'allow' })).location, TOKEN);
  });

  test('a yes in the terminal is not enough without the lines, and counts once they are there again', async () => {
    write(`${HASH} notes rw`);
    await using opened = await openSignedIn({ grantsFile });
    const { browser, accounts } = opened;
    const page = await browser.get(authorizePath());
    write('');
    await accounts.approvals.approve(codeOn(page));
    assert.deepEqual(buttonsOf(await browser.get(authorizePath())), ['Deny']);
    assert.deepEqual(await accounts.grants.list(), []);
    write(`${HASH} notes rw`);
    assert.match((await browser.get(authorizePath())).location, TOKEN);
  });

  test('query and fragment of the address make no other hash', async () => {
    write(`${HASH} notes rw`);
    await using opened = await openSignedIn({ grantsFile });
    const path = authorizePath({ redirect_uri: `${APP}/app/?page=1` });
    assert.deepEqual(buttonsOf(await opened.browser.get(path)), ['Allow', 'Deny']);
  });

  test('what an app was allowed ends when its line is gone', async (context) => {
    let ahead = 0;
    const elapsed = performance.now.bind(performance);
    context.mock.method(performance, 'now', () => elapsed() + ahead);
    write(`${HASH} notes rw`);
    await using opened = await openSignedIn({ grantsFile });
    const { browser, accounts } = opened;
    const { location } = await browser.submit(authorizePath(), { decision: 'allow' });
    const token = TOKEN.exec(location)![1]!;
    ahead += SETTLE_MS;
    await browser.get(authorizePath());
    assert.ok(accounts.tokens.check(token));
    write('');
    await browser.get(authorizePath());
    ahead += SETTLE_MS;
    await browser.get(authorizePath());
    assert.equal(accounts.tokens.check(token), undefined);
  });
});

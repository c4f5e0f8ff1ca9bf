// The pages in a real browser: by keyboard, without scripts, in both themes, on phone and desktop, and judged by
// axe. Pictures of every page are left in test/screenshots/.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { parseApprovalCode } from '../../src/db/approvals.ts';
import { formatGrantLine, grantHash } from '../../src/protocol/grants-file.ts';
import { ALICE, authorizePath, PASSWORD } from '../open-test-pages.ts';
import { connectEverything, recentWritesUntil } from './connected-account.ts';
import { openChromium, type ServedPages, servePages } from './open-browser.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCREENSHOTS = join(import.meta.dirname, '../screenshots');
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const TOKEN_FRAGMENT = /#access_token=[A-Za-z0-9_-]{43}&token_type=bearer&scope=notes%3Arw&state=s%20t$/;

const STORED = {
  usage: () => ({ bytes: 48_211_004, documents: 1_263 }),
  modules: () => [
    { module: 'bookmarks', documents: 412, bytes: 610_304 },
    { module: 'notes', documents: 838, bytes: 1_730_001 },
    { module: 'pictures', documents: 13, bytes: 45_870_699 },
  ],
};

function requestPath({ appUrl }: ServedPages, parameters: Record<string, string> = {}): string {
  return authorizePath({ redirect_uri: `${appUrl}/editor/`, state: 's t', ...parameters });
}

/** A bit of everything, as it came about over some days. */
async function recordActivity({ accounts: { audit }, clock }: ServedPages): Promise<void> {
  const now = clock.time;
  const user = 'alice';
  const at = { client: '192.0.2.17', browser: 'Firefox on Linux' };
  const away = { client: '2001:db8:85a3:1319:8a2e:370:7344:abcd', browser: 'Chrome on Windows' };
  const app = 'https://notes.example';
  const wrong = { kind: 'sign-in-failed', user, detail: 'wrong password', ...away } as const;
  clock.time = now + 60_000;
  await audit.record({ kind: 'app-allowed', user, app, detail: 'notes:rw contacts:r', ...at });
  await audit.record({
    kind: 'app-denied',
    user,
    app: 'https://a.rather.long.name.of.an.app.example',
    ...at,
  });
  for (let count = 0; count < 3; count++) await audit.record(wrong);
  clock.time = now + 86_400_000;
  await audit.record({ kind: 'token-made', user, detail: '*:r' });
  await audit.record({ kind: 'code-reused', user, app, ...away });
  clock.time = now + 86_400_000 + 7_260_000;
  await audit.record({ kind: 'app-revoked', user, app, detail: 'the app gave it back', ...at });
  await audit.record({ kind: 'session-ended', user, detail: 'Safari on iOS', ...at });
  await audit.record({ kind: 'password-changed', user });
}

async function signIn(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/login`);
  await page.getByLabel('Name').fill('alice');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${url}/account`);
}

/** The line that lets the pretended app have alice's notes. */
function lineFor({ appUrl }: ServedPages): string {
  const asker = { user: ALICE, app: appUrl, redirect: `${appUrl}/editor/` };
  return formatGrantLine(grantHash(asker), { module: 'notes', level: 'rw' });
}

function temporaryFile(content: string): { path: string; write(text: string): void } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-pages-'));
  const path = join(folder, '.auth');
  const write = (text: string) => writeFileSync(path, text);
  write(content);
  return { path, write, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Presses Tab until `name` has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 20; presses++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = (globalThis as unknown as { document: { activeElement: Focused } }).document
        .activeElement;
      return element.getAttribute('name') ?? element.textContent?.trim();
    });
    const text = await page.locator(':focus').textContent();
    if (focused === name || text?.trim() === name) return;
  }
  assert.fail(`Tab never comes to ${name}`);
}

type Focused = { getAttribute(name: string): string | null; textContent: string | null };

async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const results = (await page.evaluate('axe.run(document)')) as {
    passes: unknown[];
    violations: { id: string; impact: string; help: string; nodes: { html: string }[] }[];
  };
  assert.ok(results.passes.length > 10, 'axe has looked at something');
  return results.violations.map(
    ({ id, impact, help, nodes }) => `${impact} ${id}: ${help}: ${nodes[0]?.html}`,
  );
}

test('an app is let in by keyboard only', async () => {
  await using served = await servePages();
  await using chromium = await openChromium();
  const page = await chromium.newPage();
  await page.goto(served.url + requestPath(served));
  assert.equal(await page.inputValue('[name=username]'), 'alice');
  assert.equal(await page.locator(':focus').getAttribute('name'), 'password', 'the password has the focus');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Allow this app to use your storage?' }).waitFor();
  await tabTo(page, 'Allow');
  const outline = await page.locator(':focus').evaluate((element: unknown) => {
    const { getComputedStyle } = globalThis as unknown as {
      getComputedStyle(e: unknown): { outlineWidth: string };
    };
    return getComputedStyle(element).outlineWidth;
  });
  assert.equal(outline, '3px', 'the focus is visible');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${served.appUrl}/**`);
  assert.match(page.url(), TOKEN_FRAGMENT);
  assert.equal((await served.accounts.grants.list('alice')).length, 1);
  assert.equal(await page.evaluate('document.referrer'), '');
});

test('everything works without scripts', async () => {
  await using served = await servePages({ users: [] });
  await using chromium = await openChromium({ javaScriptEnabled: false });
  const page = await chromium.newPage();
  await page.goto(served.url + served.pages.firstAccountPath);
  await page.getByLabel('Name').fill('alice');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('heading', { name: 'Hello, alice' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(`${served.url}/`);

  await page.goto(served.url + requestPath(served));
  await page.getByLabel('Password').fill('wrong horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  assert.match((await page.getByRole('alert').textContent()) ?? '', /name or the password is wrong/);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  assert.deepEqual(await page.getByRole('button').allInnerTexts(), ['Allow', 'Deny']);
  await page.getByRole('button', { name: 'Deny' }).click();
  await page.waitForURL(`${served.appUrl}/**`);
  assert.ok(page.url().endsWith('/editor/#error=access_denied&state=s%20t'), page.url());

  await page.goto(served.url + requestPath(served));
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(`${served.appUrl}/**`);
  assert.match(page.url(), TOKEN_FRAGMENT);
});

test('“Not you?” leads to the choice of another account', async () => {
  await using served = await servePages({ users: ['alice', 'bob'] });
  await using chromium = await openChromium();
  const page = await chromium.newPage();
  await signIn(page, served.url);
  await page.goto(served.url + requestPath(served));
  await page.getByRole('link', { name: 'Not you?' }).click();
  await page.getByRole('link', { name: 'Continue as alice' }).waitFor();
  await page.getByLabel('Name').fill('bob');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Account: bob@localhost').waitFor();
});

test('a yes in the terminal lets the waiting page go on, by Continue and by loading it again', async () => {
  await using served = await servePages();
  await using chromium = await openChromium({ javaScriptEnabled: false });
  const page = await chromium.newPage();
  await signIn(page, served.url);
  for (const goOn of [
    () => page.getByRole('link', { name: 'Continue' }).click(),
    () => page.reload({ waitUntil: 'commit' }),
  ]) {
    await page.goto(served.url + requestPath(served));
    await page.getByRole('link', { name: 'Continue' }).click();
    await page.getByText('Not decided in the terminal yet').waitFor();
    assert.deepEqual(await page.getByRole('button').allInnerTexts(), ['Allow', 'Deny']);
    const command = (await page.locator('.terminal code').textContent()) ?? '';
    const code = parseApprovalCode(command.replace('gitstead grant approve ', ''));
    assert.equal(typeof (await served.accounts.approvals.approve(code!)), 'object');
    await goOn();
    await page.waitForURL(`${served.appUrl}/**`);
    assert.match(page.url(), TOKEN_FRAGMENT);
  }
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds no fault on any page in the ${colorScheme} theme, and no page is wider than a phone`, async () => {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await using fresh = await servePages({ users: [] });
    await using served = await servePages({ users: ['alice', 'bob'], storage: STORED });
    using grants = temporaryFile('');
    await using listed = await servePages({ config: { grantsFile: grants.path } });
    const recentWrites = recentWritesUntil(served.clock.time);
    await using connected = await servePages({ storage: { ...STORED, recentWrites } });
    await connectEverything(connected);
    await served.accounts.users.setQuota('alice', 2 ** 30);
    await using chromium = await openChromium({ colorScheme });
    const page = await chromium.newPage();
    const consoleLines: string[] = [];
    page.on('console', (message) => consoleLines.push(message.text()));

    async function judge(name: string): Promise<void> {
      assert.deepEqual(await seriousFaults(page), [], name);
      for (const [size, viewport] of Object.entries(SIZES)) {
        await page.setViewportSize(viewport);
        const path = join(SCREENSHOTS, `${name}-${colorScheme}-${size}.png`);
        await page.screenshot({ path, fullPage: true });
        const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
        assert.ok(width <= viewport.width, `${name} is ${width} pixels wide on ${size}`);
      }
    }
    async function visit(name: string, url: string): Promise<void> {
      await page.goto(url);
      await judge(name);
    }

    await visit('landing-new', `${fresh.url}/`);
    await visit('first-account', fresh.url + fresh.pages.firstAccountPath);
    await page.getByLabel('Name').fill('Älice');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button').click();
    await judge('first-account-error');
    await visit('landing', `${served.url}/`);
    await visit('sign-in', `${served.url}/login`);
    await visit('sign-in-for-app', served.url + requestPath(served));
    await page.getByLabel('Password').fill('wrong horse');
    await page.getByRole('button').click();
    await judge('sign-in-error');
    await signIn(page, served.url);
    await judge('account');
    await visit('sessions-one', `${served.url}/account/sessions`);
    await signIn(page, connected.url);
    await judge('account-apps');
    await page.getByRole('listitem').filter({ hasText: 'files.example' }).getByRole('button').click();
    await judge('account-revoked');
    await visit('sessions', `${connected.url}/account/sessions`);
    await page.getByRole('button', { name: 'Sign out', exact: true }).last().click();
    await judge('sessions-ended');
    await recordActivity(served);
    await visit('activity', `${served.url}/account/activity`);
    await visit('activity-older', `${served.url}/account/activity?show=apps&before=1`);
    await visit('consent', served.url + requestPath(served, { scope: 'notes:rw contacts:r' }));
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(`${served.appUrl}/**`);
    await visit('consent-before', served.url + requestPath(served, { scope: 'notes:rw contacts:r' }));
    await visit('consent-everything', served.url + requestPath(served, { scope: '*:rw' }));
    const lookAlike = {
      redirect_uri: 'https://аррӏе.com/a/rather/long/path/to/an/app/that/goes/on',
      scope: '*:r',
    };
    await visit('consent-look-alike', served.url + requestPath(served, lookAlike));
    await visit('consent-waiting', served.url + requestPath(served, lookAlike));
    await signIn(page, listed.url);
    await visit('consent-unlisted', listed.url + requestPath(listed, { scope: 'notes:rw *:r' }));
    grants.write(lineFor(listed));
    await visit('consent-listed', listed.url + requestPath(listed));
    grants.write('');
    await page.getByRole('button', { name: 'Allow' }).click();
    await judge('consent-refused');
    await visit('choose-account', served.url + requestPath(served).replace('/alice/', '/'));
    await visit('sign-in-other', served.url + requestPath(served).replace('/alice/', '/bob/'));
    await visit('error', served.url + requestPath(served, { redirect_uri: 'http://evil.example/' }));
    await visit('not-found', `${served.url}/nothing/here`);
    const refusals = consoleLines.filter((line) => /Content Security Policy/i.test(line));
    assert.deepEqual(refusals, []);
  });
}

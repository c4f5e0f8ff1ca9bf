// What the other pages show, and what every answer carries.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { openBrowser, openTestPages } from '../../test/open-test-pages.ts';
import { ROOT_MODULE } from '../protocol/paths.ts';

describe('the account page', () => {
  test('names the address to type in, the modules and what they use', async () => {
    await using world = await openTestPages({
      storage: {
        usage: () => ({ bytes: 1_600, documents: 1_203 }),
        modules: () => [
          { module: 'notes', documents: 1_200, bytes: 1_536 },
          { module: '<script>', documents: 2, bytes: 60 },
          { module: ROOT_MODULE, documents: 1, bytes: 4 },
        ],
      },
    });
    await world.accounts.users.setQuota('alice', 1_048_576);
    const browser = openBrowser(world);
    await browser.signIn();
    const { body } = await browser.get('/account');
    for (const text of [
      'alice@localhost:8000',
      'notes',
      '1,200',
      '1.5 KiB',
      'You use 1.6 KiB of 1 MiB',
      'Documents outside any folder',
    ]) {
      assert.ok(body.includes(text), text);
    }
    assert.ok(!body.includes('<script>') && body.includes('&lt;script&gt;'));
    assert.doesNotMatch(body, /You administer this server/);
  });

  test('says so when nothing is stored yet', async () => {
    await using world = await openTestPages();
    const browser = openBrowser(world);
    await browser.signIn();
    assert.match((await browser.get('/account')).body, /Nothing yet/);
  });
});

test('an account that was removed is signed out', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  await world.accounts.users.remove('alice');
  assert.equal((await browser.get('/account')).location, '/login');
  assert.equal((await browser.get('/login')).status, 200);
});

test('a session ends after 30 days without a visit', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  world.clock.time += 31 * 86_400_000;
  assert.equal((await browser.get('/account')).location, '/login');
});

test('the style sheet and the icon come from our own origin, and pages name them', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  const { body } = await browser.get('/');
  const style = await browser.get(/<link rel="stylesheet" href="([^"]+)"/.exec(body)![1]!);
  assert.equal(style.headers['content-type'], 'text/css; charset=utf-8');
  assert.match(String(style.headers['cache-control']), /immutable/);
  const icon = await browser.get(/<link rel="icon" href="([^"]+)"/.exec(body)![1]!);
  assert.equal(icon.headers['content-type'], 'image/svg+xml');
  assert.doesNotMatch(body, /<script|<style|style=| on\w+=/);
});

test('threat 20: every answer has nosniff', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  for (const path of [
    '/',
    '/health',
    '/nope',
    '/%zz',
    '/.well-known/webfinger',
    '/assets/gitstead.svg',
    `/${'x'.repeat(300)}`,
  ]) {
    assert.equal((await browser.get(path)).headers['x-content-type-options'], 'nosniff', path);
  }
});

test('a fault of the server is a page that tells nothing, and a log line that does', async () => {
  await using world = await openTestPages({
    storage: {
      usage: () => {
        throw new Error('the disk at /secret/path is on fire');
      },
      modules: () => [],
    },
  });
  const browser = openBrowser(world);
  await browser.signIn();
  const answer = await browser.get('/account?secret=query');
  assert.equal(answer.status, 500);
  assert.match(answer.body, /Something went wrong/);
  assert.doesNotMatch(answer.body, /secret/);
  assert.match(world.log(), /on fire/);
  assert.doesNotMatch(world.log(), /secret=query/);
});

test('a node:http server hands its requests over', async () => {
  await using world = await openTestPages({ config: {} });
  const server = createServer((request, response) => world.pages.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const health = await fetch(`http://127.0.0.1:${port}/health`);
    assert.deepEqual(await health.json(), { status: 'ok' });
    const found = await fetch(
      `http://localhost:${port}/.well-known/webfinger?resource=acct:alice@localhost:${port}`,
    );
    assert.equal(found.status, 200);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

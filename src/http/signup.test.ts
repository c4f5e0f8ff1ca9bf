// The first account's one-time link (threat 36).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, openBrowser, openTestPages, PASSWORD } from '../../test/open-test-pages.ts';

test('threat 36: the link makes the first account, an administrator, and ends with it', async () => {
  await using world = await openTestPages({ users: [] });
  const link = world.pages.firstAccountPath!;
  assert.match(link, /^\/signup\?first=[A-Za-z0-9_-]{43}$/);
  const browser = openBrowser(world);
  assert.match((await browser.get('/')).body, /Nobody has an account here yet/);
  assert.match((await browser.get(link)).body, /name@localhost:8000/);
  const made = await browser.submit(link, { username: 'alice', password: PASSWORD });
  assert.equal(made.location, '/account');
  assert.match((await browser.get('/account')).body, /You administer this server/);
  assert.equal((await world.accounts.users.find('alice'))?.isAdmin, true);
  assert.equal((await browser.get(link)).status, 404);
  assert.equal((await browser.submit(link, { username: 'eve', password: PASSWORD })).status, 404);
  assert.equal(await world.accounts.users.count(), 1);
});

test('threat 36: the link ends also when the first account is made in another way', async () => {
  await using world = await openTestPages({ users: [] });
  const link = world.pages.firstAccountPath!;
  await world.accounts.users.create({ name: ALICE, password: PASSWORD, isAdmin: true });
  assert.equal((await openBrowser(world).get(link)).status, 404);
});

test('threat 36: there is no link when there is an account, and a guessed one does not work', async () => {
  await using world = await openTestPages();
  assert.equal(world.pages.firstAccountPath, undefined);
  await using empty = await openTestPages({ users: [] });
  for (const path of [
    '/signup',
    '/signup?first=',
    '/signup?first=undefined',
    `/signup?first=${'A'.repeat(43)}`,
    '/signup?first=a&first=b',
  ]) {
    assert.equal((await openBrowser(world).get(path)).status, 404, path);
    assert.equal((await openBrowser(empty).get(path)).status, 404, path);
  }
});

test('threat 36: two who open the link at once make one account', async () => {
  await using world = await openTestPages({ users: [] });
  const link = world.pages.firstAccountPath!;
  const answers = await Promise.all(
    ['alice', 'eve'].map((username) => openBrowser(world).submit(link, { username, password: PASSWORD })),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 404]);
  assert.equal(await world.accounts.users.count(), 1);
});

test('a name or a password that will not do is told in plain words, and the name stays in the form', async () => {
  await using world = await openTestPages({ users: [] });
  const browser = openBrowser(world);
  const link = world.pages.firstAccountPath!;
  for (const username of ['', 'Älice', 'a b', '-alice', 'x'.repeat(64), '../etc']) {
    const answer = await browser.submit(link, { username, password: PASSWORD });
    assert.equal(answer.status, 400, username);
    assert.match(answer.body, /role="alert"[\s\S]*lower-case letters, digits/);
  }
  const short = await browser.submit(link, { username: 'alice', password: 'seven77' });
  assert.equal(short.status, 400);
  assert.match(short.body, /at least 8 characters/);
  assert.match(short.body, /value="alice"/);
  assert.equal(await world.accounts.users.count(), 0);
});

test('the form needs its token', async () => {
  await using world = await openTestPages({ users: [] });
  const browser = openBrowser(world);
  const link = world.pages.firstAccountPath!;
  await browser.get(link);
  assert.equal((await browser.post(link, { username: 'alice', password: PASSWORD })).status, 403);
  assert.equal(await world.accounts.users.count(), 0);
});

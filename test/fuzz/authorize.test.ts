// The authorisation endpoint against whatever may be sent to it: it never fails (500), never redirects to where it
// should not, and gives no token without a click on a page that it sent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hiddenFields, openBrowser, openTestPages } from '../open-test-pages.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.constantFrom(
    'https://notes.example/app/',
    'http://localhost:8772',
    'http://[::1]:9/',
    'https://a.example/\r\nSet-Cookie: x=y',
    'notes:rw',
    '*:rw root:r',
    'token',
    'code',
    'allow',
    'deny',
    '',
  ),
);
const name = fc.constantFrom(
  'redirect_uri',
  'scope',
  'response_type',
  'state',
  'client_id',
  'decision',
  'form',
  'x',
);
const pair = fc.tuple(name, text, fc.constantFrom('raw', 'component', 'form')).map(([key, value, way]) => {
  if (way === 'component' && value.isWellFormed()) return `${key}=${encodeURIComponent(value)}`;
  if (way === 'form') return new URLSearchParams({ [key]: value }).toString();
  // what an HTTP client can put into a request line at all
  return `${key}=${value.replace(/[^\x21-\x7e]/g, '')}`;
});
/** Half of the requests begin as a good one, so that they get far. */
const query = fc.tuple(fc.boolean(), fc.array(pair, { maxLength: 6 })).map(([isGood, pairs]) => {
  const good = 'redirect_uri=https%3A%2F%2Fnotes.example%2Fapp%2F&scope=notes%3Arw&response_type=token';
  return [...(isGood ? [good] : []), ...pairs].join('&');
});
const user = fc.constantFrom('alice', 'bob', 'nobody', 'Alice', '%61lice', '..', '%2e%2e', '%00');
const fields = fc.dictionary(name, text, { maxKeys: 4 });

test('1,500 requests: no 500, no redirect before a decision, no token without a click', async () => {
  await using world = await openTestPages();
  const browsers = [openBrowser(world), openBrowser(world)];
  await browsers[1]!.signIn();
  await fc.assert(
    fc.asyncProperty(fc.nat(1), fc.boolean(), user, query, fields, async (who, isPost, name, raw, body) => {
      const browser = browsers[who]!;
      const path = `/oauth/${name}/authorize?${raw}`;
      const answer = isPost ? await browser.post(path, body) : await browser.get(path);
      assert.ok(answer.status < 500, `${answer.status} for ${path}`);
      if (answer.location !== '') assert.ok(answer.location.startsWith('/oauth/'), answer.location);
      assert.ok(!answer.body.includes('access_token='));
    }),
    { numRuns: 1500 },
  );
  assert.deepEqual(await world.accounts.tokens.list(), []);
});

test('a click on any consent page that comes up leads to the origin that the page showed', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  await browser.signIn();
  let clicks = 0;
  await fc.assert(
    fc.asyncProperty(query, fc.boolean(), async (raw, isAllowed) => {
      const path = `/oauth/alice/authorize?${raw}`;
      const page = await browser.get(path);
      if (page.status !== 200) return;
      clicks++;
      const shown = /<span class="host">([^<]*)</.exec(page.body)![1]!;
      const decision = isAllowed ? 'allow' : 'deny';
      const answer = await browser.post(path, { ...hiddenFields(page.body), decision });
      assert.equal(answer.status, 303);
      assert.equal(new URL(answer.location).host, shown.replaceAll('&amp;', '&'));
      assert.equal(answer.location.includes('#access_token='), isAllowed);
      assert.match(answer.location, /^[\x21-\x7e]+$/);
    }),
    { numRuns: 300 },
  );
  assert.ok(clicks > 30, `only ${clicks} pages came up`);
});

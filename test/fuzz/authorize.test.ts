// The endpoints of OAuth against whatever may be sent to them: they never fail (500), never redirect to where they should
// not, and give no token without a click on a page that was sent.
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
    'S256',
    'plain',
    'c'.repeat(43),
    'authorization_code',
    'refresh_token',
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
  'code_challenge',
  'code_challenge_method',
  'x',
);
const pair = fc.tuple(name, text, fc.constantFrom('raw', 'component', 'form')).map(([key, value, way]) => {
  if (way === 'component' && value.isWellFormed()) return `${key}=${encodeURIComponent(value)}`;
  if (way === 'form') return new URLSearchParams({ [key]: value }).toString();
  // what an HTTP client can put into a request line at all
  return `${key}=${value.replace(/[^\x21-\x7e]/g, '')}`;
});
/** Many of the requests begin as a good one, so that they get far. */
const GOOD = 'redirect_uri=https%3A%2F%2Fnotes.example%2Fapp%2F&scope=notes%3Arw&response_type=';
const BEGINNINGS = [
  '',
  `${GOOD}token`,
  `${GOOD}code&code_challenge_method=S256&code_challenge=${'c'.repeat(43)}`,
];
const query = fc
  .tuple(fc.constantFrom(...BEGINNINGS), fc.array(pair, { maxLength: 6 }))
  .map(([beginning, pairs]) => [...(beginning === '' ? [] : [beginning]), ...pairs].join('&'));
const user = fc.constantFrom('alice', 'bob', 'nobody', 'Alice', '%61lice', '..', '%2e%2e', '%00');
const fields = fc.dictionary(name, text, { maxKeys: 4 });

test('8,000 requests: no 500, no redirect before a decision, no token without a click', async () => {
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
      assert.ok(!/access_token=|[?&]code=/.test(answer.body.replaceAll(path, '')));
    }),
    { numRuns: 8000 },
  );
  assert.deepEqual(await world.accounts.grants.list(), []);
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
      assert.equal(/#access_token=|[?&]code=[\w-]{43}&/.test(answer.location), isAllowed);
      assert.match(answer.location, /^[\x21-\x7e]+$/);
    }),
    { numRuns: 300 },
  );
  assert.ok(clicks > 30, `only ${clicks} pages came up`);
});

const tokenField = fc.constantFrom(
  ...['grant_type', 'code', 'redirect_uri', 'code_verifier', 'refresh_token', 'scope', 'token'],
  ...['client_id', 'token_type_hint', '__proto__', 'constructor', 'x'],
);
const tokenPair = fc
  .tuple(tokenField, text)
  .map(([key, value]) => new URLSearchParams({ [key]: value }).toString());
const PROOFS = [
  '',
  `grant_type=authorization_code&code=${'c'.repeat(43)}&redirect_uri=https%3A%2F%2Fa.example&code_verifier=${'v'.repeat(43)}`,
  `grant_type=refresh_token&refresh_token=${'r'.repeat(43)}`,
];

test('2,000 requests to the endpoints for programs: no 500, JSON with CORS, nothing given', async () => {
  await using world = await openTestPages();
  const path = fc.constantFrom('/oauth/token', '/oauth/revoke', '/oauth/token?grant_type=refresh_token');
  await fc.assert(
    fc.asyncProperty(
      path,
      fc.constantFrom(...PROOFS),
      fc.array(tokenPair, { maxLength: 6 }),
      async (url, proof, pairs) => {
        const answer = await world.pages.app.inject({
          ...{ method: 'POST', url, payload: [proof, ...pairs].join('&') },
          headers: { host: 'localhost:8000', 'content-type': 'application/x-www-form-urlencoded' },
        });
        assert.ok(answer.statusCode < 500, `${answer.statusCode} for ${url}`);
        assert.equal(answer.headers['access-control-allow-origin'], '*');
        assert.equal((answer.json() as { access_token?: string }).access_token, undefined);
      },
    ),
    { numRuns: 2000 },
  );
  assert.deepEqual(await world.accounts.grants.list(), []);
});

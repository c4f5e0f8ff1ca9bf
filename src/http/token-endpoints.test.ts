// The endpoints for programs, asked by a client library that is not ours and by hand.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { authorizePath, openBrowser, openTestPages, type TestPages } from '../../test/open-test-pages.ts';

const ORIGIN = 'http://localhost:8000';
const ISSUER = new URL(ORIGIN);
const REDIRECT = 'https://notes.example/app/?page=1';
const CLIENT: oauth.Client = { client_id: 'https://notes.example' };

/** What the library needs to reach the pages without a port. */
function through({ pages }: TestPages) {
  return {
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: async (url: string, options: oauth.CustomFetchOptions<string, unknown>) => {
      const { pathname, search, host } = new URL(url);
      const response = await pages.app.inject({
        method: options.method as 'GET',
        url: pathname + search,
        headers: { ...options.headers, host, origin: 'https://notes.example' },
        ...(options.body == null ? {} : { payload: String(options.body) }),
      });
      assert.equal(response.headers['access-control-allow-origin'], '*');
      assert.equal(response.headers['cache-control'], 'no-store');
      const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
      const body = response.statusCode === 204 ? null : response.body;
      return new Response(body, { status: response.statusCode, headers: headers as [string, string][] });
    },
  };
}

async function discover(world: TestPages): Promise<oauth.AuthorizationServer> {
  const answer = await oauth.discoveryRequest(ISSUER, { ...through(world), algorithm: 'oauth2' });
  return oauth.processDiscoveryResponse(ISSUER, answer);
}

/** As an app: sends the user to the consent page, where they click Allow, and redeems the code. */
async function connect(world: TestPages, server: oauth.AuthorizationServer) {
  const verifier = oauth.generateRandomCodeVerifier();
  const path = authorizePath({
    ...{ response_type: 'code', redirect_uri: REDIRECT, scope: 'notes:rw contacts:r', state: 'here' },
    ...{ code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' },
  });
  const browser = openBrowser(world);
  await browser.signIn();
  const { location } = await browser.submit(path, { decision: 'allow' });
  assert.ok(location.startsWith(`${REDIRECT}&code=`), location);
  const parameters = oauth.validateAuthResponse(server, CLIENT, new URL(location), 'here');
  const redeem = () =>
    oauth.authorizationCodeGrantRequest(
      ...([server, CLIENT, oauth.None(), parameters, REDIRECT, verifier, through(world)] as const),
    );
  const tokens = await oauth.processAuthorizationCodeResponse(server, CLIENT, await redeem());
  return { tokens, redeem };
}

describe('a client library', () => {
  test('finds the endpoints, redeems a code with PKCE, refreshes and revokes', async () => {
    await using world = await openTestPages();
    const server = await discover(world);
    assert.deepEqual(server.code_challenge_methods_supported, ['S256']);
    const { tokens } = await connect(world, server);
    assert.equal(tokens.token_type, 'bearer');
    assert.equal(tokens.expires_in, 3600);
    assert.equal(tokens.scope, 'notes:rw contacts:r');
    assert.equal(world.accounts.tokens.check(tokens.access_token)?.app, 'https://notes.example');
    const refreshed = await oauth.processRefreshTokenResponse(
      ...([server, CLIENT] as const),
      await oauth.refreshTokenGrantRequest(
        server,
        CLIENT,
        oauth.None(),
        tokens.refresh_token!,
        through(world),
      ),
    );
    assert.ok(world.accounts.tokens.check(refreshed.access_token));
    assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
    const revoked = await oauth.revocationRequest(
      ...([server, CLIENT, oauth.None(), refreshed.refresh_token!, through(world)] as const),
    );
    await oauth.processRevocationResponse(revoked);
    for (const { access_token } of [tokens, refreshed]) {
      assert.equal(world.accounts.tokens.check(access_token), undefined);
    }
    assert.deepEqual(await world.accounts.grants.list(), []);
  });

  test('that redeems a code twice loses what it got, and the log says so', async () => {
    await using world = await openTestPages();
    const { tokens, redeem } = await connect(world, await discover(world));
    const again = await redeem();
    assert.equal(again.status, 400);
    assert.equal(((await again.json()) as { error: string }).error, 'invalid_grant');
    assert.equal(world.accounts.tokens.check(tokens.access_token), undefined);
    assert.match(world.log(), /came a second time/);
    assert.ok(!world.log().includes(tokens.access_token), 'threat 5: no secret in the log');
  });

  test('is told by iss which server answered, also when the user said no (threat 34)', async () => {
    await using world = await openTestPages();
    const server = await discover(world);
    const challenge = await oauth.calculatePKCECodeChallenge(oauth.generateRandomCodeVerifier());
    const path = authorizePath({
      ...{ response_type: 'code', redirect_uri: REDIRECT },
      ...{ code_challenge: challenge, code_challenge_method: 'S256' },
    });
    const browser = openBrowser(world);
    await browser.signIn();
    const { location } = await browser.submit(path, { decision: 'deny' });
    assert.throws(
      () => oauth.validateAuthResponse(server, CLIENT, new URL(location), oauth.expectNoState),
      (error: oauth.AuthorizationResponseError) => error.error === 'access_denied',
    );
    const other = { ...server, issuer: 'https://other.example' };
    assert.throws(
      () => oauth.validateAuthResponse(other, CLIENT, new URL(location), oauth.expectNoState),
      /iss/,
    );
    assert.deepEqual(await world.accounts.grants.list(), []);
  });
});

const FORM = 'application/x-www-form-urlencoded';

function post({ pages }: TestPages, url: string, payload: string, type = FORM) {
  return pages.app.inject({
    ...{ method: 'POST', url, payload },
    headers: { host: 'localhost:8000', 'content-type': type },
  });
}

const GOOD = `grant_type=authorization_code&code=${'c'.repeat(43)}&redirect_uri=https%3A%2F%2Fa.example&code_verifier=${'v'.repeat(43)}`;
const REFUSED: [body: string, error: string][] = [
  ['', 'invalid_request'],
  ['grant_type=', 'invalid_request'],
  ['grant_type=password&username=alice&password=x', 'unsupported_grant_type'],
  ['grant_type=client_credentials', 'unsupported_grant_type'],
  [GOOD, 'invalid_grant'],
  [GOOD.replace(/code=c+/, 'code='), 'invalid_request'],
  [GOOD.replace(/redirect_uri=[^&]*&/, ''), 'invalid_request'],
  [GOOD.replace(/&code_verifier=.*/, ''), 'invalid_request'],
  [GOOD.replace(/code_verifier=v+/, 'code_verifier=short'), 'invalid_request'],
  [`${GOOD}&code=${'d'.repeat(43)}`, 'invalid_request'],
  [`${GOOD}&grant_type=authorization_code`, 'invalid_request'],
  [GOOD.replace(/code=c+/, 'code=%00'), 'invalid_grant'],
  ['grant_type=refresh_token', 'invalid_request'],
  [`grant_type=refresh_token&refresh_token=${'r'.repeat(43)}`, 'invalid_grant'],
  ['grant_type=refresh_token&refresh_token=r&scope=public%3A*', 'invalid_scope'],
];

test('a request that is not as it should be is refused as RFC 6749 says it, and nothing is given', async () => {
  await using world = await openTestPages();
  for (const [body, error] of REFUSED) {
    const answer = await post(world, '/oauth/token', body);
    assert.equal(answer.statusCode, 400, body);
    const said = answer.json() as { error: string; error_description: string };
    assert.equal(said.error, error, body);
    assert.match(said.error_description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
  }
  assert.deepEqual(await world.accounts.grants.list(), []);
});

test('bodies of another kind, too long ones, and other methods are 4xx with CORS', async () => {
  await using world = await openTestPages();
  const cases = [
    await post(world, '/oauth/token', '{"grant_type":"refresh_token"}', 'application/json'),
    await post(world, '/oauth/token', `grant_type=${'x'.repeat(70_000)}`),
    await world.pages.app.inject({ method: 'GET', url: '/oauth/token', headers: { host: 'localhost:8000' } }),
    await world.pages.app.inject({
      method: 'PUT',
      url: '/oauth/revoke',
      headers: { host: 'localhost:8000' },
    }),
  ];
  for (const { statusCode, headers } of cases) {
    assert.ok(statusCode >= 400 && statusCode < 500, String(statusCode));
    assert.equal(headers['access-control-allow-origin'], '*');
  }
});

test('any token may be given back: an unknown one is as good as revoked, none at all is a fault', async () => {
  await using world = await openTestPages();
  for (const token of ['x'.repeat(43), 'junk', '%ff']) {
    assert.equal((await post(world, '/oauth/revoke', `token=${token}&token_type_hint=what`)).statusCode, 200);
  }
  for (const body of ['', 'token=', 'token=a&token=b']) {
    assert.equal((await post(world, '/oauth/revoke', body)).statusCode, 400, body);
  }
});

test('apps on any origin may ask: preflights are answered', async () => {
  await using world = await openTestPages();
  for (const url of ['/oauth/token', '/oauth/revoke', '/.well-known/oauth-authorization-server']) {
    const headers = {
      host: 'localhost:8000',
      origin: 'https://a.example',
      'access-control-request-method': 'POST',
    };
    const answer = await world.pages.app.inject({ method: 'OPTIONS', url, headers });
    assert.equal(answer.statusCode, 204);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.equal(answer.headers['access-control-allow-credentials'], undefined);
  }
});

test('the metadata names the public address, and only what is there', async () => {
  await using world = await openTestPages({ config: { port: 8000, publicUrl: 'https://rs.example' } });
  const url = '/.well-known/oauth-authorization-server';
  const answer = await world.pages.app.inject({ method: 'GET', url, headers: { host: 'rs.example' } });
  const { issuer, ...metadata } = answer.json() as Record<string, string>;
  assert.equal(issuer, 'https://rs.example');
  for (const name of ['token_endpoint', 'revocation_endpoint'] as const) {
    const path = metadata[name]!.replace('https://rs.example', '');
    assert.ok(world.pages.app.hasRoute({ method: 'POST', url: path }), name);
  }
});

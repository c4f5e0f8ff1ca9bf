// What an authorisation request may be, and the fragments that answer it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { codeRedirect, deniedRedirect, parseAuthorizeRequest, tokenRedirect } from './authorize.ts';
import { challengeOf } from './pkce.ts';

const ISSUER = 'https://example.com';
const TOKEN = 'A'.repeat(43);

function query(parameters: Record<string, string | undefined>): string {
  const all = {
    redirect_uri: 'https://notes.example/app/',
    scope: 'notes:rw',
    response_type: 'token',
    ...parameters,
  };
  return Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value!)}`)
    .join('&');
}

function parseWith(parameters: Record<string, string | undefined>) {
  return parseAuthorizeRequest(query(parameters));
}

/** The fragment as remotestorage.js reads it: split at & and =, then decodeURIComponent. */
function readFragment(location: string): Record<string, string> {
  const fragment = location.slice(location.indexOf('#') + 1);
  return Object.fromEntries(fragment.split('&').map((pair) => pair.split('=').map(decodeURIComponent)));
}

describe('a request', () => {
  test('is parsed into where, what and state', () => {
    assert.deepEqual(parseWith({ scope: 'notes:rw contacts:r', state: 'a b', client_id: 'whatever' }), {
      answer: { kind: 'token' },
      redirect: {
        written: 'https://notes.example/app/',
        href: 'https://notes.example/app/',
        origin: 'https://notes.example',
        path: '/app/',
      },
      scopes: [
        { module: 'notes', level: 'rw' },
        { module: 'contacts', level: 'r' },
      ],
      state: 'a%20b',
    });
  });

  test('may be written as forms are, with + for a space', () => {
    const request = parseAuthorizeRequest(
      new URLSearchParams({
        redirect_uri: 'https://notes.example',
        scope: 'notes:rw contacts:r',
        response_type: 'token',
      }).toString(),
    );
    assert.equal(request.scopes.length, 2);
  });

  test('may have parameters that nobody knows, even broken ones', () => {
    assert.ok(parseAuthorizeRequest(`${query({})}&x=1&x=2&%zz=%zz&=&&utm`));
  });

  for (const [what, parameters] of Object.entries({
    'no redirect_uri': { redirect_uri: undefined },
    'an empty redirect_uri': { redirect_uri: '' },
    'no scope': { scope: undefined },
    'a malformed scope': { scope: 'notes' },
    'the scope public:*': { scope: 'public:*' },
    'no response_type': { response_type: undefined },
    'another response_type': { response_type: 'id_token' },
    'a state that is too long': { state: 'x'.repeat(6145) },
    'a redirect_uri that is too long': { redirect_uri: `https://notes.example/${'x'.repeat(2048)}` },
  })) {
    test(`with ${what} is refused`, () => {
      assert.throws(() => parseWith(parameters), { code: 'bad-request' });
    });
  }

  test('that says something twice is refused, however it is spelled', () => {
    for (const name of ['redirect_uri', 'scope', 'state', 'response_type', 'client_id', 'redirect%5Furi']) {
      assert.throws(() => parseAuthorizeRequest(`${query({ state: 's', client_id: 'c' })}&${name}=x`), {
        code: 'bad-request',
        message: /twice/,
      });
    }
  });

  test('with raw characters that no address has is refused', () => {
    for (const raw of ['é', '\u0000', ' ', '\t', '\u007f', '#']) {
      assert.throws(() => parseAuthorizeRequest(`${query({})}&state=${raw}`), { code: 'bad-request' });
    }
  });

  test('with escapes that are not UTF-8 is refused', () => {
    assert.throws(
      () => parseAuthorizeRequest(`redirect_uri=https://a.example/%ff&scope=a:r&response_type=token`),
      {
        code: 'bad-request',
      },
    );
  });
});

describe('threat 2: a redirect_uri', () => {
  for (const uri of [
    'http://notes.example/',
    'http://192.168.1.5:8080/',
    'http://localhost.evil.example/',
    'http://127.0.0.1.evil.example/',
    'https://user@notes.example/',
    'https://user:secret@notes.example/',
    'https://google.com@evil.example/',
    'https://notes.example/#',
    'https://notes.example/#fragment',
    'https://google.com\\@evil.example/',
    'javascript:alert(1)',
    'data:text/html,hello',
    'file:///etc/passwd',
    'ftp://notes.example/',
    'myapp://callback',
    '//notes.example/',
    '/path',
    'notes.example',
    'https:notes.example',
    'https://',
    'https:///',
    'https://[::1',
    'https://a b.example/',
    'https://notes.example:99999/',
    ' https://notes.example/',
    'https://notes.example/\n',
    'ht\ttps://notes.example/',
    'https://notes.example/\u0000',
    'https://notes.example/\u0085',
    'https://exa%mple/',
    'https://a;sandbox/',
    'https://*',
    'https://*.example/',
    'https://a,default-src',
    "https://'self'/",
    'https://a"b/',
    'https://a(b)/',
    'https://a&b=c/',
    'https://a$b!c+d~e/',
    'https://{a}`b/',
  ]) {
    test(`like ${JSON.stringify(uri)} is refused`, () => {
      assert.throws(() => parseWith({ redirect_uri: uri }), { code: 'bad-request' });
    });
  }

  for (const [uri, origin] of Object.entries({
    'https://notes.example': 'https://notes.example',
    'HTTPS://Notes.Example:443/x?y=1': 'https://notes.example',
    'https://notes.example:8443/': 'https://notes.example:8443',
    'http://localhost:8772': 'http://localhost:8772',
    'http://app.localhost:3000/': 'http://app.localhost:3000',
    'http://127.0.0.1:8000/': 'http://127.0.0.1:8000',
    'http://[::1]:8000/': 'http://[::1]:8000',
    'https://[2001:DB8::1]:8443/': 'https://[2001:db8::1]:8443',
    'https://my_notes-2.example./': 'https://my_notes-2.example.',
    'https://google.com.evil.example/': 'https://google.com.evil.example',
    'https://xn--80ak6aa92e.com/': 'https://xn--80ak6aa92e.com',
    'https://аррӏе.com/': 'https://xn--80ak6aa92e.com',
  })) {
    test(`like ${uri} is the app ${origin}`, () => {
      assert.equal(parseWith({ redirect_uri: uri }).redirect.origin, origin);
    });
  }
});

describe('the way back', () => {
  test('carries token, type, scope and state in the fragment, spaces as %20', () => {
    const request = parseWith({ scope: 'notes:rw contacts:r', state: '100% & more=é' });
    const location = tokenRedirect(request, TOKEN, undefined);
    assert.equal(
      location,
      `https://notes.example/app/#access_token=${TOKEN}&token_type=bearer&scope=notes%3Arw%20contacts%3Ar&state=100%25%20%26%20more%3D%C3%A9`,
    );
    assert.deepEqual(readFragment(location), {
      access_token: TOKEN,
      token_type: 'bearer',
      scope: 'notes:rw contacts:r',
      state: '100% & more=é',
    });
  });

  test('with a refusal says access_denied and the state', () => {
    assert.equal(
      deniedRedirect(parseWith({ state: 's' }), ISSUER),
      'https://notes.example/app/#error=access_denied&state=s',
    );
    assert.equal(
      deniedRedirect(parseWith({ state: '' }), ISSUER),
      'https://notes.example/app/#error=access_denied',
    );
  });

  test('keeps the query of the redirect_uri', () => {
    const request = parseWith({ redirect_uri: 'https://notes.example/?page=1&x=a%20b' });
    assert.ok(
      tokenRedirect(request, TOKEN, undefined).startsWith(
        'https://notes.example/?page=1&x=a%20b#access_token=',
      ),
    );
  });

  test('gives state back byte for byte, however it was escaped', () => {
    const raw = "a%2fb%2Fc!'()*~%7e=:@";
    const location = deniedRedirect(parseAuthorizeRequest(`${query({})}&state=${raw}`), ISSUER);
    assert.ok(location.endsWith(`&state=${raw}`), location);
  });

  test('gives every state back that a client can send, in either way of encoding', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), (state) => {
        const byComponent = parseWith({ state });
        assert.equal(readFragment(deniedRedirect(byComponent, ISSUER)).state, state);
        const byForm = parseAuthorizeRequest(`${query({})}&${new URLSearchParams({ state })}`);
        assert.equal(readFragment(deniedRedirect(byForm, ISSUER)).state, state);
      }),
    );
  });
});

describe('a code', () => {
  const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
  const CODE = { response_type: 'code', code_challenge: CHALLENGE, code_challenge_method: 'S256' };

  test('is asked for with a challenge, and bound to the redirect address as it was written', () => {
    const { answer, redirect } = parseWith({ ...CODE, redirect_uri: 'HTTP://LOCALHOST:8772' });
    assert.deepEqual(answer, { kind: 'code', challenge: CHALLENGE });
    assert.equal(redirect.written, 'HTTP://LOCALHOST:8772');
    assert.equal(redirect.href, 'http://localhost:8772/');
  });

  test('goes back in the query, with the state as it came and the issuer (threat 34)', () => {
    const iss = 'iss=https%3A%2F%2Fexample.com';
    const state = 'a%2fb+c';
    const ask = (uri: string) =>
      parseAuthorizeRequest(`${query({ ...CODE, redirect_uri: uri })}&state=${state}`);
    const places: Record<string, string> = {
      'https://notes.example/app/': 'https://notes.example/app/?',
      'https://notes.example/?page=1': 'https://notes.example/?page=1&',
      'https://notes.example/?': 'https://notes.example/?',
      'https://notes.example/?a&': 'https://notes.example/?a&',
    };
    for (const [uri, start] of Object.entries(places)) {
      assert.equal(codeRedirect(ask(uri), TOKEN, ISSUER), `${start}code=${TOKEN}&state=${state}&${iss}`);
      assert.equal(deniedRedirect(ask(uri), ISSUER), `${start}error=access_denied&state=${state}&${iss}`);
    }
  });

  test('is not given without a proof that is safe', () => {
    const wrong: Record<string, string>[] = [
      { code_challenge: '' },
      { code_challenge_method: '' },
      { code_challenge_method: 'plain' },
      { code_challenge_method: 's256' },
      { code_challenge: 'short' },
      { code_challenge: `${CHALLENGE.slice(1)}=` },
    ];
    for (const fields of wrong) {
      assert.throws(() => parseWith({ ...CODE, ...fields }), { code: 'bad-request' }, JSON.stringify(fields));
    }
  });

  test('is not given to an address that says already what the answer will say', () => {
    for (const name of ['code', 'state', 'iss', 'error', '%63ode']) {
      const redirect_uri = `https://notes.example/?x=1&${name}=mine`;
      assert.throws(() => parseWith({ ...CODE, redirect_uri }), { code: 'bad-request' }, name);
    }
  });

  test('is redeemed by the verifier that its challenge was made of (RFC 7636, appendix B)', () => {
    assert.equal(challengeOf('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'), CHALLENGE);
    for (const verifier of [
      '',
      'a'.repeat(42),
      'a'.repeat(129),
      `${'a'.repeat(42)}+`,
      `${'a'.repeat(43)}\n`,
    ]) {
      assert.equal(challengeOf(verifier), undefined);
    }
  });
});

test('whatever is sent is parsed or refused, and what is parsed leads to the origin that was shown', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc.constantFrom(
      'token',
      'code',
      'notes:rw',
      '*:rw',
      'http://localhost',
      'https://a.example/%0a',
      '%',
      '+',
    ),
  );
  const name = fc.constantFrom('redirect_uri', 'scope', 'response_type', 'state', 'client_id', 'x');
  const pair = fc.tuple(name, piece, fc.boolean()).map(([key, value, isEncoded]) => {
    return `${key}=${isEncoded ? new URLSearchParams({ '': value }).toString().slice(1) : value}`;
  });
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 8 }), (pairs) => {
      try {
        const request = parseAuthorizeRequest(pairs.join('&'));
        const location = tokenRedirect(request, TOKEN, undefined);
        assert.equal(new URL(location).origin, request.redirect.origin);
        assert.match(location, /^https?:\/\/[\x21-\x7e]+$/);
        assert.equal(location.split('#').length, 2);
      } catch (error) {
        assert.ok(error instanceof GitsteadError && error.code === 'bad-request', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

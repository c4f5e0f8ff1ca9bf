// Resources as clients really send them, and the record as they read it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { filterLinks, parseLookup, parseResource, REMOTESTORAGE_REL, webfingerRecord } from './webfinger.ts';

const RECORD = webfingerRecord({
  subject: 'acct:alice@example.com',
  storageRoot: 'https://example.com/storage/alice',
  authorizeUrl: 'https://example.com/oauth/alice/authorize',
  tokenUrl: 'https://example.com/oauth/token',
});

test('a record announces both ways to ask for access and ranges on GET, with one link', () => {
  assert.deepEqual(RECORD, {
    subject: 'acct:alice@example.com',
    links: [
      {
        rel: 'http://tools.ietf.org/id/draft-dejong-remotestorage',
        href: 'https://example.com/storage/alice',
        properties: {
          'http://remotestorage.io/spec/version': 'draft-dejong-remotestorage-26',
          'http://tools.ietf.org/html/rfc6749#section-4.2': 'https://example.com/oauth/alice/authorize',
          'http://tools.ietf.org/html/rfc6749#section-3.1': 'https://example.com/oauth/alice/authorize',
          'http://tools.ietf.org/html/rfc6749#section-3.2': 'https://example.com/oauth/token',
          'http://tools.ietf.org/html/rfc7636': 'S256',
          'http://tools.ietf.org/html/rfc7233': 'GET',
        },
      },
    ],
  });
});

test('links are filtered by rel when a lookup names some', () => {
  assert.equal(filterLinks(RECORD, []).links.length, 1);
  assert.equal(filterLinks(RECORD, ['avatar', REMOTESTORAGE_REL]).links.length, 1);
  assert.deepEqual(filterLinks(RECORD, ['avatar']), { subject: RECORD.subject, links: [] });
});

test('a lookup is read with the resource encoded or not', () => {
  for (const query of [
    'resource=acct:alice@example.com',
    'resource=acct%3Aalice%40example.com&rel=avatar',
    'rel=avatar&resource=acct:alice@example.com',
  ]) {
    assert.equal(parseLookup(query).resource, 'acct:alice@example.com', query);
  }
  assert.equal(parseLookup('resource=https://example.com:8443/').resource, 'https://example.com:8443/');
  assert.deepEqual(parseLookup('resource=a&rel=b&rel=c').rels, ['b', 'c']);
});

test('a lookup without a resource, or with two, has none', () => {
  for (const query of ['', 'rel=x', 'resource=a&resource=b'])
    assert.equal(parseLookup(query).resource, undefined);
});

for (const [resource, expected] of Object.entries({
  'acct:alice@example.com': { kind: 'account', name: 'alice', host: 'example.com' },
  'ACCT:Alice@Example.COM': { kind: 'account', name: 'alice', host: 'example.com' },
  'acct:alice@localhost:8000': { kind: 'account', name: 'alice', host: 'localhost:8000' },
  'acct:a.b-c_d@[::1]:8000': { kind: 'account', name: 'a.b-c_d', host: '[::1]:8000' },
  'alice@example.com': { kind: 'account', name: 'alice', host: 'example.com' },
  'acct:alice@bücher.example': { kind: 'account', name: 'alice', host: 'xn--bcher-kva.example' },
  'https://example.com': { kind: 'host', host: 'example.com' },
  'https://example.com/': { kind: 'host', host: 'example.com' },
  'http://example.com:8080/': { kind: 'host', host: 'example.com:8080' },
  'https://example.com:443/': { kind: 'host', host: 'example.com:443' },
  'https://example.com/path': undefined,
  'https://user@example.com/': undefined,
  'https://example.com?x': undefined,
  'mailto:alice@example.com': undefined,
  'acct:alice@example.com/x': undefined,
  'acct:@example.com': undefined,
  'acct:alice@': undefined,
  'acct:alice': undefined,
  'acct:a b@example.com': undefined,
  'acct:alice@exa mple.com': undefined,
  '': undefined,
})) {
  test(`the resource ${JSON.stringify(resource)} is ${expected ? JSON.stringify(expected) : 'nobody here'}`, () => {
    assert.deepEqual(parseResource(resource), expected);
  });
}

test('no resource breaks the parser', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      const parsed = parseResource(text);
      assert.ok(parsed === undefined || parsed.host === parsed.host.toLowerCase());
    }),
  );
});

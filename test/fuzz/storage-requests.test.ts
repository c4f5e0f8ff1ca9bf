// Requests of every kind, most of them wrong, against the storage's handler: each is answered, with CORS, and none is a
// fault of the server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openClient } from '../conformance/client.ts';
import { openMemoryServer } from '../open-memory-server.ts';

const segment = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'notes',
    'public',
    '.',
    '..',
    '',
    '%',
    '%2e',
    '%2F',
    '%00',
    '%ff',
    '%C3%A9',
    'a%20b',
    '\\',
  ),
  fc.constantFrom('.git', '__proto__', "'()!*~", '[x]', 'a:b', 'x'.repeat(300), '%E2%82%AC'.repeat(30)),
);
const path = fc
  .tuple(
    fc.constantFrom('/storage/alice/', '/storage/', '/storage/bob/', '/storage/%61lice/', '/storage/Alice/'),
    fc.array(segment),
  )
  .map(([prefix, segments]) => prefix + segments.join('/'));
const target = fc
  .tuple(path, fc.constantFrom('', '?', '?a=b', '?access_token=x', '#x'))
  .map((parts) => parts.join(''));

const tags = fc.constantFrom('*', '"a"', 'W/"a"', '"W/"a"', '"a", "b"', 'a', '', '"', '*, "a"', ',');
const headers = fc.record(
  {
    'Content-Type': fc.constantFrom('text/plain', '', 'a', 'text/plain; x=\u00ff', `a/${'b'.repeat(2000)}`),
    'If-Match': tags,
    'If-None-Match': tags,
    'If-Modified-Since': fc.constantFrom(
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'x',
    ),
    'If-Unmodified-Since': fc.constantFrom('Wed, 01 Jan 2098 00:00:00 GMT', 'Sun Nov  6 08:49:37 1994', ''),
    Range: fc.constantFrom(
      'bytes=0-',
      'bytes=-1',
      'bytes=9-',
      'bytes=0-0,2-3',
      'x',
      'bytes=99999999999999999999-',
    ),
    'If-Range': fc.constantFrom('"a"', 'W/"a"', 'Sun, 06 Nov 1994 08:49:37 GMT'),
    Authorization: fc.constantFrom('Bearer rw', 'Bearer x', 'Bearer', 'Basic x', ''),
    'Content-Encoding': fc.constantFrom('gzip', 'identity', ''),
    'Content-Range': fc.constantFrom('bytes 0-1/2', ''),
    Expect: fc.constantFrom('100-continue', 'x'),
    Origin: fc.constantFrom('https://app.example', 'null', '\u00ff'),
    Host: fc.constantFrom('evil.example', ''),
  },
  { requiredKeys: [] },
);
const method = fc.constantFrom('GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'POST', 'PATCH', 'TRACE');

test('whatever is asked is answered with CORS, and never with a fault', async () => {
  await using server = await openMemoryServer();
  const token = server.createToken('alice', '*:rw');
  const client = openClient(server.baseUrl);
  const ask = async (verb: string, raw: string, given: Record<string, string | undefined>, body: string) => {
    const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    if (own.Authorization === 'Bearer rw') own.Authorization = `Bearer ${token}`;
    const reply = await client.send(verb, raw, {
      headers: own as Record<string, string>,
      body: verb === 'PUT' ? body : undefined,
    });
    assert.ok(reply.status < 500, `${verb} ${raw} → ${reply.status} ${reply.text}`);
    assert.ok(!/[\r\n]/.test(String(reply.headers.etag)));
  };
  try {
    await fc.assert(
      fc.asyncProperty(method, target, headers, fc.string(), (verb, raw, given, body) =>
        ask(verb, raw, given, body),
      ),
      { numRuns: 600 },
    );
    assert.deepEqual(server.logged, []);
  } finally {
    client.close();
  }
});

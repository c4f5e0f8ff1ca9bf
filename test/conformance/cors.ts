// CORS (draft, section 7). That every answer carries it is checked by the client on each one, in every row.
import assert from 'node:assert/strict';
import { type Clause, expectStatus } from './clause.ts';

/** What clients read of an answer (interop). */
const READ_BY_CLIENTS = [
  'etag',
  'content-type',
  'content-length',
  'last-modified',
  'content-range',
  'retry-after',
  'www-authenticate',
];

const ORIGIN = 'https://app.example';
const NEEDED = ['authorization', 'content-type', 'if-match', 'if-none-match', 'origin', 'range'];

export const CORS: Clause[] = [
  {
    section: 'draft 7',
    requirement: 'a preflight needs no token, and allows every method and every header that clients send',
    async run({ folder, send, store }) {
      await store('a');
      for (const path of ['a', '', '/', `/public${folder}a`, 'not/there', '/other/module']) {
        for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
          const headers = {
            Origin: ORIGIN,
            'Access-Control-Request-Method': method,
            'Access-Control-Request-Headers': 'authorization,content-type,if-match,if-none-match',
          };
          const reply = await send('OPTIONS', path, { token: '', headers });
          expectStatus(reply, 200, 204);
          assert.ok(['*', ORIGIN].includes(reply.headers['access-control-allow-origin']!));
          assert.ok(reply.headers['access-control-allow-methods']!.split(/, */).includes(method));
          const allowed = reply.headers['access-control-allow-headers']!.toLowerCase().split(/, */);
          for (const name of NEEDED) assert.ok(allowed.includes(name), name);
          assert.equal(reply.body.length, 0);
        }
      }
    },
  },
  {
    section: 'draft 7',
    requirement:
      'a preflight succeeds for paths that the request itself is refused for, so that the app learns why',
    async run({ send }) {
      for (const path of ['a//b', 'a%00', '%zz', `${'a/'.repeat(2500)}b`]) {
        expectStatus(await send('OPTIONS', path, { token: '', headers: { Origin: ORIGIN } }), 200, 204);
      }
    },
  },
  {
    section: 'draft 4',
    requirement: 'an OPTIONS request that is no preflight succeeds as well',
    async run({ send }) {
      expectStatus(await send('OPTIONS', 'a', { token: '' }), 200, 204);
      expectStatus(await send('OPTIONS', ''), 200, 204);
    },
  },
  {
    section: 'interop',
    requirement: 'answers of every status carry CORS, and expose what clients read; none allows credentials',
    async run({ delete: remove, get, put, send, store, tokens }) {
      const etag = await store('a');
      const headers = { Origin: ORIGIN };
      const replies = [
        await get('a', headers),
        await put('b', 'x', headers),
        await get('a', { ...headers, Range: 'bytes=0-0' }),
        await get('a', { ...headers, 'If-None-Match': etag }),
        await get('a//b', headers),
        await get('a', headers, ''),
        await put('a', 'x', headers, tokens.r),
        await get('c', headers),
        await remove('', headers),
        await put('a/b', 'x', headers),
        await put('a', 'x', { ...headers, 'If-Match': '"x"' }),
        await get(`${'a/'.repeat(2500)}b`, headers),
        await put('a', 'x', { ...headers, 'Content-Encoding': 'gzip' }),
        await get('a', { ...headers, Range: 'bytes=9-' }),
        await send('OPTIONS', 'a', { headers }),
      ];
      for (const { headers: answered, status } of replies) {
        const exposed = String(answered['access-control-expose-headers']).toLowerCase().split(/, */);
        for (const name of READ_BY_CLIENTS) assert.ok(exposed.includes(name), `a ${status} exposes ${name}`);
      }
      const statuses = replies.map(({ status }) => status);
      assert.deepEqual(statuses, [200, 201, 206, 304, 400, 401, 403, 404, 405, 409, 412, 414, 415, 416, 204]);
    },
  },
];

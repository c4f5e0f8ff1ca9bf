// Versions and preconditions (draft, section 6; RFC 9110, section 13).
import assert from 'node:assert/strict';
import { type Clause, expectStatus, expectVersion } from './clause.ts';

/** What proxies and clients make of a strong tag, here `"x"` (interop). */
const mangled = (etag: string): string[] => {
  const bare = etag.slice(1, -1);
  return [
    `W/"${bare}"`,
    `"W/"${bare}"`,
    `"${bare}-gzip"`,
    `"${bare};gzip"`,
    `"a", ${etag}`,
    `${etag} , "b"`,
    '*',
  ];
};

const LONG_AGO = 'Sun, 06 Nov 1994 08:49:37 GMT';
const FAR_AHEAD = 'Wed, 01 Jan 2098 00:00:00 GMT';

export const VERSIONS: Clause[] = [
  {
    section: 'draft 6',
    requirement: 'GET, HEAD, PUT and DELETE that succeed carry the version as a strong ETag',
    async run({ delete: remove, get, head, put }) {
      const etag = expectVersion(await put('a', 'x'), 201);
      assert.equal(expectVersion(await get('a'), 200), etag);
      assert.equal(expectVersion(await head('a'), 200), etag);
      const newer = expectVersion(await put('a', 'y'), 200);
      assert.notEqual(newer, etag);
      assert.equal(expectVersion(await remove('a'), 200, 204), newer);
      expectVersion(await get(''), 200);
      expectVersion(await head(''), 200);
    },
  },
  {
    section: 'draft 6',
    requirement:
      'If-None-Match with the current version answers 304 without a body, for documents and folders',
    async run({ get, head, store, tag }) {
      await store('f/a');
      for (const path of ['f/a', 'f/', '', 'empty/']) {
        const etag = await tag(path);
        for (const header of [etag, ...mangled(etag)]) {
          for (const reply of [
            await get(path, { 'If-None-Match': header }),
            await head(path, { 'If-None-Match': header }),
          ]) {
            assert.equal(reply.status, 304, `${path} ${header}`);
            assert.equal(reply.body.length, 0);
            assert.equal(reply.headers.etag, etag, 'a 304 carries the ETag');
            assert.equal(reply.headers['cache-control'], 'no-cache');
          }
        }
      }
    },
  },
  {
    section: 'draft 6',
    requirement: 'If-None-Match with other versions is answered with the whole',
    async run({ get, store, tag }) {
      const old = await store('f/a', 'one');
      const oldFolder = await tag('f/');
      await store('f/a', 'two');
      assert.equal((await get('f/a', { 'If-None-Match': `"x", ${old}` })).text, 'two');
      expectStatus(await get('f/', { 'If-None-Match': oldFolder }), 200);
      expectStatus(await get('none', { 'If-None-Match': '*' }), 404);
    },
  },
  {
    section: 'draft 6',
    requirement: 'a PUT with If-Match goes ahead on the current version only; a 412 tells the current one',
    async run({ get, put, store }) {
      const old = await store('a', 'one');
      const current = await store('a', 'two');
      const refused = await put('a', 'three', { 'If-Match': old });
      expectStatus(refused, 412);
      assert.equal(refused.headers.etag, current);
      assert.equal((await get('a')).text, 'two');
      expectVersion(await put('a', 'three', { 'If-Match': current }), 200);
      for (const header of mangled(await store('a', 'four'))) {
        await store('a', 'four');
        expectVersion(await put('a', 'five', { 'If-Match': header }), 200);
      }
    },
  },
  {
    section: 'draft 6',
    requirement: 'a PUT or DELETE with If-Match where nothing stands answers 412',
    async run({ delete: remove, get, put }) {
      expectStatus(await put('a', 'x', { 'If-Match': '"some"' }), 412);
      expectStatus(await put('a', 'x', { 'If-Match': '*' }), 412);
      expectStatus(await remove('a', { 'If-Match': '"match me"' }), 412);
      expectStatus(await get('a'), 404);
    },
  },
  {
    section: 'draft 6',
    requirement: 'a PUT with If-None-Match: * makes a new document, and never touches one that stands',
    async run({ get, put }) {
      expectVersion(await put('a', 'one', { 'If-None-Match': '*' }), 201);
      const refused = await put('a', 'two', { 'If-None-Match': '*' });
      expectStatus(refused, 412);
      assert.equal(refused.headers.etag, (await get('a')).headers.etag);
      assert.equal((await get('a')).text, 'one');
    },
  },
  {
    section: 'RFC 9110 13.1.2',
    requirement: 'a write with If-None-Match and a version fails when that version stands',
    async run({ delete: remove, put, store }) {
      const etag = await store('a', 'one');
      expectStatus(await put('a', 'two', { 'If-None-Match': etag }), 412);
      expectStatus(await remove('a', { 'If-None-Match': etag }), 412);
      expectVersion(await put('a', 'two', { 'If-None-Match': '"other"' }), 200);
    },
  },
  {
    section: 'draft 6',
    requirement: 'a DELETE with If-Match goes ahead on the current version only',
    async run({ delete: remove, get, store }) {
      const old = await store('a', 'one');
      const current = await store('a', 'two');
      const refused = await remove('a', { 'If-Match': old });
      expectStatus(refused, 412);
      assert.equal(refused.headers.etag, current);
      expectStatus(await get('a'), 200);
      expectStatus(await remove('a', { 'If-Match': current }), 200, 204);
      expectStatus(await get('a'), 404);
    },
  },
  {
    section: 'RFC 9110 13.1.1',
    requirement: 'a GET with If-Match of another version answers 412',
    async run({ get, store, tag }) {
      const etag = await store('f/a');
      expectStatus(await get('f/a', { 'If-Match': '"other"' }), 412);
      expectStatus(await get('f/a', { 'If-Match': etag }), 200);
      expectStatus(await get('f/', { 'If-Match': '"other"' }), 412);
      expectStatus(await get('f/', { 'If-Match': await tag('f/') }), 200);
    },
  },
  {
    section: 'RFC 9110 13.2.2',
    requirement: 'dates are conditions where tags are not: If-Modified-Since and If-Unmodified-Since',
    async run({ delete: remove, get, head, put, store }) {
      await store('a', 'one');
      const date = (await head('a')).headers['last-modified']!;
      expectStatus(await get('a', { 'If-Modified-Since': date }), 304);
      expectStatus(await get('a', { 'If-Modified-Since': FAR_AHEAD }), 304);
      expectStatus(await get('a', { 'If-Modified-Since': LONG_AGO }), 200);
      expectStatus(await get('a', { 'If-Modified-Since': 'yesterday' }), 200);
      expectStatus(await get('a', { 'If-Modified-Since': FAR_AHEAD, 'If-None-Match': '"other"' }), 200);
      expectStatus(await get('a', { 'If-Unmodified-Since': LONG_AGO }), 412);
      expectStatus(await put('a', 'two', { 'If-Unmodified-Since': LONG_AGO }), 412);
      expectStatus(await remove('a', { 'If-Unmodified-Since': LONG_AGO }), 412);
      expectStatus(await put('a', 'two', { 'If-Unmodified-Since': FAR_AHEAD }), 200);
      assert.equal((await get('a')).text, 'two');
      expectStatus(await remove('a', { 'If-Unmodified-Since': FAR_AHEAD }), 200, 204);
    },
  },
  {
    section: 'RFC 9110 13',
    requirement: 'a precondition that is none is refused with 400',
    isChoice: true,
    async run({ get, put, store }) {
      await store('a');
      for (const header of ['"open', '"a" "b"', '*, "a"']) {
        expectStatus(await get('a', { 'If-None-Match': header }), 400);
        expectStatus(await put('a', 'x', { 'If-Match': header }), 400);
      }
    },
  },
  {
    section: 'draft 4',
    requirement: 'equal content and type have equal versions, so a way there and back ends where it began',
    isChoice: true,
    async run({ store, tag }) {
      const first = await store('a', 'one');
      const folder = await tag('');
      await store('a', 'two');
      assert.equal(await store('a', 'one'), first);
      assert.equal(await tag(''), folder);
    },
  },
  {
    section: 'draft 6',
    requirement: 'of writers at once that name the same version, one goes ahead',
    async run({ get, put, store }) {
      const etag = await store('a', 'first');
      const writers = Array.from({ length: 8 }, (_, n) => put('a', `writer ${n}`, { 'If-Match': etag }));
      const statuses = (await Promise.all(writers)).map(({ status }) => status);
      assert.deepEqual(statuses.toSorted(), [200, ...Array(7).fill(412)]);
      assert.equal((await get('a')).text, `writer ${statuses.indexOf(200)}`);
      const makers = Array.from({ length: 8 }, (_, n) => put('new', `${n}`, { 'If-None-Match': '*' }));
      const made = (await Promise.all(makers)).map(({ status }) => status);
      assert.deepEqual(made.toSorted(), [201, ...Array(7).fill(412)]);
    },
  },
];

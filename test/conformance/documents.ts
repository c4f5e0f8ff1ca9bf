// Documents: what a PUT keeps and a GET, HEAD and DELETE give back (draft, section 4), and what HTTP adds to it.
import assert from 'node:assert/strict';
import { type Clause, expectStatus, expectVersion } from './clause.ts';

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

export const DOCUMENTS: Clause[] = [
  {
    section: 'draft 4',
    requirement: 'a PUT stores body and type; the GET gives both back, with length and version',
    async run({ get, put }) {
      const stored = await put('a', everyByte, { 'Content-Type': 'application/x-bytes; n=256' });
      const etag = expectVersion(stored, 201);
      const reply = await get('a');
      expectVersion(reply, 200);
      assert.deepEqual(reply.body, everyByte);
      assert.equal(reply.headers['content-type'], 'application/x-bytes; n=256');
      assert.equal(reply.headers['content-length'], '256');
      assert.equal(reply.headers.etag, etag);
    },
  },
  {
    section: 'draft 4',
    requirement: 'a PUT over a document replaces it: 200 and a new version',
    async run({ get, put, store }) {
      const first = await store('a', 'one');
      const second = expectVersion(await put('a', 'two'), 200);
      assert.notEqual(second, first);
      assert.equal((await get('a')).text, 'two');
    },
  },
  {
    section: 'draft 4',
    requirement: 'a PUT makes the folders above as they are needed',
    async run({ list, store }) {
      await store('a/b/c/d/e');
      assert.deepEqual(Object.keys(await list('a/b/c/')), ['d/']);
      assert.deepEqual(Object.keys(await list('a/b/c/d/')), ['e']);
    },
  },
  {
    section: 'draft 4',
    requirement: 'a document may be empty',
    async run({ get, list, store }) {
      await store('empty', '');
      const reply = await get('empty');
      expectVersion(reply, 200);
      assert.equal(reply.headers['content-length'], '0');
      assert.equal((await list('')).empty!['Content-Length'], 0);
    },
  },
  {
    section: 'draft 4',
    requirement: 'a document of some MiB comes back byte for byte',
    async run({ get, store }) {
      const body = Buffer.alloc(3 << 20);
      for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
      await store('large', body, 'application/octet-stream');
      assert.ok((await get('large')).body.equals(body));
    },
  },
  {
    section: 'draft 4',
    requirement: 'HEAD of a document is the GET without its body',
    async run({ get, head, store }) {
      await store('a', 'twelve bytes', 'text/x-a');
      const got = await get('a');
      const reply = await head('a');
      expectStatus(reply, 200);
      assert.equal(reply.body.length, 0);
      for (const name of [
        'etag',
        'content-type',
        'content-length',
        'last-modified',
        'cache-control',
        'accept-ranges',
      ] as const) {
        assert.equal(reply.headers[name], got.headers[name], name);
      }
    },
  },
  {
    section: 'draft 4',
    requirement: 'a DELETE takes the document away, and answers with the version that was deleted',
    async run({ delete: remove, get, head, store }) {
      const etag = await store('a');
      const reply = await remove('a');
      expectStatus(reply, 200, 204);
      assert.equal(reply.headers.etag, etag);
      expectStatus(await get('a'), 404);
      expectStatus(await head('a'), 404);
    },
  },
  {
    section: 'draft 5',
    requirement: 'GET, HEAD and DELETE of what is not there answer 404, of a folder by its bare name as well',
    async run({ delete: remove, get, head, store }) {
      await store('folder/a');
      for (const path of ['nothing', 'folder/nothing', 'no/where', 'folder', 'folder/a/below']) {
        expectStatus(await get(path), 404);
        expectStatus(await head(path), 404);
        expectStatus(await remove(path), 404);
      }
      expectStatus(await get('folder/a'), 200);
    },
  },
  {
    section: 'draft 4',
    requirement: 'the bytes do not depend on what the client accepts: no compression, no conversion',
    async run({ get, store }) {
      const body = 'compress me '.repeat(200);
      const etag = await store('a', body, 'application/json');
      const accept = {
        'Accept-Encoding': 'gzip, deflate, br, zstd',
        Accept: 'image/png',
        'Accept-Charset': 'latin1',
      };
      const reply = await get('a', accept);
      assert.equal(reply.text, body);
      assert.equal(reply.headers.etag, etag);
      assert.equal(reply.headers['content-length'], String(body.length));
    },
  },
  {
    section: 'draft 6',
    requirement: 'a read is Cache-Control: no-cache, below /public/ no-cache, public; exactly so',
    async run({ folder, get, head, store }) {
      await store('a');
      await store(`/public${folder}a`);
      for (const path of ['a', '']) {
        assert.equal((await get(path)).headers['cache-control'], 'no-cache');
        assert.equal((await head(path)).headers['cache-control'], 'no-cache');
        assert.equal((await get(`/public${folder}${path}`)).headers['cache-control'], 'no-cache, public');
        assert.equal((await head(`/public${folder}${path}`)).headers['cache-control'], 'no-cache, public');
      }
      assert.equal((await get(`/public${folder}a`, {}, '')).headers['cache-control'], 'no-cache, public');
    },
  },
  {
    section: 'interop',
    requirement: 'an answer that may not be kept says so: writes and errors are no-store and no-transform',
    isChoice: true,
    async run({ delete: remove, get, put }) {
      const replies = [
        await put('a', 'x'),
        await put('a', 'y'),
        await remove('a'),
        await remove('a'),
        await get('a'),
      ];
      for (const { headers } of replies) assert.equal(headers['cache-control'], 'no-store, no-transform');
    },
  },
  {
    section: 'draft 5',
    requirement: 'a refusal says why, in words',
    async run({ get, put, send, store }) {
      await store('a');
      const refusals = [
        await get('none'),
        await put('a/b', 'x'),
        await put('a', 'x', { 'If-Match': '"other"' }),
        await get('a', {}, ''),
        await get('/', {}),
        await send('PUT', 'a//b'),
        await send('POST', 'a'),
      ];
      for (const reply of refusals) {
        assert.match(reply.text, /[a-z ]{10}/, `the body of the ${reply.status}`);
        assert.match(reply.headers['content-type'] ?? '', /^(text\/plain|application\/json)/);
      }
    },
  },
  {
    section: 'threat 20',
    requirement: 'a stored page can do nothing in a browser: sandboxed, and never taken for another type',
    async run({ folder, get, head, store }) {
      const page = '<script>alert(1)</script>';
      await store('page', page, 'text/html');
      await store(`/public${folder}page`, page, 'image/svg+xml');
      for (const reply of [
        await get('page'),
        await head('page'),
        await get(`/public${folder}page`, {}, ''),
      ]) {
        assert.equal(reply.headers['content-security-policy'], "sandbox; default-src 'none'");
        assert.equal(reply.headers['x-content-type-options'], 'nosniff');
      }
    },
  },
  {
    section: 'RFC 9110 15.5.6',
    requirement: 'other methods are refused with 405 and a list of those that are allowed',
    async run({ send, store }) {
      await store('a');
      for (const method of ['POST', 'PATCH', 'PROPFIND', 'MKCOL', 'COPY', 'TRACE']) {
        const reply = await send(method, 'a');
        expectStatus(reply, 405);
        assert.equal(reply.headers.allow, 'GET, HEAD, PUT, DELETE, OPTIONS');
      }
      expectStatus(await send('POST', ''), 405);
    },
  },
  {
    section: 'interop',
    requirement: "documents may be called like git's own services",
    async run({ get, store }) {
      for (const path of ['info/refs', 'git-upload-pack', 'git-receive-pack', 'HEAD', 'objects/info/packs']) {
        await store(path, path);
        assert.equal((await get(`${path}?service=git-upload-pack`)).text, path);
      }
    },
  },
  {
    section: 'interop',
    requirement: 'a query means nothing',
    async run({ get, store }) {
      const etag = await store('a', 'x');
      assert.equal((await get('a?nocache=1&a/../b')).headers.etag, etag);
      expectStatus(await get('?'), 200);
    },
  },
];

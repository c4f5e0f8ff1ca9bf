// Bearer tokens and scopes (draft, section 9; RFC 6750; threats 4 and 6).
import assert from 'node:assert/strict';
import { type Clause, expectStatus, type Server } from './clause.ts';

const READS = ['GET', 'HEAD'];
const WRITES = ['PUT', 'DELETE'];

async function each(
  server: Server,
  methods: string[],
  paths: string[],
  token: string,
  statuses: number[],
): Promise<void> {
  for (const path of paths) {
    for (const method of methods) {
      const body = method === 'PUT' ? 'x' : undefined;
      const reply = await server.send(method, path, {
        token,
        body,
        headers: { 'Content-Type': 'text/plain' },
      });
      assert.ok(
        statuses.includes(reply.status),
        `${method} ${path} → ${reply.status}, not ${statuses.join(' or ')}`,
      );
    }
  }
}

export const ACCESS: Clause[] = [
  {
    section: 'draft 5',
    requirement: 'without a token, or with one that is not valid, the answer is 401 with a challenge',
    async run(server) {
      await server.store('a');
      for (const method of [...READS, ...WRITES]) {
        const none = await server.send(method, 'a', { token: '' });
        expectStatus(none, 401);
        assert.match(none.headers['www-authenticate'] ?? '', /^Bearer realm="[^"]+"$/);
        const bad = await server.send(method, 'a', { token: 'not-a-token-of-this-server' });
        expectStatus(bad, 401);
        assert.match(bad.headers['www-authenticate'] ?? '', /^Bearer .*error="invalid_token"/);
      }
      for (const Authorization of [
        'Basic YTpi',
        'Bearer',
        'Bearer ',
        'Bearer a b',
        `Bearer "${server.tokens.rw}"`,
        server.tokens.rw,
      ]) {
        expectStatus(await server.send('GET', 'a', { token: '', headers: { Authorization } }), 401);
      }
    },
  },
  {
    section: 'draft 5',
    requirement: 'the answer without a token is the same whether or not anything stands there',
    async run({ get, store }) {
      await store('a');
      const [there, nowhere] = [await get('a', {}, ''), await get('b', {}, '')];
      assert.equal(there.status, 401);
      assert.equal(nowhere.status, 401);
      assert.equal(there.text, nowhere.text);
      assert.equal(there.headers['www-authenticate'], nowhere.headers['www-authenticate']);
    },
  },
  {
    section: 'draft 9',
    requirement: '<module>:rw allows everything below /<module>/ and /public/<module>/',
    async run(server) {
      const { folder, module } = server;
      await each(
        server,
        ['PUT', ...READS, 'DELETE'],
        ['a', `/public${folder}a`],
        server.tokens.rw,
        [200, 201, 204],
      );
      await each(server, READS, [`/${module}/`, `/public/${module}/`], server.tokens.rw, [200]);
    },
  },
  {
    section: 'draft 9',
    requirement: '<module>:r allows reads there, and no writes',
    async run(server) {
      const { folder, module, tokens } = server;
      await server.store('a');
      await server.store(`/public${folder}a`);
      await each(
        server,
        READS,
        ['a', '', `/${module}/`, `/public/${module}/`, `/public${folder}a`],
        tokens.r,
        [200],
      );
      await each(server, WRITES, ['a', 'b', `/public${folder}a`, `/public${folder}b`], tokens.r, [403]);
      expectStatus(await server.get('a'), 200);
    },
  },
  {
    section: 'draft 9, threat 6',
    requirement:
      'a scope of a module allows nothing outside it: the root, other modules, names that begin alike',
    async run(server) {
      const { module, tokens } = server;
      const outside = [
        `/${module}`,
        `/${module}x/a`,
        `/${module.slice(0, -1)}/a`,
        '/other/a',
        '/a',
        `/${module}%20/a`,
      ];
      outside.push(
        `/${module.toUpperCase()}/a`,
        `/public/${module}x/a`,
        '/public/other/a',
        `/other/${module}/a`,
        `/%2e${module}/a`,
      );
      for (const token of [tokens.rw, tokens.r]) {
        await each(server, WRITES, [...outside, `/public/${module}`, '/public/a'], token, [403]);
        const isPublic = (path: string) => path.startsWith('/public/');
        await each(
          server,
          READS,
          [...outside.filter((path) => !isPublic(path)), '/', '/other/', `/${module}x/`],
          token,
          [403],
        );
        await each(server, READS, ['/public/', '/public/other/', `/public/${module}x/`], token, [403]);
      }
    },
  },
  {
    section: 'RFC 6750 3.1',
    requirement: 'a token whose scopes do not cover the request is told so: 403, insufficient_scope',
    async run({ get, put, tokens }) {
      for (const reply of [await put('a', 'x', {}, tokens.r), await get('/other/a'), await get('/')]) {
        expectStatus(reply, 403);
        assert.match(reply.headers['www-authenticate'] ?? '', /^Bearer .*error="insufficient_scope"/);
      }
    },
  },
  {
    section: 'draft 9',
    requirement: '*:rw allows any request, also in the root and in /public/',
    needs: ['rootRw'],
    async run(server) {
      const { folder, tokens } = server;
      const unique = `access-${process.pid}`;
      const paths = ['a', `/${unique}`, `/public/${unique}`, `/${unique}-module/a`, `/public${folder}a`];
      await each(server, ['PUT', ...READS, 'DELETE'], paths, tokens.rootRw!, [200, 201, 204]);
      await each(server, READS, ['/', '/public/'], tokens.rootRw!, [200]);
    },
  },
  {
    section: 'draft 9',
    requirement: '*:r allows any GET and HEAD, and no writes',
    needs: ['rootR'],
    async run(server) {
      await server.store('a');
      await each(server, READS, ['/', '/public/', 'a', '', '/other/'], server.tokens.rootR!, [200]);
      await each(server, WRITES, ['a', '/a', '/public/a', '/other/a'], server.tokens.rootR!, [403]);
    },
  },
  {
    section: 'draft 9',
    requirement: "another module's token allows nothing here",
    needs: ['otherModule'],
    async run(server) {
      await server.store('a');
      await each(server, [...READS, ...WRITES], ['a'], server.tokens.otherModule!, [403]);
      await each(server, READS, [''], server.tokens.otherModule!, [403]);
    },
  },
  {
    section: 'draft 5',
    requirement: "another account's token allows nothing here, with whatever scope: 403",
    needs: ['otherUser'],
    async run(server) {
      await server.store('a');
      await server.store(`/public${server.folder}a`);
      const { otherUser } = server.tokens;
      await each(server, [...READS, ...WRITES], ['a', '/new'], otherUser!, [403]);
      await each(server, READS, ['', '/', '/public/'], otherUser!, [403]);
      await each(server, WRITES, [`/public${server.folder}a`], otherUser!, [403]);
      expectStatus(await server.get(`/public${server.folder}a`, {}, otherUser), 200);
    },
  },
  {
    section: 'draft 9',
    requirement: 'GET and HEAD of documents below /public/ need no token, and no bad one stands in their way',
    async run(server) {
      const path = `/public${server.folder}a`;
      const etag = await server.store(path, 'for all');
      for (const token of ['', 'not-a-token', server.tokens.rw]) {
        const reply = await server.get(path, {}, token);
        expectStatus(reply, 200);
        assert.equal(reply.text, 'for all');
        assert.equal(reply.headers.etag, etag);
        expectStatus(await server.head(path, {}, token), 200);
        expectStatus(await server.get(path, { 'If-None-Match': etag }, token), 304);
        expectStatus(await server.get(path, { Range: 'bytes=0-2' }, token), 206);
        expectStatus(await server.get(`${path}-not`, {}, token), 404);
      }
    },
  },
  {
    section: 'draft 9, threat 25',
    requirement:
      'folders below /public/ are not listed without a token, and do not tell whether they are empty',
    async run(server) {
      await server.store(`/public${server.folder}a`);
      const full = await server.get(`/public${server.folder}`, {}, '');
      const empty = await server.get(`/public${server.folder}nothing/`, {}, '');
      expectStatus(full, 401);
      assert.equal(empty.status, full.status);
      assert.equal(empty.text, full.text);
      await each(server, READS, ['/public/'], '', [401]);
    },
  },
  {
    section: 'draft 9',
    requirement: 'writes below /public/ need a token',
    async run(server) {
      const path = `/public${server.folder}a`;
      await server.store(path, 'stays');
      await each(server, WRITES, [path, `${path}2`], '', [401]);
      assert.equal((await server.get(path, {}, '')).text, 'stays');
    },
  },
  {
    section: 'threat 4',
    requirement: 'a token in the query is not taken',
    isChoice: true,
    async run({ get, store, tokens }) {
      await store('a');
      for (const name of ['access_token', 'bearer_token', 'token']) {
        expectStatus(await get(`a?${name}=${tokens.rw}`, {}, ''), 401);
      }
    },
  },
  {
    section: 'RFC 9110 11.1',
    requirement: 'the name of the scheme may be written in any case',
    async run({ send, store, tokens }) {
      await store('a');
      for (const scheme of ['bearer', 'BEARER', 'Bearer ']) {
        const headers = { Authorization: `${scheme} ${tokens.rw}` };
        expectStatus(await send('GET', 'a', { token: '', headers }), 200);
      }
    },
  },
];

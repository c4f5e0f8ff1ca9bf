// Folders: their descriptions, emptiness, and how their versions move (draft, sections 3, 4 and 13).
import assert from 'node:assert/strict';
import { type Clause, expectStatus, expectVersion } from './clause.ts';

const CONTEXT = 'http://remotestorage.io/spec/folder-description';
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

export const FOLDERS: Clause[] = [
  {
    section: 'draft 4',
    requirement: 'a folder is described in JSON-LD, with the one @context and a map of items',
    async run({ get, store }) {
      await store('a');
      const reply = await get('');
      expectVersion(reply, 200);
      assert.equal(reply.headers['content-type'], 'application/ld+json');
      assert.equal(reply.headers['content-length'], String(reply.body.length));
      const description = JSON.parse(reply.text) as Record<string, unknown>;
      assert.equal(description['@context'], CONTEXT);
      assert.deepEqual(Object.keys(description.items as object), ['a']);
    },
  },
  {
    section: 'draft 4',
    requirement:
      'a document is listed with ETag, Content-Type, Content-Length in bytes, and Last-Modified as an HTTP-date',
    async run({ list, put }) {
      const reply = await put('a', 'äöü€', { 'Content-Type': 'text/plain; charset=UTF-8' });
      const { a: item } = await list('');
      assert.deepEqual(Object.keys(item!).sort(), [
        'Content-Length',
        'Content-Type',
        'ETag',
        'Last-Modified',
      ]);
      assert.equal(`"${item!.ETag}"`, reply.headers.etag);
      assert.equal(item!['Content-Type'], 'text/plain; charset=UTF-8');
      assert.equal(item!['Content-Length'], 9);
      assert.match(item!['Last-Modified']!, HTTP_DATE);
    },
  },
  {
    section: 'draft 4',
    requirement: 'a folder is listed with a slash behind its name, and with its ETag alone',
    async run({ list, store, tag }) {
      await store('deep/er/a');
      const items = await list('');
      assert.deepEqual(items, { 'deep/': { ETag: (await tag('deep/')).replaceAll('"', '') } });
    },
  },
  {
    section: 'draft 4',
    requirement: 'ETags in descriptions are those of the headers, without the quotes',
    async run({ list, store, tag }) {
      await store('a');
      await store('b/c');
      const items = await list('');
      assert.equal(`"${items.a!.ETag}"`, await tag('a'));
      assert.equal(`"${items['b/']!.ETag}"`, await tag('b/'));
    },
  },
  {
    section: 'draft 4',
    requirement: 'an empty folder is answered with 200 and no items, whether or not it ever held any',
    async run({ delete: remove, get, store }) {
      const never = await get('never/was/');
      expectVersion(never, 200);
      assert.deepEqual(JSON.parse(never.text), { '@context': CONTEXT, items: {} });
      await store('was/a');
      await remove('was/a');
      const was = await get('was/');
      assert.equal(was.text, never.text);
      assert.equal(was.headers.etag, never.headers.etag, 'the ETag of an empty folder is constant (interop)');
    },
  },
  {
    section: 'draft 4',
    requirement: 'a folder is listed if and only if a document stands somewhere below it',
    async run({ delete: remove, list, store }) {
      await store('a/b/c/d');
      await store('e');
      assert.deepEqual(Object.keys(await list('a/b/')), ['c/']);
      await remove('a/b/c/d');
      assert.deepEqual(Object.keys(await list('')), ['e']);
      assert.deepEqual(await list('a/b/'), {});
    },
  },
  {
    section: 'draft 4',
    requirement: 'a PUT moves the versions of all ancestors, up to the root, and of no others',
    needs: ['rootR'],
    async run({ folder, module, store, tag, tokens }) {
      await store('aside/x');
      await store('a/b/c');
      const ancestors = ['a/b/', 'a/', '', `/${module}/`, '/'];
      const tags = () => Promise.all(ancestors.map((path) => tag(path, tokens.rootR)));
      const before = await tags();
      const aside = await tag('aside/');
      await store('a/b/c', 'other');
      const after = await tags();
      for (const [i, path] of ancestors.entries()) assert.notEqual(after[i], before[i], `${folder}${path}`);
      assert.equal(await tag('aside/'), aside);
    },
  },
  {
    section: 'draft 4',
    requirement: 'a DELETE moves the versions of all ancestors, up to the root',
    needs: ['rootR'],
    async run({ delete: remove, module, store, tag, tokens }) {
      await store('a/b/c');
      await store('a/d');
      const ancestors = ['a/', '', `/${module}/`, '/'];
      const tags = () => Promise.all(ancestors.map((path) => tag(path, tokens.rootR)));
      const before = await tags();
      await remove('a/b/c');
      const after = await tags();
      for (const [i, path] of ancestors.entries()) assert.notEqual(after[i], before[i], path);
    },
  },
  {
    section: 'draft 13',
    requirement: 'the versions in each description lead down to the document that changed',
    needs: ['rootR'],
    async run({ folder, list, store, tokens }) {
      await store('0/0/1');
      await store('0/1/1');
      const before = await list('0/');
      await store('0/1/1', 'changed');
      const after = await list('0/');
      assert.equal(after['0/']!.ETag, before['0/']!.ETag);
      assert.notEqual(after['1/']!.ETag, before['1/']!.ETag);
      const [module, row] = folder.slice(1).split('/') as [string, string];
      const root = await list('/', tokens.rootR);
      const modules = await list(`/${module}/`);
      assert.ok(root[`${module}/`] && modules[`${row}/`]);
    },
  },
  {
    section: 'draft 4',
    requirement: 'PUT and DELETE of a folder are refused, and nothing changes',
    async run({ delete: remove, list, put, store }) {
      await store('a/b');
      for (const reply of [
        await put('a/', 'x'),
        await remove('a/'),
        await put('new/', 'x'),
        await put('', 'x'),
      ]) {
        assert.ok(reply.status >= 400 && reply.status < 500, `a 4xx, not ${reply.status}`);
        assert.equal(reply.status, 405);
        assert.equal(reply.headers.allow, 'GET, HEAD, OPTIONS');
      }
      assert.deepEqual(Object.keys(await list('')), ['a/']);
    },
  },
  {
    section: 'draft 4',
    requirement: 'HEAD of a folder is the GET without its body',
    async run({ get, head, store }) {
      await store('a');
      const got = await get('');
      const reply = await head('');
      expectStatus(reply, 200);
      assert.equal(reply.body.length, 0);
      for (const name of ['etag', 'content-type', 'content-length', 'cache-control'] as const) {
        assert.equal(reply.headers[name], got.headers[name], name);
      }
    },
  },
  {
    section: 'draft 4',
    requirement: 'the root folder lists modules with documents, and documents of the root',
    needs: ['rootRw'],
    async run({ delete: remove, list, module, store, tokens }) {
      await store('a');
      const name = `conformance-${process.pid}.json`;
      await store(`/${name}`, '{}', 'application/json', tokens.rootRw);
      try {
        const items = await list('/', tokens.rootRw);
        assert.equal(items[name]!['Content-Type'], 'application/json');
        assert.deepEqual(Object.keys(items[`${module}/`]!), ['ETag']);
      } finally {
        await remove(`/${name}`, {}, tokens.rootRw);
      }
      assert.equal((await list('/', tokens.rootRw))[name], undefined);
    },
  },
  {
    section: 'threat 9',
    requirement: "the server's own bookkeeping is never listed, and its names are free for documents",
    async run({ get, list, store }) {
      const names = ['.content-types', '.meta', '.~meta', 'HEAD', 'config', 'gitstead', '@root', 'index.db'];
      for (const name of names) await store(`own/${name}`, name, `text/x-${name.length}`);
      assert.deepEqual(Object.keys(await list('own/')).sort(), [...names].sort());
      for (const name of names) {
        const reply = await get(`own/${name}`);
        assert.equal(reply.text, name);
        assert.equal(reply.headers['content-type'], `text/x-${name.length}`);
      }
    },
  },
];

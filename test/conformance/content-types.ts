// Content types (draft, section 4; interop): any media type comes back byte for byte, and belongs to the version.
import assert from 'node:assert/strict';
import { type Clause, expectStatus, expectVersion } from './clause.ts';

const TYPES = [
  'application/json; charset=UTF-8',
  'image/jpeg; charset=binary',
  'text/plain',
  'TEXT/Plain;Charset="utf-8"',
  'application/vnd.example.thing+json; version="1;2"; q=a',
  'multipart/form-data; boundary=----WebKitFormBoundary0123',
  'x-own/type',
  'text/plain;',
  "a!#$&^_.+-/b!#$&^_.+-; c='d'",
  `text/plain; long=${'x'.repeat(900)}`,
  'text/plain; name=\u00e9\u00ff',
];

export const CONTENT_TYPES: Clause[] = [
  {
    section: 'draft 4',
    requirement: 'a type comes back byte for byte, in the header and in the listing',
    async run({ get, head, list, store }) {
      for (const [i, type] of TYPES.entries()) await store(`t${i}`, 'x', type);
      const items = await list('');
      for (const [i, type] of TYPES.entries()) {
        assert.equal((await get(`t${i}`)).headers['content-type'], type);
        assert.equal((await head(`t${i}`)).headers['content-type'], type);
        assert.equal(items[`t${i}`]!['Content-Type'], type);
      }
    },
  },
  {
    section: 'interop',
    requirement: 'the same bytes with another type are a new version, and the ancestors move with it',
    async run({ get, list, store, tag }) {
      const first = await store('f/a', 'same', 'text/plain');
      const folders = [await tag('f/'), await tag('')];
      const second = await store('f/a', 'same', 'text/markdown');
      assert.notEqual(second, first);
      assert.notEqual(await tag('f/'), folders[0]);
      assert.notEqual(await tag(''), folders[1]);
      assert.equal((await list('f/')).a!['Content-Type'], 'text/markdown');
      assert.equal((await get('f/a', { 'If-None-Match': first })).status, 200);
    },
  },
  {
    section: 'draft 4',
    requirement: 'types are those of their documents, whatever their neighbours and their extensions are',
    async run({ get, store, delete: remove }) {
      const typeOf = async (path: string) => (await get(path)).headers['content-type'];
      for (let n = 0; n < 40; n++)
        await store(`d${n}.json`, 'x', n % 3 === 0 ? 'text/plain' : `x/type-${n % 5}`);
      await store('d0.json', 'x', 'application/json');
      await remove('d1.json');
      await store('d1.json', 'x', 'image/png');
      await store('none', 'x', 'x/none');
      assert.equal(await typeOf('d0.json'), 'application/json');
      assert.equal(await typeOf('d1.json'), 'image/png');
      for (let n = 2; n < 40; n++)
        assert.equal(await typeOf(`d${n}.json`), n % 3 === 0 ? 'text/plain' : `x/type-${n % 5}`);
      assert.equal(await typeOf('none'), 'x/none');
    },
  },
  {
    section: 'draft 4',
    requirement: 'what is no media type is refused with 400 and a reason, and nothing is stored',
    isChoice: true,
    async run({ get, put }) {
      for (const type of [
        'text',
        'undefined',
        'text/',
        '/plain',
        'text/plain, text/html',
        'a b/c',
        `text/${'x'.repeat(1100)}`,
      ]) {
        const reply = await put('a', 'x', { 'Content-Type': type });
        expectStatus(reply, 400);
        assert.match(reply.text, /Content-Type/);
      }
      expectStatus(await get('a'), 404);
    },
  },
  {
    section: 'RFC 9110 8.3',
    requirement: 'a PUT without a type, or with an empty one, stores bytes of no known type',
    isChoice: true,
    async run({ get, send }) {
      expectVersion(await send('PUT', 'none', { body: 'x' }), 201);
      expectVersion(await send('PUT', 'empty', { body: 'x', headers: { 'Content-Type': '' } }), 201);
      assert.equal((await get('none')).headers['content-type'], 'application/octet-stream');
      assert.equal((await get('empty')).headers['content-type'], 'application/octet-stream');
    },
  },
];

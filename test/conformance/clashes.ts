// A name is a document's or a folder's, never both (draft, sections 4 and 5): 409 at every depth, both ways.
import assert from 'node:assert/strict';
import { type Clause, expectStatus, expectVersion } from './clause.ts';

export const CLASHES: Clause[] = [
  {
    section: 'draft 5',
    requirement: 'a PUT below a document answers 409, however deep below',
    async run({ get, list, put, store }) {
      await store('doc', 'stands');
      await store('a/b/doc', 'stands');
      for (const path of ['doc/x', 'doc/x/y/z', 'a/b/doc/x', 'a/b/doc/x/y'])
        expectStatus(await put(path, 'x'), 409);
      assert.equal((await get('doc')).text, 'stands');
      assert.deepEqual(await list('doc/'), {});
      assert.deepEqual(Object.keys(await list('a/b/')), ['doc']);
    },
  },
  {
    section: 'draft 5',
    requirement: 'a PUT where a folder stands answers 409, at every depth',
    async run({ get, put, store }) {
      await store('a/b/c/d');
      for (const path of ['a', 'a/b', 'a/b/c']) expectStatus(await put(path, 'x'), 409);
      expectStatus(await get('a/b'), 404);
      expectStatus(await get('a/b/c/d'), 200);
    },
  },
  {
    section: 'draft 4',
    requirement: 'a name that was freed may become the other kind',
    async run({ delete: remove, put, store }) {
      await store('a/b');
      await remove('a/b');
      expectVersion(await put('a', 'a document now'), 201);
      await remove('a');
      expectVersion(await put('a/b/c', 'a folder again'), 201);
    },
  },
  {
    section: 'draft 5',
    requirement: 'a module is in the way of a document of the root, and the other way round',
    needs: ['rootRw'],
    async run({ delete: remove, folder, get, module, put, store, tokens }) {
      const { rootRw } = tokens;
      await store('a');
      expectStatus(await put(`/${module}`, 'x', {}, rootRw), 409);
      const name = `/clash-${process.pid}`;
      await store(name, 'stands', 'text/plain', rootRw);
      try {
        expectStatus(await put(`${name}/a`, 'x', {}, rootRw), 409);
        expectStatus(await put(`${name}/a/b`, 'x', {}, rootRw), 409);
        assert.equal((await get(name, {}, rootRw)).text, 'stands');
        expectStatus(await get(`${name}/a`, {}, rootRw), 404);
      } finally {
        await remove(name, {}, rootRw);
      }
      expectVersion(await put(`${name}/a`, 'now it may', {}, rootRw), 201);
      expectStatus(await put(name, 'x', {}, rootRw), 409);
      await remove(`${name}/a`, {}, rootRw);
      expectVersion(await put(name, 'and back', {}, rootRw), 201);
      await remove(name, {}, rootRw);
      expectStatus(await get(folder), 200);
    },
  },
  {
    section: 'draft 5',
    requirement: 'below /public/ names clash as elsewhere, and not with those outside it',
    async run({ folder, put, store }) {
      await store('a', 'private');
      await store(`/public${folder}a/b`, 'public');
      expectStatus(await put(`/public${folder}a`, 'x'), 409);
      expectStatus(await put(`/public${folder}a/b/c`, 'x'), 409);
    },
  },
  {
    section: 'draft 5',
    requirement: 'a precondition that fails is told before a clash: 412',
    async run({ put, store }) {
      await store('a/b');
      expectStatus(await put('a', 'x', { 'If-Match': '"something"' }), 412);
      expectStatus(await put('a', 'x', { 'If-None-Match': '*' }), 409);
    },
  },
];

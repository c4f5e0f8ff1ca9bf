// What a token of an app does not open.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorizePath, openTestPages } from '../../test/open-test-pages.ts';
import type { UserName } from '../protocol/paths.ts';
import { parseScopes } from '../protocol/scopes.ts';

test('threat 37: a token of an app, even for everything, changes nothing about any page or form', async () => {
  await using world = await openTestPages();
  const grant = { user: 'alice' as UserName, app: 'https://notes.example', kind: 'implicit' } as const;
  const { token } = await world.accounts.tokens.create({ ...grant, scopes: parseScopes('*:rw')! }, undefined);
  const ask = async (method: 'GET' | 'POST', url: string, authorization?: string) => {
    const answer = await world.pages.app.inject({
      ...{
        method,
        url,
        payload: method === 'POST' ? 'decision=allow&id=1&app=https%3A%2F%2Fnotes.example' : '',
      },
      headers: {
        ...{ host: 'localhost:8000', 'content-type': 'application/x-www-form-urlencoded' },
        ...(authorization && { authorization }),
      },
    });
    const { 'set-cookie': _cookie, date: _date, ...headers } = answer.headers;
    // a form's token differs with every page
    return { status: answer.statusCode, headers, body: answer.body.replace(/value="[\w-]{43}"/g, '') };
  };
  const pages = [
    '/',
    '/account',
    '/account/sessions',
    '/account/activity',
    '/login',
    '/signup',
    authorizePath(),
  ];
  const forms = ['/account/apps/revoke', '/account/sessions/end', '/logout', '/login', authorizePath()];
  for (const [method, paths] of [
    ['GET', pages],
    ['POST', [...forms, '/oauth/introspect']],
  ] as const) {
    for (const path of paths) {
      const without = await ask(method, path);
      assert.deepEqual(await ask(method, path, `Bearer ${token}`), without, `${method} ${path}`);
      assert.ok(without.status !== 200 || !without.body.includes('Sign out'), 'nobody is signed in');
    }
  }
  assert.ok(world.accounts.tokens.check(token), 'it is a good token');
});

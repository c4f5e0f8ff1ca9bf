// Apps let in and put out from the terminal, beside a running server: by a code, by a line of a file.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { grantHash } from '../../src/protocol/grants-file.ts';
import type { UserName } from '../../src/protocol/paths.ts';
import { authorizePath, hiddenFields } from '../open-test-pages.ts';
import { openTestServer, type TestServer } from '../open-test-server.ts';
import { type Finished, gitstead } from './gitstead.ts';

const APP = 'https://notes.example';
const HASH = grantHash({ user: 'ann' as UserName, app: APP, redirect: `${APP}/app/` });
const REQUEST = authorizePath({}, 'ann');

function assertDone(finished: Finished): string {
  assert.equal(finished.stderr, '');
  assert.equal(finished.code, 0);
  return finished.stdout;
}

function assertFails(finished: Finished, why: RegExp, code = 1): void {
  assert.equal(finished.code, code, finished.stderr);
  assert.match(finished.stderr, /^gitstead: [^\n]+\n$/);
  assert.match(finished.stderr, why);
}

/** Signs ann in over the network. */
async function signIn({ baseUrl }: TestServer, password: string) {
  const cookies = new Map<string, string>();
  async function send(path: string, fields?: Record<string, string>) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(baseUrl + path, {
      method: fields ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { cookie },
      ...(fields && { body: new URLSearchParams(fields) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      cookies.set(name!, value!);
    }
    const location = response.headers.get('location') ?? '';
    return { status: response.status, body: await response.text(), location };
  }
  const { body } = await send('/login');
  await send('/login', { ...hiddenFields(body), username: 'ann', password });
  return {
    get: (path: string) => send(path),
    async decide(decision: string) {
      const page = await send(REQUEST);
      return send(REQUEST, { ...hiddenFields(page.body), decision });
    },
    async code() {
      const page = await send(REQUEST);
      return /gitstead grant approve ([A-Z0-9-]{9})</.exec(page.body)?.[1] ?? assert.fail(page.body);
    },
  };
}

function tokenIn(location: string): string {
  return /access_token=([^&]+)/.exec(location)?.[1] ?? assert.fail(`no token in “${location}”`);
}

async function statusOf(server: TestServer, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${server.storageUrl('ann')}/notes/`, { headers });
  await answer.arrayBuffer();
  return answer.status;
}

test('a request is approved by its code, listed and revoked while the server runs', async () => {
  await using server = await openTestServer();
  const { password } = await server.createUser('ann');
  const run = (...words: string[]) => gitstead(['grant', ...words], { data: server.dataFolder });
  const browser = await signIn(server, password);
  const code = await browser.code();

  const [pending, ...none] = JSON.parse(assertDone(await run('list', '--json')));
  assert.deepEqual(none, []);
  assert.deepEqual(
    [pending.state, pending.user, pending.app, pending.redirect, pending.scopes],
    ['pending', 'ann', APP, `${APP}/app/`, 'notes:rw'],
  );
  assertFails(await run('approve', code), /say --yes/, 2);
  assert.equal((await browser.get(REQUEST)).status, 200, 'without a yes nothing is decided');
  const said = assertDone(await run('approve', code.toLowerCase().replace('-', ''), '--yes'));
  assert.match(said, /^app {6}https:\/\/notes\.example\nback to {2}https:\/\/notes\.example\/app\/\n/);
  assert.match(said, /\naccount {2}ann\nscopes {3}notes:rw\napproved: [^\n]+\n$/);
  assert.match(
    assertDone(await run('list')),
    /^ID .*\n- +approved +ann +notes:rw .* https:\/\/notes\.example\n$/,
  );
  assertFails(await run('approve', code, '--yes'), /used already/);

  const token = tokenIn((await browser.get(REQUEST)).location);
  assert.equal(await statusOf(server, token), 200);
  const [active, ...others] = JSON.parse(assertDone(await run('list', '--json')));
  assert.deepEqual(others, []);
  assert.deepEqual([active.state, active.kind, active.scopes], ['active', 'implicit', 'notes:rw']);
  assert.doesNotMatch(JSON.stringify(active), new RegExp(token));
  assert.match(assertDone(await run('list')), new RegExp(`\n${active.id} +active +ann +notes:rw `));
  assertDone(await run('revoke', active.id));
  assert.equal(await statusOf(server, token), 401);
  assertFails(await run('revoke', active.id), /no such grant/);
});

test('a wrong code is told in a line', async () => {
  await using server = await openTestServer();
  const { password } = await server.createUser('ann');
  const run = (...words: string[]) => gitstead(['grant', ...words], { data: server.dataFolder });
  const code = await (await signIn(server, password)).code();
  for (const wrong of ['ABCD-EFGH', 'CCCC-CCCC', `${code}C`, code.slice(1), '', 'x'.repeat(10_000)]) {
    assertFails(await run('approve', wrong, '--yes'), /no page shows this code/);
  }
  assertDone(await run('approve', code, '--yes'));
});

test('--scope lets an app in only if that is what it asks for', async () => {
  await using server = await openTestServer();
  const { password } = await server.createUser('ann');
  const run = (...words: string[]) => gitstead(['grant', ...words], { data: server.dataFolder });
  const code = await (await signIn(server, password)).code();
  for (const scope of ['notes:r', '*:rw', 'notes:rw contacts:r']) {
    assertFails(await run('approve', code, '--scope', scope, '--yes'), /asks for notes:rw: .* or nothing/);
  }
  const malformed = await run('approve', code, '--scope', 'notes', '--yes');
  assert.equal(malformed.code, 2);
  assertDone(await run('approve', code, '--scope', 'notes:r', '--scope', 'notes:rw', '--yes'));
});

test('a file of grants lets in what its lines cover; a line that goes ends it, a file that goes does not', {
  timeout: 60_000,
}, async () => {
  await using server = await openTestServer({ settings: { 'auth.grantsFile': 'apps.auth' } });
  const { password } = await server.createUser('ann');
  const file = join(server.dataFolder, 'apps.auth');
  const browser = await signIn(server, password);
  const page = await browser.get(REQUEST);
  assert.ok(page.body.includes(`>${HASH} notes rw</code>`), 'the page shows the line, also without a file');
  assert.equal((await browser.decide('allow')).status, 403);
  writeFileSync(file, `# apps of ann\n${HASH} notes rw\n`);
  const token = tokenIn((await browser.decide('allow')).location);
  assert.equal(await statusOf(server, token), 200);
  rmSync(file);
  await server.restart();
  assert.equal(await statusOf(server, token), 200);
  assert.equal((await browser.decide('allow')).status, 303, 'what the file said last stands');
  writeFileSync(file, '# apps of ann\n');
  while ((await statusOf(server, token)) !== 401);
  assert.equal((await browser.decide('allow')).status, 403);
});

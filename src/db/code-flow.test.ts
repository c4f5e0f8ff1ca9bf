// Codes and refresh tokens: each once, what is stolen ends what it gave, and a race between two tabs ends nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import type { UserName } from '../protocol/paths.ts';
import { parseScopes } from '../protocol/scopes.ts';
import type { Given, Refused } from './code-flow.ts';
import { type Accounts, openAccounts } from './open-accounts.ts';

const folder = mkdtempSync(join(tmpdir(), 'gitstead-codes-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const HOUR_MS = 3_600_000;
const LIVES = { tokenMs: HOUR_MS, refreshIdleMs: 100 * HOUR_MS };
const alice = 'alice' as UserName;
const ALLOWED = {
  user: alice,
  app: 'https://notes.example',
  redirect: 'https://notes.example/app',
  redirectUri: 'https://notes.example/app?page=1',
  scopes: parseScopes('notes:rw contacts:r')!,
  challenge: 'c'.repeat(43),
};
const PROOF = { redirectUri: ALLOWED.redirectUri, challenge: ALLOWED.challenge };

let files = 0;

async function opened() {
  const clock = { time: Date.UTC(2030, 0, 1) };
  const file = join(folder, `${files++}.db`);
  const accounts = await openAccounts(file, () => clock.time, { codeLives: LIVES });
  await accounts.users.create({ name: alice, password: 'correct horse', isAdmin: false });
  return { accounts, clock, file, [Symbol.asyncDispose]: () => accounts.close() };
}

function given(outcome: Given | Refused): Given {
  assert.ok(!('refused' in outcome), JSON.stringify(outcome));
  return outcome;
}

async function redeemed({ codeFlow }: Accounts): Promise<Given> {
  return given(await codeFlow.redeem(await codeFlow.createCode(ALLOWED), PROOF));
}

test('a code gives a token that works for an hour, and a grant that is listed without an end', async () => {
  await using world = await opened();
  const { accounts, clock } = world;
  const code = await accounts.codeFlow.createCode(ALLOWED);
  assert.deepEqual(await accounts.grants.list(), [], 'nothing is given before the code is redeemed');
  const { accessToken, expiresIn, scopes, id } = given(await accounts.codeFlow.redeem(code, PROOF));
  assert.equal(expiresIn, 3600);
  assert.deepEqual(scopes, ALLOWED.scopes);
  assert.equal(accounts.tokens.check(accessToken)?.app, ALLOWED.app);
  clock.time += HOUR_MS;
  assert.equal(accounts.tokens.check(accessToken), undefined);
  const [grant] = await accounts.grants.list('alice');
  assert.deepEqual(
    [grant?.id, grant?.kind, grant?.redirect, grant?.expiresAt],
    [id, 'code', ALLOWED.redirect, undefined],
  );
});

test('threat 5: codes and refresh tokens stand in the file as hashes only', async () => {
  await using world = await opened();
  const code = await world.accounts.codeFlow.createCode(ALLOWED);
  const { accessToken, refreshToken } = given(await world.accounts.codeFlow.redeem(code, PROOF));
  const bytes = readdirSync(folder)
    .filter((name) => join(folder, name).startsWith(world.file))
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
  for (const secret of [code, accessToken, refreshToken]) assert.ok(!bytes.includes(secret));
});

test('a code is good for a minute, for one redirect address to the letter, and for one verifier', async () => {
  await using world = await opened();
  const { codeFlow } = world.accounts;
  const code = await codeFlow.createCode(ALLOWED);
  const unknown = { refused: 'unknown' };
  assert.deepEqual(
    await codeFlow.redeem(code, { ...PROOF, redirectUri: 'https://notes.example/app' }),
    unknown,
  );
  assert.deepEqual(await codeFlow.redeem(code, { ...PROOF, challenge: 'd'.repeat(43) }), unknown);
  assert.deepEqual(await codeFlow.redeem('x'.repeat(43), PROOF), unknown);
  assert.deepEqual(await codeFlow.redeem('junk', PROOF), unknown);
  given(await codeFlow.redeem(code, PROOF));
  const late = await codeFlow.createCode(ALLOWED);
  world.clock.time += 60_000;
  assert.deepEqual(await codeFlow.redeem(late, PROOF), unknown);
});

test('a code that comes twice ends what it gave', async () => {
  await using world = await opened();
  const { codeFlow, tokens, grants } = world.accounts;
  const code = await codeFlow.createCode(ALLOWED);
  const { accessToken, refreshToken } = given(await codeFlow.redeem(code, PROOF));
  world.clock.time += HOUR_MS;
  assert.deepEqual(await codeFlow.redeem(code, PROOF), {
    refused: 'reused',
    user: 'alice',
    app: ALLOWED.app,
  });
  assert.equal(tokens.check(accessToken), undefined);
  assert.deepEqual(await codeFlow.refresh(refreshToken), { refused: 'unknown' });
  assert.deepEqual(await grants.list(), []);
});

test('of two requests with one code at the same time, none keeps what it got', async () => {
  await using world = await opened();
  const { codeFlow, tokens } = world.accounts;
  const code = await codeFlow.createCode(ALLOWED);
  const outcomes = await Promise.all([codeFlow.redeem(code, PROOF), codeFlow.redeem(code, PROOF)]);
  const [first, ...others] = outcomes.filter((outcome) => !('refused' in outcome));
  assert.equal(others.length, 0);
  assert.equal(tokens.check((first as Given).accessToken), undefined);
});

test('a refresh token gives the next ones, for as long as one is used in time', async () => {
  await using world = await opened();
  const { codeFlow, tokens } = world.accounts;
  let { refreshToken } = await redeemed(world.accounts);
  for (let turn = 0; turn < 5; turn++) {
    world.clock.time += 99 * HOUR_MS;
    const next = given(await codeFlow.refresh(refreshToken));
    assert.ok(tokens.check(next.accessToken));
    assert.notEqual(next.refreshToken, refreshToken);
    refreshToken = next.refreshToken;
  }
  world.clock.time += 101 * HOUR_MS;
  assert.deepEqual(await codeFlow.refresh(refreshToken), { refused: 'unknown' });
});

test('a used refresh token works again until its successor was used; then its reuse ends the family', async () => {
  await using world = await opened();
  const { codeFlow, tokens, grants } = world.accounts;
  const { refreshToken: first } = await redeemed(world.accounts);
  const lost = given(await codeFlow.refresh(first));
  const second = given(await codeFlow.refresh(first));
  assert.ok(tokens.check(lost.accessToken) && tokens.check(second.accessToken));
  const third = given(await codeFlow.refresh(second.refreshToken));
  assert.equal((await grants.list()).length, 1);
  assert.deepEqual(await codeFlow.refresh(first), { refused: 'reused', user: 'alice', app: ALLOWED.app });
  for (const { accessToken, refreshToken } of [lost, second, third]) {
    assert.equal(tokens.check(accessToken), undefined);
    assert.deepEqual(await codeFlow.refresh(refreshToken), { refused: 'unknown' });
  }
});

test('two that go on from one refresh token are one too many: a thief does not live beside the client', async () => {
  await using world = await opened();
  const { codeFlow, tokens } = world.accounts;
  const { refreshToken: first } = await redeemed(world.accounts);
  const client = given(await codeFlow.refresh(first));
  const thief = given(await codeFlow.refresh(first));
  const later = given(await codeFlow.refresh(thief.refreshToken));
  const reused = { refused: 'reused', user: 'alice', app: ALLOWED.app };
  assert.deepEqual(await codeFlow.refresh(client.refreshToken), reused);
  assert.equal(tokens.check(later.accessToken), undefined);
});

test('asking again and again with one refresh token leaves no more than a few', async () => {
  await using world = await opened();
  const { codeFlow } = world.accounts;
  const { refreshToken } = await redeemed(world.accounts);
  let last = '';
  for (let turn = 0; turn < 70; turn++) {
    world.clock.time += 1;
    last = given(await codeFlow.refresh(refreshToken)).refreshToken;
  }
  const database = new DatabaseSync(world.file);
  const count = (table: string) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n;
  assert.ok(Number(count('refresh_tokens')) < 10);
  assert.ok(Number(count('tokens')) < 60);
  database.close();
  given(await codeFlow.refresh(last));
});

test('a spent code without its proof ends nothing', async () => {
  await using world = await opened();
  const { codeFlow, tokens } = world.accounts;
  const code = await codeFlow.createCode(ALLOWED);
  const { accessToken } = given(await codeFlow.redeem(code, PROOF));
  const foreign = { ...PROOF, challenge: 'd'.repeat(43) };
  assert.deepEqual(await codeFlow.redeem(code, foreign), { refused: 'unknown' });
  assert.ok(tokens.check(accessToken));
  assert.equal(((await codeFlow.redeem(code, PROOF)) as Refused).refused, 'reused');
  assert.deepEqual(
    await codeFlow.redeem(code, PROOF),
    { refused: 'unknown' },
    'there is nothing left to end',
  );
});

test('a grant that its app did not renew in time goes a year later, with the next one that is made', async () => {
  await using world = await opened();
  const { codeFlow, grants } = world.accounts;
  await redeemed(world.accounts);
  world.clock.time += 101 * HOUR_MS;
  await codeFlow.createCode(ALLOWED);
  assert.equal((await grants.list()).length, 1, 'the clock may be wrong for a while');
  world.clock.time += 366 * 24 * HOUR_MS;
  await codeFlow.createCode(ALLOWED);
  assert.deepEqual(await grants.list(), []);
});

test('an app that is revoked cannot redeem a code that it was given before', async () => {
  await using world = await opened();
  const { codeFlow, grants } = world.accounts;
  const code = await codeFlow.createCode(ALLOWED);
  const other = await codeFlow.createCode({ ...ALLOWED, app: 'https://other.example' });
  await grants.revokeApp(alice, ALLOWED.app);
  assert.deepEqual(await codeFlow.redeem(code, PROOF), { refused: 'unknown' });
  given(await codeFlow.redeem(other, PROOF));
});

test('a clock that jumps back or ahead ends only what has an end', async () => {
  await using world = await opened();
  const { codeFlow, tokens } = world.accounts;
  const { accessToken, refreshToken } = await redeemed(world.accounts);
  const code = await codeFlow.createCode(ALLOWED);
  world.clock.time -= 48 * HOUR_MS;
  assert.ok(tokens.check(accessToken));
  const next = given(await codeFlow.refresh(refreshToken));
  given(await codeFlow.redeem(code, PROOF));
  world.clock.time += 72 * HOUR_MS;
  assert.equal(tokens.check(accessToken), undefined);
  assert.ok(tokens.check(given(await codeFlow.refresh(next.refreshToken)).accessToken));
});

test('a refresh that names other scopes is refused, and uses nothing up', async () => {
  await using world = await opened();
  const { codeFlow } = world.accounts;
  const { refreshToken } = await redeemed(world.accounts);
  assert.deepEqual(await codeFlow.refresh(refreshToken, 'notes:rw'), { refused: 'other-scope' });
  given(await codeFlow.refresh(refreshToken, 'notes:rw contacts:r'));
});

test('a grant that is revoked, by whatever of it, takes everything with it at once', async () => {
  await using world = await opened();
  const { codeFlow, tokens, grants } = world.accounts;
  const ways: ((grant: Given) => Promise<unknown>)[] = [
    ({ id }) => grants.revoke(id),
    ({ id }) => grants.revoke(id, 'alice'),
    ({ accessToken }) => grants.revokeToken(accessToken),
    ({ refreshToken }) => grants.revokeToken(refreshToken),
    () => grants.revokeApp(alice, ALLOWED.app),
    () => world.accounts.users.remove(alice),
  ];
  for (const revoke of ways) {
    const grant = await redeemed(world.accounts);
    assert.equal(await grants.revoke(grant.id, 'bob'), undefined, 'another user has no say');
    assert.ok(tokens.check(grant.accessToken));
    await revoke(grant);
    assert.equal(tokens.check(grant.accessToken), undefined);
    assert.deepEqual(await codeFlow.refresh(grant.refreshToken), { refused: 'unknown' });
    assert.deepEqual(await grants.list(), []);
  }
});

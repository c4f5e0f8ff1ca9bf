// Codes and refresh tokens: each once, what is stolen ends what it gave, and a race between two tabs ends nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  assert.deepEqual(await world.accounts.grants.list(), []);
});

test('a used refresh token works again until its successor was used; then its reuse ends the family', async () => {
  await using world = await opened();
  const { codeFlow, tokens, grants } = world.accounts;
  const { refreshToken: first } = await redeemed(world.accounts);
  const lost = given(await codeFlow.refresh(first));
  const second = given(await codeFlow.refresh(first));
  assert.ok(tokens.check(lost.accessToken) && tokens.check(second.accessToken), 'both tabs go on');
  const third = given(await codeFlow.refresh(second.refreshToken));
  const other = given(await codeFlow.refresh(lost.refreshToken));
  assert.ok(tokens.check(third.accessToken) && tokens.check(other.accessToken));
  assert.equal((await grants.list()).length, 1);
  assert.deepEqual(await codeFlow.refresh(first), { refused: 'reused', user: 'alice', app: ALLOWED.app });
  for (const { accessToken, refreshToken } of [lost, second, third, other]) {
    assert.equal(tokens.check(accessToken), undefined);
    assert.deepEqual(await codeFlow.refresh(refreshToken), { refused: 'unknown' });
  }
});

test('a grant that its app did not renew in time goes with the next one that is made', async () => {
  await using world = await opened();
  const { codeFlow, grants } = world.accounts;
  await redeemed(world.accounts);
  world.clock.time += 101 * HOUR_MS;
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

// Approvals from the terminal: each code is good once, for ten minutes, and for the one request that showed it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { UserName } from '../protocol/paths.ts';
import {
  APPROVAL_LIFE_MS,
  formatApprovalCode,
  MAX_WAITING,
  parseApprovalCode,
  type WaitingRequest,
} from './approvals.ts';
import { openAccounts } from './open-accounts.ts';

const [ALICE, BOB] = ['alice' as UserName, 'bob' as UserName];

async function openWorld() {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-approvals-'));
  const file = join(folder, 'accounts.db');
  const clock = { time: Date.UTC(2030, 0, 1) };
  const accounts = await openAccounts(file, () => clock.time);
  for (const name of [ALICE, BOB]) {
    await accounts.users.create({ name, password: 'correct horse', isAdmin: false });
  }
  const session = await accounts.sessions.create(ALICE, 'Firefox');
  const request = (changes: Partial<WaitingRequest> = {}): WaitingRequest => ({
    ...{ user: ALICE, session, query: 'scope=notes:rw&state=1' },
    ...{ app: 'https://notes.example', redirect: 'https://notes.example/app/' },
    scopes: [{ module: 'notes', level: 'rw' }],
    ...changes,
  });
  return {
    ...{ file, clock, accounts, session, request, approvals: accounts.approvals },
    async [Symbol.asyncDispose]() {
      await accounts.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test('a code has eight letters without look-alikes, and is read in any spelling', () => {
  assert.equal(formatApprovalCode('K7QM3XRN'), 'K7QM-3XRN');
  for (const text of ['K7QM-3XRN', 'k7qm3xrn', ' K7QM 3XRN ']) {
    assert.equal(parseApprovalCode(text), 'K7QM3XRN', text);
  }
  for (const text of ['', 'K7QM-3XR', 'K7QM-3XRNN', 'K7QM-3XR0', 'K7QM-3XRO', 'K7QM_3XRN', 'ſ7QM3XRN']) {
    assert.equal(parseApprovalCode(text), undefined, text);
  }
});

describe('a request that waits', () => {
  test('is shown with its code, the same each time, and goes on once it is approved', async () => {
    await using world = await openWorld();
    const { approvals, request } = world;
    const first = await approvals.codeFor(request());
    assert.equal(parseApprovalCode(first.code), first.code);
    assert.equal(first.isNew, true);
    assert.deepEqual(await approvals.codeFor(request()), { code: first.code, isNew: false });
    const found = await approvals.find(first.code);
    assert.ok(typeof found === 'object');
    const { user, app, redirect, scopes } = request();
    assert.deepEqual(
      { user: found.user, app: found.app, redirect: found.redirect, scopes: found.scopes },
      { user, app, redirect, scopes },
    );
    assert.equal(await approvals.take(request()), false, 'nobody said yes yet');
    const approved = await approvals.approve(first.code);
    assert.ok(typeof approved === 'object' && approved.isApproved);
    assert.deepEqual(await approvals.codeFor(request()), { code: first.code, isNew: false });
    assert.equal(await approvals.take(request()), true);
  });

  test('goes on once, and its code is approved once', async () => {
    await using world = await openWorld();
    const { approvals, request } = world;
    const { code } = await approvals.codeFor(request());
    await approvals.approve(code);
    assert.equal(await approvals.approve(code), 'used');
    assert.equal(await approvals.find(code), 'used');
    assert.equal(await approvals.take(request()), true);
    assert.equal(await approvals.take(request()), false);
    assert.equal(await approvals.approve(code), 'used');
    const next = await approvals.codeFor(request());
    assert.notEqual(next.code, code);
    assert.equal(next.isNew, true);
    assert.equal(await approvals.find(code), 'unknown', 'the next one took its place');
  });

  test('has a code for ten minutes; then it has another one', async () => {
    await using world = await openWorld();
    const { approvals, request, clock } = world;
    const { code } = await approvals.codeFor(request());
    clock.time += APPROVAL_LIFE_MS - 1;
    assert.equal(typeof (await approvals.find(code)), 'object');
    clock.time += 1;
    assert.equal(await approvals.find(code), 'late');
    assert.equal(await approvals.approve(code), 'late');
    assert.equal(await approvals.take(request()), false);
    assert.notEqual((await approvals.codeFor(request())).code, code);
  });

  test('can go on for ten minutes after the yes, and not later', async () => {
    await using world = await openWorld();
    const { approvals, request, clock } = world;
    for (const [wait, goesOn] of [
      [APPROVAL_LIFE_MS - 1, true],
      [APPROVAL_LIFE_MS, false],
    ] as const) {
      const { code } = await approvals.codeFor(request());
      clock.time += APPROVAL_LIFE_MS - 1;
      await approvals.approve(code);
      clock.time += wait;
      assert.equal(await approvals.take(request()), goesOn);
    }
  });

  test('is approved for no other session, user or request', async () => {
    await using world = await openWorld();
    const { approvals, request, accounts } = world;
    const { code } = await approvals.codeFor(request());
    await approvals.approve(code);
    const others: Partial<WaitingRequest>[] = [
      { session: await accounts.sessions.create(ALICE, 'Chrome') },
      { user: BOB, session: await accounts.sessions.create(BOB, 'Firefox') },
      { user: BOB },
      { query: 'scope=notes:rw&state=2' },
      { query: 'scope=*:rw&state=1' },
      { query: '' },
    ];
    for (const other of others) assert.equal(await approvals.take(request(other)), false);
    assert.equal(await approvals.take(request()), true);
  });

  test('is over when it was decided on the page', async () => {
    await using world = await openWorld();
    const { approvals, request } = world;
    const { code } = await approvals.codeFor(request());
    await approvals.drop(request());
    assert.equal(await approvals.approve(code), 'used');
    const second = await approvals.codeFor(request());
    await approvals.approve(second.code);
    await approvals.drop(request());
    assert.equal(await approvals.take(request()), false);
    assert.deepEqual(await approvals.list(), []);
  });

  test('ends with its session, and with its account', async () => {
    await using world = await openWorld();
    const { approvals, request, accounts, session } = world;
    const { code } = await approvals.codeFor(request());
    await accounts.sessions.end(session);
    assert.equal(await approvals.approve(code), 'unknown');
    const again = request({ session: await accounts.sessions.create(ALICE, 'Firefox') });
    const second = await approvals.codeFor(again);
    await accounts.users.remove(ALICE);
    assert.equal(await approvals.approve(second.code), 'unknown');
  });
});

test('a wrong code is unknown, also when it is one letter off', async () => {
  await using world = await openWorld();
  const { code } = await world.approvals.codeFor(world.request());
  const off = `${code.slice(0, -1)}${code.endsWith('C') ? 'D' : 'C'}`;
  assert.equal(await world.approvals.approve(off), 'unknown');
  assert.equal(await world.approvals.find(off), 'unknown');
  assert.equal(typeof (await world.approvals.find(code)), 'object');
});

test('threat 5: no code stands in the file', async () => {
  await using world = await openWorld();
  const { code } = await world.approvals.codeFor(world.request());
  const bytes = ['', '-wal'].map((end) => readFileSync(world.file + end, 'latin1')).join('');
  assert.ok(bytes.includes('https://notes.example/app/'), 'the request does');
  for (const secret of [code, formatApprovalCode(code), world.session]) assert.ok(!bytes.includes(secret));
});

test('lists are newest first; of one session so many wait, and the oldest give way', async () => {
  await using world = await openWorld();
  const { approvals, request, clock } = world;
  const codes: string[] = [];
  for (let number = 0; number < MAX_WAITING + 2; number++) {
    clock.time += 1;
    codes.push((await approvals.codeFor(request({ query: `state=${number}` }))).code);
  }
  const listed = await approvals.list();
  assert.equal(listed.length, MAX_WAITING);
  assert.deepEqual(
    listed.map(({ createdAt }) => createdAt),
    listed.map((_, index) => clock.time - index),
  );
  assert.equal(await approvals.find(codes[1]!), 'unknown');
  assert.equal(typeof (await approvals.find(codes[2]!)), 'object');
  await approvals.approve(codes[2]!);
  assert.equal((await approvals.list()).filter(({ isApproved }) => isApproved).length, 1);
});

test('what is approved gives way to nothing until the browser went on, or its time is over', async () => {
  await using world = await openWorld();
  const { approvals, request, clock } = world;
  let number = 0;
  async function fill(): Promise<void> {
    for (let times = 0; times < MAX_WAITING + 2; times++) {
      clock.time += 1;
      await approvals.codeFor(request({ query: `state=${number++}` }));
    }
  }
  const { code } = await approvals.codeFor(request());
  await approvals.approve(code);
  await fill();
  assert.equal(await approvals.take(request()), true);
  assert.equal((await approvals.list()).length, MAX_WAITING);
  await fill();
  assert.equal(await approvals.find(code), 'unknown', 'it was used');

  const late = await approvals.codeFor(request());
  await approvals.approve(late.code);
  clock.time += APPROVAL_LIFE_MS;
  await fill();
  assert.equal(await approvals.find(late.code), 'unknown', 'it was late');
});

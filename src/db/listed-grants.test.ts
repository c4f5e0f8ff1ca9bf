// Lines of the file of grants as they are kept: what the file said last, what is gone and not settled, and very many lines.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Asker, grantHash, linesOf, listedIn } from '../protocol/grants-file.ts';
import type { UserName } from '../protocol/paths.ts';
import { formatScopes, parseScopes } from '../protocol/scopes.ts';
import { openAccounts } from './open-accounts.ts';

const ALICE = 'alice' as UserName;
const ASKER: Asker = { user: ALICE, app: 'https://notes.example', redirect: 'https://notes.example/app/' };
const HASH = grantHash(ASKER);

/** Lines of one hash. */
function listed(scopes: string) {
  return listedIn((parseScopes(scopes) ?? []).map((scope) => ({ hash: HASH, scope })));
}

async function openWorld() {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-listed-grants-'));
  const accounts = await openAccounts(join(folder, 'accounts.db'), () => Date.UTC(2030, 0, 1));
  await accounts.users.create({ name: ALICE, password: 'correct horse', isAdmin: false });
  const { listedGrants: table, tokens } = accounts;
  return {
    ...{ table, tokens },
    said: async () => formatScopes(linesOf(await table.list()).map(({ scope }) => scope)),
    async allow(scopes: string): Promise<string> {
      const grant = { ...ASKER, scopes: parseScopes(scopes)!, kind: 'implicit' as const };
      return (await tokens.create(grant, undefined)).token;
    },
    async [Symbol.asyncDispose]() {
      await accounts.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test('the list is what was recorded last, also before it settles', async () => {
  await using world = await openWorld();
  for (const scopes of ['notes:rw', 'notes:r', 'contacts:r', 'contacts:r notes:rw']) {
    await world.table.record(listed(scopes));
    assert.equal(await world.said(), scopes);
  }
  await world.table.record(listed(''));
  assert.equal(await world.said(), '');
  await world.table.settle();
  assert.equal(await world.said(), '');
});

test('what any gone line covered ends when it settles, unless the line came back', async () => {
  await using world = await openWorld();
  const { table, tokens } = world;
  await table.record(listed('notes:rw contacts:r'));
  const [notes, contacts] = [await world.allow('notes:rw'), await world.allow('contacts:r')];
  await table.record(listed(''));
  await table.record(listed('pictures:r'));
  assert.ok(tokens.check(notes), 'recording ends nothing');
  await table.record(listed('contacts:r'));
  assert.equal((await table.settle()).length, 1);
  assert.equal(tokens.check(notes), undefined);
  assert.ok(tokens.check(contacts));
  assert.deepEqual(await table.settle(), []);
});

test('as many lines of one hash as a file may have are kept and settled', async () => {
  await using world = await openWorld();
  const { table, tokens } = world;
  const lines = Array.from({ length: 14_000 }, (_, number) => ({
    hash: HASH,
    scope: { module: `m${number}`, level: 'r' as const },
  }));
  await table.record(listedIn(lines));
  assert.deepEqual(await table.list(), listedIn(lines));
  const [first, last] = [await world.allow('m0:r'), await world.allow('m13999:r')];
  await table.record(listedIn(lines.slice(0, -1)));
  await table.settle();
  assert.ok(tokens.check(first));
  assert.equal(tokens.check(last), undefined);
  assert.equal(linesOf(await table.list()).length, 13_999);
});

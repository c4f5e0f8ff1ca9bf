// Times that no date can hold, left in accounts.db by whatever made them: lists show the others, and these as the last date.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withAccounts } from '../../src/cli/accounts.ts';
import { parseUserName } from '../../src/protocol/paths.ts';
import { openTestServer } from '../open-test-server.ts';
import { gitstead } from './gitstead.ts';

test('a token that ends after the last date hides no other from the lists', async () => {
  await using server = await openTestServer();
  await server.createUser('ann');
  await server.createToken('ann', 'contacts:r');
  await withAccounts(server.dataFolder, ({ tokens }) =>
    tokens.create(
      {
        user: parseUserName('ann')!,
        app: undefined,
        scopes: [{ module: 'notes', level: 'rw' }],
        kind: 'command-line',
      },
      Date.now() + 100_000_000 * 86_400_000,
    ),
  );
  for (const list of ['token', 'grant']) {
    const json = await gitstead([list, 'list', '--json'], { data: server.dataFolder });
    assert.equal(json.stderr, '');
    const found = JSON.parse(json.stdout) as { scopes: string; expires: string | null }[];
    assert.deepEqual(
      found.map(({ scopes, expires }) => [scopes, expires]).sort(),
      [
        ['contacts:r', null],
        ['notes:rw', '+275760-09-13T00:00:00.000Z'],
      ],
      list,
    );
  }
  const { stdout } = await gitstead(['token', 'list'], { data: server.dataFolder });
  assert.match(stdout, /notes:rw .* 275760-09-1\d /);
  assert.doesNotMatch(stdout, /NaN/);
});

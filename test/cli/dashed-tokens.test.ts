// Tokens are base64url: one in 64 begins with a dash, and is a token nevertheless.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { openAccounts } from '../../src/db/open-accounts.ts';
import { parseUserName } from '../../src/protocol/paths.ts';
import { partsOf } from '../../src/storage/data-folder.ts';
import { openTestServer } from '../open-test-server.ts';
import { gitstead } from './gitstead.ts';

/** Tokens whose first bytes are these; ids of grants stay what they are. */
async function createToken(dataFolder: string, firstBytes: number[]): Promise<string> {
  const bytes = (size: number) => {
    const random = randomBytes(size);
    if (size === 32) random.set(firstBytes);
    return random;
  };
  await using accounts = await openAccounts(partsOf(dataFolder).accounts, Date.now, { randomBytes: bytes });
  const { token } = await accounts.tokens.create(
    {
      user: parseUserName('ann')!,
      app: undefined,
      scopes: [{ module: 'notes', level: 'rw' }],
      kind: 'command-line',
    },
    undefined,
  );
  return token;
}

test('token revoke takes a token that begins with a dash, or with two, wherever --data stands', async () => {
  await using server = await openTestServer();
  await server.createUser('ann');
  const statusOf = async (token: string) => {
    const answer = await fetch(`${server.storageUrl('ann')}/notes/`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  const folder = server.dataFolder;
  const forms: [firstBytes: number[], begins: RegExp, words: (token: string) => string[]][] = [
    [[0xf8, 0xaf], /^-K/, (token) => [token, '--data', folder]],
    [[0xfb, 0xe0], /^--/, (token) => ['--data', folder, token]],
    [[0xf8, 0xaf], /^-K/, (token) => ['--data', folder, '--', token]],
  ];
  for (const [firstBytes, begins, words] of forms) {
    const token = await createToken(folder, firstBytes);
    assert.match(token, begins);
    assert.equal(await statusOf(token), 200);
    assert.deepEqual(await gitstead(['token', 'revoke', ...words(token)]), {
      code: 0,
      stdout: '',
      stderr: '',
    });
    assert.equal(await statusOf(token), 401);
    const again = await gitstead(['token', 'revoke', ...words(token)]);
    assert.deepEqual([again.code, again.stderr], [1, 'gitstead: there is no such token\n']);
  }
});

test('what begins with a dash and is no token stays an unknown option', async () => {
  for (const words of [['--loud'], ['-K'], ['--loud=yes']]) {
    const refused = await gitstead(['token', 'revoke', ...words]);
    assert.deepEqual([refused.code, refused.stderr], [2, `gitstead: unknown option '${words[0]}'\n`]);
  }
  const two = await gitstead(['token', 'revoke', '3f9c2a7b1e5d8046', '--loud']);
  assert.equal(two.code, 2, two.stderr);
  const help = await gitstead(['token', 'revoke', '--help']);
  assert.deepEqual([help.code, help.stderr], [0, '']);
});

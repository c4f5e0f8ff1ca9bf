// `gitstead audit` beside a running server: what other commands left in the trail, and how it is asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withAccounts } from '../../src/cli/accounts.ts';
import { gitsteadProgram } from '../../src/cli/program.ts';
import { openTestServer } from '../open-test-server.ts';
import { type Finished, gitstead } from './gitstead.ts';

function assertDone(finished: Finished): string {
  assert.equal(finished.stderr, '');
  assert.equal(finished.code, 0);
  return finished.stdout;
}

test('the trail tells what commands did, also of an account that is no more, and no secret', async () => {
  await using server = await openTestServer();
  const run = async (words: string[], input?: string) =>
    assertDone(await gitstead(words, { data: server.dataFolder, ...(input === undefined ? {} : { input }) }));
  await run(['user', 'add', 'ann', '--password-stdin'], 'correct horse\n');
  await run(['user', 'password', 'ann', '--password-stdin'], 'another horse\n');
  const token = (
    await run(['token', 'create', 'ann', 'notes:rw', '*:r', '--app', 'https://notes.example'])
  ).trim();
  await run(['token', 'revoke', token]);
  const client = '192.0.2.7';
  await withAccounts(server.dataFolder, ({ audit }) =>
    audit.record({ kind: 'signed-in', user: 'ann', client, browser: 'Firefox' }),
  );
  await run(['user', 'remove', 'ann', '--yes']);
  await run(['user', 'add', 'bob', '--password-stdin'], 'correct horse\n');

  const json = await run(['audit', 'ann', '--json']);
  const events = JSON.parse(json) as Record<string, unknown>[];
  const app = 'https://notes.example';
  const inTerminal = { user: 'ann', app: null, detail: '', client: null, browser: null };
  assert.deepEqual(
    events.map(({ id: _, time: __, ...event }) => event),
    [
      { ...inTerminal, kind: 'account-removed' },
      { ...inTerminal, kind: 'signed-in', client, browser: 'Firefox' },
      { ...inTerminal, kind: 'app-revoked', app },
      { ...inTerminal, kind: 'token-made', app, detail: 'notes:rw *:r' },
      { ...inTerminal, kind: 'password-changed' },
      { ...inTerminal, kind: 'account-made' },
    ],
  );
  assert.match(String(events[0]?.time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  for (const secret of [token, 'correct horse', 'another horse']) assert.ok(!json.includes(secret));

  const table = await run(['audit', '--kind', 'signed-in', '--kind', 'token-made', '--since', '1h']);
  assert.match(
    table,
    /^TIME +USER +WHAT +APP +FROM +DETAIL\n[-\d]+ [\d:]+ +ann +signed-in +192\.0\.2\.7, Firefox *\n\S+ \S+ +ann +token-made +https:\/\/notes\.example +terminal +notes:rw \*:r\n$/,
  );
  assert.deepEqual(
    JSON.parse(await run(['audit', '--json', '--limit', '1'])).map(({ user }: { user: string }) => user),
    ['bob'],
  );
  const unknown = await gitstead(['audit', 'eve'], { data: server.dataFolder });
  assert.deepEqual([unknown.code, unknown.stderr], [1, 'gitstead: there is no account named eve\n']);
});

test('a kind that does not exist is bad usage', async () => {
  for (const words of [
    ['audit', '--kind', 'signed'],
    ['audit', '--since', '30'],
    ['audit', '--limit', '0'],
  ]) {
    const program = gitsteadProgram();
    for (const command of [program, ...program.commands]) command.configureOutput({ writeErr: () => {} });
    await assert.rejects(program.parseAsync(words, { from: 'user' }), { exitCode: 1 }, words.join(' '));
  }
});

// The commands as a user runs them, beside a running server and without one.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Command } from 'commander';
import { gitsteadProgram } from '../../src/cli/program.ts';
import { openTestServer, spawnTestServer, type TestServer } from '../open-test-server.ts';
import { type Finished, gitstead } from './gitstead.ts';

const temporary = mkdtempSync(join(tmpdir(), 'gitstead-commands-'));
after(() => rmSync(temporary, { recursive: true, force: true }));

/** Exit code 1 and one line that says why. */
function assertFails(finished: Finished, why: RegExp): void {
  assert.equal(finished.code, 1, finished.stderr);
  assert.match(finished.stderr, /^gitstead: [^\n]+\n$/);
  assert.match(finished.stderr, why);
  assert.doesNotMatch(finished.stderr, /^ {4}at /m);
}

function assertBadUsage(finished: Finished, why: RegExp): void {
  assert.equal(finished.code, 2, finished.stderr);
  assert.match(finished.stderr, /^gitstead: /);
  assert.match(finished.stderr, why);
}

function assertDone(finished: Finished): string {
  assert.equal(finished.stderr, '');
  assert.equal(finished.code, 0);
  return finished.stdout;
}

async function put(
  server: TestServer,
  user: string,
  path: string,
  token: string,
  body = 'hello',
): Promise<void> {
  const answer = await fetch(`${server.storageUrl(user)}/${path}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' },
    body,
  });
  assert.ok([200, 201].includes(answer.status), `${path}: ${answer.status}`);
}

async function statusOf(server: TestServer, user: string, path: string, token: string): Promise<number> {
  const answer = await fetch(`${server.storageUrl(user)}/${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await answer.arrayBuffer();
  return answer.status;
}

test('every command has a help with an example', async () => {
  const withoutExample = everyCommand(gitsteadProgram())
    .filter((command) => command.commands.length === 0)
    .filter((command) => !/Examples?:\n {2}gitstead /.test(helpOf(command)))
    .map((command) => command.name());
  assert.deepEqual(withoutExample, []);
  assert.match(
    assertDone(await gitstead(['token', 'create', '--help'])),
    /Example:\n {2}gitstead token create/,
  );
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  assert.equal(assertDone(await gitstead(['--version'])), `${version}\n`);
});

test('bad usage is told in a line and ends with 2', async () => {
  assertBadUsage(await gitstead(['bogus']), /unknown command 'bogus'/);
  assertBadUsage(await gitstead(['user', 'add', 'Ann']), /lower-case letters/);
  assertBadUsage(await gitstead(['serve', '--port', '80a']), /'80a' is invalid\. It is not a port number/);
  const refusals: [string[], RegExp][] = [
    [['user', 'list', '--loud'], /unknown option '--loud'/],
    [['user', 'add'], /missing required argument/],
    [['user', 'list', 'more'], /too many arguments/],
    [['token', 'create', 'ann', 'notes'], /notes:rw/],
    [['token', 'create', 'ann', 'public:r'], /notes:rw/],
    [['token', 'create', 'ann', 'a:r', '--app', 'notes'], /origin/],
    [['token', 'create', 'ann', 'a:r', '--expires', '30'], /30d/],
    [['token', 'create', 'ann', 'a:r', '--expires', '100000000d'], /no longer than 36500d/],
    [['audit', '--since', '36501d'], /no longer than 36500d/],
    [['user', 'quota', 'ann', 'much'], /5GiB/],
    [['log', 'ann', 'notes/todo'], /first folder/],
    [['log', 'ann', 'notes', '--limit', '0'], /number/],
  ];
  for (const [words, why] of refusals) {
    const program = gitsteadProgram();
    for (const command of everyCommand(program)) command.configureOutput({ writeErr: () => {} });
    await assert.rejects(program.parseAsync(words, { from: 'user' }), { message: why, exitCode: 1 });
  }
});

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

function helpOf(command: Command): string {
  let text = '';
  const writeOut = (part: string) => {
    text += part;
  };
  command.configureOutput({ writeOut }).outputHelp();
  return text;
}

test('commands refuse a folder that is no data folder, and make none', async () => {
  const data = join(temporary, 'nowhere');
  for (const words of [
    ['user', 'list'],
    ['check'],
    ['backup', join(temporary, 'backup')],
    ['log', 'ann', 'notes'],
  ]) {
    assertFails(await gitstead([...words, '--data', data]), /nowhere is not a Gitstead data folder/);
  }
  assert.equal(existsSync(data), false);
});

test('accounts are made, listed, changed and removed while the server runs', async () => {
  await using server = await openTestServer();
  const run = (words: string[], input?: string) =>
    gitstead(words, { data: server.dataFolder, ...(input === undefined ? {} : { input }) });
  assertDone(await run(['user', 'add', 'ann', '--password-stdin', '--admin'], 'correct horse\n'));
  assertFails(await run(['user', 'add', 'ann', '--password-stdin'], 'correct horse\n'), /already/);
  assertFails(await run(['user', 'add', 'bob', '--password-stdin'], 'short\n'), /8 characters/);
  assertBadUsage(await run(['user', 'add', 'bob']), /--password-stdin/);
  assertDone(await run(['user', 'quota', 'ann', '5GiB']));
  const [ann, ...others] = JSON.parse(assertDone(await run(['user', 'list', '--json'])));
  assert.deepEqual(others, []);
  assert.deepEqual([ann.name, ann.admin, ann.quota], ['ann', true, 5 * 2 ** 30]);
  assert.match(assertDone(await run(['user', 'list'])), /^NAME.*\nann .*5\.0 GiB +administrator\n$/);
  assertDone(await run(['user', 'password', 'ann', '--password-stdin'], 'another horse'));
  assertFails(
    await run(['user', 'password', 'bob', '--password-stdin'], 'another horse'),
    /no account named bob/,
  );
  assertFails(await run(['user', 'quota', 'bob', 'none']), /no account named bob/);

  const token = await server.createToken('ann', '*:rw');
  await put(server, 'ann', 'notes/a.txt', token);
  assertDone(await run(['user', 'remove', 'ann']));
  assert.equal(await statusOf(server, 'ann', 'notes/a.txt', token), 401);
  assert.equal(existsSync(join(server.dataFolder, 'repos/ann')), false);
  assertFails(await run(['user', 'remove', 'ann']), /no account named ann/);
});

test('a token from the command line opens what its scopes say, until it is revoked', async () => {
  await using server = await openTestServer();
  await server.createUser('ann');
  const run = (...words: string[]) => gitstead(words, { data: server.dataFolder });
  const printed = assertDone(
    await run('token', 'create', 'ann', 'notes:rw contacts:r', '--app', 'https://notes.example'),
  );
  assert.match(printed, /^[A-Za-z0-9_-]{43}\n$/);
  const token = printed.trim();
  await put(server, 'ann', 'notes/a.txt', token);
  assert.equal(await statusOf(server, 'ann', 'contacts/', token), 200);
  assert.equal(await statusOf(server, 'ann', 'photos/', token), 403);

  const [listed] = JSON.parse(assertDone(await run('token', 'list', 'ann', '--json')));
  assert.deepEqual(
    [listed.scopes, listed.app, listed.expires],
    ['notes:rw contacts:r', 'https://notes.example', null],
  );
  assert.doesNotMatch(JSON.stringify(listed), new RegExp(token));
  assert.match(assertDone(await run('token', 'list')), /notes:rw contacts:r/);
  const expiring = assertDone(
    await run('token', 'create', 'ann', 'notes:r', 'notes:rw', '--expires', '30d'),
  ).trim();
  const tokens = JSON.parse(assertDone(await run('token', 'list', '--json')));
  const later = tokens.find((other: { expires: string | null }) => other.expires !== null);
  assert.equal(later.scopes, 'notes:rw');
  assert.equal(Date.parse(later.expires) - Date.parse(later.created) <= 30 * 86_400_000, true);

  assertDone(await run('token', 'revoke', listed.id));
  assertDone(await run('token', 'revoke', expiring));
  assertFails(await run('token', 'revoke', listed.id), /no such token/);
  assert.equal(await statusOf(server, 'ann', 'notes/a.txt', token), 401);
  assertFails(await run('token', 'create', 'bob', 'notes:rw'), /no account named bob/);
  assertFails(await run('token', 'list', 'bob'), /no account named bob/);
});

test('log tells what happened, newest first, with app and grant', async () => {
  await using server = await openTestServer();
  await server.createUser('ann');
  const token = await server.createToken('ann', 'notes:rw', 'https://notes.example');
  for (const path of ['notes/a/b.txt', 'notes/c.txt', 'notes/a/b.txt']) await put(server, 'ann', path, token);
  await fetch(`${server.storageUrl('ann')}/notes/c.txt`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${token}` },
  });
  const run = (...words: string[]) => gitstead(words, { data: server.dataFolder });
  const entries = JSON.parse(assertDone(await run('log', 'ann', 'notes', '--json')));
  assert.deepEqual(
    entries.map((entry: { kind: string; path: string }) => `${entry.kind} ${entry.path}`),
    ['DELETE c.txt', 'PUT a/b.txt', 'PUT c.txt', 'PUT a/b.txt'],
  );
  const [newest] = entries;
  assert.deepEqual(Object.keys(newest), ['commit', 'time', 'app', 'grant', 'kind', 'path']);
  assert.match(newest.commit, /^[0-9a-f]{40}$/);
  assert.deepEqual([newest.app, newest.grant], ['https://notes.example', 'notes:rw']);
  assert.equal(JSON.parse(assertDone(await run('log', 'ann', 'notes', 'a/', '--json'))).length, 2);
  assert.equal(JSON.parse(assertDone(await run('log', 'ann', 'notes', 'a/b.txt', '--json'))).length, 2);
  assert.deepEqual(JSON.parse(assertDone(await run('log', 'ann', 'notes', 'b.txt', '--json'))), []);
  const lines = assertDone(await run('log', 'ann', 'notes', '--limit', '1')).split('\n');
  assert.match(
    lines[0]!,
    /^[0-9a-f]{10} {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}DELETE {2}c\.txt {2}https:\/\/notes\.example \(notes:rw\)$/,
  );
  assert.equal(lines.length, 2);
  assertFails(await run('log', 'ann', 'photos'), /no module named photos/);
  assertFails(await run('log', 'bob', 'notes'), /no account named bob/);
});

test('log, check, reindex and backup work the same beside a server, without one, and after kill -9', async () => {
  await using server = await spawnTestServer();
  await server.createUser('ann');
  const token = await server.createToken('ann', 'notes:rw');
  await put(server, 'ann', 'notes/a.txt', token);
  const run = (...words: string[]) => gitstead(words, { data: server.dataFolder });
  const maintain = async (backup: string, documents: number) => {
    assert.equal(JSON.parse(assertDone(await run('log', 'ann', 'notes', '--json'))).length, documents);
    assert.match(assertDone(await run('check', 'ann')), /^1 repository with \d documents?: all is well\n$/);
    assert.match(
      assertDone(await run('reindex')),
      new RegExp(`^read ${documents} documents? in 1 repository\n$`),
    );
    assertDone(await run('backup', join(temporary, backup)));
    assert.match(assertDone(await run('check', '--data', join(temporary, backup))), /all is well/);
  };
  await maintain('beside', 1);
  await put(server, 'ann', 'notes/b.txt', token);
  assert.equal(await server.kill('SIGKILL'), 'SIGKILL');
  await maintain('killed', 2);
  await server.start();
  await put(server, 'ann', 'notes/c.txt', token);
  assert.equal(await server.kill('SIGTERM'), 0);
  await maintain('stopped', 3);
});

test('a server runs on a backup, which then is no backup any more', async () => {
  const backup = join(temporary, 'servable');
  let token = '';
  await using source = await openTestServer();
  await source.createUser('ann');
  token = await source.createToken('ann', 'notes:rw');
  await put(source, 'ann', 'notes/a.txt', token);
  assertDone(await gitstead(['backup', backup], { data: source.dataFolder }));
  await using copy = await openTestServer({ dataFolder: backup });
  assert.equal(await statusOf(copy, 'ann', 'notes/a.txt', token), 200);
  await put(copy, 'ann', 'notes/a.txt', token, 'other');
  assertFails(
    await gitstead(['backup', backup], { data: source.dataFolder }),
    /not empty, and no earlier backup/,
  );
});

test('check names what is wrong and ends with 1', async () => {
  await using server = await openTestServer({ checkAtEnd: false });
  await server.createUser('ann');
  await put(server, 'ann', 'notes/a.txt', await server.createToken('ann', 'notes:rw'));
  const run = (...words: string[]) => gitstead(words, { data: server.dataFolder });
  assertDone(await run('check'));
  writeFileSync(join(server.dataFolder, 'repos/ann/notes.git/refs/heads/other'), `${'1'.repeat(40)}\n`);
  const broken = await run('check', 'ann');
  assertFails(broken, /1 fault in 1 repository|faults in 1 repository/);
  assert.match(broken.stdout, /^ann\/notes: git fsck: .*refs\/heads\/other/m);
  const report = JSON.parse((await run('check', '--json')).stdout);
  assert.deepEqual([report.repositories, report.faults[0].module], [1, 'notes']);
});

test('webfinger prints the record of this server for another host', async () => {
  await using server = await openTestServer();
  await server.createUser('ann');
  const run = (env: Record<string, string>) =>
    gitstead(['webfinger', 'ann'], { data: server.dataFolder, env });
  assertFails(await run({}), /publicUrl/);
  const env = { GITSTEAD_PUBLIC_URL: 'https://rs.example.com', GITSTEAD_ADDRESS_HOST: 'example.com' };
  const record = JSON.parse(assertDone(await run(env)));
  assert.equal(record.subject, 'acct:ann@example.com');
  assert.equal(record.links[0].href, 'https://rs.example.com/storage/ann');
});

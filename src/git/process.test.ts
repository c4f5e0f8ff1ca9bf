import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EMPTY_TREE } from './object-id.ts';
import { gitEnvironment, runGit, startGit, streamGit, syncFileSystem } from './process.ts';
import { createRepository } from './repository.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-process-'));
after(() => rmSync(root, { recursive: true, force: true }));
const bare = join(root, 'a.git');
createRepository(bare);

test('git answers with its output, its errors and its code', async () => {
  const good = await runGit(bare, ['hash-object', '-w', '-t', 'tree', '--stdin']);
  assert.deepEqual([good.code, good.stdout.toString().trim()], [0, EMPTY_TREE]);
  const bad = await runGit(bare, ['cat-file', '-p', 'absent']);
  assert.equal(bad.code, 128);
  assert.match(bad.stderr, /absent/);
});

test('input goes in as bytes and as a stream, with more of it than a pipe holds', async () => {
  const bytes = Buffer.alloc(1 << 20, 'x');
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  }
  const whole = await runGit(bare, ['hash-object', '-w', '--stdin'], { input: bytes });
  const streamed = await runGit(bare, ['hash-object', '-w', '--stdin'], { input: pieces() });
  assert.equal(whole.stdout.toString(), streamed.stdout.toString());
  const chunks: Buffer[] = [];
  for await (const chunk of streamGit(bare, ['cat-file', 'blob', whole.stdout.toString().trim()])) {
    chunks.push(chunk);
  }
  assert.ok(Buffer.concat(chunks).equals(bytes));
});

test('a stream ends in an error when git fails', async () => {
  const read = async () => {
    for await (const _ of streamGit(bare, ['cat-file', 'blob', 'absent'])) assert.fail('there is no output');
  };
  await assert.rejects(read, { code: 'internal', message: /code 128/ });
});

test('a stream whose reader stops early ends git', async () => {
  let bytes = 0;
  for await (const chunk of streamGit(bare, ['cat-file', '--batch'], { input: endless() })) {
    bytes += chunk.length;
    break;
  }
  assert.ok(bytes > 0);
});

async function* endless() {
  for (;;) yield Buffer.from(`${EMPTY_TREE}\n`);
}

test('too much output, time that is up and an abort end git with an error', async () => {
  const batch = ['cat-file', '--batch'];
  await assert.rejects(runGit(bare, batch, { input: endless(), maxOutputBytes: 1000 }), { code: 'internal' });
  await assert.rejects(runGit(bare, batch, { input: endless(), timeoutMs: 50 }), { message: /SIGTERM/ });
  const signal = AbortSignal.abort();
  await assert.rejects(runGit(bare, batch, { input: endless(), signal }), { message: /SIGTERM/ });
});

test('nothing of our environment, of the system or of the user reaches git', async () => {
  process.env.GIT_CONFIG_PARAMETERS = "'user.name=Planted'";
  process.env.GIT_OBJECT_DIRECTORY = '/nowhere';
  try {
    const { stdout } = await runGit(bare, ['config', '--list', '--show-scope']);
    const scopes = new Set(
      stdout
        .toString()
        .trim()
        .split('\n')
        .map((line) => line.split('\t')[0]),
    );
    assert.deepEqual(scopes, new Set(['local', 'command']));
    assert.ok(!stdout.includes('Planted'));
  } finally {
    delete process.env.GIT_CONFIG_PARAMETERS;
    delete process.env.GIT_OBJECT_DIRECTORY;
  }
});

test('a hook planted in a repository never runs', async () => {
  const planted = join(root, 'planted.git');
  createRepository(planted);
  const hook = join(root, 'reference-transaction');
  writeFileSync(hook, `#!/bin/sh\ntouch ${root}/ran\n`);
  chmodSync(hook, 0o755);
  writeFileSync(join(planted, 'config'), `[core]\n\tbare = true\n\thooksPath = ${root}\n`, { flag: 'a' });
  await runGit(planted, ['hash-object', '-w', '-t', 'tree', '--stdin']);
  const person = {
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@b',
  };
  const { stdout } = await runGit(planted, ['commit-tree', EMPTY_TREE, '-m', 'm'], { env: person });
  const moved = await runGit(planted, ['update-ref', 'refs/heads/main', stdout.toString().trim()]);
  assert.equal(moved.code, 0, moved.stderr);
  assert.ok(!existsSync(join(root, 'ran')));
});

test('a helper transport in an address is refused', async () => {
  const { code, stderr } = await runGit(bare, ['fetch', `ext::touch ${root}/ran`]);
  assert.notEqual(code, 0);
  assert.match(stderr, /not allowed/);
  assert.ok(!existsSync(join(root, 'ran')));
});

test('a git that cannot be started is an error that says so', async () => {
  await assert.rejects(runGit(bare, ['version'], { env: { PATH: root } }), {
    code: 'not-ready',
    message: /installed/,
  });
  const child = startGit(bare, ['version'], { env: { PATH: root } });
  await assert.rejects(child.exit, { code: 'not-ready' });
});

test('the environment holds no home and no credentials', () => {
  const env = gitEnvironment(bare);
  assert.equal(env.HOME, undefined);
  assert.equal(env.GIT_TERMINAL_PROMPT, '0');
});

test('a file system is synced by its folder, unless the system cannot tell of errors', async () => {
  assert.equal(await syncFileSystem(import.meta.dirname), process.platform === 'linux');
  assert.equal(await syncFileSystem(`${import.meta.dirname}/none`), false);
});

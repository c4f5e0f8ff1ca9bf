// `serve` as an operator meets it: what it prints, what it refuses, how it ends.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { openTestServer, spawnTestServer } from '../open-test-server.ts';
import { environmentWithoutSettings, gitstead } from './gitstead.ts';

const temporary = mkdtempSync(join(tmpdir(), 'gitstead-serve-'));
after(() => rmSync(temporary, { recursive: true, force: true }));

type Started = { child: ChildProcess; lines: string[]; stderr: () => string; exit: Promise<unknown[]> };

/** Starts `serve` and waits until it has printed a line that matches. */
async function serve(data: string, until: RegExp): Promise<Started> {
  const main = join(import.meta.dirname, '../../src/main.ts');
  const child = spawn(process.execPath, [main, 'serve', '--data', data, '--port', '0'], {
    env: environmentWithoutSettings(),
    stdio: 'pipe',
  });
  const exit = once(child, 'exit');
  const lines: string[] = [];
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  await new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      if (until.test(line)) resolve();
    });
  });
  return { child, lines, stderr: () => stderr, exit };
}

test('the first start prints the address, the data folder, how an account is called, and the one-time link', async () => {
  const data = join(temporary, 'first');
  const { child, lines, stderr, exit } = await serve(data, /\/signup\?first=/);
  try {
    const port = /^Gitstead serves http:\/\/localhost:(\d+)$/.exec(lines[0]!)![1];
    assert.equal(lines[1], `data folder: ${data}`);
    assert.equal(lines[2], `your address: NAME@localhost:${port}`);
    const link = lines.find((line) => line.includes('/signup?first='))!.trim();
    const page = await fetch(link);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /Create the first account/);
    const secret = new URL(link).searchParams.get('first')!;
    assert.equal(statSync(data).mode & 0o777, 0o700);
    const modes = readdirSync(data, { withFileTypes: true }).map(
      (entry) => [entry.name, statSync(join(data, entry.name)).mode & 0o077] as const,
    );
    assert.deepEqual(
      modes.filter(([, others]) => others !== 0),
      [],
      'nobody else may read anything in it',
    );
    assert.ok(!stderr().includes(secret), 'the link is no log line');
  } finally {
    child.kill('SIGINT');
  }
  assert.deepEqual(await exit, [0, null]);
  assert.equal(existsSync(join(data, 'control.sock')), false);
});

test('a start with an account prints no link', async () => {
  const data = join(temporary, 'second');
  const first = await serve(data, /your address/);
  first.child.kill('SIGTERM');
  await first.exit;
  const made = await gitstead(['user', 'add', 'ann', '--password-stdin'], { data, input: 'correct horse' });
  assert.deepEqual(made, { code: 0, stdout: '', stderr: '' });
  const second = await serve(data, /your address/);
  second.child.kill('SIGTERM');
  assert.deepEqual(await second.exit, [0, null]);
  assert.equal(second.lines.length, 3);
});

test('a second server on the same folder is refused in a line', async () => {
  await using server = await openTestServer();
  const second = await gitstead(['serve', '--port', '0'], { data: server.dataFolder });
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^gitstead: \S+ is in use by another Gitstead process\n$/);
});

test('a port in use, a malformed setting and a foreign folder are refused in a line each', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const data = join(temporary, 'refused');
  const busy = await gitstead(['serve', '--port', String(port), '--data', data]);
  other.close();
  assert.deepEqual([busy.code, busy.stdout], [1, '']);
  assert.match(busy.stderr, /^gitstead: port \d+ is in use already; [^\n]*--port\n$/);

  writeFileSync(join(data, 'gitstead.yaml'), 'prot: 80\n');
  const unknown = await gitstead(['serve', '--data', data]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /^gitstead: gitstead\.yaml: there is no setting prot;[^\n]*\n$/);
  rmSync(join(data, 'gitstead.yaml'));
  const variable = await gitstead(['serve', '--data', data], { env: { GITSTEAD_PROT: '80' } });
  assert.match(variable.stderr, /^gitstead: the environment: there is no setting GITSTEAD_PROT;[^\n]*\n$/);
  const prefix = await gitstead(['serve', '--data', data, '--public-url', 'https://example.com/rs']);
  assert.equal(prefix.code, 2);
  assert.match(prefix.stderr, /^gitstead: [^\n]*--public-url[^\n]* without a path\.\n$/);

  const foreign = join(temporary, 'foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'thesis.txt'), '');
  const refused = await gitstead(['serve', '--data', foreign]);
  assert.match(refused.stderr, /^gitstead: \S+ holds thesis\.txt but no format file[^\n]*\n$/);
  writeFileSync(join(foreign, 'format'), '99\n');
  const newer = await gitstead(['serve', '--data', foreign]);
  assert.match(newer.stderr, /^gitstead: \S+ was written by a newer Gitstead[^\n]*\n$/);
});

test('SIGTERM lets an upload under way finish, and the document stands afterwards', async () => {
  await using server = await spawnTestServer();
  await server.createUser('ann');
  const token = await server.createToken('ann', 'notes:rw');
  const upload = request(`${server.storageUrl('ann')}/notes/slow.txt`, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'text/plain',
      'content-length': 10,
      expect: '100-continue',
    },
  });
  const answered = once(upload, 'response');
  upload.flushHeaders();
  await once(upload, 'continue'); // the server reads the body now
  upload.write('01234');
  const stopped = server.kill('SIGTERM');
  upload.end('56789');
  const [response] = await answered;
  assert.equal(response.statusCode, 201);
  response.resume();
  assert.equal(await stopped, 0);
  await server.start();
  const document = await fetch(`${server.storageUrl('ann')}/notes/slow.txt`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(await document.text(), '0123456789');
});

test('a second signal ends the server at once; nothing that was acknowledged is lost', async () => {
  await using server = await spawnTestServer();
  await server.createUser('ann');
  const token = await server.createToken('ann', 'notes:rw');
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'text/plain' };
  await fetch(`${server.storageUrl('ann')}/notes/kept.txt`, { method: 'PUT', headers, body: 'kept' });
  const upload = request(`${server.storageUrl('ann')}/notes/endless.txt`, {
    method: 'PUT',
    headers: { ...headers, 'content-length': 10, expect: '100-continue' },
  });
  upload.on('error', () => {});
  upload.flushHeaders();
  await once(upload, 'continue');
  server.process.kill('SIGTERM');
  assert.equal(await server.kill('SIGINT'), 1);
  await server.start();
  const status = async (name: string) =>
    (await fetch(`${server.storageUrl('ann')}/notes/${name}`, { method: 'HEAD', headers })).status;
  assert.deepEqual([await status('kept.txt'), await status('endless.txt')], [200, 404]);
});

test('requests by a foreign name get 421, by any loopback name an answer', async () => {
  await using server = await openTestServer();
  await server.createUser('ann');
  const token = await server.createToken('ann', 'notes:rw');
  const ask = async (host: string, path: string) => {
    const asked = request({
      port: server.port,
      host: '127.0.0.1',
      path,
      headers: { host, authorization: `Bearer ${token}` },
    });
    asked.end();
    const [response] = await once(asked, 'response');
    response.resume();
    return response.statusCode;
  };
  for (const path of [
    '/storage/ann/notes/',
    '/login',
    '/.well-known/webfinger?resource=acct:ann@localhost',
  ]) {
    for (const host of [
      'evil.example',
      `evil.example:${server.port}`,
      'localhost:1',
      '127.0.0.1.evil.example',
    ]) {
      assert.equal(await ask(host, path), 421, `${host} ${path}`);
    }
  }
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    assert.equal(await ask(`${host}:${server.port}`, '/storage/ann/notes/'), 200, host);
  }
});

test('a path longer than the limit gets 414, and not an answer of the parser', async () => {
  await using server = await openTestServer();
  await server.createUser('ann');
  const token = await server.createToken('ann', 'notes:rw');
  const status = async (path: string) => {
    const answer = await fetch(`${server.storageUrl('ann')}/notes/${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  const folders = (bytes: number) => '%C3%A9%C3%A9%C3%A9/'.repeat(bytes / 7);
  assert.equal(await status(folders(4081)), 200);
  assert.equal(await status(folders(4200)), 414);
  assert.equal(await status(folders(16_002)), 414);
});

test('npm start hands its arguments and a SIGTERM on, and ends with 0 as the server does', async () => {
  const root = join(import.meta.dirname, '../..');
  const words = ['start', '--', '--port', '0', '--data', join(temporary, 'npm')];
  const child = spawn('npm', words, {
    cwd: root,
    env: environmentWithoutSettings(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  await new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('your address')) resolve();
    });
  });
  child.kill('SIGTERM');
  assert.deepEqual(await exit, [0, null]);
  assert.equal(existsSync(join(temporary, 'npm', 'control.sock')), false, 'the server has ended as well');
});

// A hundred clients that send a byte now and then, or take nothing of what they asked for: they hold no turn and little
// memory, others write meanwhile, and when they go away nothing of them is left.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { openMemoryServer } from '../open-memory-server.ts';
import { openTestServer, type TestServer } from '../open-test-server.ts';

const CLIENTS = 100;
const MAX_GROWTH_BYTES = 64 << 20;

type Account = { root: string; token: string };

async function account(server: TestServer, name: string): Promise<Account> {
  await server.createUser(name);
  return { root: server.storageUrl(name), token: await server.createToken(name, '*:rw') };
}

async function put({ root, token }: Account, path: string, body: Buffer | string): Promise<number> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/octet-stream' };
  const answer = await fetch(`${root}/${path}`, { method: 'PUT', headers, body });
  await answer.arrayBuffer();
  return answer.status;
}

/** Connections that have sent the beginning of a request. */
async function openClients(
  server: { port: number },
  request: (client: number) => string,
  count = CLIENTS,
): Promise<Socket[]> {
  const clients = Array.from({ length: count }, () => connect(server.port, '127.0.0.1'));
  await Promise.all(
    clients.map(async (socket, client) => {
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('connect', resolve));
      await new Promise((resolve) => socket.write(request(client), resolve));
    }),
  );
  return clients;
}

function headOf(method: string, { root, token }: Account, path: string, more = ''): string {
  const url = new URL(`${root}/${path}`);
  return `${method} ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`;
}

/** All files of a user that are no part of a repository yet. */
function spooled(server: TestServer): string[] {
  const files = readdirSync(`${server.dataFolder}/repos`, { recursive: true, encoding: 'utf8' });
  return files.filter((path) => /gitstead\/spool\/./.test(path));
}

async function writeMuch(writer: Account): Promise<void> {
  for (let number = 0; number < 30; number++) {
    assert.equal(await put(writer, `notes/${number}`, `text ${number}`), 201);
  }
  // a large one, too, has its turn in the threads
  assert.equal(await put(writer, 'notes/large', randomBytes(3 << 20)), 201);
}

test('a hundred uploads that send a byte now and then hold up nobody, and leave nothing', async (t) => {
  await using server = await openTestServer();
  const [slow, writer] = [await account(server, 'slow'), await account(server, 'writer')];
  const before = process.memoryUsage();
  const length = 'Content-Type: text/plain\r\nContent-Length: 50000000\r\n';
  const chunked = 'Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n';
  const clients = await openClients(server, (client) =>
    headOf('PUT', slow, `notes/${client}`, client % 2 ? length : chunked),
  );
  const half = '1\r\na\r\n';
  for (const [client, socket] of clients.entries()) socket.write(client % 2 ? 'a' : half);
  await writeMuch(writer);
  for (const [client, socket] of clients.entries()) socket.write(client % 2 ? 'b' : half);
  assert.equal(await put(slow, 'notes/of-the-same-account', 'text'), 201);
  const now = process.memoryUsage();
  const growth = now.arrayBuffers - before.arrayBuffers + now.heapUsed - before.heapUsed;
  assert.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes`);
  assert.ok(spooled(server).some((path) => path.includes('.staging-')));
  for (const socket of clients) socket.destroy();
  await t.waitFor(() => assert.ok(!spooled(server).some((path) => path.includes('.staging-'))), {
    timeout: 10_000,
  });
});

test('threat 27: slow uploads of two accounts hold up no write of a third one', async () => {
  await using server = await openTestServer({ settings: { memoryBudget: '16MiB' } });
  const slow = [await account(server, 'slow'), await account(server, 'sluggish')] as const;
  const writer = await account(server, 'writer');
  // each takes all that its account may, and the others wait for it
  const more = 'Content-Type: text/plain\r\nContent-Length: 500000\r\n';
  const clients = await openClients(server, (client) =>
    headOf('PUT', slow[client % 2]!, `notes/${client}`, more),
  );
  for (const socket of clients) socket.write('a');
  for (let number = 0; number < 30; number++) {
    assert.equal(await put(writer, `notes/${number}`, `text ${number}`), 201);
  }
  assert.equal(await put(writer, 'notes/picture', randomBytes(450_000)), 201, 'slow ones give way to it');
  for (const socket of clients) socket.destroy();
});

test('a hundred readers that take nothing hold up nobody, and little memory', async () => {
  await using server = await openTestServer();
  const [reader, writer] = [await account(server, 'reader'), await account(server, 'writer')];
  assert.equal(await put(reader, 'films/long', randomBytes(24 << 20)), 201);
  const before = process.memoryUsage();
  const clients = await openClients(server, () => headOf('GET', reader, 'films/long'));
  await writeMuch(writer);
  assert.equal(await put(reader, 'films/other', 'text'), 201);
  const now = process.memoryUsage();
  const growth = now.arrayBuffers - before.arrayBuffers + now.heapUsed - before.heapUsed;
  assert.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes`);
  for (const socket of clients) socket.destroy();
});

test('threat 27: readers of long documents have so many places, and a slow one gives way to another account', async (t) => {
  await using server = await openMemoryServer({ limits: { downloads: 2 } });
  const long = randomBytes(32 << 20);
  const accounts = ['reader', 'other'].map((name) => {
    return { root: `${server.baseUrl}/storage/${name}`, token: server.createToken(name, '*:rw') };
  });
  for (const each of accounts) assert.equal(await put(each, 'films/long', long), 201);
  const [reader, other] = accounts as [Account, Account];
  const clients = await openClients(server, () => headOf('GET', reader, 'films/long'), 2);
  const closed = clients.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  await Promise.all(clients.map((socket) => new Promise((resolve) => socket.once('readable', resolve))));
  const headers = { Authorization: `Bearer ${other.token}` };
  const read = () => fetch(`${other.root}/films/long`, { headers });
  const early = await read();
  assert.equal(early.status, 503);
  await early.arrayBuffer();
  await t.waitFor(
    async () => {
      const answer = await read();
      const body = Buffer.from(await answer.arrayBuffer());
      assert.equal(answer.status, 200);
      assert.ok(body.equals(long));
    },
    { timeout: 10_000, interval: 200 },
  );
  for (const socket of clients) socket.resume();
  await Promise.race(closed);
  for (const socket of clients) socket.destroy();
});

test('an upload that breaks off, or has fewer bytes than it said, leaves nothing, and the old version stands', async (t) => {
  await using server = await openTestServer();
  const eve = await account(server, 'eve');
  assert.equal(await put(eve, 'notes/a', 'old'), 201);
  const body = randomBytes(5 << 20);
  const more = `Content-Type: text/plain\r\nContent-Length: ${2 * body.length}\r\n`;
  for (const end of ['destroy', 'end'] as const) {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(headOf('PUT', eve, 'notes/a', more));
    socket.write(body);
    await t.waitFor(() => assert.ok(spooled(server).some((path) => path.includes('.staging-'))), {
      timeout: 10_000,
    });
    socket[end]();
    await t.waitFor(() => assert.ok(!spooled(server).some((path) => path.includes('.staging-'))), {
      timeout: 10_000,
    });
    socket.destroy();
  }
  const headers = { Authorization: `Bearer ${eve.token}` };
  assert.equal(await (await fetch(`${eve.root}/notes/a`, { headers })).text(), 'old');
});

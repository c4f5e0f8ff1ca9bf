// A token is revoked, or a client goes away, while a write is on its way: from then on nothing of it is written, and nothing
// of it is left.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { openAccounts } from '../../src/db/open-accounts.ts';
import { partsOf } from '../../src/storage/data-folder.ts';
import { openTestServer, type TestServer } from '../open-test-server.ts';

/** A PUT whose body is still to come. */
function begin(server: TestServer, token: string, path: string, framing: string): Socket {
  const socket = connect(server.port, '127.0.0.1');
  socket.setEncoding('latin1').on('error', () => {});
  const head = [`PUT /storage/eve/${path} HTTP/1.1`, `Host: 127.0.0.1:${server.port}`];
  head.push(`Authorization: Bearer ${token}`, 'Content-Type: text/plain', framing, '', '');
  socket.write(head.join('\r\n'));
  return socket;
}

async function statusOf(socket: Socket): Promise<number> {
  for await (const text of socket) return Number(/^HTTP\/1.1 (\d+)/.exec(text as string)?.[1]);
  return 0;
}

function staged(server: TestServer): string[] {
  const files = readdirSync(`${server.dataFolder}/repos`, { recursive: true, encoding: 'utf8' });
  return files.filter((path) => /gitstead\/spool\/./.test(path));
}

async function waitFor(t: TestContext, check: () => void | Promise<void>): Promise<void> {
  await t.waitFor(check, { timeout: 10_000 });
}

async function metric(server: TestServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.baseUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

test('what is still on its way when its token is revoked is not written', async (t) => {
  await using server = await openTestServer();
  await server.createUser('eve');
  const token = await server.createToken('eve', 'notes:rw');
  const part = Buffer.alloc(2 << 20, 'a');
  const large = begin(server, token, 'notes/large', `Content-Length: ${2 * part.length}`);
  large.write(part);
  const small = begin(server, token, 'notes/small', 'Content-Length: 8');
  small.write('half');
  await waitFor(t, async () => assert.equal(await metric(server, 'gitstead_uploads'), 2));
  await waitFor(t, () => assert.equal(staged(server).length, 1));

  await using accounts = await openAccounts(partsOf(server.dataFolder).accounts, Date.now);
  assert.ok(await accounts.grants.revokeToken(token));
  await waitFor(t, async () => {
    const headers = { Authorization: `Bearer ${token}` };
    assert.equal((await fetch(`${server.storageUrl('eve')}/notes/a`, { headers })).status, 401);
  });
  large.write(part);
  small.write('half');
  assert.deepEqual(await Promise.all([large, small].map(statusOf)), [401, 401]);
  assert.deepEqual(staged(server), []);
  const headers = { Authorization: `Bearer ${await server.createToken('eve', 'notes:r')}` };
  const listing = await (await fetch(`${server.storageUrl('eve')}/notes/`, { headers })).json();
  assert.deepEqual((listing as { items: object }).items, {});
});

test('a write that waits for memory leaves the queue, and gives back its slot, when its client goes away', async (t) => {
  await using server = await openTestServer({ settings: { memoryBudget: '16MiB' } });
  await server.createUser('eve');
  const token = await server.createToken('eve', 'notes:rw');
  // half of the room for bodies is all that one account may have
  const holder = begin(server, token, 'notes/holder', `Content-Length: ${510_000}`);
  await waitFor(t, async () => assert.equal(await metric(server, 'gitstead_uploads'), 1));
  const waiting = begin(server, token, 'notes/waiting', 'Content-Length: 30000');
  waiting.write(Buffer.alloc(30_000, 'a'));
  await waitFor(t, async () => assert.equal(await metric(server, 'gitstead_waiting_writes'), 1));
  waiting.destroy();
  await waitFor(t, async () => assert.equal(await metric(server, 'gitstead_waiting_writes'), 0));
  assert.equal(await metric(server, 'gitstead_uploads'), 1);
  holder.write(Buffer.alloc(510_000, 'a'));
  assert.equal(await statusOf(holder), 201);
  const headers = { Authorization: `Bearer ${token}` };
  assert.equal((await fetch(`${server.storageUrl('eve')}/notes/waiting`, { headers })).status, 404);
});

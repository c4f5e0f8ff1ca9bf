// What the conformance table cannot see from outside: limits, faults of the storage, clients that stop halfway, and
// what the storage and the log are told.
import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { openClient, type Reply } from '../../test/conformance/client.ts';
import {
  type MemoryServer,
  type MemoryServerOptions,
  openMemoryServer,
} from '../../test/open-memory-server.ts';
import type { TokenGrant } from '../db/tokens.ts';
import { GitsteadError } from '../errors.ts';
import { parseUserName } from '../protocol/paths.ts';
import { parseScopes } from '../protocol/scopes.ts';

type Setup = MemoryServer & {
  token: string;
  send: ReturnType<typeof openClient>['send'];
  put(path: string, body: string | Buffer, headers?: Record<string, string>): Promise<Reply>;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
};

async function withServer(
  options: MemoryServerOptions,
  run: (server: Setup) => Promise<void>,
): Promise<void> {
  const server = await openMemoryServer(options);
  const client = openClient(server.baseUrl);
  const token = server.createToken('alice', 'notes:rw');
  const root = '/storage/alice';
  try {
    await run({
      ...server,
      token,
      send: client.send,
      put: (path, body, headers = {}) =>
        client.send('PUT', root + path, {
          token,
          body,
          headers: { 'Content-Type': 'text/plain', ...headers },
        }),
      get: (path, headers = {}) => client.send('GET', root + path, { token, headers }),
    });
  } finally {
    client.close();
    await server.close();
  }
}

/** A request whose body is still to come. */
function begin(server: Setup, path: string, headers: Record<string, string | number>): ClientRequest {
  const authorization = { Authorization: `Bearer ${server.token}`, 'Content-Type': 'text/plain' };
  const asked = httpRequest({
    port: server.port,
    host: '127.0.0.1',
    method: 'PUT',
    path: `/storage/alice${path}`,
    agent: false,
    headers: { ...authorization, ...headers },
  });
  asked.on('error', () => {});
  asked.flushHeaders();
  return asked;
}

/** Also of what ends in an error. */
function closed(emitter: EventEmitter): Promise<void> {
  return new Promise((resolve) => emitter.once('close', resolve));
}

async function answerTo(asked: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response;
}

const NOT_READY = new GitsteadError('not-ready', 'the repository is recovering');

test('while the storage is not ready every method answers 503 with CORS and Retry-After, and never 404', () =>
  withServer({}, async ({ storage, send, token }) => {
    const calls = [
      ['document', 'GET', '/storage/alice/notes/a'],
      ['document', 'HEAD', '/storage/alice/notes/a'],
      ['document', 'GET', '/storage/alice/public/notes/a'],
      ['listing', 'GET', '/storage/alice/notes/'],
      ['put', 'PUT', '/storage/alice/notes/a'],
      ['delete', 'DELETE', '/storage/alice/notes/a'],
    ] as const;
    for (const [call, method, path] of calls) {
      storage.failNext.set(call, NOT_READY);
      const reply = await send(method, path, { token, ...(method === 'PUT' && { body: 'x' }) });
      assert.equal(reply.status, 503, `${method} ${path}`);
      assert.equal(reply.headers['retry-after'], '5');
    }
    storage.failNext.set('folderTag', NOT_READY);
    const headers = { 'If-None-Match': '"x"' };
    assert.equal((await send('GET', '/storage/alice/notes/', { token, headers })).status, 503);
  }));

test("threat 30: a fault of the server is a 500 without its details, and a log line without the request's secrets", () =>
  withServer({}, async ({ storage, get, logged, token }) => {
    storage.failNext.set('document', new Error('secret detail'));
    const reply = await get('/notes/a?access_token=hidden');
    assert.equal(reply.status, 500);
    assert.doesNotMatch(reply.text, /secret detail/);
    assert.equal(logged.length, 1);
    assert.match(logged[0]!, /secret detail/);
    assert.match(logged[0]!, /"path":"\/storage\/alice\/notes\/a"/);
    assert.ok(!logged[0]!.includes(token) && !logged[0]!.includes('hidden'));
  }));

test('a full disk answers 507 and says that the old version stands', () =>
  withServer({}, async ({ storage, put }) => {
    storage.failNext.set('put', Object.assign(new Error('no space'), { code: 'ENOSPC' }));
    const reply = await put('/notes/a', 'x');
    assert.equal(reply.status, 507);
    assert.match(reply.text, /disk is full/);
  }));

test('while files may not be written, too many are open, or a database is locked, the answer is 503', () =>
  withServer({}, async ({ storage, put }) => {
    const codes = ['EMFILE', 'ENFILE', 'EROFS', 'EACCES'].map((code) => ({ code }));
    for (const fault of [...codes, { code: 'ERR_SQLITE_ERROR', errcode: 5 | (2 << 8) }]) {
      storage.failNext.set('put', Object.assign(new Error('not now'), fault));
      const reply = await put('/notes/a', 'x');
      assert.equal(reply.status, 503, fault.code);
      assert.equal(reply.headers['retry-after'], '5');
    }
  }));

test('refusals that are the client’s to mend are not logged', () =>
  withServer({}, async ({ get, put, send, logged }) => {
    await get('/notes/none');
    await get('/other/a');
    await put('/notes//a', 'x');
    await send('GET', '/storage/alice/notes/a');
    assert.deepEqual(logged, []);
  }));

test('the storage is told who writes: user, app, and the scope that allows it', () =>
  withServer({}, async ({ createToken, send, storage }) => {
    const token = createToken('alice', '*:rw notes:rw', { app: 'https://notes.example', quotaBytes: 1000 });
    await send('PUT', '/storage/alice/notes/a', { token, body: 'x', headers: { 'Content-Type': 'a/b' } });
    await send('PUT', '/storage/alice/b', {
      token,
      body: 'x',
      headers: { 'Content-Type': 'a/b', 'If-None-Match': '*' },
    });
    const [first, second] = storage.writes.map(({ request }) => request!);
    const author = { user: 'alice', app: 'https://notes.example' };
    assert.deepEqual(first, {
      type: 'a/b',
      precondition: {},
      author: { ...author, grant: 'notes:rw' },
      quotaBytes: 1000,
    });
    assert.deepEqual(second!.author, { ...author, grant: '*:rw' });
    assert.deepEqual(second!.precondition, { ifNoneMatch: '*' });
  }));

test('threat 27: a body that is too large is refused by its length, while the client still sends', () =>
  withServer({ limits: { documentBytes: 1000 } }, async (server) => {
    const asked = begin(server, '/notes/a', { 'Content-Length': 100_000_000 });
    const chunk = Buffer.alloc(64 * 1024);
    const send = () => {
      while (!asked.destroyed && asked.write(chunk));
    };
    asked.on('drain', send);
    send();
    const response = await answerTo(asked);
    assert.equal(response.statusCode, 413);
    assert.equal(response.headers.connection, 'close');
    assert.equal(response.headers['access-control-allow-origin'], '*');
    assert.match(Buffer.concat(await response.toArray()).toString(), /at most 1000 bytes/);
    asked.destroy();
    assert.deepEqual(server.storage.writes, []);
    assert.equal((await server.put('/notes/b', 'x'.repeat(1000))).status, 201);
    assert.equal((await server.put('/notes/c', 'x'.repeat(1001))).status, 413);
  }));

test('threat 27: a chunked body is cut off where it becomes too large', () =>
  withServer({ limits: { documentBytes: 1000 } }, async (server) => {
    const asked = begin(server, '/notes/a', { 'Transfer-Encoding': 'chunked' });
    asked.write(Buffer.alloc(2000));
    const response = await answerTo(asked);
    assert.equal(response.statusCode, 413);
    asked.destroy();
    assert.equal((await server.get('/notes/a')).status, 404);
  }));

test('threat 27: a write over the quota answers 507: a large one by its length, a small one after it', () =>
  withServer({}, async (server) => {
    const token = server.createToken('alice', 'notes:rw', { quotaBytes: 200_000 });
    const full: Setup = { ...server, token };
    const small = await server.send('PUT', '/storage/alice/notes/a', { token, body: Buffer.alloc(150_000) });
    assert.equal(small.status, 201);
    const asked = begin(full, '/notes/b', { 'Content-Length': 100_000 });
    const response = await answerTo(asked);
    assert.equal(response.statusCode, 507);
    asked.destroy();
    assert.equal(server.storage.writes.length, 1);
    const late = await server.send('PUT', '/storage/alice/notes/b', { token, body: Buffer.alloc(60_000) });
    assert.equal(late.status, 507);
    const replaced = await server.send('PUT', '/storage/alice/notes/a', {
      token,
      body: Buffer.alloc(160_000),
    });
    assert.equal(replaced.status, 200);
  }));

test('a precondition that fails is told before a large body is read', () =>
  withServer({}, async (server) => {
    const { headers } = await server.put('/notes/a', 'x');
    const asked = begin(server, '/notes/a', { 'Content-Length': 1_000_000, 'If-Match': '"old"' });
    const response = await answerTo(asked);
    assert.equal(response.statusCode, 412);
    assert.equal(response.headers.etag, headers.etag);
    asked.destroy();
    assert.equal(server.storage.writes.length, 1);
  }));

test('threat 27: a client that stops sending is answered with 408, and nothing is stored', () =>
  withServer({ limits: { silenceMs: 50 } }, async (server) => {
    for (const framing of [{ 'Content-Length': 10 }, { 'Transfer-Encoding': 'chunked' }]) {
      const asked = begin(server, '/notes/a', framing as Record<string, string | number>);
      asked.write('half');
      const response = await answerTo(asked);
      assert.equal(response.statusCode, 408);
      assert.equal(response.headers.connection, 'close');
      asked.destroy();
    }
    assert.deepEqual(server.storage.writes, []);
  }));

test('a token that ends while its upload is on its way: 401 at the end of the body, and nothing is stored', async () => {
  const state: { grant: TokenGrant | undefined } = { grant: undefined };
  await withServer({ checkToken: () => state.grant }, async (server) => {
    const scopes = parseScopes('notes:rw')!;
    state.grant = { id: 'g', user: parseUserName('alice')!, app: undefined, scopes, quotaBytes: undefined };
    const asked = begin(server, '/notes/a', { 'Content-Length': 8, Expect: '100-continue' });
    await once(asked, 'continue');
    asked.write('half');
    state.grant = undefined;
    asked.end('half');
    const response = await answerTo(asked);
    assert.equal(response.statusCode, 401);
    assert.match(response.headers['www-authenticate']!, /^Bearer .*error="invalid_token"$/);
    assert.equal(response.headers['access-control-allow-origin'], '*');
    response.resume();
    assert.deepEqual(server.storage.writes, []);
  });
});

test('a client that leaves in the middle of its body stores nothing, and harms nobody', () =>
  withServer({}, async (server) => {
    const asked = begin(server, '/notes/a', { 'Content-Length': 10, Expect: '100-continue' });
    await once(asked, 'continue');
    asked.write('half', () => asked.destroy());
    await closed(asked);
    assert.equal((await server.get('/notes/a')).status, 404);
    assert.deepEqual(server.storage.writes, []);
  }));

test('threat 27: an account has so many uploads at once; one more is told to come again, others are not touched', () =>
  withServer({ limits: { uploads: { perUser: 1, total: 2 } } }, async (server) => {
    const open = async (setup: Setup, path: string) => {
      const asked = begin(setup, path, { 'Content-Length': 1, Expect: '100-continue' });
      await once(asked, 'continue');
      return asked;
    };
    const first = await open(server, '/notes/a');
    const refused = await server.put('/notes/b', 'x');
    assert.equal(refused.status, 429);
    assert.equal(refused.headers['retry-after'], '1');
    assert.equal((await server.get('/notes/none')).status, 404);

    const bob = server.createToken('bob', 'notes:rw');
    const second = httpRequest({
      port: server.port,
      host: '127.0.0.1',
      method: 'PUT',
      path: '/storage/bob/notes/a',
      agent: false,
      headers: { Authorization: `Bearer ${bob}`, 'Content-Length': 1, Expect: '100-continue' },
    });
    second.flushHeaders();
    await once(second, 'continue');
    const carol = server.createToken('carol', 'notes:rw');
    const busy = await server.send('PUT', '/storage/carol/notes/a', { token: carol, body: 'x' });
    assert.equal(busy.status, 503);
    for (const asked of [first, second]) {
      asked.end('x');
      assert.equal((await answerTo(asked)).statusCode, 201);
    }
    assert.equal((await server.put('/notes/b', 'x')).status, 201);
  }));

test('threat 25: who asks for too many public documents that do not exist sees none for a while, and nobody else is touched', async () => {
  let time = 1_000_000;
  const options = {
    limits: { missesPerNetwork: 3 },
    origins: { trustedProxies: ['127.0.0.1'] },
    now: () => time,
  };
  await withServer(options, async ({ put, send, token }) => {
    await put('/public/notes/there', 'x');
    const ask = (name: string, from: string, withToken?: string) =>
      send('GET', `/storage/alice/public/notes/${name}`, {
        token: withToken,
        headers: { 'X-Forwarded-For': from },
      });
    for (let n = 0; n < 3; n++) assert.equal((await ask(`guess-${n}`, '192.0.2.1')).status, 404);
    const blocked = await ask('there', '192.0.2.1');
    assert.equal(blocked.status, 429);
    assert.equal(blocked.headers['retry-after'], '900');
    assert.equal((await ask('there', '192.0.2.2')).status, 200);
    assert.equal((await ask('there', '192.0.2.1', token)).status, 200);
    for (let n = 0; n < 9; n++) assert.equal((await ask(`mine-${n}`, '192.0.2.3', token)).status, 404);
    assert.equal((await ask('there', '192.0.2.3')).status, 200);
    time += 900_000;
    assert.equal((await ask('there', '192.0.2.1')).status, 200);
  });
});

test('threat 26: a name that is not ours is answered with 421, with CORS', () =>
  withServer({}, async ({ send, token }) => {
    const reply = await send('GET', '/storage/alice/notes/a', { token, headers: { Host: 'evil.example' } });
    assert.equal(reply.status, 421);
  }));

test('long bodies are streamed, whole and in part', () =>
  withServer({ streamAboveBytes: 1000 }, async ({ put, get }) => {
    const body = Buffer.alloc(1_000_000, 'abcdefghijklmnopqrstuvw');
    await put('/notes/a', body);
    assert.ok((await get('/notes/a')).body.equals(body));
    const part = await get('/notes/a', { Range: 'bytes=500-400000' });
    assert.ok(part.body.equals(body.subarray(500, 400_001)));
  }));

test('a body that the storage has as a string goes out byte by byte', () =>
  withServer({}, async ({ put, get, storage }) => {
    for (const size of [0, 256, 100_000]) {
      const body = Buffer.from(Array.from({ length: size }, (_, at) => at % 256));
      await put('/notes/a', body);
      storage.body = () => body.toString('latin1');
      const reply = await get('/notes/a');
      assert.equal(reply.headers['content-length'], String(size));
      assert.ok(reply.body.equals(body));
    }
  }));

/** A server whose one document has a body of the test's making. */
function withBody(
  body: Readable,
  limits: MemoryServerOptions['limits'],
  run: (server: Setup) => Promise<void>,
) {
  return withServer({ ...(limits && { limits }) }, async (server) => {
    await server.put('/notes/a', Buffer.alloc(1000));
    server.storage.body = () => Object.assign(body, { close: () => void body.destroy() });
    await run(server);
  });
}

function ask(server: Setup): Socket {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  const lines = ['GET /storage/alice/notes/a HTTP/1.1', `Host: 127.0.0.1:${server.port}`];
  socket.write(`${lines.join('\r\n')}\r\nAuthorization: Bearer ${server.token}\r\n\r\n`);
  return socket;
}

test('a document that breaks off on our side breaks the connection: it never looks complete', () => {
  const body = new Readable({
    read() {
      this.push('part');
      this.destroy(new GitsteadError('corrupt', 'the object does not inflate'));
    },
  });
  return withBody(body, undefined, async (server) => {
    await assert.rejects(server.get('/notes/a'));
    assert.match(server.logged.join(''), /could not be sent to its end/);
  });
});

test('a reader that leaves takes the stream with it, without a word in the log', () => {
  const body = new Readable({
    read() {
      this.push(Buffer.alloc(100));
    },
  });
  return withBody(body, undefined, async (server) => {
    const socket = ask(server);
    await once(socket, 'data');
    socket.destroy();
    await closed(body);
    assert.deepEqual(server.logged, []);
  });
});

test('threat 27: a reader that takes nothing is left after a while', () => {
  const body = new Readable({
    read() {
      this.push(Buffer.alloc(65_536));
    },
  });
  return withBody(body, { silenceMs: 50 }, async (server) => {
    const socket = ask(server);
    socket.pause();
    await closed(body);
    socket.destroy();
    assert.ok(body.destroyed);
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Handle, type Listener, type ListenerOptions, listen } from './listener.ts';

const echo =
  (room: string): Handle =>
  (request, response) =>
    response.end(`${room} ${request.url}`);

async function open(handlers: Partial<ListenerOptions> = {}): Promise<Listener> {
  return listen({ host: '127.0.0.1', port: 0, storage: echo('storage'), pages: echo('pages'), ...handlers });
}

/** Everything that comes back for one raw request, until the server closes. */
async function ask(listener: Listener, head: string): Promise<string> {
  const socket = connect(listener.port, '127.0.0.1');
  socket.write(`${head}\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  return text(socket);
}

test('what is below /storage/ goes to the bare handler as it was sent, everything else to the pages', async () => {
  const listener = await open();
  try {
    const targets: [string, string][] = [
      ['/storage/ann/a%2e/../b?x=1', 'storage /storage/ann/a%2e/../b?x=1'],
      ['/storage', 'pages /storage'],
      ['/storages/ann/', 'pages /storages/ann/'],
      ['/%73torage/ann/', 'pages /%73torage/ann/'],
      ['/', 'pages /'],
      ['http://example.com/storage/ann/', 'storage /storage/ann/'],
      ['http://example.com?q', 'pages /?q'],
    ];
    for (const [target, expected] of targets) {
      const answer = await ask(listener, `GET ${target} HTTP/1.1`);
      assert.equal(answer.split('\r\n\r\n')[1], expected, target);
    }
  } finally {
    await listener.close();
  }
});

test('the host of a target that is a whole address counts, whatever the header says', async () => {
  const pages: Handle = (request, response) => response.end(request.headers.host);
  const listener = await open({ pages });
  try {
    const answer = await ask(listener, 'GET http://example.com:81/a HTTP/1.1');
    assert.equal(answer.split('\r\n\r\n')[1], 'example.com:81');
  } finally {
    await listener.close();
  }
});

test('a path of 4,096 bytes with every byte escaped arrives', async () => {
  const listener = await open();
  try {
    const answer = await ask(listener, `GET /storage/ann/${'%C3%A9'.repeat(2048)} HTTP/1.1`);
    assert.match(answer, /^HTTP\/1\.1 200 /);
  } finally {
    await listener.close();
  }
});

/** As pages do: the body is read to its end, and then there is an answer. */
const readThenEcho: Handle = (request, response) =>
  void text(request).then(
    (body) => response.end(`read ${body}`),
    () => {},
  );

const FORM = 'POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n';

test('a page that is sent a body with Expect: 100-continue has it sent on; the storage decides by itself', async () => {
  const listener = await open({ pages: readThenEcho });
  const send = async (head: string): Promise<[first: string, socket: Socket]> => {
    const socket = connect(listener.port, '127.0.0.1');
    socket.write(`${head}Expect: 100-continue\r\nConnection: close\r\n\r\n`);
    const [first] = (await once(socket, 'data')) as [Buffer];
    return [first.toString(), socket];
  };
  try {
    const [first, socket] = await send(FORM);
    assert.equal(first, 'HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('a=b&c');
    assert.match(await text(socket), /^HTTP\/1\.1 200 .*read a=b&c/s);
    const [answer, other] = await send(FORM.replace('POST /oauth/token', 'PUT /storage/ann/a'));
    assert.match(answer, /^HTTP\/1\.1 200 /);
    other.destroy();
  } finally {
    await listener.close();
  }
});

test('a body that a page waits for too long is 408, and what comes later is not read by the page', async () => {
  let isRead = false;
  const pages: Handle = (request) => {
    request
      .on('data', () => {})
      .on('end', () => {
        isRead = true;
      });
  };
  const listener = await open({ pages, pageBodyMs: 50 });
  try {
    const socket = connect(listener.port, '127.0.0.1');
    socket.write(`${FORM}\r\na=b`);
    const [first] = (await once(socket, 'data')) as [Buffer];
    assert.match(first.toString(), /^HTTP\/1\.1 408 .*Connection: close/s);
    socket.write('&c');
    await text(socket);
    assert.equal(isRead, false);
  } finally {
    await listener.close();
  }
});

test('a connection whose body goes on after the page has answered is ended', async () => {
  const listener = await open({ pageBodyMs: 50 });
  try {
    const socket = connect(listener.port, '127.0.0.1');
    socket.write(`${FORM}\r\na=b`);
    assert.match(await text(socket), /^HTTP\/1\.1 200 .*pages \/oauth\/token/s);
  } finally {
    await listener.close();
  }
});

test('a request with two Host headers is refused, by the storage with CORS', async () => {
  const listener = await open();
  try {
    for (const host of ['localhost', 'evil.example']) {
      const page = await ask(listener, `GET / HTTP/1.1\r\nhOST: ${host}`);
      assert.match(page, /^HTTP\/1\.1 400 .*more than one host/s);
      assert.doesNotMatch(page, /access-control/i);
      const storage = await ask(
        listener,
        `PUT /storage/ann/a HTTP/1.1\r\nContent-Length: 0\r\nHost: ${host}`,
      );
      assert.match(storage, /^HTTP\/1\.1 400 .*Access-Control-Allow-Origin: \*.*more than one host/s);
    }
  } finally {
    await listener.close();
  }
});

test('a port in use, a port that needs root and a foreign address are refused by the name of the setting', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const rest = { storage: echo(''), pages: echo('') };
  await assert.rejects(listen({ ...rest, host: '127.0.0.1', port }), {
    code: 'bad-request',
    message: `port ${port} is in use already; choose another one with --port`,
  });
  other.close();
  await assert.rejects(listen({ ...rest, host: '192.0.2.1', port: 0 }), { message: /192\.0\.2\.1 .*--host/ });
});

function heldAnswer(): { handle: Handle; asked: Promise<void>; finish: () => void } {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: gate, resolve: finish } = Promise.withResolvers<void>();
  const handle = (_request: IncomingMessage, response: ServerResponse) => {
    ask();
    void gate.then(() => response.end('finished'));
  };
  return { handle, asked, finish };
}

async function keptAlive(listener: Listener, path: string): Promise<Socket> {
  const socket = connect(listener.port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return socket;
}

test('closing finishes the request under way, then ends its connection', async () => {
  const held = heldAnswer();
  const listener = await open({ pages: held.handle });
  const socket = await keptAlive(listener, '/');
  await held.asked;
  const closed = listener.close();
  held.finish();
  assert.match(await text(socket), /^HTTP\/1\.1 200 .*finished/s);
  await closed;
});

test('closing ends connections that wait for nothing, and takes no new ones', async () => {
  const listener = await open();
  const socket = await keptAlive(listener, '/');
  await once(socket, 'data');
  socket.resume();
  const ended = once(socket, 'close');
  await listener.close();
  await ended;
  const late = connect(listener.port, '127.0.0.1');
  const [error] = await once(late, 'error');
  assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
});

// The control socket from both ends, over a real socket, with a made-up server behind it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { askServer } from '../../src/cli/control-client.ts';
import { GitsteadError } from '../../src/errors.ts';
import { type AnswerControl, type ControlServer, openControl } from '../../src/http/control.ts';
import { openLog } from '../../src/log.ts';
import { parseUserName } from '../../src/protocol/paths.ts';

const temporary = mkdtempSync(join(tmpdir(), 'gitstead-control-'));
after(() => rmSync(temporary, { recursive: true, force: true }));
const log = openLog('silent');
const alice = parseUserName('alice')!;
let count = 0;

async function withServer(
  answer: AnswerControl,
  use: (path: string, server: ControlServer) => Promise<void>,
  options: { folder?: string; leftover?: true } = {},
): Promise<void> {
  const folder = join(temporary, String(count++), options.folder ?? 'data');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'control.sock');
  if (options.leftover) writeFileSync(path, '');
  const server = await openControl(path, answer, log);
  try {
    await use(path, server);
  } finally {
    await server.close();
  }
  assert.deepEqual(readdirSync(folder), []);
}

test('a request reaches the server, its progress and its result come back', async () => {
  const asked: unknown[] = [];
  const found = { repositories: 1, documents: 3, faults: [{ user: 'alice', module: 'notes', what: 'odd' }] };
  const answer: AnswerControl = async (request, report) => {
    asked.push(request);
    report({ done: 1, total: 2 });
    report({ done: 2, total: 2 });
    return found;
  };
  await withServer(answer, async (path) => {
    const seen: number[] = [];
    const request = { command: 'check', user: alice } as const;
    const reply = await askServer(path, request, ({ done }) => seen.push(done));
    assert.deepEqual(reply, { result: found });
    assert.deepEqual(asked, [request]);
    assert.deepEqual(seen, [1, 2]);
  });
});

test('only its owner may use the socket', async () => {
  await withServer(
    async () => null,
    async (path) => {
      assert.equal(statSync(path).mode & 0o777, 0o600);
    },
  );
});

test('a failure comes back with its code and message, another one without what it says', async () => {
  const answer: AnswerControl = async (request) => {
    if (request.command === 'drain') throw new GitsteadError('not-ready', 'not now');
    throw new Error('/secret/path');
  };
  await withServer(answer, async (path) => {
    await assert.rejects(askServer(path, { command: 'drain' }), { code: 'not-ready', message: 'not now' });
    await assert.rejects(askServer(path, { command: 'reindex' }), (error: GitsteadError) => {
      assert.equal(error.code, 'internal');
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });
});

test('without a server, and with a socket left by one that was killed, the answer is undefined', async () => {
  assert.equal(await askServer(join(temporary, 'none.sock'), { command: 'ping' }), undefined);
});

test('a leftover in the place of the socket gives way', async () => {
  await withServer(
    async () => ({ pid: 7 }),
    async (path) => {
      assert.deepEqual(await askServer(path, { command: 'ping' }), { result: { pid: 7 } });
    },
    { leftover: true },
  );
});

test('a data folder deeper than a socket address is long works the same', async () => {
  await withServer(
    async () => ({ pid: 7 }),
    async (path) => {
      assert.ok(Buffer.byteLength(path) > 200);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.deepEqual(await askServer(path, { command: 'ping' }), { result: { pid: 7 } });
    },
    { folder: join('d'.repeat(100), 'é'.repeat(50)) },
  );
});

test('a result that this version does not know is an error', async () => {
  await withServer(
    async () => ({ process: 7 }),
    async (path) => {
      await assert.rejects(askServer(path, { command: 'ping' }), { message: /of another version/ });
    },
  );
});

test('what is no request is answered with a failure', async () => {
  await withServer(
    async () => assert.fail('must not be asked'),
    async (path) => {
      for (const line of ['', '{', '{"command":"format-disk"}', '{"command":"check","user":"../x"}', '[]']) {
        const socket = connect(path);
        socket.end(`${line}\n`);
        assert.match(await text(socket), /^\{"failure":\{"code":"bad-request",.*\}\}\n$/, line);
      }
    },
  );
});

test('a command that goes away is noticed', async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<AbortSignal>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const answer: AnswerControl = (_request, _report, signal) => {
    ask(signal);
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        end();
        reject(signal.reason);
      }),
    );
  };
  await withServer(answer, async (path) => {
    const socket = connect(path);
    socket.write('{"command":"check"}\n');
    await asked;
    socket.destroy();
    await ended;
  });
});

test('closing waits for the command under way', async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const answer: AnswerControl = async () => {
    ask();
    await gate;
    return { repositories: 1, documents: 2 };
  };
  await withServer(answer, async (path, server) => {
    const reply = askServer(path, { command: 'reindex' });
    await asked;
    const closed = server.close();
    open();
    assert.deepEqual(await reply, { result: { repositories: 1, documents: 2 } });
    await closed;
  });
});

test('closing tells the command under way to end', async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const answer: AnswerControl = (_request, _report, signal) => {
    ask();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  await withServer(answer, async (path, server) => {
    const refused = assert.rejects(askServer(path, { command: 'check' }), {
      code: 'not-ready',
      message: /the server is stopping/,
    });
    await asked;
    await server.close();
    await refused;
  });
});

test('closing does not wait for somebody who never asks', async () => {
  await withServer(
    async () => null,
    async (path, server) => {
      const socket = connect(path);
      await once(socket, 'connect');
      const closed = once(socket.resume(), 'close');
      await askServer(path, { command: 'drain' });
      await server.close();
      await closed;
    },
  );
});

test('a server that breaks off is an error, not an answer', async () => {
  const path = join(temporary, 'broken.sock');
  const server = createServer((socket) => socket.once('data', () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await assert.rejects(askServer(path, { command: 'ping' }), { code: 'not-ready' });
  await new Promise((resolve) => server.close(resolve));
});

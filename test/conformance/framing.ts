// HTTP itself (draft, section 4: "servers MUST comply with HTTP/1.1"): how bodies are framed and refused, targets
// in their several forms, and what the parser cannot read.
import assert from 'node:assert/strict';
import { type Clause, expectStatus, expectVersion, type Server } from './clause.ts';

/** A request as text; the body may be any bytes, one a character. */
function raw(
  { folder, host, root, tokens }: Server,
  method: string,
  path: string,
  headers: string[],
  body = '',
): string {
  const lines = [
    `${method} ${root}${folder}${path} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: Bearer ${tokens.rw}`,
  ];
  return [...lines, ...headers, '', body].join('\r\n');
}

/** The end of a final answer's headers, at least. */
const FINAL_ANSWER = /^HTTP\/1\.1 [2-5][\s\S]*\r\n\r\n/m;

const statusesOf = (answers: string) =>
  [...answers.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1]));

export const FRAMING: Clause[] = [
  {
    section: 'draft 4',
    requirement: 'a PUT may be sent in chunks',
    async run({ get, put }) {
      expectVersion(await put('a', ['one ', 'two ', Buffer.alloc(100_000, 'x'), 'end']), 201);
      assert.equal((await get('a')).text, `one two ${'x'.repeat(100_000)}end`);
      expectVersion(await put('empty', []), 201);
      assert.equal((await get('empty')).body.length, 0);
    },
  },
  {
    section: 'RFC 9112 6.3',
    requirement: 'a PUT that announces no body has an empty one',
    async run(server) {
      const answers = await server.client.exchange(
        raw(server, 'PUT', 'a', ['Content-Type: text/plain', 'Connection: close']),
      );
      assert.deepEqual(statusesOf(answers), [201]);
      assert.equal((await server.get('a')).body.length, 0);
    },
  },
  {
    section: 'RFC 9110 10.1.1',
    requirement: 'Expect: 100-continue is answered with 100 when the body is wanted',
    async run(server) {
      const headers = [
        'Content-Type: text/plain',
        'Content-Length: 4',
        'Expect: 100-continue',
        'Connection: close',
      ];
      const answers = await server.client.exchange(raw(server, 'PUT', 'a', headers, 'body'));
      assert.deepEqual(statusesOf(answers), [100, 201]);
      assert.equal((await server.get('a')).text, 'body');
    },
  },
  {
    section: 'RFC 9110 10.1.1',
    requirement:
      'a body that will be refused is never asked for with 100: bad tokens, paths, conditions and codings',
    async run(server) {
      await server.store('stands');
      const refusals: [path: string, headers: string[], status: number][] = [
        ['stands', ['If-None-Match: *'], 412],
        ['new', ['If-Match: "x"'], 412],
        ['a', ['Content-Encoding: gzip'], 415],
        ['a%00', [], 400],
        ['folder/', [], 405],
      ];
      for (const [path, more, status] of refusals) {
        const headers = [
          'Content-Type: text/plain',
          'Content-Length: 4',
          'Expect: 100-continue',
          'Connection: close',
          ...more,
        ];
        // nothing is sent after the headers: the server must not wait for it
        const answers = await server.client.exchange(raw(server, 'PUT', path, headers), FINAL_ANSWER);
        assert.deepEqual(statusesOf(answers), [status], path);
      }
    },
  },
  {
    section: 'RFC 9110 10.1.1',
    requirement: 'other expectations are refused with 417',
    async run({ get, put }) {
      expectStatus(await put('a', 'x', { Expect: 'the-unexpected' }), 417);
      expectStatus(await get('a'), 404);
    },
  },
  {
    section: 'RFC 9110 14.5',
    requirement: 'a PUT with Content-Range is refused with 400',
    async run({ get, put, store }) {
      await store('a', 'whole');
      expectStatus(await put('a', 'sup', { 'Content-Range': 'bytes 0-2/5' }), 400);
      assert.equal((await get('a')).text, 'whole');
    },
  },
  {
    section: 'RFC 9110 8.4',
    requirement: 'a coded body is refused with 415: a document comes back byte for byte, or not at all',
    isChoice: true,
    async run({ get, put }) {
      for (const coding of ['gzip', 'br', 'aws-chunked', 'identity, gzip']) {
        expectStatus(await put('a', 'x', { 'Content-Encoding': coding }), 415);
      }
      expectStatus(await get('a'), 404);
      expectVersion(await put('a', 'x', { 'Content-Encoding': 'identity' }), 201);
    },
  },
  {
    section: 'RFC 9112 6.1',
    requirement: 'a transfer coding other than chunked is refused, and so is a length beside it',
    async run(server) {
      const type = ['Content-Type: text/plain', 'Connection: close'];
      const bodies = [
        raw(server, 'PUT', 'a', [...type, 'Transfer-Encoding: gzip, chunked'], '1\r\nx\r\n0\r\n\r\n'),
        raw(
          server,
          'PUT',
          'a',
          [...type, 'Transfer-Encoding: chunked', 'Content-Length: 4'],
          '1\r\nx\r\n0\r\n\r\n',
        ),
        raw(server, 'PUT', 'a', [...type, 'Content-Length: 1', 'Content-Length: 2'], 'xy'),
        raw(server, 'PUT', 'a', [...type, 'Content-Length: -1'], 'x'),
        raw(server, 'PUT', 'a', [...type, 'Transfer-Encoding: chunked'], 'zz\r\nx\r\n0\r\n\r\n'),
      ];
      for (const request of bodies) {
        const [status] = statusesOf(await server.client.exchange(request));
        assert.ok(status === 400 || status === 501, `${status} for ${request}`);
      }
      expectStatus(await server.get('a'), 404);
    },
  },
  {
    section: 'interop',
    requirement: 'what is no HTTP at all is refused with CORS in the answer',
    async run({ client, host }) {
      const requests = [
        'NONSENSE\r\n\r\n',
        `GET /storage/a b HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
        `GET /storage/a HTTP/1.1\r\nHost: ${host}\r\nBad Header: x\r\n\r\n`,
        `GET /storage/a HTTP/1.1\r\nHost: ${host}\r\nX: ${'x'.repeat(200_000)}\r\n\r\n`,
      ];
      for (const request of requests) {
        const answer = await client.exchange(request);
        assert.match(answer, /^HTTP\/1\.1 4\d\d /);
        assert.match(answer, /^access-control-allow-origin: \*\r$/im);
        assert.match(answer, /^access-control-expose-headers: .*etag/im);
      }
    },
  },
  {
    section: 'RFC 9112 6.3',
    requirement: 'a body that breaks off stores nothing',
    async run(server) {
      const { connect } = await import('node:net');
      const { hostname, port } = new URL(`http://${server.host}`);
      await server.store('stands', 'before');
      for (const [path, framing, part] of [
        ['stands', 'Content-Length: 100', 'half'],
        ['new', 'Transfer-Encoding: chunked', '4\r\nhalf\r\n'],
      ] as const) {
        await new Promise<void>((resolve, reject) => {
          const socket = connect(Number(port || 80), hostname, () => {
            socket.write(raw(server, 'PUT', path, ['Content-Type: text/plain', framing], part), () =>
              socket.destroy(),
            );
          });
          socket.on('close', () => resolve());
          socket.on('error', reject);
        });
      }
      assert.equal((await server.get('stands')).text, 'before');
      expectStatus(await server.get('new'), 404);
    },
  },
  {
    section: 'RFC 9112 3.2.2',
    requirement: 'a target may be a whole address',
    async run(server) {
      await server.store('a', 'x');
      const { client, folder, host, root, tokens } = server;
      const reply = await client.send('GET', `http://${host}${root}${folder}a`, { token: tokens.rw });
      expectStatus(reply, 200);
      assert.equal(reply.text, 'x');
    },
  },
  {
    section: 'RFC 9112 9.3',
    requirement: 'a connection serves many requests, also after refusals with a body unread',
    async run(server) {
      const refused = raw(server, 'PUT', 'a//b', ['Content-Length: 4'], 'body');
      const denied = raw(server, 'PUT', 'a', ['Content-Encoding: gzip', 'Content-Length: 4'], 'body');
      const good = raw(server, 'PUT', 'a', ['Content-Type: text/plain', 'Content-Length: 4'], 'body');
      const last = raw(server, 'GET', 'a', ['Connection: close']);
      const answers = await server.client.exchange(refused + denied + good + last);
      assert.deepEqual(statusesOf(answers), [400, 415, 201, 200]);
    },
  },
  {
    section: 'RFC 9110 9.3.5',
    requirement: 'the body of a GET or DELETE means nothing',
    async run({ get, send, store }) {
      await store('a', 'x');
      assert.equal((await send('GET', 'a', { body: 'why' })).text, 'x');
      expectStatus(await send('DELETE', 'a', { body: 'why' }), 200, 204);
      expectStatus(await get('a'), 404);
    },
  },
  {
    section: 'interop',
    requirement: 'ten requests at once are answered each with its own',
    async run({ get, put }) {
      const numbers = Array.from({ length: 10 }, (_, n) => n);
      const writes = await Promise.all(numbers.map((n) => put(`d${n}`, `text ${n}`)));
      for (const reply of writes) expectVersion(reply, 201);
      const reads = await Promise.all(numbers.map((n) => get(`d${n}`)));
      assert.deepEqual(
        reads.map(({ text }) => text),
        numbers.map((n) => `text ${n}`),
      );
    },
  },
];

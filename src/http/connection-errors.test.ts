import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openClient } from '../../test/conformance/client.ts';
import { openMemoryServer } from '../../test/open-memory-server.ts';

async function exchange(bytes: string): Promise<string> {
  await using server = await openMemoryServer({ maxHeaderSize: 16_384 });
  const client = openClient(server.baseUrl);
  return await client.exchange(bytes.replaceAll('HOST', `127.0.0.1:${server.port}`));
}

test('headers that are too long are answered with 431, CORS, and an end of the connection', async () => {
  const answer = await exchange(`GET /storage/a HTTP/1.1\r\nHost: HOST\r\nX: ${'x'.repeat(300_000)}\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
  assert.match(answer, /\r\nAccess-Control-Allow-Origin: \*\r\n/);
  assert.match(answer, /\r\nConnection: close\r\n/);
});

test('what is no HTTP is answered with 400 in words', async () => {
  const answer = await exchange('what?\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  const [head, body] = answer.split('\r\n\r\n') as [string, string];
  assert.match(head, new RegExp(`Content-Length: ${body.length}\\b`));
  assert.equal(body, 'this is no HTTP request\n');
});

test('an answer that was sent already is not followed by another one', async () => {
  const answer = await exchange(
    'OPTIONS /storage/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\n\r\nhelloNONSENSE\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 204 /);
  assert.ok(answer.split('HTTP/1.1 ').length <= 3);
});

test('expectations other than 100-continue are refused with 417 and CORS', async () => {
  const answer = await exchange(
    'PUT /storage/a HTTP/1.1\r\nHost: HOST\r\nExpect: more\r\nContent-Length: 0\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 417 /);
  assert.match(answer, /\r\nAccess-Control-Allow-Origin: \*\r\n/);
});

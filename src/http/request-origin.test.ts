// Which names are ours, and whose word about clients is believed (threat 26).
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, test } from 'node:test';
import { openBrowser, openTestPages } from '../../test/open-test-pages.ts';
import { type OriginSettings, originJudge, type RequestOrigin } from './request-origin.ts';

function judge(
  settings: OriginSettings,
  headers: Record<string, string>,
  remoteAddress = '127.0.0.1',
  warn: (message: string) => void = () => {},
): RequestOrigin {
  const request = { headers, socket: { remoteAddress, localPort: 8000 } } as unknown as IncomingMessage;
  return originJudge(settings, warn)(request);
}

const PUBLIC = { publicUrl: 'https://rs.example' };

describe('threat 26: a Host header', () => {
  for (const host of ['localhost:8000', '127.0.0.1:8000', '[::1]:8000', 'LOCALHOST:8000']) {
    test(`${host} is ours without a public URL, and links use it`, () => {
      const origin = judge({}, { host });
      assert.equal(origin.origin, `http://${host.toLowerCase()}`);
      assert.equal(origin.linkOrigin, origin.origin);
      assert.equal(origin.storageOrigin, origin.origin);
      assert.equal(origin.addressHost, host.toLowerCase());
    });
  }

  for (const host of [
    'localhost',
    'localhost:8001',
    'localhost.evil.example:8000',
    'evil.example',
    'evil.example:8000',
    '127.0.0.2:8000',
    '192.168.1.5:8000',
    'localhost:8000@evil.example',
    'localhost:08000000',
    '',
  ]) {
    test(`${JSON.stringify(host)} is not ours without a public URL`, () => {
      assert.throws(() => judge({}, { host }), { code: 'wrong-host', message: /--public-url/ });
    });
  }

  test('of the public URL is ours, and so are loopback names; links lead to the public URL', () => {
    for (const host of ['rs.example', 'RS.example:443']) {
      assert.equal(judge(PUBLIC, { host }).origin, 'https://rs.example');
    }
    const local = judge(PUBLIC, { host: 'localhost:8000' });
    assert.equal(local.origin, 'http://localhost:8000');
    assert.equal(local.linkOrigin, 'https://rs.example');
    assert.equal(local.addressHost, 'rs.example');
    for (const host of ['rs.example:8000', 'rs.example:80', 'x.rs.example', 'rs.example.']) {
      assert.throws(() => judge(PUBLIC, { host }), { code: 'wrong-host' }, host);
    }
  });

  test('without a port means port 80', () => {
    assert.equal(judge({ port: 80 }, { host: 'localhost' }).origin, 'http://localhost');
  });

  test('of the storage origin serves storage only, and the reverse', () => {
    const settings = { ...PUBLIC, storageUrl: 'https://data.example:8443' };
    assert.equal(judge(settings, { host: 'data.example:8443' }).serves, 'storage');
    assert.equal(judge(settings, { host: 'rs.example' }).serves, 'accounts');
    assert.equal(judge(settings, { host: 'rs.example' }).storageOrigin, 'https://data.example:8443');
    assert.equal(
      judge({ ...PUBLIC, storageUrl: 'https://rs.example/' }, { host: 'rs.example' }).serves,
      'all',
    );
  });

  test('on this computer serves no storage either, when storage has an origin of its own', () => {
    const local = { storageUrl: 'http://127.0.0.1:8000' };
    assert.equal(judge(local, { host: 'localhost:8000' }).serves, 'accounts');
    assert.equal(judge(local, { host: 'localhost:8000' }).storageOrigin, 'http://127.0.0.1:8000');
    assert.equal(judge(local, { host: '127.0.0.1:8000' }).serves, 'storage');
    const ofStorage = { ...PUBLIC, loopbackServes: 'storage' as const };
    assert.equal(judge(ofStorage, { host: 'localhost:8000' }).serves, 'storage');
  });

  test('of the accounts’ domain serves discovery only', () => {
    const settings = { publicUrl: 'https://rs.example.com', addressHost: 'example.com' };
    assert.equal(judge(settings, { host: 'example.com' }).serves, 'discovery');
    assert.equal(judge(settings, { host: 'rs.example.com' }).addressHost, 'example.com');
  });
});

describe('threat 26: forwarded headers', () => {
  const settings = { ...PUBLIC, trustedProxies: ['10.0.0.0/8', '::1', 'fd00::/8'] };

  test('count when a configured proxy sends them', () => {
    const headers = { host: 'backend', 'x-forwarded-host': 'rs.example', 'x-forwarded-for': '192.0.2.1' };
    for (const proxy of ['10.1.2.3', '::ffff:10.1.2.3', '::1', 'fd00::2']) {
      const origin = judge(settings, headers, proxy);
      assert.equal(origin.origin, 'https://rs.example', proxy);
      assert.equal(origin.client, '192.0.2.1', proxy);
    }
  });

  test('from anyone else are ignored, with one warning', () => {
    const warnings: string[] = [];
    const judgeRequest = originJudge(settings, (message) => warnings.push(message));
    for (let time = 0; time < 3; time++) {
      const origin = judgeRequest({
        headers: { host: 'rs.example', 'x-forwarded-for': '192.0.2.1', 'x-forwarded-host': 'evil.example' },
        socket: { remoteAddress: '198.51.100.7' },
      } as unknown as IncomingMessage);
      assert.equal(origin.client, '198.51.100.7');
    }
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /198\.51\.100\.7/);
  });

  test('name the last address that is not a proxy: what stands before it anyone can invent', () => {
    const client = (chain: string) =>
      judge(settings, { host: 'rs.example', 'x-forwarded-for': chain }, '10.0.0.1').client;
    assert.equal(client('6.6.6.6, 192.0.2.1, 10.9.9.9'), '192.0.2.1');
    assert.equal(client('junk, , 2001:db8::1'), '2001:db8::1');
    assert.equal(client('10.0.0.7'), '10.0.0.1');
    assert.equal(client(''), '10.0.0.1');
  });

  test('tell whether a request was private: from this machine, or by https through a proxy of ours', () => {
    const host = 'rs.example';
    const far = { host, 'x-forwarded-for': '192.0.2.1' };
    assert.equal(judge(settings, far, '10.0.0.1').isPrivate, true);
    assert.equal(judge(settings, { ...far, 'x-forwarded-proto': 'http' }, '10.0.0.1').isPrivate, false);
    assert.equal(judge(settings, { host }, '192.0.2.1').isPrivate, false);
    assert.equal(judge(settings, { ...far, 'x-forwarded-proto': 'https' }, '192.0.2.1').isPrivate, false);
    for (const here of ['127.0.0.1', '127.8.8.8', '::ffff:127.0.0.1', '::1']) {
      assert.equal(judge({}, { host: 'localhost:8000' }, here).isPrivate, true, here);
    }
    assert.equal(
      judge(settings, { ...far, 'x-forwarded-for': '127.0.0.1, 192.0.2.1' }, '::1').isPrivate,
      true,
    );
    const plain = { publicUrl: 'http://rs.example', trustedProxies: ['10.0.0.1'] };
    assert.equal(judge(plain, far, '10.0.0.1').isPrivate, false);
  });

  test('cannot make another host ours', () => {
    const headers = { host: 'rs.example', 'x-forwarded-host': 'evil.example' };
    assert.throws(() => judge(settings, headers, '10.0.0.1'), { code: 'wrong-host' });
  });
});

test('threat 26: pages and discovery under a foreign name answer 421 and name --public-url', async () => {
  await using world = await openTestPages();
  const rebound = openBrowser(world, 'http://evil.example:8000');
  for (const path of [
    '/',
    '/login',
    '/oauth/alice/authorize',
    '/nope',
    '/.well-known/webfinger?resource=acct:alice@evil.example',
  ]) {
    const answer = await rebound.get(path);
    assert.equal(answer.status, 421, path);
    assert.match(answer.body, /--public-url/, path);
    assert.equal(answer.headers['set-cookie'], undefined, path);
  }
  assert.equal((await rebound.get('/health')).status, 200, 'probes may know only an address');
});

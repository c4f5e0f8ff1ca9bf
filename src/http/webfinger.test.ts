// Discovery as apps do it: by any name of the server, encoded or not, always answered directly and with CORS.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Answer,
  openBrowser,
  openTestPages,
  type TestPagesOptions,
} from '../../test/open-test-pages.ts';
import type { WebfingerRecord } from '../protocol/webfinger.ts';

const LOCAL = 'http://localhost:8000';

async function lookUp(options: TestPagesOptions, resources: string[], origin = LOCAL): Promise<Answer[]> {
  await using world = await openTestPages(options);
  const browser = openBrowser(world, origin);
  const answers: Answer[] = [];
  for (const resource of resources)
    answers.push(await browser.get(`/.well-known/webfinger?resource=${resource}`));
  return answers;
}

function linkOf(answer: Answer) {
  const { links } = JSON.parse(answer.body) as WebfingerRecord;
  assert.equal(links.length, 1);
  return links[0]!;
}

test('an address leads to storage and consent under the name that was asked by', async () => {
  for (const origin of [LOCAL, 'http://127.0.0.1:8000', 'http://[::1]:8000']) {
    const { host } = new URL(origin);
    const [answer] = await lookUp({}, [`acct:alice@${host}`], origin);
    assert.equal(answer!.status, 200);
    assert.equal(answer!.headers['content-type'], 'application/jrd+json');
    assert.equal(answer!.headers['access-control-allow-origin'], '*');
    const { href, properties } = linkOf(answer!);
    assert.equal(href, `${origin}/storage/alice`);
    assert.equal(
      properties['http://tools.ietf.org/html/rfc6749#section-4.2'],
      `${origin}/oauth/alice/authorize`,
    );
  }
});

test('a resource may come encoded or not, with or without port, in capitals', async () => {
  const answers = await lookUp({}, [
    'acct:alice@localhost:8000',
    'acct%3Aalice%40localhost%3A8000',
    'acct:alice@localhost',
    'acct:Alice@LOCALHOST:8000',
    'acct:alice@127.0.0.1:8000',
  ]);
  for (const answer of answers) assert.equal(answer.status, 200, answer.body);
});

test('with a public URL, links lead there, whatever name was asked by', async () => {
  const config = { publicUrl: 'https://rs.example', port: 8000 };
  for (const origin of ['https://rs.example', LOCAL]) {
    const resources = ['acct:alice@rs.example', 'acct:alice@rs.example:443', 'https://rs.example/'];
    for (const answer of await lookUp({ config }, resources, origin)) {
      assert.equal(linkOf(answer).href, 'https://rs.example/storage/alice');
    }
  }
});

test('storage with an origin of its own is where the link leads', async () => {
  const config = { publicUrl: 'https://rs.example', storageUrl: 'https://data.example' };
  const [answer] = await lookUp({ config }, ['acct:alice@rs.example'], 'https://rs.example');
  const { href, properties } = linkOf(answer!);
  assert.equal(href, 'https://data.example/storage/alice');
  assert.equal(
    properties['http://tools.ietf.org/html/rfc6749#section-4.2'],
    'https://rs.example/oauth/alice/authorize',
  );
  const [elsewhere] = await lookUp({ config }, ['acct:alice@rs.example'], 'https://data.example');
  assert.equal(elsewhere!.status, 421);
});

test('accounts may belong to a domain whose web site stands elsewhere', async () => {
  const config = { publicUrl: 'https://rs.example.com', addressHost: 'example.com' };
  const [answer] = await lookUp({ config }, ['acct:alice@example.com'], 'https://rs.example.com');
  assert.equal(linkOf(answer!).href, 'https://rs.example.com/storage/alice');
  const [passedOn] = await lookUp({ config }, ['acct:alice@example.com'], 'https://example.com');
  assert.equal(linkOf(passedOn!).href, 'https://rs.example.com/storage/alice');
  await using world = await openTestPages({ config });
  assert.equal((await openBrowser(world, 'https://example.com').get('/login')).status, 421);
});

test('a host alone stands for the only account, or for the one that the settings name', async () => {
  const hosts = ['https://localhost:8000', 'https://localhost:8000/', 'http://localhost:8000/'];
  for (const answer of await lookUp({}, hosts)) assert.equal(linkOf(answer).href, `${LOCAL}/storage/alice`);
  for (const answer of await lookUp({ users: ['alice', 'bob'] }, hosts)) assert.equal(answer.status, 404);
  const config = { port: 8000, singleUser: 'bob' };
  for (const answer of await lookUp({ users: ['alice', 'bob'], config }, hosts)) {
    assert.equal(linkOf(answer).href, `${LOCAL}/storage/bob`);
  }
});

test('who is not here is 404, what makes no sense 400, always with CORS and never a redirect', async () => {
  const nobody = [
    'acct:nobody@localhost:8000',
    'acct:alice@example.com',
    'acct:alice@localhost:9999',
    'https://example.com/',
    'https://localhost:8000/alice',
    'mailto:alice@localhost:8000',
    'acct:a+b@localhost:8000',
    'acct:%ff@localhost:8000',
    'acct:../x@localhost:8000',
    'constructor',
  ];
  for (const answer of await lookUp({}, nobody)) {
    assert.equal(answer.status, 404);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(String(answer.headers['content-type']), /^application\/json/);
  }
  const [empty, twice] = await lookUp({}, [
    '',
    'acct:alice@localhost:8000&resource=acct:alice@localhost:8000',
  ]);
  assert.equal(empty!.status, 404);
  assert.equal(twice!.status, 400);
  await using world = await openTestPages();
  const missing = await openBrowser(world).get('/.well-known/webfinger');
  assert.equal(missing.status, 400);
  assert.equal(missing.headers['access-control-allow-origin'], '*');
});

test('host-meta, which clients try next, answers as WebFinger does', async () => {
  await using world = await openTestPages();
  const browser = openBrowser(world);
  for (const path of ['host-meta', 'host-meta.json']) {
    const known = await browser.get(`/.well-known/${path}?resource=acct:alice@localhost:8000`);
    assert.equal(linkOf(known).href, `${LOCAL}/storage/alice`);
    const unknown = await browser.get(`/.well-known/${path}?resource=acct:nobody@localhost:8000`);
    assert.equal(unknown.status, 404);
    assert.equal(unknown.headers['access-control-allow-origin'], '*');
  }
});

test('addresses under /.well-known/ that nobody knows are 404 with CORS', async () => {
  await using world = await openTestPages();
  const answer = await openBrowser(world).get('/.well-known/nothing');
  assert.equal(answer.status, 404);
  assert.equal(answer.headers['access-control-allow-origin'], '*');
});

test('a preflight is answered', async () => {
  await using world = await openTestPages();
  const answer = await world.pages.app.inject({
    method: 'OPTIONS',
    url: '/.well-known/webfinger?resource=acct:alice@localhost:8000',
    headers: {
      host: 'localhost:8000',
      origin: 'https://app.example',
      'access-control-request-headers': 'x-y',
    },
  });
  assert.equal(answer.statusCode, 204);
  assert.equal(answer.headers['access-control-allow-origin'], '*');
});

test('links are filtered by rel', async () => {
  const [answer] = await lookUp({}, ['acct:alice@localhost:8000&rel=avatar']);
  assert.deepEqual(JSON.parse(answer!.body), { subject: 'acct:alice@localhost:8000', links: [] });
});

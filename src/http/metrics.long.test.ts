import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openTestServer } from '../../test/open-test-server.ts';
import { loadConfig } from '../config.ts';
import { openLog } from '../log.ts';
import { startServer } from '../server.ts';
import { type MetricsReaders, metricsDoor } from './metrics-door.ts';
import { openRequestMeasures } from './request-measures.ts';

const folder = mkdtempSync(join(tmpdir(), 'gitstead-metrics-'));
after(() => rmSync(folder, { recursive: true, force: true }));

type Sample = { name: string; labels: Record<string, string>; value: number };

/** Prometheus' text format, version 0.0.4: every line is a comment of a known kind or a sample of a family that was told of. */
function parse(text: string): Sample[] {
  assert.ok(text.endsWith('\n'));
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const type = /^# TYPE ([a-z0-9_]+) (counter|gauge|histogram|summary)$/.exec(line);
    if (type) types.set(type[1]!, type[2]!);
    if (type || /^# HELP [a-z0-9_]+ \S/.test(line)) continue;
    const [, name, all = '', value] =
      /^([a-z0-9_]+)(?:\{(.*)\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?|Nan)$/.exec(line) ?? assert.fail(line);
    const labels = Object.fromEntries(
      [...all.matchAll(/([a-z0-9_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, k, v]) => [k!, v!]),
    );
    assert.ok(types.has(name!) || types.get(name!.replace(/_(bucket|sum|count)$/, '')) === 'histogram', line);
    samples.push({ name: name!, labels, value: Number(value) });
  }
  return samples;
}

async function read(baseUrl: string): Promise<Sample[]> {
  const response = await fetch(`${baseUrl}/metrics`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  return parse(await response.text());
}

function sumOf(samples: Sample[], name: string, labels: Record<string, string> = {}): number {
  const found = samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return found.reduce((sum, { value }) => sum + value, 0);
}

/** A GET with headers that fetch would not send. */
function statusOf(port: number, headers: Record<string, string>, path = '/metrics'): Promise<number> {
  return new Promise((resolve, reject) => {
    send({ port, host: '127.0.0.1', path, headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

test('threat 38: counters move with what requests do, and nothing names a user, a path or a token', async () => {
  await using server = await openTestServer();
  await server.createUser('alice');
  const token = await server.createToken('alice', 'secretmodule:rw');
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'text/plain' };
  const at = `${server.storageUrl('alice')}/secretmodule/hidden.txt`;
  const before = await read(server.baseUrl);
  for (const body of ['one', 'two']) assert.ok((await fetch(at, { method: 'PUT', headers, body })).ok);
  for (let reads = 0; reads < 3; reads++) assert.equal(await (await fetch(at, { headers })).text(), 'two');
  await (await fetch(at)).text();
  await (await fetch(`${server.storageUrl('alice')}/secretmodule/?a=b`, { headers })).text();
  await (await fetch(`${server.baseUrl}/oauth/alice/authorize`)).text();
  const samples = await read(server.baseUrl);

  const moved = (name: string, labels = {}) => sumOf(samples, name, labels) - sumOf(before, name, labels);
  const document = '/storage/:user/*';
  assert.equal(moved('gitstead_http_requests_total', { route: document, method: 'PUT' }), 2);
  assert.equal(moved('gitstead_http_requests_total', { route: document, method: 'GET', status: '200' }), 3);
  assert.equal(moved('gitstead_http_requests_total', { route: document, status: '401' }), 1);
  assert.equal(moved('gitstead_http_requests_total', { route: '/storage/:user/*/', method: 'GET' }), 1);
  assert.equal(moved('gitstead_http_requests_total', { route: '/oauth/:user/authorize' }), 1);
  assert.equal(moved('gitstead_http_request_duration_seconds_count', { route: document }), 6);
  assert.equal(moved('gitstead_turn_writes_sum'), 2);
  assert.equal(moved('gitstead_journal_duration_seconds_count'), 2);
  assert.equal(moved('gitstead_cache_misses_total', { cache: 'bodies' }), 1);
  assert.equal(moved('gitstead_cache_hits_total', { cache: 'bodies' }), 2);
  assert.equal(moved('gitstead_cache_misses_total', { cache: 'tokens' }), 1);
  assert.equal(moved('gitstead_open_repositories'), 1);
  assert.ok(sumOf(samples, 'process_resident_memory_bytes') > 0);
  assert.ok(samples.some(({ name }) => name === 'nodejs_eventloop_lag_p99_seconds'));
  for (const part of new Set(samples.flatMap(({ labels }) => labels.part ?? []))) {
    const held = sumOf(samples, 'gitstead_memory_bytes', { part });
    assert.ok(held <= sumOf(samples, 'gitstead_memory_limit_bytes', { part }), part);
  }
  const text = await (await fetch(`${server.baseUrl}/metrics`)).text();
  for (const name of ['alice', 'secretmodule', 'hidden', token]) assert.ok(!text.includes(name), name);
});

test('threat 38: a thousand odd requests make no new labels', async () => {
  await using server = await openTestServer({ checkAtEnd: false });
  const odd = (seed: number) => {
    const paths = [
      `/storage/u${seed}/m${seed}/`,
      `/x${seed}`,
      `/oauth/u${seed}/authorize`,
      `/storage/%${seed}`,
    ];
    const method = ['GET', 'PROPFIND', 'OPTIONS', 'PURGE', 'DELETE'][seed % 5]!;
    return fetch(server.baseUrl + paths[seed % 4]!, { method }).then((answer) => answer.arrayBuffer());
  };
  const labelsOf = async () =>
    new Set((await read(server.baseUrl)).map(({ name, labels }) => name + JSON.stringify(labels)));
  for (let seed = 0; seed < 40; seed++) await odd(seed);
  await labelsOf(); // the reading has a route of its own
  const before = await labelsOf();
  for (let seed = 40; seed < 1000; seed += 40) {
    await Promise.all(Array.from({ length: 40 }, (_, each) => odd(seed + each)));
  }
  assert.deepEqual(
    [...(await labelsOf())].filter((label) => !before.has(label) && !label.includes('nodejs_')),
    [],
  );
});

test('threat 38: a stranger, a proxy, and a page of another name find nothing at /metrics', async () => {
  await using server = await openTestServer({
    settings: { publicUrl: 'https://rs.example.com', trustedProxies: '127.0.0.1' },
    checkAtEnd: false,
  });
  const { port } = server;
  const host = `localhost:${port}`;
  assert.equal(await statusOf(port, { host }), 200);
  assert.equal(await statusOf(port, { host: 'rs.example.com' }), 404);
  assert.equal(await statusOf(port, { host: 'rebound.example' }), 404);
  for (const name of [
    'x-forwarded-for',
    'X-Forwarded-Proto',
    'forwarded',
    'via',
    'x-real-ip',
    'CF-Connecting-IP',
    'true-client-ip',
  ]) {
    assert.equal(await statusOf(port, { host, [name]: '127.0.0.1' }), 404, name);
  }
  assert.equal((await fetch(`http://${host}/metrics`, { method: 'POST' })).status, 404);

  const from = (remoteAddress: string) => statusThroughDoor({ kind: 'local' }, remoteAddress);
  assert.deepEqual(
    await Promise.all(['192.0.2.9', '::ffff:192.0.2.9', '::1', '::ffff:127.0.0.1'].map(from)),
    [404, 404, 200, 200],
  );
});

/** What the door alone answers somebody at this address. */
async function statusThroughDoor(readers: MetricsReaders, remoteAddress: string): Promise<number> {
  const write = async () => ({ type: 'text/plain', text: '' });
  const door = metricsDoor(
    { readers, write, requests: openRequestMeasures(), log: openLog('silent') },
    () => {},
  );
  const server = createServer((request, response) => {
    Object.defineProperty(request.socket, 'remoteAddress', { value: remoteAddress });
    door(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await statusOf(port, { host: `127.0.0.1:${port}`, connection: 'close' });
  } finally {
    server.close();
  }
}

test('threat 38: with a token in a file, metrics are for who sends it, by any name; off, for nobody', async () => {
  const file = join(folder, 'token');
  writeFileSync(file, 'a-token-of-more-than-twenty-letters\n', { mode: 0o600 });
  await using server = await openTestServer({
    settings: { metrics: 'token', metricsTokenFile: file },
    checkAtEnd: false,
  });
  const { port } = server;
  const authorization = 'Bearer a-token-of-more-than-twenty-letters';
  assert.equal(await statusOf(port, { host: '10.0.0.5:8000', authorization }), 200);
  assert.equal(await statusOf(port, { authorization: `${authorization}x` }), 404);
  assert.equal(await statusOf(port, {}), 404);
  await using off = await openTestServer({ settings: { metrics: 'off' }, checkAtEnd: false });
  assert.equal(await statusOf(off.port, {}), 404);
  for (const flags of [{ metrics: 'token' }, { metricsTokenFile: file }]) {
    const config = loadConfig(join(folder, 'data'), { ...flags, port: '0' }, {});
    await assert.rejects(startServer(config, openLog('silent')), /both or neither/);
  }
});

test('each role tells what it has', async () => {
  const dataFolder = join(folder, 'roles');
  const settings = { storageUrl: 'https://data.example.com', publicUrl: 'https://rs.example.com' };
  await using storage = await openTestServer({ dataFolder, settings: { ...settings, role: 'storage' } });
  await using accounts = await openTestServer({
    dataFolder,
    settings: { ...settings, role: 'accounts' },
    checkAtEnd: false,
  });
  const names = async ({ port }: { port: number }) =>
    new Set((await read(`http://localhost:${port}`)).map(({ name }) => name));
  const [ofStorage, ofAccounts] = [await names(storage), await names(accounts)];
  assert.ok(ofStorage.has('gitstead_pending_commits'));
  assert.ok(!ofAccounts.has('gitstead_pending_commits'));
  for (const all of [ofStorage, ofAccounts]) assert.ok(all.has('gitstead_cache_hits_total'));
});

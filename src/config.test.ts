import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import {
  dataFolderOf,
  flagOf,
  type GivenSettings,
  loadConfig,
  parseDuration,
  parseSize,
  SETTINGS,
  settingNames,
  variableOf,
} from './config.ts';
import { GitsteadError } from './errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'gitstead-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function withFile(text: string): string {
  writeFileSync(join(folder, 'gitstead.yaml'), text);
  return folder;
}

const nowhere = join(folder, 'nowhere');

function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof GitsteadError, String(error));
    assert.equal(error.message.split('\n').length, 1);
    return error.message;
  }
  throw new assert.AssertionError({ message: 'was not refused' });
}

test('without any source every setting has its default', () => {
  const config = loadConfig(nowhere, {}, {});
  assert.equal(config.port, 8000);
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.publicUrl, undefined);
  assert.equal(config.documentLimit, 2 ** 30);
  assert.equal(config.quota, 'none');
  assert.deepEqual(config.trustedProxies, []);
  assert.equal(config['log.level'], 'info');
  assert.equal(config.dataFolder, nowhere);
});

test('the file wins over defaults, the environment over the file, flags over the environment', () => {
  const data = withFile('port: 1\nhost: 0.0.0.0\nquota: 1GiB\nlog:\n  level: debug\n');
  const config = loadConfig(data, { port: '3' }, { GITSTEAD_PORT: '2', GITSTEAD_HOST: '::1' });
  assert.equal(config.port, 3);
  assert.equal(config.host, '::1');
  assert.equal(config.quota, 2 ** 30);
  assert.equal(config['log.level'], 'debug');
});

test('the file takes dotted names, lists and nothing at all', () => {
  assert.equal(loadConfig(withFile('log.level: warn'), {}, {})['log.level'], 'warn');
  const proxies = loadConfig(withFile('trustedProxies: [127.0.0.1, "10.0.0.0/8"]'), {}, {}).trustedProxies;
  assert.deepEqual(proxies, ['127.0.0.1', '10.0.0.0/8']);
  assert.equal(loadConfig(withFile('# nothing set\n'), {}, {}).port, 8000);
});

test('an unknown setting is refused by its name, wherever it is written', () => {
  assert.match(
    refusal(() => loadConfig(withFile('prot: 1'), {}, {})),
    /gitstead\.yaml.*\bprot\b/,
  );
  assert.match(
    refusal(() => loadConfig(withFile('log: {levle: info}'), {}, {})),
    /log\.levle/,
  );
  assert.match(
    refusal(() => loadConfig(withFile('toString: 1'), {}, {})),
    /toString/,
  );
  assert.match(
    refusal(() => loadConfig(nowhere, {}, { GITSTEAD_PROT: '1' })),
    /GITSTEAD_PROT/,
  );
});

test('a malformed setting is refused by its name, its value and where it is written', () => {
  assert.match(
    refusal(() => loadConfig(withFile('port: 80a'), {}, {})),
    /gitstead\.yaml: port: "80a"/,
  );
  assert.match(
    refusal(() => loadConfig(withFile('port: [1'), {}, {})),
    /gitstead\.yaml is not YAML/,
  );
  assert.match(
    refusal(() => loadConfig(withFile('just words'), {}, {})),
    /name: value/,
  );
  assert.match(
    refusal(() => loadConfig(withFile('port:'), {}, {})),
    /port has no value/,
  );
  assert.match(
    refusal(() => loadConfig(withFile('log: info'), {}, {})),
    /log has settings below it/,
  );
  assert.match(
    refusal(() => loadConfig(nowhere, {}, { GITSTEAD_PORT: '65536' })),
    /GITSTEAD_PORT: port/,
  );
  assert.match(
    refusal(() => loadConfig(nowhere, { 'log.level': 'loud' }, {})),
    /--log-level: log\.level/,
  );
  assert.match(
    refusal(() => loadConfig(nowhere, { documentLimit: '64' }, {})),
    /documentLimit/,
  );
});

test('a public URL is an origin: a path, a query, a name or another scheme is refused', () => {
  const publicUrl = (text: string) => loadConfig(nowhere, { publicUrl: text }, {}).publicUrl;
  assert.equal(publicUrl('https://rs.example.com')?.origin, 'https://rs.example.com');
  assert.equal(publicUrl('https://rs.example.com/')?.origin, 'https://rs.example.com');
  assert.equal(publicUrl('http://rs.example.com:8080')?.host, 'rs.example.com:8080');
  for (const wrong of [
    'https://rs.example.com/storage',
    'https://rs.example.com?a',
    'https://rs.example.com/#',
    'https://me@rs.example.com',
    'ftp://rs.example.com',
    'rs.example.com',
  ]) {
    assert.match(
      refusal(() => publicUrl(wrong)),
      /publicUrl/,
      wrong,
    );
  }
});

test('roles, switches, files and the address of an accounts process are checked', () => {
  const read = (flags: GivenSettings) => loadConfig(nowhere, flags, {});
  assert.equal(read({}).role, 'all');
  assert.equal(read({ role: 'storage' }).role, 'storage');
  assert.match(
    refusal(() => read({ role: 'both' })),
    /--role: role: "both" is not one of all, accounts, storage/,
  );
  for (const text of [
    'https://rs.example',
    'http://localhost:8000',
    'http://127.0.0.1/ask',
    'http://[::1]:80',
  ]) {
    assert.ok(read({ introspect: text }).introspect, text);
  }
  for (const text of [
    'http://rs.example',
    'http://127.0.0.2',
    'http://localhost.example',
    'ftp://localhost',
    'https://a:b@rs.example',
    'https://rs.example/?x',
    '127.0.0.1:8000',
  ]) {
    assert.match(
      refusal(() => read({ introspect: text })),
      /--introspect: introspect: /,
    );
  }
  assert.equal(read({ introspectSecretFile: './secret' }).introspectSecretFile, resolve('secret'));
  const queryTokens = (line: string) => loadConfig(withFile(`auth: { ${line} }`), {}, {})['auth.queryTokens'];
  assert.equal(read({})['auth.queryTokens'], false);
  assert.deepEqual(
    ['on', 'true', 'off', 'false'].map((text) => queryTokens(`queryTokens: ${text}`)),
    [true, true, false, false],
  );
  assert.match(
    refusal(() => queryTokens('queryTokens: maybe')),
    /is not on or off/,
  );
});

test('addresses, networks, domains and account names are checked', () => {
  const refused: [Parameters<typeof loadConfig>[1], RegExp][] = [
    [{ host: 'everywhere' }, /host/],
    [{ trustedProxies: '10.0.0.0/33' }, /trustedProxies/],
    [{ trustedProxies: '10.0.0.0/8/8' }, /trustedProxies/],
    [{ trustedProxies: 'proxy' }, /trustedProxies/],
    [{ addressHost: 'https://example.com' }, /addressHost/],
    [{ addressHost: 'example.com/x' }, /addressHost/],
    [{ singleUser: 'Not A Name' }, /singleUser/],
    [{ sessionIdle: '0d' }, /sessionIdle/],
  ];
  for (const [flags, naming] of refused)
    assert.match(
      refusal(() => loadConfig(nowhere, flags, {})),
      naming,
    );
  const config = loadConfig(nowhere, { trustedProxies: '::1, fd00::/8', addressHost: 'example.com' }, {});
  assert.deepEqual(config.trustedProxies, ['::1', 'fd00::/8']);
  assert.equal(config.addressHost, 'example.com');
});

test('sizes and durations have a unit', () => {
  assert.equal(parseSize('64MiB'), 64 * 2 ** 20);
  assert.equal(parseSize('1.5 GB'), 1.5e9);
  assert.equal(parseSize('0B'), 0);
  assert.equal(parseDuration('30d'), 30 * 86_400_000);
  assert.equal(parseDuration('10s'), 10_000);
  assert.equal(parseDuration('250ms'), 250);
  assert.equal(parseDuration('36500d'), 36_500 * 86_400_000);
  for (const tooLong of ['36501d', '36500.1d', '876001h', '100000000d', `${'9'.repeat(400)}ms`])
    assert.equal(parseDuration(tooLong), undefined, tooLong);
  for (const wrong of ['', '64', 'MiB', '-1MiB', '1e3MiB', '64 mib', '1constructor', '99999999TiB']) {
    assert.equal(parseSize(wrong), undefined, wrong);
    assert.equal(parseDuration(wrong), undefined, wrong);
  }
});

test('each setting has a variable, a flag and a help of one line', () => {
  assert.equal(variableOf('publicUrl'), 'GITSTEAD_PUBLIC_URL');
  assert.equal(variableOf('log.level'), 'GITSTEAD_LOG_LEVEL');
  assert.equal(flagOf('publicUrl'), 'public-url');
  assert.equal(flagOf('log.level'), 'log-level');
  assert.equal(new Set(settingNames().map(variableOf)).size, settingNames().length);
  for (const name of settingNames()) assert.match(SETTINGS[name].help, /^[^\n]{10,140}$/, name);
});

test('the data folder comes from the flag, else from GITSTEAD_DATA, else it is ./data', () => {
  assert.equal(dataFolderOf('/a/b', { GITSTEAD_DATA: '/c' }), '/a/b');
  assert.equal(dataFolderOf(undefined, { GITSTEAD_DATA: '/c' }), '/c');
  assert.equal(dataFolderOf(undefined, {}), resolve('data'));
  assert.equal(loadConfig(nowhere, {}, { GITSTEAD_DATA: '/c' }).dataFolder, nowhere);
});

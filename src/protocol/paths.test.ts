import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  documentPath,
  folderPath,
  isItemName,
  moduleOf,
  parseStoragePath,
  parseUserName,
  pathOfTarget,
  ROOT_MODULE,
} from './paths.ts';

const alice = parseUserName('alice')!;

test('a document path is a user and decoded segments', () => {
  const path = parseStoragePath('/storage/alice/notes/a%20b');
  assert.deepEqual(
    { ...path },
    { kind: 'document', user: 'alice', segments: ['notes', 'a b'], isPublic: false },
  );
});

test('a path that ends with a slash is a folder', () => {
  assert.equal(parseStoragePath('/storage/alice/notes/').kind, 'folder');
  assert.deepEqual(parseStoragePath('/storage/alice/').segments, []);
});

test('only what is below /public/ is public', () => {
  const isPublic = (path: string) => parseStoragePath(`/storage/alice${path}`).isPublic;
  assert.equal(isPublic('/public/a'), true);
  assert.equal(isPublic('/public/'), true);
  assert.equal(isPublic('/%70ublic/a/b'), true);
  assert.equal(isPublic('/public'), false);
  assert.equal(isPublic('/publica/a'), false);
  assert.equal(isPublic('/Public/a'), false);
  assert.equal(isPublic('/notes/public/a'), false);
  assert.equal(isPublic('/'), false);
});

test('threat 7: paths that the draft forbids are refused', () => {
  const bad = [
    '',
    '//',
    '/a//b',
    '//a',
    '/a/.',
    '/./a',
    '/../a',
    '/a/..',
    '/a/%2e',
    '/%2E%2e/a',
    '/a%2Fb',
    '/a%00',
    '/%ff',
  ];
  bad.push(
    '/a%',
    '/a%4',
    '/%zz',
    '/%C0%80',
    '/%ED%A0%80',
    '/a b',
    '/a\\b',
    '/a#b',
    '/\u00e9',
    '/a\tb',
    '/%2e/',
    '/a%5cb/%2f',
  );
  for (const path of bad)
    assert.throws(() => parseStoragePath(`/storage/alice${path}`), { code: 'bad-path' }, path);
  for (const path of [
    '/storage/',
    '/storage//',
    '/storage/Alice/',
    '/storage/-a/',
    '/storage/a%2Fb/',
    '/other/alice/',
    '/storage/..',
  ]) {
    assert.throws(() => parseStoragePath(path), { code: 'bad-path' }, path);
  }
});

test('any other name is legal, and comes out as it went in', () => {
  const names = [
    '__proto__',
    '.git',
    'a.',
    ' ',
    '%',
    '%2F',
    "'()!*~",
    'e\u0301',
    '\u00e9',
    '\u{1f4a9}',
    '\\',
    '\x01',
    '\ufeff',
    '...',
  ];
  const anyName = fc
    .oneof(fc.constantFrom(...names), fc.string({ unit: 'binary', minLength: 1 }))
    .filter(isItemName);
  fc.assert(
    fc.property(fc.array(anyName, { minLength: 1, maxLength: 5 }), (segments) => {
      const path = parseStoragePath(`/storage/alice/${segments.map(encodeURIComponent).join('/')}`);
      assert.deepEqual(path, documentPath(alice, segments));
    }),
  );
});

test('characters that browsers leave raw are taken as they are', () => {
  assert.deepEqual(parseStoragePath('/storage/alice/[a]|^`{}"<>').segments, ['[a]|^`{}"<>']);
  assert.deepEqual(parseStoragePath("/storage/alice/:@!$&'()*+,;=~").segments, [":@!$&'()*+,;=~"]);
});

test('a path of more than 4,096 bytes is too long, however it is written', () => {
  const at = (path: string) => parseStoragePath(`/storage/alice/${path}`);
  assert.equal(at('a'.repeat(4096)).segments.length, 1);
  assert.throws(() => at('a'.repeat(4097)), { code: 'path-too-long' });
  assert.throws(() => at('%C3%A9'.repeat(2049)), { code: 'path-too-long' });
  assert.throws(() => at('a/'.repeat(2049)), { code: 'path-too-long' });
});

test('plain text segments are held to the same rules', () => {
  for (const segments of [[''], ['a', '.'], ['..'], ['a/b'], ['a\0'], ['\ud800']]) {
    assert.throws(() => documentPath(alice, segments), { code: 'bad-path' });
    assert.throws(() => folderPath(alice, segments), { code: 'bad-path' });
  }
  assert.throws(() => documentPath(alice, []), { code: 'bad-path' });
});

test('a path belongs to the module of its first segment, a document in the root to the root module', () => {
  assert.equal(moduleOf(documentPath(alice, ['notes', 'a'])), 'notes');
  assert.equal(moduleOf(documentPath(alice, ['notes'])), ROOT_MODULE);
  assert.equal(moduleOf(folderPath(alice, ['notes'])), 'notes');
  assert.equal(moduleOf(folderPath(alice, [])), undefined);
});

test('a user name has 1 to 63 lower-case letters, digits, dots, underscores and hyphens', () => {
  for (const name of ['a', '0', 'a.b_c-d', 'a'.repeat(63)]) assert.equal(parseUserName(name), name);
  for (const name of ['', '.a', '-a', '_a', 'A', 'a b', 'a+b', 'é', 'a'.repeat(64), 'a\n']) {
    assert.equal(parseUserName(name), undefined, name);
  }
});

test('the path of a request target has no query, and no host in the absolute form', () => {
  assert.equal(pathOfTarget('/storage/alice/a?access_token=x'), '/storage/alice/a');
  assert.equal(pathOfTarget('http://host:80/storage/alice/a?b'), '/storage/alice/a');
  assert.equal(pathOfTarget('HTTPS://host'), '/');
  assert.equal(pathOfTarget('*'), '*');
});

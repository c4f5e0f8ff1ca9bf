import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseStoragePath } from './paths.ts';
import { formatScopes, parseScopes, scopeFor } from './scopes.ts';

const allows = (scopes: string, method: 'GET' | 'HEAD' | 'PUT' | 'DELETE', path: string) =>
  scopeFor(parseScopes(scopes)!, parseStoragePath(`/storage/alice${path}`), method) !== undefined;

test('a list of scopes is parsed and formatted again', () => {
  assert.deepEqual(parseScopes('notes:rw *:r'), [
    { module: 'notes', level: 'rw' },
    { module: '*', level: 'r' },
  ]);
  assert.equal(formatScopes(parseScopes('notes:rw *:r')!), 'notes:rw *:r');
});

test('the same module twice is the sum of both', () => {
  assert.equal(formatScopes(parseScopes('notes:r  notes:rw b:r notes:r')!), 'notes:rw b:r');
});

test('root is an old name of *', () => {
  assert.equal(formatScopes(parseScopes('root:rw')!), '*:rw');
});

test('malformed lists, and public as a module, are refused', () => {
  const bad = [
    '',
    ' ',
    'notes',
    'notes:',
    ':rw',
    'notes:w',
    'notes:rw,b:r',
    'a/b:r',
    'a:b:r',
    '*x:r',
    'public:rw',
    'notes:r\n',
  ];
  bad.push('..:r', 'é:r', '%6eotes:r', 'a\tb:r', Array.from({ length: 65 }, (_, n) => `m${n}:r`).join(' '));
  for (const raw of bad) assert.equal(parseScopes(raw), undefined, raw);
});

test('threat 6: a scope covers its module and the same below /public/, by whole segments', () => {
  for (const path of [
    '/notes/',
    '/notes/a',
    '/notes/a/b/',
    '/public/notes/',
    '/public/notes/a',
    '/%6eotes/a',
  ]) {
    assert.equal(allows('notes:r', 'GET', path), true, path);
    assert.equal(allows('notes:rw', 'HEAD', path), true, path);
  }
  const outside = [
    '/',
    '/notes',
    '/notesx/a',
    '/note/a',
    '/x/notes/a',
    '/public/',
    '/public/notes',
    '/public/x/',
    '/Notes/a',
  ];
  outside.push('/notes%20/a', '/public/public/notes/a', '/public/notesx/a', '/public');
  for (const path of outside) assert.equal(allows('notes:rw', 'GET', path), false, path);
});

test('r reads, rw also writes', () => {
  assert.equal(allows('notes:r', 'PUT', '/notes/a'), false);
  assert.equal(allows('notes:r', 'DELETE', '/notes/a'), false);
  assert.equal(allows('notes:rw', 'PUT', '/notes/a'), true);
  assert.equal(allows('notes:rw', 'DELETE', '/public/notes/a'), true);
  assert.equal(allows('notes:r *:rw', 'PUT', '/notes/a'), true);
});

test('* covers everything, also root and public root', () => {
  for (const path of ['/', '/a', '/public/', '/public', '/public/a', '/x/y']) {
    assert.equal(allows('*:r', 'GET', path), true, path);
    assert.equal(allows('*:r', 'PUT', path), false, path);
    assert.equal(allows('*:rw', 'PUT', path), true, path);
  }
});

test('the narrowest scope is the one that is named', () => {
  const scopes = parseScopes('*:rw notes:rw b:r')!;
  const named = (path: string, method: 'GET' | 'PUT') =>
    scopeFor(scopes, parseStoragePath(`/storage/alice${path}`), method)?.module;
  assert.equal(named('/notes/a', 'PUT'), 'notes');
  assert.equal(named('/b/a', 'GET'), 'b');
  assert.equal(named('/b/a', 'PUT'), '*');
});

test('threat 6: modules with names that regular expressions or objects treat specially stay themselves', () => {
  const module = fc.constantFrom(
    '__proto__',
    'constructor',
    '.x',
    'a.b',
    'a+',
    'a$',
    '(a)',
    '[a]',
    '^',
    '|',
    '?',
  );
  fc.assert(
    fc.property(module, module, (a, b) => {
      assert.equal(allows(`${a}:r`, 'GET', `/${encodeURIComponent(b)}/x`), a === b);
    }),
  );
});

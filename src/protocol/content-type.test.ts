import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isContentType, MAX_TYPE_BYTES, parseContentType } from './content-type.ts';

const longest = `text/plain; a=${'x'.repeat(MAX_TYPE_BYTES - 14)}`;

test('media types are kept as they are', () => {
  const types = [
    'application/json; charset=UTF-8',
    'image/jpeg; charset=binary',
    'a/b',
    'application/vnd.x+json;v="1;2"',
    longest,
  ];
  types.push(
    'text/plain;',
    'TEXT/Plain ;Charset=x',
    'text/x-\u0021; n=\u00e9\u00ff',
    'multipart/form-data; boundary=----x',
  );
  for (const type of types) {
    assert.equal(parseContentType(type), type);
    assert.equal(isContentType(type), true);
  }
});

test('none, or an empty one, stands for bytes of no known type', () => {
  assert.equal(parseContentType(undefined), 'application/octet-stream');
  assert.equal(parseContentType(''), 'application/octet-stream');
});

test('what is no media type, holds control characters or is longer than 1,024 bytes is refused', () => {
  const bad = [
    'text',
    'text/',
    '/plain',
    'undefined',
    'a b/c',
    'a/b c',
    'text/plain\tx',
    'a/b;\x7f',
    'a/b; \u0100',
    '; x',
    `${longest}x`,
  ];
  bad.push('a/b;\n', 'a/b,c/d', '*', 'text/plain; a\0');
  for (const type of bad) {
    assert.throws(() => parseContentType(type), { code: 'bad-request' }, type);
    assert.equal(isContentType(type), false);
  }
});

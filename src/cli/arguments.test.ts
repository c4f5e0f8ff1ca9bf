// What command lines may say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { originArgument } from './arguments.ts';

test('an app is named by its origin, whose host has no odd characters', () => {
  for (const [text, origin] of [
    ['https://Notes.example/', 'https://notes.example'],
    ['https://аррӏе.com', 'https://xn--80ak6aa92e.com'],
    ['http://[::1]:8000', 'http://[::1]:8000'],
  ] as const) {
    assert.equal(originArgument(text), origin);
  }
  for (const text of [
    'https://a;sandbox',
    'https://*',
    'https://a,default-src',
    'https://a/b',
    'ftp://a',
    'a',
  ]) {
    assert.throws(() => originArgument(text), InvalidArgumentError, text);
  }
});

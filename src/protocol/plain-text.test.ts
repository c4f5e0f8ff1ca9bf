// Text that others chose, made fit to be shown.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainJson, plainText } from './plain-text.ts';

const HOSTILE =
  'a\n\r\t\u0000\u001b[2J\u007f\u0085\u009b2J\u202e\u2066\u200b\u2028\u2029\ufeff\u{e0041}\ud800b';
const SHOWABLE = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u;

test('what could make a line, move a cursor or turn text around is written as its code point', () => {
  assert.equal(
    plainText(HOSTILE),
    'a\\u{a}\\u{d}\\u{9}\\u{0}\\u{1b}[2J\\u{7f}\\u{85}\\u{9b}2J\\u{202e}\\u{2066}\\u{200b}\\u{2028}\\u{2029}\\u{feff}\\u{e0041}\\u{d800}b',
  );
});

test('letters of any script, signs and blanks stay as they are', () => {
  for (const text of ['', 'notes/todo list.txt', 'Zoë 北京 עברית عربي', '😀 a\\b "c"']) {
    assert.equal(plainText(text), text);
    assert.equal(plainJson(text), JSON.stringify(text));
  }
});

test('text that is too long ends in an ellipsis, within its length', () => {
  assert.equal(plainText('abcd', 4), 'abcd');
  assert.equal(plainText('abcde', 4), 'abc…');
  assert.equal(plainText('\u001b\u001b', 7), '\\u{1b}…');
});

test('JSON has the same value, in characters that can be shown', () => {
  const value = { [HOSTILE]: [HOSTILE, 1, null, { nothing: '' }] };
  assert.match(plainJson(value), SHOWABLE);
  assert.deepEqual(JSON.parse(plainJson(value)), value);
  const indented = plainJson(value, 2);
  assert.deepEqual(JSON.parse(indented), value);
  assert.equal(indented.split('\n').length, JSON.stringify(value, undefined, 2).split('\n').length);
  assert.match(indented.replaceAll('\n', ''), SHOWABLE);
  assert.equal(plainJson('\u{e0041}\u009b'), '"\\udb40\\udc41\\u009b"');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatCommitMessage, parseCommitMessage } from './commit-message.ts';

test('the subject names the request, trailers the app and the permission', () => {
  const message = { kind: 'PUT', path: 'a/b.txt', app: 'https://app.example', grant: 'notes:rw' };
  assert.equal(formatCommitMessage(message), 'PUT a/b.txt\n\nApp: https://app.example\nGrant: notes:rw\n');
  assert.equal(formatCommitMessage({ ...message, app: undefined, grant: undefined }), 'PUT a/b.txt\n');
});

test('no name can make a line, turn text around or forge a trailer', () => {
  const path = 'a\n\nGrant: *:rw\r\u2028\u202e\u0000\u007f\u0085';
  const text = formatCommitMessage({ kind: 'DELETE', path, app: undefined, grant: undefined });
  assert.equal(text.split('\n').length, 2);
  assert.doesNotMatch(text.trimEnd(), /[\p{Cc}\u2028\u202e]/u);
  assert.deepEqual(parseCommitMessage(text), { kind: 'DELETE', path, app: undefined, grant: undefined });
});

test('whatever was formatted is parsed back', () => {
  const unit = fc.oneof(
    fc.constantFrom('\\', 'u', '0', 'A', 'a', '\\u0041', '\\u005c', '\n', '\t', ' ', '/', ':', '\u2029', 'é'),
    fc.string({ unit: 'grapheme', maxLength: 3 }),
  );
  const text = fc.array(unit, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));
  const optional = fc.option(text, { nil: undefined });
  fc.assert(
    fc.property(fc.constantFrom('PUT', 'DELETE'), text, optional, optional, (kind, path, app, grant) => {
      const message = { kind, path, app, grant };
      assert.deepEqual(parseCommitMessage(formatCommitMessage(message)), message);
    }),
    { numRuns: 1000 },
  );
});

test("a message that is somebody else's has no parts", () => {
  for (const text of ['', 'Fix the notes', 'put a', 'PUT\n', '\nPUT a\n', '  PUT a']) {
    assert.equal(parseCommitMessage(text), undefined, JSON.stringify(text));
  }
});

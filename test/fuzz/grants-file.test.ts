// The reader of the file of grants against whatever may stand there: it never fails, every line is a grant, a fault or
// neither, and what it read is read the same when it is written again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatGrantLine, linesOf, missingScopes, parseGrantsFile } from '../../src/protocol/grants-file.ts';
import { parseScopes } from '../../src/protocol/scopes.ts';

const hash = fc.oneof(
  fc.constantFrom('a'.repeat(64), 'A'.repeat(64), 'b'.repeat(64), 'c'.repeat(32), '#', ''),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefAF'), minLength: 63, maxLength: 65 }),
);
const module = fc.oneof(
  fc.constantFrom('notes', 'root', '*', 'public', '..', '#', ''),
  fc.string({ unit: 'binary-ascii', maxLength: 8 }),
);
const level = fc.constantFrom('r', 'rw', 'w', 'RW', '#', '');
const space = fc.constantFrom(' ', '\t', '  ', '');
const line = fc.oneof(
  fc.tuple(space, hash, space, module, space, level, space).map((parts) => parts.join('')),
  fc.tuple(hash, module, level).map((parts) => parts.join(' ')),
  fc.string({ unit: 'binary', maxLength: 80 }),
);
const text = fc
  .tuple(fc.array(line, { maxLength: 12 }), fc.constantFrom('\n', '\r\n', '\r'))
  .map(([lines, end]) => lines.join(end));

test('any text is read without a failure, and what was read is read the same again', () => {
  fc.assert(
    fc.property(text, (file) => {
      const { listed, faults } = parseGrantsFile(file);
      const numbers = faults.map((fault) => fault.line);
      assert.deepEqual(
        numbers,
        [...new Set(numbers)].sort((a, b) => a - b),
        'each faulty line is told once, in order',
      );
      assert.ok(numbers.every((number) => number >= 1 && number <= file.split(/\r\n|\r|\n/).length));
      const lines = linesOf(listed);
      for (const { hash: of, scope } of lines) {
        assert.match(of, /^[0-9a-f]{64}$/);
        assert.deepEqual(parseScopes(`${scope.module}:${scope.level}`), [scope]);
        assert.deepEqual(missingScopes(listed, of, [scope]), []);
      }
      const again = parseGrantsFile(
        lines.map(({ hash: of, scope }) => `${formatGrantLine(of, scope)}\n`).join(''),
      );
      assert.deepEqual(again, { listed, faults: [] });
    }),
    { numRuns: 2000 },
  );
});

// docs/protocol.md names files and tests; here they are looked up.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { CLAUSES } from './clauses.ts';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/protocol.md'), 'utf8');

test('every file that docs/protocol.md names is there', () => {
  const named = [...page.matchAll(/\b(?:src|test|docs)\/[\w./-]*\w/g)].map(([path]) => path);
  assert.ok(named.length > 50);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(root, path))),
    [],
  );
});

test('every test that docs/protocol.md quotes is a row of the table or a test of the handler', () => {
  const tests = readdirSync(join(root, 'src/http'))
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(root, 'src/http', file), 'utf8'))
    .join('\n');
  const rows = new Set(CLAUSES.map(({ requirement }) => requirement));
  const quoted = [...page.matchAll(/“([^”]+)”/g)].map((match) => match[1]!);
  assert.ok(quoted.length > 20);
  assert.deepEqual(
    quoted.filter((title) => !rows.has(title) && !tests.includes(`(${quote(title)},`)),
    [],
  );
});

/** As the formatter writes it. */
function quote(title: string): string {
  return title.includes("'") ? `"${title}"` : `'${title}'`;
}

test('no two rows of the table have the same title', () => {
  const titles = CLAUSES.map(({ section, requirement }) => `${section}: ${requirement}`);
  assert.equal(new Set(titles).size, titles.length);
});

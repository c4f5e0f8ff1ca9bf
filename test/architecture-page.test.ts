// Holds the pages about the code to the code: the table of rooms in ARCHITECTURE.md is the one that is enforced, and
// every file, and every name told beside a file, exists.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

const DECISIONS = 'docs/decisions';
const pages = [
  'ARCHITECTURE.md',
  'docs/storage-format.md',
  'docs/shortcomings.md',
  'docs/glossary.md',
  ...readdirSync(join(root, DECISIONS)).map((name) => `${DECISIONS}/${name}`),
].filter((path) => existsSync(join(root, path)));

/** `src/a/b.ts` or `test/c.ts`, and the names in backticks that follow it: `src/a/b.ts` `first`, `second`. */
const FILE = /`((?:src|test|bench)\/[\w./-]*\w\.(?:ts|js))`((?:,? `\w+`)*)/g;
/** `name` in, or of, `src/a/b.ts` */
const NAME_IN_FILE = /`(\w+)`(?: in| of)\s+`((?:src|test)\/[\w./-]*\w\.ts)`/g;

function mentions(): { page: string; file: string; name: string | undefined }[] {
  return pages.flatMap((page) => {
    const text = read(page);
    const after = [...text.matchAll(FILE)].flatMap(([, file, names]) => [
      { page, file: file!, name: undefined },
      ...[...names!.matchAll(/`(\w+)`/g)].map(([, name]) => ({ page, file: file!, name: name! })),
    ]);
    const before = [...text.matchAll(NAME_IN_FILE)].map(([, name, file]) => ({
      page,
      file: file!,
      name: name!,
    }));
    return [...after, ...before];
  });
}

test('every file that the pages about the code name exists', () => {
  const all = mentions();
  assert.ok(all.length > 50, `only ${all.length} files named`);
  const missing = all.filter(({ file }) => !existsSync(join(root, file)));
  assert.deepEqual(missing, []);
});

test('every name that they tell beside a file stands in it', () => {
  const named = mentions().filter(({ file, name }) => name !== undefined && existsSync(join(root, file)));
  assert.ok(named.length > 40, `only ${named.length} names told`);
  const missing = named.filter(({ file, name }) => !new RegExp(`\\b${name}\\b`).test(read(file)));
  assert.deepEqual(missing, []);
});

test('the table of rooms in ARCHITECTURE.md is the one that is enforced', () => {
  const enforced = /const ROOMS[^{]*\{([^}]*)\}/.exec(read('test/architecture.test.ts'))![1]!;
  const wanted = Object.fromEntries(
    [...enforced.matchAll(/(\w+): \[([^\]]*)\]/g)].map(([, room, list]) => [
      room,
      [...list!.matchAll(/'(\w+)'/g)].map(([, name]) => name),
    ]),
  );
  const told = Object.fromEntries(
    [...read('ARCHITECTURE.md').matchAll(/^\| `(\w+)` \|[^|]*\| ([^|]*) \|$/gm)].map(([, room, list]) => [
      room,
      list === '–' ? [] : list!.split(', '),
    ]),
  );
  assert.ok(Object.keys(wanted).length > 5);
  assert.deepEqual(told, wanted);
});

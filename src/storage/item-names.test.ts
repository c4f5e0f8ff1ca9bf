import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { isItemName, ROOT_MODULE } from '../protocol/paths.ts';
import { escapeName, escapeRepositoryName, unescapeName, unescapeRepositoryName } from './item-names.ts';

/** Names that git, HFS+, NTFS or Windows give a meaning of their own, and their neighbours. */
const SPECIAL = [
  ...['.git', '.gitmodules', '.gitattributes', '.gitignore', '.mailmap', '.content-types'],
  ...[
    'git~1',
    'gitmod~1',
    'gitmod~4',
    'gi7eba~1',
    'gi7eb~10',
    'gi7d29~9',
    'g~100000',
    '~1000000',
    'gitatt~2',
  ],
  ...['gi250a~1', 'gitign~3', 'maba30~1', 'mailma~1', 'conten~1', 'co12ab~1'],
  ...['con', 'prn', 'aux', 'nul', 'conin$', 'conout$', 'com0', 'com9', 'lpt1', 'com\u00b9', 'lpt\u00b3'],
];
const WRAPPINGS: ((name: string) => string)[] = [
  (name) => name,
  (name) => name.toUpperCase(),
  (name) => `${name}.`,
  (name) => `${name} . .`,
  (name) => `${name}::$INDEX_ALLOCATION`,
  (name) => `${name}\\x`,
  (name) => `${name.slice(0, 2)}\u200c${name.slice(2)}`,
  (name) => `\ufeff${name}\u206f`,
  (name) => `${name}\u200d .`,
  (name) => name.replace('s', '\u017f'),
  (name) => `${name}.txt`,
  (name) => `${name} .txt`,
  (name) => `${name}x`,
];
const OTHERS = [
  ...[
    '__proto__',
    'constructor',
    'a b',
    ' ',
    '  ',
    '...',
    '.a',
    'a.',
    'a..',
    'a ',
    '~',
    '-rf',
    '--',
    '@',
    '%',
    '%%',
  ],
  ...[
    '%41',
    '%4',
    '%zz',
    '%2Egit',
    '%2e',
    '100%',
    '"',
    '*',
    '*.json',
    ':',
    '<>',
    '?',
    '\\',
    '|',
    'a\tb',
    'a\nb',
  ],
  ...[
    '\x7f',
    '\x80',
    '\u0085',
    '\u00e9',
    'e\u0301',
    '\u{1f4a9}',
    '\ufffd',
    '\ufeff',
    'a'.repeat(200),
    'a'.repeat(255),
  ],
  ...[
    "'()!*~",
    'info',
    'refs',
    'git-upload-pack',
    'A',
    'a',
    'COMMENTS.json',
    'console',
    'nulls',
    'com10',
    'com',
  ],
];
const HOSTILE = [...new Set([...SPECIAL.flatMap((name) => WRAPPINGS.map((wrap) => wrap(name))), ...OTHERS])];

const anyName = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
    fc.string({
      unit: fc.constantFrom('%', '2', 'E', 'e', '.', ' ', ':', '~', '1', 'g', 'i', 't', '\u200c'),
      maxLength: 9,
    }),
    fc.constantFrom(...HOSTILE),
  )
  .filter(isItemName);

test('a name comes back from its entry as it was', () => {
  for (const name of HOSTILE) assert.equal(unescapeName(escapeName(name)), name);
  fc.assert(fc.property(anyName, (name) => unescapeName(escapeName(name)) === name));
});

test('two names never share an entry', () => {
  fc.assert(fc.property(anyName, anyName, (a, b) => a === b || escapeName(a) !== escapeName(b)));
  assert.equal(new Set(HOSTILE.map(escapeName)).size, HOSTILE.length);
});

test('an entry is the entry of a name in one form only', () => {
  fc.assert(
    fc.property(anyName, (entry) => {
      const name = unescapeName(entry);
      assert.ok(name === undefined || escapeName(name) === entry);
    }),
  );
  for (const entry of [
    '%2egit',
    '%61',
    'a%2E',
    'con',
    '.git',
    'GIT~1',
    '%2E',
    '%2E%2E',
    '%00',
    '%FF',
    'a%2Fb',
    '%2F',
  ]) {
    const isCanonical = entry === 'a%2E';
    assert.equal(unescapeName(entry), isCanonical ? 'a.' : undefined, entry);
  }
});

test('threat 8: no entry is what git, HFS+, NTFS or Windows treat specially', () => {
  fc.assert(
    fc.property(anyName, (name) => {
      const entry = escapeName(name);
      assert.doesNotMatch(entry, /[\x00-\x1f\x7f"*:<>?\\|/]|[. ]$/);
      const folded = entry.replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '').toLowerCase();
      assert.doesNotMatch(folded, /^\.(git|gitmodules|gitattributes|gitignore|mailmap|content-types)$/);
      assert.doesNotMatch(folded, /^(git|gitmod|gitatt|gitign|mailma|conten)~\d$/);
      assert.doesNotMatch(folded, /^(gi7eba|gi7d29|gi250a|maba30)~\d$/);
      assert.doesNotMatch(folded, /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?$/);
    }),
  );
});

test('the special names and their disguises are escaped at their first character', () => {
  for (const name of [
    '.git',
    '.GIT',
    'git~1',
    'GIT~1.',
    '.g\u200cit',
    '.gitmodules ',
    'aux.txt',
    'Con',
    'com¹ .x',
  ]) {
    assert.match(escapeName(name), /^%[0-9A-F]{2}/, name);
  }
  assert.equal(escapeName('\u200c.git'), '%E2%80%8C.git');
  assert.equal(escapeName('.git.'), '%2Egit%2E');
});

test('plain names stand for themselves', () => {
  for (const name of [
    'a',
    'notes.json',
    'a b (1).txt',
    '.bashrc',
    'console',
    'com10',
    'é',
    '50%',
    '%zz',
    "'()!~",
  ]) {
    assert.equal(escapeName(name), name);
  }
});

test('what is no item name, and what is longer than 255 bytes with its escapes, is refused', () => {
  for (const name of [
    '',
    '.',
    '..',
    'a/b',
    'a\0',
    '\ud800',
    'a'.repeat(256),
    '😀'.repeat(64),
    ':'.repeat(86),
  ]) {
    assert.throws(() => escapeName(name), { code: 'bad-path' }, name);
  }
  assert.equal(escapeName(':'.repeat(85)).length, 255);
  assert.equal(unescapeName('a'.repeat(256)), undefined);
});

test('threat 8: stock git takes a tree of all hostile names, lists them as they are, and fsck --strict finds nothing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-names-'));
  const git = (args: string[], input = '') =>
    execFileSync(
      'git',
      ['-C', folder, '-c', 'core.protectHFS=true', '-c', 'core.protectNTFS=true', ...args],
      {
        input,
        encoding: 'utf8',
        env: {
          ...process.env,
          GIT_INDEX_FILE: join(folder, 'index'),
          GIT_AUTHOR_NAME: 'a',
          GIT_AUTHOR_EMAIL: 'a@b',
        },
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
  try {
    git(['init', '-q', '--bare', '.']);
    const blob = git(['hash-object', '-w', '--stdin'], 'x').trim();
    const random = fc.sample(anyName, { numRuns: 300, seed: 7 });
    const entries = [...new Set([...HOSTILE, ...random].map(escapeName))];
    const documents = git(
      ['mktree', '-z'],
      entries.map((entry) => `100644 blob ${blob}\t${entry}\0`).join(''),
    ).trim();
    const folders = entries.map((entry) => `040000 tree ${documents}\t${entry}\0`).join('');
    const root = git(['mktree', '-z'], folders).trim();
    const commit = git(['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit-tree', root, '-m', 'x']).trim();
    git(['update-ref', 'refs/heads/main', commit]);
    git(['fsck', '--strict', '--no-dangling']);
    // a checkout's own gate, with the rules for HFS+ and NTFS
    git(['read-tree', documents]);
    const refused = git(['mktree', '-z'], `100644 blob ${blob}\tGIT~1\0`).trim();
    assert.throws(() => git(['read-tree', refused]), /invalid path/);
    const listed = git(['ls-tree', '-z', '--name-only', documents]).split('\0').slice(0, -1);
    assert.deepEqual(listed.sort(), entries.sort());
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a repository folder has only lower-case letters, digits, dot, underscore and hyphen, and comes back', () => {
  fc.assert(
    fc.property(anyName, (module) => {
      let folder: string;
      try {
        folder = escapeRepositoryName(module);
      } catch {
        assert.ok(Buffer.byteLength(module) * 3 > 251);
        return;
      }
      assert.match(folder, /^(?:[a-z0-9_-]|%[0-9A-F]{2})(?:[a-z0-9._-]|%[0-9A-F]{2})*$/);
      assert.equal(unescapeRepositoryName(folder), module);
    }),
  );
  assert.equal(escapeRepositoryName('Notes'), '%4Eotes');
  assert.equal(escapeRepositoryName('.x'), '%2Ex');
});

test("the repository of a root's documents shares its folder with no module", () => {
  assert.equal(escapeRepositoryName(ROOT_MODULE), '@root');
  assert.equal(unescapeRepositoryName('@root'), ROOT_MODULE);
  assert.equal(escapeRepositoryName('@root'), '%40root');
  for (const folder of ['%4eotes', 'Notes', '.staging-1', '%61', '%2F', '', 'a'.repeat(252)]) {
    assert.equal(unescapeRepositoryName(folder), undefined, folder);
  }
  assert.throws(() => escapeRepositoryName('é'.repeat(42)), { code: 'bad-path' });
});

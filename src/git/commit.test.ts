import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { type Commit, encodeCommit, parseCommit } from './commit.ts';
import { EMPTY_TREE, hashObject, type Oid } from './object-id.ts';

let gitDir: string;
before(() => {
  gitDir = mkdtempSync(join(tmpdir(), 'gitstead-commit-'));
  git(['init', '-q', '--bare', '-b', 'main', gitDir]);
  git(['hash-object', '-t', 'tree', '-w', '--stdin']);
});
after(() => rmSync(gitDir, { recursive: true }));

function git(args: string[], input: string | Buffer = '', env: Record<string, string> = {}): Buffer {
  return execFileSync('git', ['-C', gitDir, ...args], { input, env: { ...process.env, ...env } });
}

const ALICE = { name: 'Alice', email: 'alice@example.org', time: 1_700_000_000, zone: '+0130' };
const SERVER = { name: 'Gitstead', email: 'gitstead@example.org', time: 1_700_000_001, zone: '+0000' };

function commitOf(changes: Partial<Commit>): Commit {
  return {
    tree: EMPTY_TREE,
    parents: [],
    author: ALICE,
    committer: SERVER,
    message: 'PUT a/b.txt\n',
    ...changes,
  };
}

/** Stores the commit through git, which checks its form. */
function store(commit: Commit): Oid {
  const body = encodeCommit(commit);
  const oid = git(['hash-object', '-t', 'commit', '-w', '--stdin'], body).toString().trim();
  assert.equal(oid, hashObject('commit', body));
  return oid as Oid;
}

test('a commit is the one that git makes of the same facts', () => {
  const env = {
    GIT_AUTHOR_NAME: ALICE.name,
    GIT_AUTHOR_EMAIL: ALICE.email,
    GIT_AUTHOR_DATE: `${ALICE.time} ${ALICE.zone}`,
    GIT_COMMITTER_NAME: SERVER.name,
    GIT_COMMITTER_EMAIL: SERVER.email,
    GIT_COMMITTER_DATE: `${SERVER.time} ${SERVER.zone}`,
  };
  const message = 'PUT ä/日本\n\nApp: https://notes.example\nGrant: notes:rw\n';
  const first = store(commitOf({ message }));
  assert.equal(git(['commit-tree', EMPTY_TREE, '-F', '-'], message, env).toString().trim(), first);
  const second = store(commitOf({ message, parents: [first] }));
  assert.equal(
    git(['commit-tree', EMPTY_TREE, '-p', first, '-F', '-'], message, env).toString().trim(),
    second,
  );
  const merge = store(commitOf({ message, parents: [first, second] }));
  const merged = git(['commit-tree', EMPTY_TREE, '-p', first, '-p', second, '-F', '-'], message, env);
  assert.equal(merged.toString().trim(), merge);
});

test('characters that would break a header or the object are left out', () => {
  const author = { ...ALICE, name: ' A<l>i\nce\0 ', email: '<a@b>\n' };
  const oid = store(commitOf({ author, message: 'one\0two\n' }));
  git(['update-ref', 'refs/heads/main', oid]);
  git(['fsck', '--strict']);
  const read = parseCommit(git(['cat-file', 'commit', oid]));
  assert.equal(read.author.name, 'Alice');
  assert.equal(read.author.email, 'a@b');
  assert.equal(read.message, 'onetwo\n');
});

test('what was encoded is parsed', () => {
  const commit = commitOf({ parents: [EMPTY_TREE, EMPTY_TREE], message: '' });
  assert.deepEqual(parseCommit(encodeCommit(commit)), commit);
});

test('commits of any text are parsed as they were encoded', () => {
  const word = fc
    .string({ unit: 'binary', maxLength: 20 })
    .map((text) => text.replace(/[<>\n\0]/g, '').trim());
  const person = fc
    .tuple(word, word, fc.nat(), fc.constantFrom('+0000', '-1130', '+1400'))
    .map(([name, email, time, zone]) => ({ name, email, time, zone }));
  const message = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', ''));
  fc.assert(
    fc.property(person, person, message, fc.nat(3), (author, committer, text, parents) => {
      const commit = commitOf({
        author,
        committer,
        message: text,
        parents: new Array(parents).fill(EMPTY_TREE),
      });
      assert.deepEqual(parseCommit(encodeCommit(commit)), commit);
    }),
    { numRuns: 500 },
  );
});

test('signed, re-encoded and merged commits of others are read', () => {
  const body = Buffer.concat([
    Buffer.from(`tree ${EMPTY_TREE}\nparent ${EMPTY_TREE}\nauthor `),
    Buffer.from('J\xf6rg <j@example.org> 1500000000 +0200\n', 'latin1'),
    Buffer.from('committer C <c@example.org> 1500000001 -0700\nencoding ISO-8859-1\n'),
    Buffer.from('gpgsig -----BEGIN PGP SIGNATURE-----\n \n author X <x@y> 1 +0000\n -----END\n\n'),
    Buffer.from('Gr\xfc\xdfe\n\nmore\n', 'latin1'),
  ]);
  const commit = parseCommit(body);
  assert.deepEqual(commit.author, {
    name: 'Jörg',
    email: 'j@example.org',
    time: 1_500_000_000,
    zone: '+0200',
  });
  assert.equal(commit.committer.zone, '-0700');
  assert.equal(commit.message, 'Grüße\n\nmore\n');
});

test('persons of old tools are read as far as they go', () => {
  const forms: [string, string, string, number, string][] = [
    ['A <a@b> 12', 'A', 'a@b', 12, '+0000'],
    ['A <a@b>', 'A', 'a@b', 0, '+0000'],
    ['A <a@b> +0100', 'A', 'a@b', 0, '+0100'],
    ['<a@b> 12 +0100', '', 'a@b', 12, '+0100'],
    [' <> 12 +0100', '', '', 12, '+0100'],
    ['A  B <a@b>12 -0330', 'A  B', 'a@b', 12, '-0330'],
    ['A <a@b> -5 +0000', 'A', 'a@b', -5, '+0000'],
    ['A <a <b>> 12 +0000', 'A', 'a <b', 12, '+0000'],
    ['A <a@b> Thu Jan 1', 'A', 'a@b', 0, '+0000'],
    ['no address at all', 'no address at all', '', 0, '+0000'],
    ['', '', '', 0, '+0000'],
    ['A <a@b> 99999999999999999999 +0000', 'A', 'a@b', 0, '+0000'],
  ];
  for (const [text, name, email, time, zone] of forms) {
    const { author } = parseCommit(Buffer.from(`tree ${EMPTY_TREE}\nauthor ${text}\n\n`));
    assert.deepEqual(author, { name, email, time, zone }, text);
  }
});

test('text in an encoding that nobody knows is read all the same', () => {
  const head = `tree ${EMPTY_TREE}\nauthor A <a@b> 1 +0000\nencoding klingon\n\n`;
  assert.equal(parseCommit(Buffer.from(`${head}Grüße`)).message, 'Grüße');
  assert.equal(parseCommit(Buffer.concat([Buffer.from(head), Buffer.of(0xfc)])).message, 'ü');
});

test('a commit without author, message or blank line is read, one without tree is corrupt', () => {
  const commit = parseCommit(Buffer.from(`tree ${EMPTY_TREE}\n`));
  assert.deepEqual([commit.parents, commit.author.name, commit.message], [[], '', '']);
  const wrong = [
    '',
    'tree',
    'tree x\n',
    `Tree ${EMPTY_TREE}\n`,
    `tree ${EMPTY_TREE}\nparent 12\n`,
    `\ntree ${EMPTY_TREE}`,
  ];
  for (const body of wrong) assert.throws(() => parseCommit(Buffer.from(body)), { code: 'corrupt' }, body);
});

test('random and mutated commits are read, or corrupt', () => {
  const whole = encodeCommit(commitOf({ parents: [EMPTY_TREE] }));
  const mutated = fc
    .array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 5 })
    .map((changes) => {
      const body = Buffer.from(whole);
      for (const [at, byte] of changes) body[at] = byte;
      return body;
    });
  const random = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const behindTree = random.map((bytes) => Buffer.concat([whole.subarray(0, 46), bytes]));
  fc.assert(
    fc.property(fc.oneof(random, behindTree, mutated), (body) => {
      try {
        const commit = parseCommit(body);
        assert.ok(Number.isSafeInteger(commit.author.time));
        assert.match(commit.committer.zone, /^[+-]\d{4}$/);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('a person line made to be slow is read at once', () => {
  const text = `${'<'.repeat(50_000)}${' '.repeat(50_000)}${'> '.repeat(50_000)}`;
  const { author } = parseCommit(Buffer.from(`tree ${EMPTY_TREE}\nauthor ${text}\n\n`));
  assert.equal(author.time, 0);
});

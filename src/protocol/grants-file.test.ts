// The file of grants: what its lines mean, add up to, and are faulted for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatGrantLine,
  grantHash,
  linesOf,
  listedIn,
  missingScopes,
  parseGrantsFile,
} from './grants-file.ts';
import type { UserName } from './paths.ts';
import { formatScopes, parseScopes } from './scopes.ts';

const ALICE = 'alice' as UserName;
const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

/** The scopes among those asked that no line covers. */
function missing(file: string, asked: string, hash = A): string {
  return formatScopes(missingScopes(parseGrantsFile(file).listed, hash, parseScopes(asked)!));
}

function faultsOf(file: string): string[] {
  return parseGrantsFile(file).faults.map(({ line, message }) => `${line}: ${message}`);
}

test('the hash is the SHA-256 of user, origin and address, each on a line', () => {
  const hash = grantHash({
    user: ALICE,
    app: 'https://notes.example',
    redirect: 'https://notes.example/app/',
  });
  // printf 'alice\nhttps://notes.example\nhttps://notes.example/app/' | sha256sum
  assert.equal(hash, 'c1e967b038d3efb1ca6353a1d33c830f0e13fb723afda8f5a00bfee342621cb2');
});

test('a line covers what it names, and nothing beside it', () => {
  assert.equal(missing(`${A} notes rw`, 'notes:rw'), '');
  assert.equal(missing(`${A} notes rw`, 'notes:r'), '');
  assert.equal(missing(`${A} notes r`, 'notes:rw'), 'notes:rw');
  assert.equal(missing(`${A} notes rw`, 'notes2:r note:r contacts:r'), 'notes2:r note:r contacts:r');
  assert.equal(missing(`${A} notes rw`, '*:r'), '*:r');
  assert.equal(missing(`${A} notes rw`, 'notes:r', B), 'notes:r');
  assert.equal(missing('', 'notes:r'), 'notes:r');
});

test('lines of one hash add up, and all scopes have to be covered', () => {
  const two = `${A} notes rw\n${A} contacts r\n`;
  assert.equal(missing(two, 'notes:rw contacts:r'), '');
  assert.equal(missing(two, 'notes:rw contacts:rw'), 'contacts:rw');
  assert.equal(missing(`${A} notes r\n${A} notes rw`, 'notes:rw'), '');
  assert.equal(missing(`${A} notes rw\n${A} notes r`, 'notes:rw'), '');
  assert.equal(missing(`${A} notes rw\n${B} contacts r`, 'notes:rw contacts:r'), 'contacts:r');
});

test('root stands for everything', () => {
  assert.equal(missing(`${A} root rw`, '*:rw'), '');
  assert.equal(missing(`${A} root rw`, 'notes:rw contacts:r root:rw'), '');
  assert.equal(missing(`${A} root r`, '*:rw notes:rw contacts:r'), '*:rw notes:rw');
  assert.equal(missing(`${A} root r\n${A} notes rw`, 'notes:rw contacts:r'), '');
});

test('comments, empty lines, tabs, a byte order mark, and line ends of any system are no faults', () => {
  const file = `\ufeff# apps\r\n\r\n   \t\n  # more\r${A.toUpperCase()}\tnotes  rw   # the editor\n ${A} #odd r`;
  assert.deepEqual(faultsOf(file), []);
  assert.equal(missing(file, 'notes:rw #odd:r'), '');
});

test('a malformed line is told with its number and grants nothing', () => {
  const file = [
    '# apps',
    `${A.slice(1)} notes rw`,
    `${A}`,
    `${A} notes`,
    `${A} notes w`,
    `${A} notes RW`,
    `${A} notes:rw`,
    `${A} notes rw and more`,
    `${A} public r`,
    `${A} a/b r`,
    `${A} * rw`,
    `g${A.slice(1)} notes rw`,
    `${A}\u00a0notes rw`,
  ].join('\n');
  const { listed, faults } = parseGrantsFile(file);
  assert.deepEqual([...listed], []);
  assert.deepEqual(
    faults.map(({ line }) => line),
    [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
  );
  const [hash, module, permissions, level] = faultsOf(file);
  assert.match(hash!, /^2: does not begin with a hash of 64 hex digits$/);
  assert.match(module!, /^3: names no module$/);
  assert.match(permissions!, /^4: has no permissions: r or rw$/);
  assert.match(level!, /^5: has permissions that are neither r nor rw$/);
  assert.ok(faultsOf(file).some((fault) => fault === '11: says *: everything is called root here'));
});

test('an MD5 hash of the old system is refused, and the message says so', () => {
  const [fault, ...others] = faultsOf(`${'0'.repeat(32)} notes rw\n${A} notes rw`);
  assert.match(fault!, /^1: begins with an MD5 hash of the old system, which is not accepted/);
  assert.deepEqual(others, []);
});

test('a faulty line does not spoil the others', () => {
  assert.equal(missing(`nonsense\n${A} notes rw\nmore nonsense`, 'notes:rw'), '');
});

test('what is written as a line is read as the same scope', () => {
  for (const scope of parseScopes('notes:rw contacts:r *:rw a#b:r')!) {
    const { listed, faults } = parseGrantsFile(formatGrantLine(A, scope));
    assert.deepEqual(faults, []);
    assert.deepEqual(linesOf(listed), [{ hash: A, scope }]);
  }
  assert.equal(formatGrantLine(A, { module: '*', level: 'rw' }), `${A} root rw`);
});

test('lines taken apart and put together again are the same', () => {
  const { listed } = parseGrantsFile(`${A} notes r\n${A} notes rw\n${B} root r\n${A} contacts r`);
  assert.deepEqual(listedIn(linesOf(listed)), listed);
  assert.equal(linesOf(listed).length, 3);
});

test('thousands of lines of one hash are kept once each, with the wider level', () => {
  const modules = Array.from({ length: 14_000 }, (_, number) => `m${number}`);
  const lines = [...modules, ...modules].map((module, index) => `${A} ${module} ${index % 3 ? 'r' : 'rw'}`);
  const { listed, faults } = parseGrantsFile(lines.join('\n'));
  assert.deepEqual(faults, []);
  assert.equal(linesOf(listed).length, modules.length);
  assert.equal(missing(lines.join('\n'), 'm0:rw m1:rw m2:r m13999:r m14000:r'), 'm14000:r');
});

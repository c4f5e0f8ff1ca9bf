import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  emptyTypes,
  encodeTypes,
  type FolderTypes,
  parseTypes,
  typeOf,
  withoutName,
  withType,
} from './content-types.ts';

const fileOf = (types: FolderTypes) => encodeTypes(types).toString();

/** The types of a folder into which these documents are put, one after the other. */
function putAll(documents: readonly (readonly [name: string, type: string])[]): FolderTypes {
  const names = new Set<string>();
  let types = emptyTypes();
  for (const [name, type] of documents) {
    types = withType(types, name, type, names.size === 0, () => names);
    names.add(name);
  }
  return types;
}

test('a first document without an extension sets the type of all', () => {
  assert.equal(fileOf(putAll([['abc', 'application/json']])), '*\tapplication/json\n');
  assert.equal(fileOf(putAll([['.profile', 'text/x-sh']])), '*\ttext/x-sh\n');
});

test('a first document with an extension sets the type of that extension', () => {
  const file = fileOf(putAll([['abc.json', 'application/json; charset=UTF-8']]));
  assert.equal(file, '*.json\tapplication/json; charset=UTF-8\n');
});

test('a document whose type its extension tells anyway needs no line', () => {
  assert.equal(fileOf(putAll([['abc.json', 'application/json']])), '');
  assert.equal(fileOf(putAll([['abc', 'application/octet-stream']])), '');
});

test('10,000 JSON documents cost one line', () => {
  const documents = Array.from({ length: 10_000 }, (_, n) => [`item-${n}`, 'application/json'] as const);
  assert.equal(fileOf(putAll(documents)), '*\tapplication/json\n');
});

test('another type gets an exact line, which leaves with its document', () => {
  const before = putAll([
    ['a', 'application/json'],
    ['b', 'application/json'],
  ]);
  const types = withType(before, 'b', 'text/plain', false);
  assert.equal(fileOf(types), '*\tapplication/json\nb\ttext/plain\n');
  assert.equal(typeOf(types, 'a'), 'application/json');
  assert.equal(fileOf(withoutName(types, 'b')), '*\tapplication/json\n');
});

test('a type that the patterns tell takes the exact line away again', () => {
  const types = putAll([
    ['a', 'application/json'],
    ['b', 'text/plain'],
    ['b', 'application/json'],
  ]);
  assert.equal(fileOf(types), '*\tapplication/json\n');
});

test('what changes nothing gives back the same object', () => {
  const types = putAll([
    ['a', 'application/json'],
    ['b', 'text/plain'],
  ]);
  assert.equal(withType(types, 'b', 'text/plain', false), types);
  assert.equal(withType(types, 'c', 'application/json', false), types);
  assert.equal(withoutName(types, 'a'), types);
  assert.equal(withType(emptyTypes(), 'a.txt', 'text/plain', true), emptyTypes());
  const one = putAll([['a', 'text/plain']]);
  assert.equal(withType(one, 'b', 'text/plain', true), one);
});

test('an exact line wins over *.ext, that over *, that over the table', () => {
  const types = parseTypes(Buffer.from('*\tx/star\n*.txt\tx/ext\na.txt\tx/exact\n'));
  assert.equal(typeOf(types, 'a.txt'), 'x/exact');
  assert.equal(typeOf(types, 'b.txt'), 'x/ext');
  assert.equal(typeOf(types, 'b.png'), 'x/star');
  assert.equal(typeOf(types, '.txt'), 'x/star');
  assert.equal(typeOf(emptyTypes(), 'b.png'), 'image/png');
  assert.equal(typeOf(emptyTypes(), 'b.constructor'), 'application/octet-stream');
});

test('at 32 exact lines the file is rewritten with the commonest types as patterns', () => {
  const documents: [string, string][] = [['first', 'text/plain']];
  for (let n = 0; n < 31; n++) documents.push([`n${n}.webm`, 'x/video']);
  assert.equal(fileOf(putAll(documents)).split('\n').length, 33);
  documents.push(['n31.webm', 'x/video']);
  assert.equal(fileOf(putAll(documents)), '*\tx/video\nfirst\ttext/plain\n');
});

test('a walk over the folder is asked for at powers of two only, and not again for the same number of lines', () => {
  let walks = 0;
  const names = new Set<string>();
  let types = emptyTypes();
  const put = (name: string, type: string) => {
    types = withType(types, name, type, names.size === 0, () => {
      walks++;
      return names;
    });
    names.add(name);
  };
  for (let n = 0; n <= 1000; n++) put(`doc${n}`, `x/type-${n}`);
  assert.equal(walks, 5); // 32, 64, 128, 256, 512
  while (types.exactLines > 400) {
    const name = `doc${types.exactLines}`;
    types = withoutName(types, name);
    names.delete(name);
  }
  for (let n = 0; n < 100; n++) {
    put('one-more', `x/one-${n}`);
    types = withoutName(types, 'one-more');
    names.delete('one-more');
  }
  for (let n = 401; n <= 600; n++) put(`doc${n}`, `x/type-${n}`);
  assert.equal(walks, 5);
});

const TYPES = [
  'text/plain',
  'application/json',
  'image/png',
  'a/b; c="d"',
  'x/y; n=é',
  'application/octet-stream',
];
const anyEntry = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'a.txt',
    'b.txt',
    'c.json',
    '.x',
    '%2Egit',
    'é',
    '!',
    '~',
    'a b',
    '\u{1f4a9}',
    '\ufffd',
  ),
  fc
    .tuple(fc.nat(60), fc.constantFrom('', '.txt', '.png', '.zzz'))
    .map(([n, extension]) => `${n}${extension}`),
);
const anyStep = fc.record({ name: anyEntry, type: fc.option(fc.constantFrom(...TYPES), { freq: 4 }) });

test('after any PUTs and DELETEs every document has the type that was sent, and so it has from the encoded file', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { size: '+2' }), (steps) => {
      const model = new Map<string, string>();
      let types = emptyTypes();
      for (const [step, { name, type }] of steps.entries()) {
        if (type === null) {
          types = withoutName(types, name);
          model.delete(name);
        } else {
          const isFirst = model.size === (model.has(name) ? 1 : 0);
          types = withType(types, name, type, isFirst, () => model.keys());
          model.set(name, type);
        }
        if (model.size === 0) types = emptyTypes();
        if (type !== null) assert.equal(typeOf(types, name), type);
        if (step % 16 > 0) continue;
        for (const [each, expected] of model) assert.equal(typeOf(types, each), expected);
      }
      const reread = parseTypes(encodeTypes(types));
      assert.deepEqual({ ...reread, triedAtLines: 0 }, { ...types, triedAtLines: 0 });
      for (const [each, expected] of model) assert.equal(typeOf(reread, each), expected);
    }),
  );
});

test('an older value stays what it was', () => {
  const before = putAll([
    ['a', 'text/plain'],
    ['b', 'x/b'],
    ['d', 'x/d'],
  ]);
  const bytes = fileOf(before);
  withType(before, 'c', 'x/c', false);
  withoutName(before, 'b');
  assert.equal(fileOf(before), bytes);
  assert.equal(typeOf(before, 'b'), 'x/b');
});

test('lines are sorted by their bytes', () => {
  const types = putAll([
    ['m', 'text/plain'],
    ...['é', 'z', '\uffee', '\u{1f4a9}', 'a', 'ab', '!', '~'].map((name) => [name, 'x/y'] as const),
  ]);
  const lines = fileOf(types)
    .split('\n')
    .slice(0, -1)
    .map((line) => Buffer.from(line));
  assert.deepEqual(lines, [...lines].sort(Buffer.compare));
});

test('of a foreign file what can be understood counts, whatever its order; the rest is left out', () => {
  const foreign = Buffer.concat([
    Buffer.from('z\ttext/plain\r\na\ttext/old\na\ttext/new\n'),
    Buffer.from('.git\ttext/plain\n%61\ttext/plain\n\ttext/plain\n*.\tx/y\n*.a.b\tx/y\n**\tx/y\nno tab\n\n'),
    Buffer.from('bad\tnotype\nbad2\ttext/plain\u4e00\nbad3\ttext/a\tb\n'),
    Buffer.from([0xff, 0x09]),
    Buffer.from('text/plain\n*.md\ttext/x\nlast\timage/png'),
  ]);
  assert.equal(fileOf(parseTypes(foreign)), '*.md\ttext/x\na\ttext/new\nlast\timage/png\nz\ttext/plain\n');
});

test('no bytes make parsing throw, and what was parsed is canonical', () => {
  const piece = fc.constantFrom('a', '*', '.', '\t', '\n', '\r', 'x/y', 'text/plain', '%2E', '\ufffd');
  const anyFile = fc.oneof(
    fc.uint8Array(),
    fc.array(piece).map((pieces) => Buffer.from(pieces.join(''))),
  );
  fc.assert(
    fc.property(anyFile, (file) => {
      const types = parseTypes(file);
      assert.deepEqual(parseTypes(encodeTypes(types)), types);
    }),
  );
});

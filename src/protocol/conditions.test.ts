import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeRead, NO_PRECONDITION, parsePrecondition, permitsWrite } from './conditions.ts';

const TAG = '5d9f1d2c0a0b4c5e6f708192a3b4c5d6e7f80912-0a1b2c3d';
const ifNoneMatch = (value: string) => parsePrecondition({ 'if-none-match': value }).ifNoneMatch;

test('without headers there is no precondition', () => {
  assert.equal(parsePrecondition({}), NO_PRECONDITION);
});

test('a header is a star, or a list of tags in quotes', () => {
  assert.equal(ifNoneMatch('*'), '*');
  assert.equal(ifNoneMatch(' * '), '*');
  assert.deepEqual(ifNoneMatch('"a"'), ['a']);
  assert.deepEqual(ifNoneMatch('"a", "b" ,"c,d",, "*"'), ['a', 'b', 'c,d', '*']);
  assert.deepEqual(ifNoneMatch('"match me", ""'), ['match me', '']);
});

test('what proxies and clients make of a strong tag is read as that tag', () => {
  const mangled = [
    `W/"${TAG}"`,
    `"W/"${TAG}"`,
    `"${TAG}-gzip"`,
    `"${TAG};gzip"`,
    `W/"${TAG}-br"`,
    `"${TAG}--gzip"`,
    TAG,
  ];
  for (const value of mangled) assert.deepEqual(ifNoneMatch(value), [TAG], value);
  assert.deepEqual(
    ifNoneMatch(mangled.join(', ')),
    mangled.map(() => TAG),
  );
});

test('what is no list of tags is refused', () => {
  for (const value of ['', ' ', ',', '"', '"a', 'a"', '"a" "b"', '*, "a"', '"a", *', 'a b']) {
    assert.throws(() => ifNoneMatch(value), { code: 'bad-request' }, value);
  }
});

test('any text is a list, a star, or refused in linear time', () => {
  const piece = fc.constantFrom('"', ',', 'W/', ' ', 'a', '*', '\t', '-gzip');
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      try {
        const tags = ifNoneMatch(pieces.join(''));
        assert.ok(tags === '*' || tags!.length > 0);
      } catch (error) {
        assert.equal((error as { code: string }).code, 'bad-request');
      }
    }),
  );
});

test('If-Match permits a write to the named version only', () => {
  const one = parsePrecondition({ 'if-match': '"a", "b"' });
  assert.equal(permitsWrite(one, 'b'), true);
  assert.equal(permitsWrite(one, 'c'), false);
  assert.equal(permitsWrite(one, undefined), false);
  const any = parsePrecondition({ 'if-match': '*' });
  assert.equal(permitsWrite(any, 'c'), true);
  assert.equal(permitsWrite(any, undefined), false);
});

test('If-None-Match: * permits a write where there is no document yet', () => {
  const none = parsePrecondition({ 'if-none-match': '*' });
  assert.equal(permitsWrite(none, undefined), true);
  assert.equal(permitsWrite(none, 'a'), false);
  assert.equal(permitsWrite(parsePrecondition({ 'if-none-match': '"a"' }), 'b'), true);
  assert.equal(permitsWrite(parsePrecondition({ 'if-none-match': '"a"' }), 'a'), false);
});

test('a read is answered with 304 for a version that the client has, with 412 for one that it does not want', () => {
  assert.equal(judgeRead(NO_PRECONDITION, 'a'), 'go');
  assert.equal(judgeRead(parsePrecondition({ 'if-none-match': '"b", "a"' }), 'a'), 'not-modified');
  assert.equal(judgeRead(parsePrecondition({ 'if-none-match': '"b"' }), 'a'), 'go');
  assert.equal(judgeRead(parsePrecondition({ 'if-none-match': '*' }), 'a'), 'not-modified');
  assert.equal(judgeRead(parsePrecondition({ 'if-match': '"b"' }), 'a'), 'failed');
  assert.equal(
    judgeRead(parsePrecondition({ 'if-match': '"a"', 'if-none-match': '"a"' }), 'a'),
    'not-modified',
  );
});

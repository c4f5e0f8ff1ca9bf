import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { deflateSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { inflate, inflateAt, packObjectStream, storedLength, storedStream, writeStored } from './zlib.ts';

const SIZES = [0, 1, 7, 200, 511, 512, 3799, 3800, 3801, 65_534, 65_535, 65_536, 131_070, 131_071, 400_000];

test('a stored stream of any size is what zlib reads, and what we read', () => {
  for (const size of SIZES) {
    for (const body of [randomBytes(size), Buffer.alloc(size, 0xff), Buffer.alloc(size)]) {
      const stream = storedStream(body);
      assert.equal(stream.length, storedLength(size), `${size} bytes`);
      assert.ok(inflateSync(stream).equals(body), `${size} bytes`);
      assert.ok(inflate(stream, size).equals(body), `${size} bytes`);
    }
  }
});

test('streams of zlib at every level are read, and their end is found', () => {
  for (const size of SIZES) {
    const body = Buffer.from('a line of text, again and again\n'.repeat(size / 32 + 1)).subarray(0, size);
    for (const level of [0, 1, 6, 9]) {
      const stream = deflateSync(body, { level });
      const bytes = Buffer.concat([Buffer.from('before'), stream, Buffer.from('behind')]);
      const read = inflateAt(bytes, 6, size);
      assert.ok(read.body.equals(body), `${size} bytes, level ${level}`);
      assert.equal(read.end, 6 + stream.length, `${size} bytes, level ${level}`);
    }
  }
});

test('a stored stream is written into the middle of a buffer', () => {
  const target = Buffer.alloc(40, 0x2e);
  const end = writeStored(target, 5, Buffer.from('body'));
  assert.equal(end, 5 + storedLength(4));
  assert.deepEqual(inflateAt(target, 5, 4), { body: Buffer.from('body'), end });
  assert.equal(target.toString('latin1', 0, 5), '.....');
  assert.equal(target.toString('latin1', end), '.'.repeat(40 - end));
});

test('small and incompressible bodies are stored, others shrink', () => {
  const text = Buffer.from('{"a":1}'.repeat(50_000));
  for (const body of [text.subarray(0, 511), randomBytes(5000), randomBytes(100_000)]) {
    assert.equal(packObjectStream(body).length, storedLength(body.length));
  }
  for (const body of [text.subarray(0, 512), text.subarray(0, 60_000), text]) {
    const stream = packObjectStream(body);
    assert.ok(stream.length < body.length / 2);
    assert.ok(inflate(stream, body.length).equals(body));
  }
});

test('what is read shares no memory with the stream', () => {
  const stream = storedStream(Buffer.from('body'));
  const body = inflate(stream, 4);
  stream.fill(0);
  assert.equal(body.toString(), 'body');
});

test('a wrong size, a wrong checksum and a cut are corrupt', () => {
  const body = Buffer.from('some text that is long enough to be deflated, deflated, deflated');
  for (const stream of [storedStream(body), deflateSync(body)]) {
    for (const size of [0, body.length - 1, body.length + 1, 2 ** 31, 2 ** 52]) {
      assert.throws(() => inflate(stream, size), { code: 'corrupt' }, `size ${size}`);
    }
    for (let length = 0; length < stream.length; length++) {
      assert.throws(
        () => inflate(stream.subarray(0, length), body.length),
        { code: 'corrupt' },
        `cut ${length}`,
      );
    }
    const wrong = Buffer.from(stream);
    wrong[wrong.length - 1]! ^= 1;
    assert.throws(() => inflate(wrong, body.length), { code: 'corrupt' });
  }
});

test('a stream that would inflate to far more than it should is corrupt', () => {
  const bomb = deflateSync(Buffer.alloc(50_000_000), { level: 9 });
  assert.throws(() => inflate(bomb, 1000), { code: 'corrupt' });
  assert.throws(() => inflate(bomb, 0), { code: 'corrupt' });
});

test('random and mutated streams are read, or corrupt', () => {
  const body = Buffer.from('a body, a body, and another body');
  const mutated = fc
    .tuple(
      fc.constantFrom(storedStream(body), deflateSync(body)),
      fc.array(fc.tuple(fc.nat(60), fc.nat(255))),
    )
    .map(([stream, changes]) => {
      const bytes = Buffer.from(stream);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      return bytes;
    });
  const random = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(random, mutated), fc.constantFrom(0, 1, body.length), (stream, size) => {
      try {
        assert.equal(inflate(stream, size).length, size);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

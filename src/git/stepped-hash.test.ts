import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { SteppedHash } from './stepped-hash.ts';

const STEP = 64 * 1024;

test('a message of any length hashes the same with and without kept states', () => {
  for (const length of [0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP, 3 * STEP + 5]) {
    const message = randomBytes(length);
    const stepped = new SteppedHash();
    for (let round = 0; round < 3; round++) {
      assert.equal(stepped.hash(message), hash('sha1', message, 'hex'), `${length} bytes, round ${round}`);
    }
  }
});

test('edited anywhere, a message hashes to what it is now', () => {
  const edit = fc.record({
    at: fc.nat(5 * STEP - 1),
    cut: fc.constantFrom(0, 0, 0, 1, STEP),
    rehash: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 20 }), (edits) => {
      let message = Buffer.alloc(5 * STEP);
      const stepped = new SteppedHash();
      stepped.hash(message);
      for (const { at, cut, rehash } of edits) {
        message = message.subarray(0, Math.max(1, message.length - cut));
        const place = at % message.length;
        message[place]! += 1;
        stepped.changedFrom(place);
        if (rehash) assert.equal(stepped.hash(message), hash('sha1', message, 'hex'));
      }
      assert.equal(stepped.hash(message), hash('sha1', message, 'hex'));
    }),
  );
});

test('a change at the edge of a step is seen', () => {
  const message = Buffer.alloc(4 * STEP);
  const stepped = new SteppedHash();
  stepped.hash(message);
  for (const at of [0, STEP - 1, STEP, STEP + 1, 3 * STEP - 1, 4 * STEP - 1]) {
    stepped.hash(message);
    message[at]! += 1;
    stepped.changedFrom(at);
    assert.equal(stepped.hash(message), hash('sha1', message, 'hex'), `at ${at}`);
  }
});

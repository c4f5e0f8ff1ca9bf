import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { EMPTY_TREE, hashObject, hasOid, parseOid, writeOid } from './object-id.ts';

function gitHash(body: Buffer): string {
  return execFileSync('git', ['hash-object', '--stdin'], { input: body, encoding: 'utf8' }).trim();
}

test('blobs of every size class hash as git hashes them', () => {
  for (const size of [0, 1, 200, 65503, 65504, 65505, 65536, 300_000]) {
    const body = randomBytes(size);
    assert.equal(hashObject('blob', body), gitHash(body), `${size} bytes`);
  }
});

test('the empty tree has the id that git knows', () => {
  assert.equal(hashObject('tree', new Uint8Array(0)), EMPTY_TREE);
});

test('the kind is part of the id', () => {
  const body = Buffer.from('x');
  assert.notEqual(hashObject('blob', body), hashObject('commit', body));
});

test('only 40 lower-case hexadecimal digits are an object id', () => {
  assert.equal(parseOid(EMPTY_TREE), EMPTY_TREE);
  for (const wrong of [
    '',
    'x',
    EMPTY_TREE.toUpperCase(),
    EMPTY_TREE.slice(1),
    `${EMPTY_TREE}0`,
    `${EMPTY_TREE}\n`,
  ]) {
    assert.equal(parseOid(wrong), undefined, JSON.stringify(wrong));
  }
});

test('an id is written as its 20 bytes, and told from its neighbours', () => {
  for (let round = 0; round < 100; round++) {
    const oid = hashObject('blob', randomBytes(8));
    const bytes = Buffer.alloc(30, 0x77);
    writeOid(bytes, 5, oid);
    assert.equal(bytes.toString('hex'), `${'77'.repeat(5)}${oid}${'77'.repeat(5)}`);
    assert.ok(hasOid(bytes, 5, oid));
    assert.ok(!hasOid(bytes, 4, oid));
    bytes[5 + (round % 20)]! ^= 1;
    assert.ok(!hasOid(bytes, 5, oid));
  }
});

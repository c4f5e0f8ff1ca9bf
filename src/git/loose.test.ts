import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { parseLooseHeader, readLoose, statLoose } from './loose.ts';
import type { Oid } from './object-id.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-loose-'));
after(() => rmSync(root, { recursive: true, force: true }));
const oid = `ab${'1'.repeat(38)}` as Oid;
mkdirSync(join(root, 'objects/ab'), { recursive: true });

function place(file: Buffer): void {
  writeFileSync(join(root, 'objects/ab', oid.slice(2)), file);
}

test('a loose object is read, with its kind and size', () => {
  place(deflateSync(Buffer.from('blob 5\0hello')));
  assert.deepEqual(readLoose(root, oid), { kind: 'blob', body: Buffer.from('hello') });
  assert.deepEqual(statLoose(root, oid), { kind: 'blob', size: 5 });
  assert.equal(readLoose(root, 'cd'.repeat(20) as Oid), undefined);
  assert.equal(statLoose(root, 'cd'.repeat(20) as Oid), undefined);
});

test('an empty file, a body of another size, an unknown kind and a broken stream are errors', () => {
  const whole = deflateSync(Buffer.from('blob 5\0hello'));
  const files = [
    Buffer.alloc(0),
    whole.subarray(0, -1),
    deflateSync(Buffer.from('blob 6\0hello')),
    deflateSync(Buffer.from('blob 4\0hello')),
    deflateSync(Buffer.from('note 5\0hello')),
    deflateSync(Buffer.from('blob 05\0hello')),
    deflateSync(Buffer.from('blob 99999999999999\0hello')),
    Buffer.from('blob 5\0hello'),
  ];
  for (const [i, file] of files.entries()) {
    place(file);
    assert.throws(() => readLoose(root, oid), { code: 'corrupt' }, `${i}`);
  }
});

test('whatever a loose object holds, only an object or a corrupt error comes out', () => {
  const header = fc.oneof(fc.constantFrom('blob 5\0', 'tree 0\0', 'blob ', 'blob 123'), fc.string());
  fc.assert(
    fc.property(header, fc.uint8Array(), fc.boolean(), (text, body, isDeflated) => {
      const bytes = Buffer.concat([Buffer.from(text), body]);
      place(isDeflated ? deflateSync(bytes) : bytes);
      for (const ask of [
        () => readLoose(root, oid),
        () => statLoose(root, oid),
        () => parseLooseHeader(bytes),
      ]) {
        try {
          assert.ok(ask());
        } catch (error) {
          assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
        }
      }
    }),
  );
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type HeldFile, OpenFiles } from './open-files.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitstead-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function hold(files: OpenFiles, name: string): HeldFile {
  writeFileSync(join(folder, name), name);
  return files.hold(join(folder, name));
}

function textOf(files: OpenFiles, file: HeldFile): string {
  const bytes = Buffer.alloc(8);
  return bytes.toString('latin1', 0, files.read(file, bytes, bytes.length, 0));
}

test('the file whose last use is longest ago gives way, and is opened again when it is read', () => {
  const files = new OpenFiles(3);
  const held = ['a', 'b', 'c', 'd'].map((name) => hold(files, name));
  const [a, b, c, d] = held as [HeldFile, HeldFile, HeldFile, HeldFile];
  for (const file of [a, b, c, a, a, c]) textOf(files, file);
  textOf(files, d);
  assert.deepEqual(
    held.map(({ descriptor }) => descriptor >= 0),
    [true, false, true, true],
  );
  assert.equal(textOf(files, b), 'b');
  assert.deepEqual([a.descriptor, files.openCount], [-1, 3]);
  files.closeAll();
  assert.equal(files.openCount, 0);
});

test('a file that a stream reads from stays, however long ago its last use was', () => {
  const files = new OpenFiles(2);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => hold(files, name)) as [HeldFile, HeldFile, HeldFile];
  const descriptor = files.pin(a);
  for (const file of [b, c, b]) textOf(files, file);
  assert.deepEqual([a.descriptor, c.descriptor, files.openCount], [descriptor, -1, 2]);
  files.unpin(a);
  textOf(files, c);
  assert.equal(a.descriptor, -1);
  files.closeAll();
});

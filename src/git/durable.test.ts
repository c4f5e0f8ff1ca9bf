import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  clearStaging,
  placeFile,
  replaceFile,
  stagingPath,
  syncFile,
  syncFolder,
  writeFileDurably,
  writeFileDurablyAsync,
} from './durable.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-durable-'));
after(() => rmSync(root, { recursive: true, force: true }));

test('a file is written for its owner only, or with the mode that is asked for', async () => {
  writeFileDurably(join(root, 'a'), 'text');
  writeFileDurably(join(root, 'b'), Buffer.from('bytes'), 0o400);
  assert.equal(readFileSync(join(root, 'a'), 'utf8'), 'text');
  assert.equal(statSync(join(root, 'a')).mode & 0o777, 0o600);
  assert.equal(statSync(join(root, 'b')).mode & 0o777, 0o400);
  await syncFile(join(root, 'b'));
  await syncFolder(root);
});

test('a file that is replaced keeps its name, gets the new bytes, and leaves nothing beside it', () => {
  const folder = join(root, 'replace');
  mkdirSync(folder);
  writeFileSync(join(folder, 'f'), 'old, and longer');
  replaceFile(join(folder, 'f'), 'new');
  assert.equal(readFileSync(join(folder, 'f'), 'utf8'), 'new');
  assert.deepEqual(readdirSync(folder), ['f']);
});

test('a replacement that fails leaves the old bytes and nothing beside them', () => {
  const folder = join(root, 'fail');
  mkdirSync(join(folder, 'f'), { recursive: true });
  assert.throws(() => replaceFile(join(folder, 'f'), 'new'));
  assert.deepEqual(readdirSync(folder), ['f']);
});

test('placing a file takes the place of the one that stood there', () => {
  writeFileSync(join(root, 'from'), 'from');
  writeFileSync(join(root, 'to'), 'to');
  placeFile(join(root, 'from'), join(root, 'to'));
  assert.equal(readFileSync(join(root, 'to'), 'utf8'), 'from');
});

test('waiting for a file that is not there is an error', async () => {
  await assert.rejects(syncFile(join(root, 'absent')), { code: 'ENOENT' });
});

test('a file that is written without blocking is as whole as any', async () => {
  const bytes = Buffer.alloc(3_000_000, 'bytes');
  await writeFileDurablyAsync(join(root, 'later'), bytes, 0o400);
  assert.ok(readFileSync(join(root, 'later')).equals(bytes));
  assert.equal(statSync(join(root, 'later')).mode & 0o777, 0o400);
});

test('what is half-made is cleared, files and folders, and nothing else', () => {
  const folder = join(root, 'clear');
  mkdirSync(folder);
  mkdirSync(join(stagingPath(folder), 'deep'), { recursive: true });
  writeFileSync(stagingPath(folder), 'half');
  writeFileSync(join(folder, 'whole'), 'whole');
  clearStaging(folder);
  clearStaging(join(root, 'absent'));
  assert.deepEqual(readdirSync(folder), ['whole']);
});

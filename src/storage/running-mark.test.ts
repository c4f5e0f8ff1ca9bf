import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setRunningMark } from './running-mark.ts';

let place: string;
let folder: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'gitstead-mark-'));
  folder = join(place, 'journal');
  mkdirSync(folder);
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const told = ({ wasKilled, isCopy }: { wasKilled: boolean; isCopy: boolean }) => ({ wasKilled, isCopy });

test('a mark that was not taken away tells of a crash', () => {
  const first = setRunningMark(folder);
  assert.deepEqual(told(first), { wasKilled: false, isCopy: false });
  const second = setRunningMark(folder);
  assert.deepEqual(told(second), { wasKilled: true, isCopy: false });
  second.remove();
  assert.deepEqual(told(setRunningMark(folder)), { wasKilled: false, isCopy: false });
});

test('the mark in a copy of the folder tells of the copy, once', () => {
  setRunningMark(folder);
  const copy = join(place, 'copy');
  cpSync(folder, copy, { recursive: true });
  assert.deepEqual(told(setRunningMark(copy)), { wasKilled: true, isCopy: true });
  assert.deepEqual(told(setRunningMark(copy)), { wasKilled: true, isCopy: false });
});

test('a mark without its text, as a power cut or a full disk leaves it, tells of a crash only', () => {
  writeFileSync(join(folder, 'running'), '');
  assert.deepEqual(told(setRunningMark(folder)), { wasKilled: true, isCopy: false });
});

test('the mark stays while the journal holds anything', () => {
  const mark = setRunningMark(folder);
  writeFileSync(join(folder, '00000001.segment'), '');
  mark.remove();
  assert.ok(existsSync(join(folder, 'running')));
  rmSync(join(folder, '00000001.segment'));
  mark.remove();
  assert.ok(!existsSync(join(folder, 'running')));
});

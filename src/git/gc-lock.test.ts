import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gcIsAtWork } from './gc-lock.ts';

const PATIENCE_MS = 60_000;
const gitDir = mkdtempSync(join(tmpdir(), 'gitstead-gc-lock-'));
after(() => rmSync(gitDir, { recursive: true, force: true }));

const cases = [
  { of: 'no file', text: undefined, isAtWork: false },
  { of: 'a process that runs here', text: `${process.pid} ${hostname()}`, isAtWork: true },
  { of: 'a process that has ended', text: `${spawnSync('true').pid} ${hostname()}`, isAtWork: false },
  { of: 'a process of another machine', text: '1 elsewhere', isAtWork: true },
  { of: 'no number', text: `none ${hostname()}`, isAtWork: false },
  { of: 'a file that is being written', text: '', isAtWork: true },
];

for (const { of, text, isAtWork } of cases) {
  test(`gc.pid of ${of}: ${isAtWork ? 'a gc is at work' : 'none is'}`, () => {
    const file = join(gitDir, 'gc.pid');
    rmSync(file, { force: true });
    if (text !== undefined) writeFileSync(file, text);
    assert.equal(gcIsAtWork(gitDir, PATIENCE_MS), isAtWork);
    if (text === undefined) return;
    const before = new Date(Date.now() - PATIENCE_MS - 1000);
    utimesSync(file, before, before);
    assert.equal(gcIsAtWork(gitDir, PATIENCE_MS), false, 'it is too old');
  });
}

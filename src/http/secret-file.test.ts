// The secret between two processes, as an operator treats its file.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { openLog } from '../log.ts';
import { openSecretFile } from './secret-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'gitstead-secret-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'secret');
const SECRET = 'a secret without spaces'.replaceAll(' ', '-');

let lines: string[] = [];
const log = openLog('debug', { write: (line) => void lines.push(line) });
beforeEach(() => {
  rmSync(file, { force: true });
  lines = [];
});

/** As editors do: a file of another name takes the place of the old one. */
function replaceFile(text: string, mode = 0o600): void {
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
}

test('the line of the file is the secret, without the end of the line', () => {
  replaceFile(`${SECRET}\n`);
  assert.equal(openSecretFile(file, log)(), SECRET);
  assert.deepEqual(lines, []);
});

test('a file that is missing, empty, of several lines, or readable by others is refused in one line', () => {
  const refused = (message: RegExp) =>
    assert.throws(
      () => openSecretFile(file, log),
      (error: Error) =>
        message.test(error.message) && !error.message.includes('\n') && !error.message.includes(SECRET),
    );
  refused(/introspectSecretFile: .* cannot be read$/);
  replaceFile('\n');
  refused(/one line/);
  replaceFile(`${SECRET}\nand more\n`);
  refused(/one line/);
  replaceFile(SECRET);
  chmodSync(file, 0o644);
  refused(/may be read by others: chmod 600 it$/);
});

test('a short secret is taken, and the log says so without telling it', () => {
  replaceFile('sesame');
  assert.equal(openSecretFile(file, log)(), 'sesame');
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /short/);
  assert.ok(!lines[0]!.includes('sesame'));
});

test('a new secret counts at once, whether the file was replaced or written over', () => {
  replaceFile(SECRET);
  const readSecret = openSecretFile(file, log);
  replaceFile(`${SECRET}-2`);
  assert.equal(readSecret(), `${SECRET}-2`);
  writeFileSync(file, `${SECRET}-number-3`);
  assert.equal(readSecret(), `${SECRET}-number-3`);
});

test('while the file cannot be read the last good secret counts, with one warning', () => {
  replaceFile(SECRET);
  const readSecret = openSecretFile(file, log);
  rmSync(file);
  assert.deepEqual([readSecret(), readSecret()], [SECRET, SECRET]);
  assert.equal(lines.length, 1);
  replaceFile('new-secret-for-everybody');
  chmodSync(file, 0o604);
  assert.equal(readSecret(), SECRET);
  assert.match(lines[1]!, /read by others/);
  chmodSync(file, 0o600);
  assert.equal(readSecret(), 'new-secret-for-everybody');
  assert.equal(lines.length, 2);
  assert.ok(!lines.join('').includes(SECRET));
});

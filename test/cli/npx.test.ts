// `npx gitstead serve` in the checkout: npx and a shell stand between a signal and the server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { environmentWithoutSettings } from './gitstead.ts';

test('a SIGTERM to npx ends the server in order, too', { timeout: 60_000 }, async (t) => {
  const temporary = mkdtempSync(join(tmpdir(), 'gitstead-npx-'));
  t.after(() => rmSync(temporary, { recursive: true, force: true }));
  const data = join(temporary, 'data');
  const npx = spawn('npx', ['gitstead', 'serve', '--port', '0', '--data', data], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...environmentWithoutSettings(), HOME: temporary },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true, // a group, of which nothing stays when the test fails
  });
  t.after(() => {
    try {
      process.kill(-npx.pid!, 'SIGKILL');
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH');
    }
  });
  const ended = once(npx.stdout, 'end');
  await new Promise<void>((resolve) => {
    createInterface({ input: npx.stdout }).on('line', (line) => {
      if (line.startsWith('your address')) resolve();
    });
  });
  assert.equal(existsSync(join(data, 'control.sock')), true);
  npx.kill('SIGTERM');
  await ended; // the server held it, too
  assert.equal(existsSync(join(data, 'control.sock')), false);
  assert.equal(existsSync(join(data, 'index.db-wal')), false, 'the databases are closed');
});

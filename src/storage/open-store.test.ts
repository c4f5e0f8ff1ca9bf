import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLog } from '../log.ts';
import { openStore } from './open-store.ts';

test('an index that cannot be opened is named', async (t) => {
  const dataFolder = mkdtempSync(join(tmpdir(), 'gitstead-store-'));
  t.after(() => rmSync(dataFolder, { recursive: true }));
  mkdirSync(join(dataFolder, 'index.db'));
  const options = { dataFolder, host: 'example.org', documentLimitBytes: 1000, memoryBytes: 16 << 20 };
  await assert.rejects(openStore(options, openLog('silent'), Date.now), {
    code: 'not-ready',
    message: /index\.db/,
  });
});

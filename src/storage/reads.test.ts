import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, doc, openTestStore, put } from '../../test/open-test-store.ts';
import { openIndex } from '../db/open-index.ts';
import { openLog } from '../log.ts';
import { NO_PRECONDITION } from '../protocol/conditions.ts';
import { documentPath, parseUserName } from '../protocol/paths.ts';
import { openStorage } from './storage.ts';

test('a document that was pushed a moment ago is never said to be absent', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-reads-'));
  const index = openIndex(join(folder, 'index.db'));
  const storage = await openStorage({ dataFolder: folder, index, log: openLog('silent'), host: 'localhost' });
  try {
    const user = parseUserName('alice')!;
    const author = { user, app: undefined, grant: undefined };
    const body = Buffer.from('first');
    await storage.put(documentPath(user, ['notes', 'a.txt']), {
      type: 'text/plain',
      body: (async function* () {
        yield body;
      })(),
      length: body.length,
      precondition: NO_PRECONDITION,
      author,
      quotaBytes: undefined,
    });
    await storage.drain();
    const clone = join(folder, 'clone');
    const git = (...args: string[]) => execFileSync('git', ['-C', clone, ...args], { stdio: 'pipe' });
    execFileSync('git', ['clone', '-q', storage.repositoryFolder(user, 'notes')!, clone]);
    writeFileSync(join(clone, 'b.txt'), 'pushed');
    git('add', '.');
    git('-c', 'user.name=a', '-c', 'user.email=a@localhost', 'commit', '-qm', 'by hand');
    // looked at just before the push: the next regular look is a second away
    assert.equal(await storage.document(documentPath(user, ['notes', 'b.txt'])), undefined);
    git('push', '-q', 'origin', 'HEAD:main');
    const found = await storage.document(documentPath(user, ['notes', 'b.txt']));
    assert.equal(found?.size, 6);
    assert.equal(found?.type, 'text/plain');
  } finally {
    await storage[Symbol.asyncDispose]();
    index.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('every byte comes back as it was, of bodies kept as strings, in memory of their own, and not at all', async () => {
  await using store = await openTestStore();
  for (const size of [0, 1, 256, 8 << 10, (8 << 10) + 1, (256 << 10) + 1]) {
    const path = doc(`notes/${size}`);
    const body = Buffer.from(Array.from({ length: size }, (_, at) => (at % 251) ^ (at >> 8)));
    await put(store.storage, path, body);
    await store.storage.drain();
    for (const time of ['first', 'second']) {
      assert.deepEqual(await bytesOf(store.storage, path), body, `${size} bytes, ${time} time`);
    }
    if (size < 256) continue;
    const part = await bytesOf(store.storage, path, { start: 127, end: 255 });
    assert.deepEqual(part, body.subarray(127, 256), `a part of ${size} bytes`);
  }
});

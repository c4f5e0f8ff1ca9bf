import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { moveRef, takeRefLock } from '../git/refs.ts';
import { createRepository } from '../git/repository.ts';
import { syncRepositories } from './sync-repositories.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitstead-sync-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function repositories(count: number) {
  return Array.from({ length: count }, (_, number) => {
    const path = join(folder, `alice/${number}.git`);
    createRepository(path);
    takeRefLock(path);
    moveRef(path, '1'.repeat(40) as Parameters<typeof moveRef>[1]);
    return { folder: path, packs: new Set(['pack-gone']) };
  });
}

test('few repositories are synced one by one, many with their file system', async () => {
  const all = repositories(65);
  const asked: string[] = [];
  const syncWhole = async (path: string) => {
    asked.push(path);
    return true;
  };
  await syncRepositories(folder, all.slice(0, 64), syncWhole);
  assert.deepEqual(asked, []);
  await syncRepositories(folder, all, syncWhole);
  assert.deepEqual(asked, [folder]);
  // as the system does it
  await syncRepositories(folder, all);
});

test('where the file system cannot be synced as a whole, each is; an error keeps the journal', async () => {
  const all = repositories(65);
  await syncRepositories(folder, all, async () => false);
  renameSync(join(all[63]!.folder, 'refs/heads'), join(all[63]!.folder, 'gone'));
  await assert.rejects(
    syncRepositories(folder, all, async () => false),
    { code: 'ENOENT' },
  );
});

test('one that was removed meanwhile holds up none of the others', async () => {
  const all = repositories(65);
  rmSync(all[3]!.folder, { recursive: true });
  await syncRepositories(folder, all, async () => false);
  await syncRepositories(folder, all, async () => true);
  await syncRepositories(folder, all.slice(0, 5));
});

test('one that stands on another file system is synced by itself', {
  skip: process.platform !== 'linux',
}, async () => {
  const all = repositories(65);
  const heads = join(all[64]!.folder, 'refs/heads');
  rmSync(heads, { recursive: true });
  symlinkSync('/proc/self', heads);
  // there is no main in there, which shows that it was asked for
  await assert.rejects(syncRepositories(folder, all, async () => true));
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { mergeablePacks } from '../git/merge-packs.ts';
import { hashObject } from '../git/object-id.ts';
import { ObjectStore, OpenFiles } from '../git/object-store.ts';
import { PackBuilder } from '../git/pack-builder.ts';
import { dropKeep, placePack } from '../git/pack-files.ts';
import { createRepository } from '../git/repository.ts';
import { openLog } from '../log.ts';
import { openMaintenance } from './maintenance.ts';
import { openCounters } from './measures.ts';
import { repositoryState } from './open-repository.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-maintenance-'));
after(() => rmSync(root, { recursive: true, force: true }));

let made = 0;

function repositoryOfPacks(count: number) {
  const folder = join(root, `${++made}.git`);
  createRepository(folder);
  for (let each = 0; each < count; each++) {
    const builder = new PackBuilder();
    const body = Buffer.from(`document ${each}`);
    builder.addBody(hashObject('blob', body), 'blob', body);
    const { pack, index, checksum } = builder.finish();
    placePack(folder, `pack-${checksum}`, pack, index);
    dropKeep(folder, `pack-${checksum}`);
  }
  const store = new ObjectStore(folder, new OpenFiles(4));
  store.packs();
  const row = { id: 1, user: 'alice', module: 'notes', head: null, documents: 0, bytes: 0 };
  return { folder, repository: repositoryState(row, folder, store, null, '') };
}

/** Waits until the merge is over: the store knows of what is left, and it is on the disk. */
async function untilPacks(made: ReturnType<typeof repositoryOfPacks>, count: number): Promise<void> {
  const { folder, repository } = made;
  const isDone = () => repository.store.packCount === count && mergeablePacks(folder).length === count;
  for (let waits = 0; waits < 2000 && !isDone(); waits++) await pause(5);
  assert.deepEqual([repository.store.packCount, mergeablePacks(folder).length], [count, count]);
}

test('a busy repository has its packs merged when they are many, a quiet one also when they are some', async () => {
  const maintenance = openMaintenance({ log: openLog('silent'), counters: openCounters(), quietAfterMs: 20 });
  const [many, some, few] = [repositoryOfPacks(16), repositoryOfPacks(4), repositoryOfPacks(3)];
  for (const { repository } of [many, some, few]) maintenance.consider(repository);
  await untilPacks(many, 1);
  await untilPacks(some, 1);
  assert.equal(mergeablePacks(few.folder).length, 3);
  await maintenance.close();
});

test('once closed it merges nothing', async () => {
  const maintenance = openMaintenance({ log: openLog('silent'), counters: openCounters(), quietAfterMs: 1 });
  const { folder, repository } = repositoryOfPacks(16);
  await maintenance.close();
  maintenance.consider(repository);
  await pause(50);
  assert.equal(mergeablePacks(folder).length, 16);
});

test('when all rests the thread that merged ends, and the next merge has another', async () => {
  const ends: Promise<unknown>[] = [];
  const note = (worker: Worker) => ends.push(once(worker, 'exit'));
  process.on('worker', note);
  const rest = { quietAfterMs: 1, restAfterMs: 1 };
  const maintenance = openMaintenance({ log: openLog('silent'), counters: openCounters(), ...rest });
  for (const merges of [1, 2]) {
    const repository = repositoryOfPacks(16);
    maintenance.consider(repository.repository);
    await untilPacks(repository, 1);
    assert.equal(ends.length, merges);
    await ends.at(-1);
  }
  await maintenance.close();
  process.off('worker', note);
});

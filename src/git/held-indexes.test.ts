import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HeldIndexes } from './held-indexes.ts';
import { hashObject, type Oid } from './object-id.ts';
import { ObjectStore } from './object-store.ts';
import { OpenFiles } from './open-files.ts';
import { PackBuilder } from './pack-builder.ts';

const folder = mkdtempSync(join(tmpdir(), 'gitstead-indexes-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A repository with one pack of so many blobs. */
function makePack(name: string, count: number): { gitDir: string; blobs: Map<Oid, string> } {
  const gitDir = join(folder, name);
  const builder = new PackBuilder();
  const blobs = new Map<Oid, string>();
  for (let each = 0; each < count; each++) {
    const text = `${name} ${each}`;
    const oid = hashObject('blob', Buffer.from(text));
    blobs.set(oid, text);
    builder.addBody(oid, 'blob', Buffer.from(text));
  }
  const { pack, index } = builder.finish();
  mkdirSync(join(gitDir, 'objects/pack'), { recursive: true });
  writeFileSync(join(gitDir, 'objects/pack/pack-1.pack'), pack);
  writeFileSync(join(gitDir, 'objects/pack/pack-1.idx'), index);
  return { gitDir, blobs };
}

test('indexes of many repositories stay within their budget, and every object is found', () => {
  const indexes = new HeldIndexes(64 << 10);
  const files = new OpenFiles(8, indexes);
  const repositories = Array.from({ length: 40 }, (_, each) => makePack(`many-${each}`, 300));
  const stores = repositories.map(({ gitDir }) => new ObjectStore(gitDir, files));
  for (let round = 0; round < 2; round++) {
    for (const [at, { blobs }] of repositories.entries()) {
      for (const [oid, text] of [...blobs].slice(0, 5))
        assert.equal(stores[at]!.read(oid)?.body.toString(), text);
      assert.ok(indexes.held > 0 && indexes.held <= indexes.limit, `${indexes.held} bytes are held`);
    }
  }
  for (const store of stores) store.close();
  assert.equal(indexes.held, 0);
});

test('an index that is larger than its share is asked where it lies', () => {
  const indexes = new HeldIndexes(8 << 10);
  const { gitDir, blobs } = makePack('large', 1000);
  const store = new ObjectStore(gitDir, new OpenFiles(8, indexes));
  for (const [oid, text] of blobs) assert.equal(store.read(oid)?.body.toString(), text);
  assert.equal(store.read(hashObject('blob', Buffer.from('absent'))), undefined);
  assert.equal(indexes.held, 0);
});

test('an index of some size is read into memory once it was asked often', () => {
  const indexes = new HeldIndexes(1 << 20);
  const { gitDir, blobs } = makePack('middle', 3000);
  const store = new ObjectStore(gitDir, new OpenFiles(8, indexes));
  const read = (count: number) => {
    for (const [oid, text] of [...blobs].slice(0, count))
      assert.equal(store.read(oid)?.body.toString(), text);
  };
  read(2);
  assert.equal(indexes.held, 0);
  read(20);
  assert.ok(indexes.held > 64 << 10);
  store.close();
});

test('an index that is asked outlives those that are not', () => {
  const indexes = new HeldIndexes(100);
  const forgotten: string[] = [];
  const holder = (name: string) => ({ wasAsked: false, forgetIndex: () => void forgotten.push(name) });
  const [busy, idle, newest] = [holder('busy'), holder('idle'), holder('newest')];
  indexes.add(busy, 40);
  indexes.add(idle, 40);
  idle.wasAsked = false;
  busy.wasAsked = true;
  indexes.add(newest, 40);
  assert.deepEqual(forgotten, ['idle']);
  assert.equal(indexes.held, 80);
});

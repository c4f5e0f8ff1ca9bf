// Disks that are full or read-only: a write is refused and the old version stands, reads go on, nothing that was
// acknowledged is lost, and the store recovers by itself when there is room again.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { asGitsteadError, type ErrorCode } from '../../src/errors.ts';
import { folderPath } from '../../src/protocol/paths.ts';
import { claimDataFolder } from '../../src/storage/data-folder.ts';
import type { StopPoint } from '../../src/storage/stop-points.ts';
import {
  checkRepositories,
  leftovers,
  type OpenedStore,
  openAgain,
  removeFolder,
  temporaryDataFolder,
} from './reopened.ts';
import { openSmallDisk } from './small-disk.ts';
import { diceOf, pathOf, readState, storageTarget } from './workload.ts';

const SEGMENT_BYTES = 1 << 20;

/** What was acknowledged, by key, and the store that it was written to. */
type Written = { store: OpenedStore; texts: Map<string, string> };

/** @returns undefined, or the code of the error that it was refused with */
async function put({ store, texts }: Written, key: string, text: string): Promise<ErrorCode | undefined> {
  try {
    await storageTarget(store.storage).write(key, { type: 'text/plain', bytes: Buffer.from(text) });
    texts.set(key, text);
    return undefined;
  } catch (error) {
    return asGitsteadError(error).code;
  }
}

async function checkTexts({ store, texts }: Written, keys = [...texts.keys()]): Promise<void> {
  for (const key of keys) {
    const found = (await readState(store.storage, key))?.bytes.toString();
    assert.ok(found === texts.get(key), `${key} holds what was acknowledged`);
  }
}

async function checkAll(written: Written, dataFolder: string): Promise<void> {
  await checkTexts(written);
  await checkRepositories(written.store, dataFolder);
}

/** Text that does not shrink. */
function textOf(length: number, seed: number): string {
  const dice = diceOf(seed);
  return Buffer.from(Uint8Array.from({ length: Math.ceil(length * 0.75) }, () => dice(256))).toString(
    'base64',
  );
}

function smallStore(t: TestContext, megabytes: number) {
  const disk = openSmallDisk(t, megabytes);
  if (!disk) return undefined;
  mkdirSync(disk.folder);
  let written: Written | undefined;
  t.after(async () => {
    disk.free();
    await written?.store.close();
    disk.remove();
  });
  const open = async (passing: (point: StopPoint) => void = () => {}): Promise<Written> => {
    const store = await openAgain(disk.folder, { segmentBytes: SEGMENT_BYTES, passing });
    written = { store, texts: written?.texts ?? new Map() };
    return written;
  };
  return { disk, open };
}

for (const [size, bytes] of [
  ['small', 20_000],
  ['large', 1_200_000],
] as const) {
  test(`${size} documents on a disk that fills up: 507, the old versions stand, and room makes all well`, async (t) => {
    const small = smallStore(t, 24);
    if (!small) return;
    const { disk, open } = small;
    const written = await open();
    assert.equal(await put(written, 'bob/notes/first', 'first'), undefined);
    const refused: ErrorCode[] = [];
    for (let number = 0; refused.length < 20; number++) {
      const code = await put(written, `alice/photos/${number % 10}`, textOf(bytes, number));
      if (code) refused.push(code);
      assert.ok(number < 5000, 'the disk fills up');
    }
    assert.deepEqual(new Set(refused), new Set(['disk-full']));
    await checkTexts(written);
    disk.fill();
    assert.equal(await put(written, 'bob/notes/second', textOf(bytes, 1)), 'disk-full');
    await checkTexts(written);
    const { body } = await written.store.storage.listing(
      folderPath(pathOf('bob/notes/first').user, ['notes']),
    );
    assert.deepEqual(Object.keys(JSON.parse(body.toString()).items), ['first']);
  });
}

test('room again on a disk that was full: writes go on, and nothing is left behind', async (t) => {
  const small = smallStore(t, 24);
  if (!small) return;
  const { disk, open } = small;
  const written = await open();
  for (let number = 0; number < 5; number++) {
    assert.equal(await put(written, `alice/notes/${number}`, textOf(30_000, number)), undefined);
  }
  disk.fill();
  let refusals = 0;
  for (let number = 0; number < 40; number++) {
    if (await put(written, `alice/notes/${number % 7}`, textOf(40_000 + number, number))) refusals++;
  }
  assert.ok(refusals > 0);
  await checkTexts(written);
  disk.free();
  await written.store.storage.drain();
  for (let number = 0; number < 7; number++) {
    assert.equal(await put(written, `alice/notes/${number}`, textOf(30_000, number)), undefined);
  }
  await checkAll(written, disk.folder);
  await written.store.close();
  assert.deepEqual(leftovers(disk.folder), []);
  await checkAll(await open(), disk.folder);
});

for (const point of [
  'journal.synced',
  'index.applied',
  'checkpoint.kept',
  'checkpoint.pack-written',
] as const) {
  test(`a disk that fills up at ${point}: what was acknowledged stands`, async (t) => {
    const small = smallStore(t, 24);
    if (!small) return;
    const { disk, open } = small;
    let isArmed = false;
    let written = await open((passed) => {
      if (isArmed && passed === point) disk.fill();
    });
    for (const key of ['bob/notes/other', 'alice/notes/a', 'alice/notes/b']) {
      assert.equal(await put(written, key, `old ${key}`), undefined);
    }
    isArmed = true;
    let isRefused = false;
    for (let number = 0; !isRefused; number++) {
      const code = await put(written, `alice/notes/${'ab'[number % 2]}`, textOf(9000, number));
      assert.ok(code === undefined || code === 'disk-full', `an answer was ${code}`);
      isRefused = code !== undefined;
    }
    await checkTexts(written, ['bob/notes/other']);
    isArmed = false;
    // stopped while the disk is full: the journal keeps what is in no pack yet
    await written.store.close();
    const copy = temporaryDataFolder();
    t.after(() => removeFolder(copy));
    cpSync(disk.folder, copy, { recursive: true });
    const elsewhere = { store: await openAgain(copy), texts: written.texts };
    await checkAll(elsewhere, copy);
    await elsewhere.store.close();
    disk.free();
    written = await open();
    await checkAll(written, disk.folder);
    assert.equal(await put(written, 'alice/notes/c', 'new'), undefined);
  });
}

test('a store that is opened on a full disk serves, and writes when there is room', async (t) => {
  const small = smallStore(t, 24);
  if (!small) return;
  const { disk, open } = small;
  let isArmed = false;
  let written = await open((point) => {
    if (isArmed && point === 'checkpoint.kept') disk.fill();
  });
  assert.equal(await put(written, 'bob/notes/other', 'other'), undefined);
  assert.equal(await put(written, 'alice/notes/a', 'first'), undefined);
  isArmed = true;
  assert.equal(await put(written, 'alice/notes/a', textOf(50_000, 1)), undefined);
  await written.store.close();
  disk.fill();
  written = await open();
  await checkTexts(written, ['bob/notes/other']);
  await assert.rejects(readState(written.store.storage, 'alice/notes/a'), { code: 'not-ready' });
  disk.free();
  await t.waitFor(async () => assert.equal(await put(written, 'alice/notes/b', 'second'), undefined), {
    timeout: 10_000,
  });
  await checkAll(written, disk.folder);
});

test('a read-only data folder is refused in one line, and is whole when it can be written again', async (t) => {
  const small = smallStore(t, 24);
  if (!small) return;
  const { disk, open } = small;
  let written = await open();
  await put(written, 'alice/notes/a', 'text');
  await written.store.close();
  disk.remount('ro');
  try {
    await assert.rejects(open());
    await assert.rejects(claimDataFolder(disk.folder), { code: 'not-ready', message: /read-only/ });
  } finally {
    disk.remount('rw');
  }
  written = await open();
  await checkAll(written, disk.folder);
});

test('a write whose journal sync failed is answered by an error, and never appears', async (t) => {
  const dataFolder = temporaryDataFolder();
  const copy = mkdtempSync(join(tmpdir(), 'gitstead-crash-'));
  let isFailing = false;
  const store = await openAgain(dataFolder, {
    passing: (point) => {
      if (isFailing && point === 'journal.appended') {
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      }
    },
  });
  t.after(async () => {
    await store.close();
    removeFolder(dataFolder);
    removeFolder(copy);
  });
  const written: Written = { store, texts: new Map() };
  for (const key of ['alice/notes/a', 'alice/notes/b']) await put(written, key, 'old');
  isFailing = true;
  for (const key of ['alice/notes/a', 'alice/notes/new', 'alice/photos/new']) {
    assert.equal(await put(written, key, 'refused'), 'disk-full');
    assert.equal(await put(written, key, textOf(1_300_000, 1)), 'disk-full');
  }
  // as a kill would leave it, before anything else is written
  cpSync(dataFolder, copy, { recursive: true });
  isFailing = false;
  await put(written, 'alice/notes/b', 'newer');
  const absent = ['alice/notes/new', 'alice/photos/new'];
  await checkAll(written, dataFolder);
  for (const key of absent) assert.equal(await readState(store.storage, key), undefined);
  await store.close();
  const killed = await openAgain(copy);
  try {
    for (const key of ['alice/notes/a', 'alice/notes/b']) {
      assert.equal((await readState(killed.storage, key))?.bytes.toString(), 'old');
    }
    for (const key of absent) assert.equal(await readState(killed.storage, key), undefined);
    await checkRepositories(killed, copy);
    assert.deepEqual(leftovers(copy), []);
  } finally {
    await killed.close();
  }
  written.store = await openAgain(dataFolder);
  try {
    await checkAll(written, dataFolder);
  } finally {
    await written.store.close();
  }
});

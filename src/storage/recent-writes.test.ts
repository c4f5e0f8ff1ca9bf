import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ALICE, chunksOf, doc, openTestStore, type TestStore, user } from '../../test/open-test-store.ts';
import { runGit } from '../git/process.ts';
import { NO_PRECONDITION } from '../protocol/conditions.ts';
import { parseScopes } from '../protocol/scopes.ts';
import { recentWritesIn } from './recent-writes.ts';

const NOTES = 'https://notes.example';
const FILES = 'https://files.example';
const START = Date.UTC(2030, 0, 1);

type Clock = { time: number };

/** A store whose clock goes on by a second with every write. */
async function openClockedStore(): Promise<{ store: TestStore; clock: Clock }> {
  const clock = { time: START };
  return { clock, store: await openTestStore({ now: () => clock.time }) };
}

async function write(
  { store, clock }: { store: TestStore; clock: Clock },
  path: string,
  app: string | undefined,
  owner = ALICE,
): Promise<void> {
  clock.time += 1000;
  await store.storage.put(doc(path, owner), {
    type: 'text/plain',
    body: chunksOf(`${path} ${clock.time}`),
    length: undefined,
    precondition: NO_PRECONDITION,
    author: { user: owner, app, grant: '*:rw' },
    quotaBytes: undefined,
  });
}

/** What is told, as lines `app kind path seconds-since-the-start`. */
async function linesOf(store: TestStore, apps: Record<string, string>): Promise<string[]> {
  await store.storage.drain();
  const asked = Object.entries(apps).map(([app, scopes]) => ({ app, scopes: parseScopes(scopes)! }));
  const { byApp, unreadable } = await recentWritesIn(store.storage)(ALICE, asked);
  assert.deepEqual(unreadable, []);
  return Object.keys(apps).flatMap((app) =>
    (byApp.get(app) ?? []).map(({ kind, path, time }) => `${app} ${kind} ${path} ${(time - START) / 1000}`),
  );
}

test('each app has its three newest documents, each once, newest first, over all modules', async () => {
  const world = await openClockedStore();
  await using store = world.store;
  await write(world, 'notes/old', NOTES);
  await write(world, 'notes/a/b.txt', NOTES);
  await write(world, 'public/notes/shared', NOTES);
  await write(world, 'pictures/x.png', FILES);
  await write(world, 'in-the-root', FILES);
  await write(world, 'notes/a/b.txt', NOTES);
  await write(world, 'notes/by-nobody', undefined);
  await write(world, 'notes/todo', NOTES);
  assert.deepEqual(await linesOf(store, { [NOTES]: 'notes:rw', [FILES]: '*:rw' }), [
    `${NOTES} PUT notes/todo 8`,
    `${NOTES} PUT notes/a/b.txt 6`,
    `${NOTES} PUT public/notes/shared 3`,
    `${FILES} PUT in-the-root 5`,
    `${FILES} PUT pictures/x.png 4`,
  ]);
});

test('a document that an app deleted is told as deleted', async () => {
  const world = await openClockedStore();
  await using store = world.store;
  await write(world, 'notes/a', NOTES);
  world.clock.time += 1000;
  const author = { user: ALICE, app: NOTES, grant: 'notes:rw' };
  await store.storage.delete(doc('notes/a'), { precondition: NO_PRECONDITION, author });
  assert.deepEqual(await linesOf(store, { [NOTES]: 'notes:rw' }), [`${NOTES} DELETE notes/a 2`]);
});

test('modules that an app cannot write, other apps and other users are not looked at', async () => {
  const world = await openClockedStore();
  await using store = world.store;
  await write(world, 'notes/a', NOTES);
  await write(world, 'contacts/b', NOTES);
  await write(world, 'pictures/c', NOTES);
  await write(world, 'notes/d', NOTES, user('bob'));
  assert.deepEqual(await linesOf(store, { [NOTES]: 'contacts:rw pictures:r', [FILES]: '*:rw' }), [
    `${NOTES} PUT contacts/b 2`,
  ]);
  assert.deepEqual(await linesOf(store, {}), []);
});

test('a commit of somebody else that names an app is not believed', async () => {
  const world = await openClockedStore();
  await using store = world.store;
  await write(world, 'notes/a', undefined);
  await store.storage.drain();
  const folder = store.storage.repositoryFolder(ALICE, 'notes')!;
  const identity = ['-c', 'user.name=Somebody', '-c', 'user.email=x@example.org'];
  const message = `PUT forged\n\nApp: ${NOTES}\n`;
  const { stdout } = await runGit(folder, [
    ...identity,
    ...['commit-tree', '-p', 'main', '-m', message, 'main^{tree}'],
  ]);
  await runGit(folder, ['update-ref', 'refs/heads/main', stdout.toString().trim()]);
  assert.deepEqual(await linesOf(store, { [NOTES]: '*:rw' }), []);
});

test('no more than the 200 newest commits of a module are looked at', async () => {
  const world = await openClockedStore();
  await using store = world.store;
  await write(world, 'notes/first', NOTES);
  for (let n = 0; n < 199; n++) await write(world, 'notes/other', FILES);
  assert.deepEqual(await linesOf(store, { [NOTES]: 'notes:rw' }), [`${NOTES} PUT notes/first 1`]);
  await write(world, 'notes/other', FILES);
  assert.deepEqual(await linesOf(store, { [NOTES]: 'notes:rw' }), []);
});

test('of many modules the sixteen that were written last are looked at', async () => {
  const world = await openClockedStore();
  await using store = world.store;
  for (let n = 0; n < 20; n++) {
    await write(world, `module-${String(n).padStart(2, '0')}/a`, n === 0 ? NOTES : FILES);
    await store.storage.drain();
  }
  assert.deepEqual(await linesOf(store, { [NOTES]: '*:rw' }), []);
  await write(world, 'module-00/b', FILES);
  assert.deepEqual(await linesOf(store, { [NOTES]: '*:rw' }), [`${NOTES} PUT module-00/a 1`]);
});

test('a repository that cannot be read is named, and the others are told', async () => {
  const world = await openClockedStore();
  await using store = world.store;
  await write(world, 'notes/a', NOTES);
  await write(world, 'contacts/b', NOTES);
  await store.storage.drain();
  const main = join(store.storage.repositoryFolder(ALICE, 'notes')!, 'refs/heads/main');
  writeFileSync(main, `${'1'.repeat(40)}\n`);
  const apps = [{ app: NOTES, scopes: parseScopes('*:rw')! }];
  const { byApp, unreadable } = await recentWritesIn(store.storage)(ALICE, apps);
  assert.deepEqual(unreadable, ['notes']);
  assert.deepEqual(
    byApp.get(NOTES)?.map(({ path }) => path),
    ['contacts/b'],
  );
});

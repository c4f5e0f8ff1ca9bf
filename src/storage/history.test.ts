import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { ALICE, doc, openTestStore, put, type TestStore } from '../../test/open-test-store.ts';
import { runGit } from '../git/process.ts';
import { createRepository } from '../git/repository.ts';
import { NO_PRECONDITION } from '../protocol/conditions.ts';
import { readHistory } from './history.ts';

const folderOf = (store: TestStore) => join(store.folder, 'repos/alice/notes.git');

async function linesOf(store: TestStore, path?: string): Promise<string[]> {
  await store.storage.drain();
  return [...readHistory(folderOf(store), path)].map((entry) => `${entry.kind} ${entry.path}`);
}

async function git(store: TestStore, args: string[], input?: string): Promise<string> {
  const options = input === undefined ? {} : { input: Buffer.from(input) };
  const identity = ['-c', 'user.name=Somebody', '-c', 'user.email=x@example.org'];
  const { stdout, code, stderr } = await runGit(folderOf(store), [...identity, ...args], options);
  assert.equal(code, 0, stderr);
  return stdout.toString().trim();
}

test('each PUT and DELETE is told once, also one that changed nothing, newest first', async () => {
  await using store = await openTestStore();
  const { storage } = store;
  await put(storage, doc('notes/a/b.txt'), 'one');
  await put(storage, doc('notes/a/b.txt'), 'one');
  await put(storage, doc('notes/ä: c'), 'odd');
  const author = { user: ALICE, app: undefined, grant: undefined };
  await storage.delete(doc('notes/a/b.txt'), { precondition: NO_PRECONDITION, author });
  assert.deepEqual(await linesOf(store), ['DELETE a/b.txt', 'PUT ä: c', 'PUT a/b.txt', 'PUT a/b.txt']);
  const [newest, , , oldest] = [...readHistory(folderOf(store))];
  assert.deepEqual([newest!.app, newest!.grant], [undefined, undefined]);
  assert.deepEqual([oldest!.app, oldest!.grant, oldest!.author], ['https://app.example', '*:rw', 'alice']);
});

test('a path means the document, or the folder with all below it', async () => {
  await using store = await openTestStore();
  for (const path of ['a/b', 'a/c', 'ab', 'd']) await put(store.storage, doc(`notes/${path}`), path);
  assert.deepEqual(await linesOf(store, 'a'), ['PUT a/c', 'PUT a/b']);
  assert.deepEqual(await linesOf(store, 'a/'), ['PUT a/c', 'PUT a/b']);
  assert.deepEqual(await linesOf(store, 'a/b'), ['PUT a/b']);
  assert.deepEqual(await linesOf(store, 'b'), []);
});

test('commits of others are told by what they changed; those that only pretend to be ours too', async () => {
  await using store = await openTestStore();
  await put(store.storage, doc('notes/a'), 'a');
  await put(store.storage, doc('notes/b'), 'b');
  await store.storage.drain();
  const blob = await git(store, ['hash-object', '-w', '--stdin'], 'new');
  const commitTree = async (entries: string, message: string, ...parents: string[]) => {
    const tree = await git(store, ['mktree'], entries);
    return git(store, ['commit-tree', ...parents.flatMap((parent) => ['-p', parent]), '-m', message, tree]);
  };
  const types = await git(store, ['hash-object', '-w', '--stdin'], '*\ttext/plain\n');
  const kept = (await git(store, ['ls-tree', 'main']))
    .split('\n')
    .filter((line) => !line.endsWith('\ta'))
    .join('\n');
  const one = await commitTree(
    `${kept}\n100644 blob ${blob}\tcon%3A\n`,
    'PUT b\n\nApp: https://evil.example',
    'main',
  );
  const other = await commitTree(
    `${kept}\n100644 blob ${blob}\tcon%3A\n`.replace(/^.*content-types\n/m, '') +
      `100644 blob ${types}\t.content-types\n`,
    'types only',
    one,
  );
  const merge = await commitTree(kept, 'a merge', other, 'main');
  await git(store, ['update-ref', 'refs/heads/main', merge]);
  const entries = [...readHistory(folderOf(store))];
  const foreign = entries.filter(({ author }) => author === 'Somebody');
  assert.deepEqual(foreign.map(({ kind, path }) => `${kind} ${path}`).sort(), ['DELETE a', 'PUT con:']);
  assert.ok(foreign.every(({ app, grant }) => app === undefined && grant === undefined));
});

test('a repository without a commit has no history', async () => {
  await using store = await openTestStore();
  createRepository(folderOf(store));
  assert.deepEqual([...readHistory(folderOf(store))], []);
});

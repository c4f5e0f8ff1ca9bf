// A person with a clone: what they commit in a working tree and push is served, what git can hold and the store cannot
// is left out and stays as it is, and what is written meanwhile stands beside it.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { storeFaults } from '../index-faults.ts';
import {
  ALICE,
  dir,
  doc,
  itemsOf,
  openTestStore,
  put,
  remove,
  type TestStore,
  textOf,
} from '../open-test-store.ts';
import { git, leftovers, tryGit } from './stock-git.ts';

let store: TestStore;
let work: string;
let clone: string;
let repository: string;

beforeEach(async () => {
  store = await openTestStore();
  for (const path of ['a.json', 'd/b.json', 'd/e/c']) await put(store.storage, doc(`notes/${path}`), path);
  await put(store.storage, doc('notes/page'), '<p>', { type: 'text/html' });
  await store.storage.drain();
  repository = store.storage.repositoryFolder(ALICE, 'notes')!;
  work = mkdtempSync(join(tmpdir(), 'gitstead-pushes-'));
  clone = join(work, 'notes');
  await git(work, 'clone', '--quiet', repository, clone);
});

afterEach(async () => {
  assert.deepEqual(await storeFaults(store), []);
  await store.reopen();
  assert.deepEqual(leftovers(repository), []);
  await store.close();
  rmSync(work, { recursive: true, force: true });
});

async function pushAll(): Promise<void> {
  await git(clone, 'add', '--all');
  await git(clone, 'commit', '--quiet', '--allow-empty', '-m', 'By hand');
  await git(clone, 'push', '--quiet', 'origin', 'HEAD:main');
  await look();
}

/** A refused write makes the store look at main at once. */
async function look(): Promise<void> {
  assert.equal((await remove(store.storage, doc('notes/no-such-document'))).kind, 'missing');
}

async function namesIn(path: string): Promise<string[]> {
  return Object.keys(await itemsOf(store.storage, dir(path))).sort();
}

test('files, programs and folders that are pushed are served; links and submodules are left out', async () => {
  writeFileSync(join(clone, 'new.md'), '# new');
  writeFileSync(join(clone, 'run'), '#!/bin/sh\n');
  chmodSync(join(clone, 'run'), 0o755);
  symlinkSync('a.json', join(clone, 'link'));
  symlinkSync('d', join(clone, 'folder-link'));
  const commit = await git(clone, 'rev-parse', 'HEAD');
  await git(clone, 'update-index', '--add', '--cacheinfo', `160000,${commit},module`);
  mkdirSync(join(clone, 'module'));
  mkdirSync(join(clone, 'x/y'), { recursive: true });
  writeFileSync(join(clone, 'x/y/Ünïcode 😀.txt'), 'text');
  await pushAll();
  assert.deepEqual(await namesIn('notes'), ['a.json', 'd/', 'new.md', 'page', 'run', 'x/']);
  assert.deepEqual(await namesIn('notes/x/y'), ['Ünïcode 😀.txt']);
  assert.equal(await textOf(store.storage, doc('notes/run')), '#!/bin/sh\n');
  assert.equal(await textOf(store.storage, doc('notes/link')), undefined);
  assert.equal((await put(store.storage, doc('notes/run'), 'exit')).kind, 'updated');
  await store.storage.drain();
  const listed = await git(repository, 'ls-tree', 'main', 'run', 'link', 'folder-link', 'module');
  assert.deepEqual(
    listed.split('\n').map((line) => line.split(' ')[0]),
    ['120000', '120000', '160000', '100755'],
  );
});

test('names that the store would spell otherwise are left out, and stand beside the right ones', async () => {
  for (const name of ['a:b', 'a%3ab', '%61', 'con', 'ends.', 'nul.txt', 'q?'])
    writeFileSync(join(clone, name), name);
  mkdirSync(join(clone, 'aux'));
  writeFileSync(join(clone, 'aux/inside'), '1');
  writeFileSync(join(clone, 'a%3Ab'), 'the right spelling');
  await pushAll();
  assert.deepEqual(await namesIn('notes'), ['a.json', 'a:b', 'd/', 'page']);
  assert.equal(await textOf(store.storage, doc('notes/a:b')), 'the right spelling');
  for (const name of ['a', 'con', 'ends.', 'aux/inside']) {
    assert.equal((await put(store.storage, doc(`notes/${name}`), name)).kind, 'created');
  }
  await store.storage.drain();
  await git(clone, 'pull', '--quiet', '--rebase', 'origin', 'main');
  assert.equal(readFileSync(join(clone, '%61'), 'utf8'), '%61');
  assert.equal(readFileSync(join(clone, '%63on'), 'utf8'), 'con');
});

test('types edited by hand re-type a folder; lines that are none are passed over', async () => {
  const before = await itemsOf(store.storage, dir('notes'));
  appendFileSync(
    join(clone, '.content-types'),
    'nonsense\na.json\tnot a type\npage\ttext/x-page\nlater\ttext/x-later\n',
  );
  await pushAll();
  const after = await itemsOf(store.storage, dir('notes'));
  assert.equal(after.page?.['Content-Type'], 'text/x-page');
  assert.notEqual(after.page?.ETag, before.page?.ETag);
  assert.equal(after['a.json']?.ETag, before['a.json']?.ETag);
  await put(store.storage, doc('notes/later'), '1', { type: 'image/png' });
  assert.equal((await store.storage.document(doc('notes/later')))?.type, 'image/png');
  assert.equal((await store.storage.document(doc('notes/page')))?.type, 'text/x-page');
});

test('files and folders take the place of each other', async () => {
  await git(clone, 'rm', '--quiet', '-r', 'd', 'a.json');
  writeFileSync(join(clone, 'd'), 'a document now');
  mkdirSync(join(clone, 'a.json'));
  writeFileSync(join(clone, 'a.json/deep'), '1');
  await pushAll();
  assert.deepEqual(await namesIn('notes'), ['a.json/', 'd', 'page']);
  assert.deepEqual(await namesIn('notes/d'), []);
  assert.equal((await put(store.storage, doc('notes/d/b.json'), '1')).kind, 'clash');
  assert.equal((await put(store.storage, doc('notes/a.json'), '1')).kind, 'clash');
});

test('everything deleted in a clone is gone, and a new document begins anew', async () => {
  await git(clone, 'rm', '--quiet', '-r', '.');
  await pushAll();
  assert.deepEqual(await namesIn(''), []);
  assert.deepEqual({ ...store.storage.usage(ALICE) }, { documents: 0, bytes: 0 });
  assert.equal((await put(store.storage, doc('notes/d'), '1')).kind, 'created');
  await store.reopen({ withoutIndex: true });
  assert.deepEqual(await namesIn('notes'), ['d']);
});

test('a commit of the empty tree, which git does not always store, is no obstacle', async () => {
  const empty = await git(
    clone,
    'commit-tree',
    '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
    '-p',
    'HEAD',
    '-m',
    'Nothing',
  );
  await git(clone, 'push', '--quiet', 'origin', `${empty}:main`);
  await look();
  assert.deepEqual(await namesIn(''), []);
  await git(clone, 'reset', '--quiet', '--hard', empty);
  writeFileSync(join(clone, 'again'), '1');
  await pushAll();
  assert.deepEqual(await namesIn('notes'), ['again']);
  await store.reopen({ withoutIndex: true });
  assert.deepEqual(await namesIn('notes'), ['again']);
  await git(clone, 'push', '--quiet', '--force', 'origin', 'HEAD~2:main');
  await look();
  assert.equal((await namesIn('notes')).length, 3);
});

test('the same, made inside the bare folder, where nothing stores that tree', async () => {
  const tree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
  const empty = await git(repository, 'commit-tree', tree, '-p', 'main', '-m', 'Nothing');
  await git(repository, 'update-ref', 'refs/heads/main', empty);
  await look();
  assert.deepEqual(await namesIn(''), []);
  await git(clone, 'pull', '--quiet', '--rebase', 'origin', 'main');
  writeFileSync(join(clone, 'again'), '1');
  await pushAll();
  assert.deepEqual(await namesIn('notes'), ['again']);
  await store.reopen({ withoutIndex: true });
  assert.deepEqual(await namesIn('notes'), ['again']);
  // fsck complains of what git itself made: it is given its tree
  await git(repository, 'hash-object', '-t', 'tree', '-w', '/dev/null');
});

test('a folder that only has types is no folder', async () => {
  mkdirSync(join(clone, 'empty/below'), { recursive: true });
  writeFileSync(join(clone, 'empty/below/.content-types'), '*\ttext/html\n');
  await pushAll();
  assert.deepEqual(await namesIn('notes'), ['a.json', 'd/', 'page']);
  assert.deepEqual(await namesIn('notes/empty'), []);
  assert.equal(
    (await put(store.storage, doc('notes/empty/below/x'), '1', { type: 'text/html' })).kind,
    'created',
  );
  assert.deepEqual(await namesIn('notes/empty'), ['below/']);
});

test('other branches and tags change nothing, and main cannot be deleted by a push', async () => {
  writeFileSync(join(clone, 'on-a-branch'), '1');
  await git(clone, 'add', '--all');
  await git(clone, 'commit', '--quiet', '-m', 'On a branch');
  await git(
    clone,
    'push',
    '--quiet',
    'origin',
    'HEAD:refs/heads/idea',
    'HEAD:refs/heads/main2',
    'HEAD:refs/tags/v1',
  );
  await look();
  assert.deepEqual(await namesIn('notes'), ['a.json', 'd/', 'page']);
  assert.notEqual((await tryGit(clone, 'push', '--quiet', 'origin', ':main')).code, 0);
  await git(clone, 'push', '--quiet', 'origin', 'HEAD:main');
  await look();
  assert.equal((await namesIn('notes')).length, 4);
});

test('a push that fsck would complain of is refused, and nothing of it is seen', async () => {
  const blob = await git(clone, 'rev-parse', 'HEAD:page');
  const entries = join(work, 'tree');
  writeFileSync(entries, Buffer.concat([Buffer.from('100644 .git\0'), Buffer.from(blob, 'hex')]));
  const tree = await git(clone, 'hash-object', '-t', 'tree', '-w', '--literally', entries);
  const commit = await git(clone, 'commit-tree', tree, '-p', 'HEAD', '-m', 'A folder called .git');
  const { code, stderr } = await tryGit(clone, 'push', '--quiet', 'origin', `${commit}:main`);
  assert.notEqual(code, 0);
  assert.match(stderr, /hasDotgit/);
  await look();
  assert.deepEqual(await namesIn('notes'), ['a.json', 'd/', 'page']);
});

test('a write that meets a push half-way is told what stands: 412 for what it did not know', async () => {
  const known = (await store.storage.document(doc('notes/page')))!.etag;
  writeFileSync(join(clone, 'page'), '<h1>');
  await git(clone, 'commit', '--quiet', '-am', 'By hand');
  await git(clone, 'push', '--quiet', 'origin', 'HEAD:main');
  const answer = await put(store.storage, doc('notes/page'), '<p>2', {
    type: 'text/html',
    precondition: { ifMatch: [known] },
  });
  assert.deepEqual(answer, {
    kind: 'stale',
    current: (await store.storage.document(doc('notes/page')))?.etag,
  });
  assert.equal(await textOf(store.storage, doc('notes/page')), '<h1>');
});

test('whoever writes one document and looks with git at once sees it', async () => {
  let seen = 0;
  for (let count = 0; count < 5; count++) {
    await store.storage.drain();
    await new Promise((resolve) => setTimeout(resolve, 10)); // for a writer who comes after quiet
    await put(store.storage, doc('notes/seen'), `${count}`);
    const { stdout } = await tryGit(repository, 'show', 'main:seen');
    if (stdout === `${count}`) seen++;
  }
  // a slow disk may take longer than the answer waits, but not each time
  assert.ok(seen > 0);
});

import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import {
  ALICE,
  doc,
  openTestStore,
  put,
  type TestStore,
  type TestStoreOptions,
} from '../../test/open-test-store.ts';
import { runGit } from '../git/process.ts';
import { type CheckReport, check } from './check.ts';

function checkStore({ storage, index, folder }: TestStore): Promise<CheckReport> {
  return check({ storage, index, repositoriesFolder: join(folder, 'repos') });
}

async function filled(options: TestStoreOptions = {}): Promise<TestStore> {
  const store = await openTestStore(options);
  await put(store.storage, doc('notes/a/b/one.txt'), 'one');
  await put(store.storage, doc('notes/a/two'), 'two', { type: 'application/x-two' });
  await put(store.storage, doc('notes/con.txt: "odd"'), 'odd');
  await put(store.storage, doc('root document'), 'root');
  await put(store.storage, doc('Photos/ä.jpg'), 'photo', { type: 'image/jpeg' });
  return store;
}

/** Changes the index behind its back. */
function tamper(store: TestStore, sql: string): void {
  const database = new DatabaseSync(join(store.folder, 'index.db'));
  database.exec(sql);
  database.close();
}

test('a store whose clock stood before 1970 is well', async () => {
  await using store = await filled({ now: () => -1e12 });
  assert.deepEqual((await checkStore(store)).faults, []);
  assert.equal(
    (await store.storage.document(doc('root document')))?.lastModified,
    'Thu, 01 Jan 1970 00:00:00 GMT',
  );
});

test('a store that was only ever written to is well', async () => {
  await using store = await filled();
  assert.deepEqual(await checkStore(store), { repositories: 3, documents: 5, faults: [] });
  assert.deepEqual(
    await check({
      ...store,
      storage: store.storage,
      index: store.index,
      repositoriesFolder: join(store.folder, 'repos'),
      user: ALICE,
    }),
    {
      repositories: 3,
      documents: 5,
      faults: [],
    },
  );
});

test('every way in which the index can differ from the tree is told', async () => {
  const ways: [sql: string, told: RegExp][] = [
    ["DELETE FROM documents WHERE name = 'two'", /the document “a\/two” is missing from the index/],
    [
      "UPDATE documents SET type = 'text/html' WHERE name = 'two'",
      /has the document “a\/two” as \S+ text\/html 3, and it is/,
    ],
    [
      "UPDATE documents SET size = 9 WHERE name = 'one.txt'",
      /has the document “a\/b\/one\.txt” as .* 9, and it is .* 3/,
    ],
    [
      "INSERT INTO documents SELECT folder, 'ghost', etag, type, size, modified FROM documents WHERE name = 'two'",
      /has the document “a\/ghost”, which is not there/,
    ],
    [
      "UPDATE folders SET tree = hex(zeroblob(20)) WHERE path = 'a'",
      /has the folder “a” as 0{40}, and it is/,
    ],
  ];
  for (const [sql, told] of ways) {
    await using store = await filled();
    tamper(store, sql);
    const { faults } = await checkStore(store);
    assert.equal(faults.length, 1, sql);
    assert.deepEqual([faults[0]!.user, faults[0]!.module], ['alice', 'notes']);
    assert.match(faults[0]!.what, told);
  }
});

test('a repository that lost objects or went altogether is told, and the others are checked all the same', async () => {
  await using store = await filled();
  await store.storage.drain();
  await store.reopen();
  const packs = join(store.folder, 'repos/alice/notes.git/objects/pack');
  for (const name of readdirSync(packs)) rmSync(join(packs, name));
  rmSync(join(store.folder, 'repos/alice/%50hotos.git'), { recursive: true });
  const report = await checkStore(store);
  const told = new Set(report.faults.map(({ module }) => module));
  assert.deepEqual([...told].sort(), ['Photos', 'notes']);
  assert.equal(report.documents, 1);
});

test('what fsck --strict refuses is told', async () => {
  await using store = await filled();
  await store.storage.drain();
  writeFileSync(join(store.folder, 'repos/alice/notes.git/refs/heads/other'), `${'1'.repeat(40)}\n`);
  const { faults } = await checkStore(store);
  assert.match(faults[0]!.what, /^git fsck: .*refs\/heads\/other/);
});

test('what git may not know as an item is no fault: links and names in a foreign spelling are not served', async () => {
  await using store = await filled();
  const { folder } = store;
  await store.storage.drain();
  const gitDir = join(folder, 'repos/alice/notes.git');
  const git = async (args: string[], input?: string) => {
    const options = input === undefined ? {} : { input: Buffer.from(input) };
    const { stdout, code, stderr } = await runGit(gitDir, args, options);
    assert.equal(code, 0, stderr);
    return stdout.toString().trim();
  };
  const tree = await git(['ls-tree', 'main']);
  const blob = await git(['hash-object', '-w', '--stdin'], 'elsewhere');
  const more = await git(
    ['mktree'],
    `${tree}\n120000 blob ${blob}\tlink\n100644 blob ${blob}\t%41.txt\n100755 blob ${blob}\tprogram\n`,
  );
  const env = ['-c', 'user.name=x', '-c', 'user.email=x@example.org'];
  const commit = await git([...env, 'commit-tree', '-p', 'main', '-m', 'by hand', more]);
  await git(['update-ref', 'refs/heads/main', commit]);
  await store.reopen();
  const report = await checkStore(store);
  assert.deepEqual(report.faults, []);
  assert.equal(report.documents, 6);
});

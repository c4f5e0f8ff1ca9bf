import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import type { DocumentRow } from './documents.ts';
import type { FolderRow } from './folders.ts';
import { type Index, type IndexChange, openIndex } from './open-index.ts';

let folder: string;
let file: string;
let index: Index;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitstead-index-'));
  file = join(folder, 'index.db');
  index = openIndex(file);
});
afterEach(() => {
  index.close();
  rmSync(folder, { recursive: true, force: true });
});

const document = (size: number, type = 'text/plain'): DocumentRow => ({
  etag: `${'a'.repeat(40)}-${size}`,
  type,
  size,
  modified: 'Mon, 01 Jan 2024 00:00:00 GMT',
});

const root = (): FolderRow => ({ id: undefined, path: '', name: '', parent: undefined });
const below = (parent: FolderRow, name: string): FolderRow => ({
  id: undefined,
  path: parent.path === '' ? name : `${parent.path}/${name}`,
  name,
  parent,
});

/** A repository with `a` in its root and `d/e/b` below. */
function fill(user = 'alice', module = 'notes') {
  const repository = index.repositories.ensure(user, module).id;
  const top = root();
  const d = below(top, 'd');
  const e = below(d, 'e');
  const change: IndexChange = {
    repository,
    head: 'c1',
    folders: [top, d, e].map((row, depth) => ({ row, tree: `t${depth}` })),
    documents: [
      { folder: top, name: 'a', document: document(1) },
      { folder: e, name: 'b', document: document(10) },
    ],
  };
  index.apply([change]);
  return { repository, top, d, e };
}

test('a change is there afterwards: documents, folders, the head and the counts', () => {
  const { repository, e } = fill();
  assert.deepEqual({ ...index.documents.find(repository, 'd/e', 'b') }, document(10));
  assert.equal(index.documents.find(repository, 'd', 'b'), undefined);
  assert.equal(index.documents.find(repository + 1, 'd/e', 'b'), undefined);
  assert.equal(index.folders.find(repository, 'd/e')?.tree, 't2');
  assert.equal(index.folders.find(repository, 'd/e')?.id, e.id);
  const { head, documents, bytes } = index.repositories.find('alice', 'notes')!;
  assert.deepEqual([head, documents, bytes], ['c1', 2, 11]);
  assert.deepEqual({ ...index.repositories.usage('alice') }, { documents: 2, bytes: 11 });
  assert.deepEqual({ ...index.repositories.usage('bob') }, { documents: 0, bytes: 0 });
});

test('a document that is replaced or taken out changes the counts by the difference', () => {
  const { repository, top, e, d } = fill();
  index.apply([
    {
      repository,
      head: 'c2',
      folders: [{ row: top, tree: 't3' }],
      documents: [{ folder: top, name: 'a', document: document(5) }],
    },
    {
      repository,
      head: 'c3',
      folders: [
        { row: top, tree: 't4' },
        { row: d, tree: null },
        { row: e, tree: null },
      ],
      documents: [
        { folder: e, name: 'b', document: null },
        { folder: e, name: 'never', document: null },
      ],
    },
  ]);
  const { head, documents, bytes } = index.repositories.find('alice', 'notes')!;
  assert.deepEqual([head, documents, bytes], ['c3', 1, 5]);
  assert.deepEqual(
    index.folders.listAll(repository).map(({ path }) => path),
    [''],
  );
  assert.equal(e.id, undefined);
});

test('a folder that comes and goes within a change leaves nothing', () => {
  const { repository, top } = fill();
  const x = below(top, 'x');
  index.apply([
    {
      repository,
      head: 'c2',
      folders: [
        { row: top, tree: 't3' },
        { row: x, tree: null },
      ],
      documents: [{ folder: x, name: 'y', document: null }],
    },
  ]);
  assert.equal(index.repositories.find('alice', 'notes')?.documents, 2);
  assert.equal(index.folders.find(repository, 'x'), undefined);
});

test('a row that was made without its number finds the folder that stands', () => {
  const { repository, e } = fill();
  const again = below(below(root(), 'd'), 'e');
  index.apply([
    {
      repository,
      head: 'c2',
      folders: [{ row: again, tree: 't9' }],
      documents: [{ folder: again, name: 'b', document: null }],
    },
  ]);
  assert.equal(again.id, e.id);
  assert.deepEqual(index.documents.list(e.id!), []);
});

test('of changes of which one fails none is made, and rows are known no better than before', () => {
  const { repository, top } = fill();
  const x = below(top, 'x');
  const good: IndexChange = {
    repository,
    head: 'c2',
    folders: [
      { row: top, tree: 't5' },
      { row: x, tree: 't6' },
    ],
    documents: [{ folder: x, name: 'y', document: document(3) }],
  };
  const bad = {
    ...good,
    documents: [
      { folder: top, name: 'z', document: { ...document(1), type: undefined as unknown as string } },
    ],
  };
  assert.throws(() => index.apply([good, bad]));
  assert.equal(x.id, undefined);
  assert.equal(index.folders.find(repository, '')?.tree, 't0');
  assert.equal(index.repositories.find('alice', 'notes')?.head, 'c1');
  index.apply([good]);
  assert.equal(index.repositories.find('alice', 'notes')?.documents, 3);
});

test("a folder's number of change grows with each change of it, also after the index was opened again", () => {
  const { repository, top } = fill();
  const numbers = [index.folders.find(repository, '')!.changed];
  for (let round = 0; round < 3; round++) {
    index.apply([{ repository, head: 'c2', folders: [{ row: top, tree: 't1' }], documents: [] }]);
    numbers.push(index.folders.find(repository, '')!.changed);
    index.close();
    index = openIndex(file);
    assert.equal(index.isNew, false);
  }
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  );
});

test('listings are JSON, whatever the names and types are', () => {
  const repository = index.repositories.ensure('alice', 'notes').id;
  const top = root();
  const names = [
    'a"b',
    'back\\slash',
    'line\nend',
    '\u2028',
    '__proto__',
    '\u0001',
    '😀',
    "it's",
    '\ufeff',
    '10',
  ];
  const type = 'x/y; q="\\"ÿ"';
  index.apply([
    {
      repository,
      head: 'c1',
      folders: [
        { row: top, tree: 't' },
        ...names.map((name) => ({ row: below(top, name), tree: `t${name}` })),
      ],
      documents: names.map((name) => ({ folder: top, name: `d${name}`, document: document(1, type) })),
    },
  ]);
  const documents = JSON.parse(index.documents.listingJson(top.id!)) as Record<
    string,
    Record<string, unknown>
  >;
  assert.deepEqual(Object.keys(documents).sort(), names.map((name) => `d${name}`).sort());
  assert.deepEqual(documents.d10, {
    ETag: document(1).etag,
    'Content-Type': type,
    'Content-Length': 1,
    'Last-Modified': document(1).modified,
  });
  const folders = JSON.parse(index.folders.listingJson(top.id!)) as Record<string, unknown>;
  assert.deepEqual(Object.keys(folders).sort(), names.map((name) => `${name}/`).sort());
  assert.deepEqual(folders['10/'], { ETag: 't10' });
  assert.equal(index.folders.listingJson(-1), '{}');
  assert.equal(index.documents.listingJson(-1), '{}');
});

test("a user's repositories come with the tree of their root, in the order of their names", () => {
  fill('alice', 'b');
  fill('alice', 'a');
  fill('bob', 'c');
  index.repositories.ensure('alice', 'empty');
  assert.deepEqual(
    index.repositories.list('alice').map(({ module, tree }) => [module, tree]),
    [
      ['a', 't0'],
      ['b', 't0'],
      ['empty', null],
    ],
  );
  assert.equal(index.repositories.listAll().length, 4);
});

test('one repository is cleared or removed without the others', () => {
  const { repository } = fill('alice', 'a');
  fill('alice', 'b');
  index.repositories.clear(repository);
  const { head, documents } = index.repositories.find('alice', 'a')!;
  assert.deepEqual([head, documents, index.folders.listAll(repository)], [null, 0, []]);
  index.repositories.remove(repository);
  assert.equal(index.repositories.find('alice', 'a'), undefined);
  assert.deepEqual({ ...index.repositories.usage('alice') }, { documents: 2, bytes: 11 });
});

test('what is found equals what the file holds, after changes that are made, fail, and take all out', () => {
  const { repository, top, d, e } = fill();
  const folders = [top, d, e];
  const names = ['a', 'b', 'c'];
  let random = 1;
  const below = (count: number) => {
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    return (random >>> 8) % count;
  };
  for (let step = 0; step < 300; step++) {
    const folder = folders[below(3)]!;
    const isGone = below(8) === 0 && folder === e;
    const gone = names.map((name) => ({ folder, name, document: null }));
    const name = names[below(3)]!;
    const put = { folder, name, document: below(3) === 0 ? null : document(step) };
    const change: IndexChange = {
      repository,
      head: `c${step}`,
      folders: folders.map((row) => ({ row, tree: isGone && row === e ? null : `t${step}` })),
      documents: isGone ? gone : [put],
    };
    // a folder that is new cannot wait: its change is made at once, and may fail
    const fresh = { id: undefined, path: 'n', name: 'n', parent: top };
    const broken = {
      folder: fresh,
      name: 'x',
      document: { ...document(1), type: undefined as unknown as string },
    };
    const failing = {
      ...change,
      folders: [...change.folders, { row: fresh, tree: 't' }],
      documents: [broken],
    };
    if (below(5) === 0) assert.throws(() => index.apply([change, failing]));
    else index.apply([change]);
    if (below(50) === 0) {
      index.repositories.clear(repository);
      for (const row of folders) row.id = undefined;
    }
    checkFound(repository, folders, names);
  }
});

/** Compares what is found, perhaps in memory, with what the lists say, which ask the file. */
function checkFound(repository: number, rows: FolderRow[], names: string[]): void {
  const stored = index.folders.listAll(repository);
  for (const { path } of rows) {
    const row = stored.find((folder) => folder.path === path);
    assert.equal(index.folders.find(repository, path)?.tree, row?.tree);
    const listed = row ? index.documents.list(row.id) : [];
    for (const name of names) {
      const inList = listed.find((candidate) => candidate.name === name);
      assert.equal(index.documents.find(repository, path, name)?.etag, inList?.etag);
    }
  }
  assert.deepEqual(
    { ...index.repositories.find('alice', 'notes') },
    { ...index.repositories.listAll().find(({ id }) => id === repository) },
  );
}

test('what cannot be written now is seen all the same, and written when it can be', () => {
  const { repository, top } = fill();
  index.write();
  const other = new DatabaseSync(file);
  other.exec('ALTER TABLE documents RENAME TO hidden');
  const put = (size: number): IndexChange => ({
    repository,
    head: `c${size}`,
    folders: [{ row: top, tree: `t${size}` }],
    documents: [{ folder: top, name: 'a', document: document(size) }],
  });
  index.apply([put(7)]);
  assert.throws(() => index.write());
  assert.throws(() => index.documents.list(top.id!), { code: 'not-ready' });
  assert.equal(index.documents.find(repository, '', 'a')?.size, 7);
  assert.equal(index.repositories.find('alice', 'notes')?.head, 'c7');
  index.apply([put(8)]);
  other.exec('ALTER TABLE hidden RENAME TO documents');
  other.close();
  assert.deepEqual({ ...index.repositories.usage('alice') }, { documents: 2, bytes: 18 });
  index.close();
  index = openIndex(file);
  assert.equal(index.documents.find(repository, '', 'a')?.size, 8);
});

test('changes are written without being asked for, soon', async () => {
  const { repository, top } = fill();
  index.apply([{ repository, head: 'c2', folders: [{ row: top, tree: 't9' }], documents: [] }]);
  const other = new DatabaseSync(file);
  const read = () => (other.prepare('SELECT head FROM repositories').get() as { head: string }).head;
  assert.equal(read(), 'c1');
  for (let waits = 0; read() !== 'c2' && waits < 100; waits++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(read(), 'c2');
  other.close();
});

test('a snapshot is over when its reading is, also when that throws', () => {
  const { repository, top } = fill();
  assert.equal(
    index.snapshot(() => index.repositories.find('alice', 'notes')?.head),
    'c1',
  );
  assert.throws(() =>
    index.snapshot(() => {
      throw new Error('broken');
    }),
  );
  index.apply([{ repository, head: 'c2', folders: [{ row: top, tree: 't1' }], documents: [] }]);
  assert.equal(index.repositories.find('alice', 'notes')?.head, 'c2');
});

test('an index that is closed and opened holds what it held', () => {
  const { repository } = fill();
  index.close();
  index = openIndex(file);
  assert.equal(index.isNew, false);
  assert.equal(index.documents.find(repository, '', 'a')?.size, 1);
});

const damages: Record<string, () => void> = {
  'is gone': () => rmSync(file),
  'is no database': () =>
    writeFileSync(file, 'this is no database, but long enough to be looked at as one'.repeat(100)),
  'is empty': () => truncateSync(file, 0),
  'was cut off': () => truncateSync(file, 4096 * 2),
  'is of another layout': () => change('PRAGMA user_version = 999'),
  'lacks a table': () => change('DROP TABLE opened'),
  'has another table of a name': () => change('DROP TABLE documents; CREATE TABLE documents (what TEXT)'),
};

/** What some other program does to the file. */
function change(sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

for (const [how, damage] of Object.entries(damages)) {
  test(`an index that ${how} is made anew, and says so`, () => {
    fill();
    index.close();
    damage();
    index = openIndex(file);
    assert.equal(index.isNew, true);
    assert.deepEqual(index.repositories.listAll(), []);
    const { repository } = fill();
    assert.equal(index.documents.find(repository, '', 'a')?.size, 1);
  });
}

test('an error for which SQLite itself rolls back comes out as it is, and nothing is lost', () => {
  const { repository } = fill();
  index.close();
  const other = new DatabaseSync(file);
  other.exec(`CREATE TRIGGER full BEFORE DELETE ON repositories
    BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END`);
  index = openIndex(file);
  assert.throws(() => index.repositories.remove(repository), /the disk is full/);
  assert.equal(index.repositories.find('alice', 'notes')?.documents, 2);
  assert.deepEqual({ ...index.documents.find(repository, 'd/e', 'b') }, document(10));
  other.exec('DROP TRIGGER full');
  other.close();
  index.repositories.remove(repository);
  assert.equal(index.repositories.find('alice', 'notes'), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GitsteadError } from '../errors.ts';
import { parseCommit } from '../git/commit.ts';
import { EMPTY_TREE, type GitObject, hashObject, type Oid } from '../git/object-id.ts';
import { PackBuilder } from '../git/pack-builder.ts';
import { encodeTree, parseTree } from '../git/tree.ts';
import type { UserName } from '../protocol/paths.ts';
import { loadFolder, rootRow } from './folder-trees.ts';
import { inlineBody } from './intake.ts';
import { blobOfTag, documentTag, type TurnState, takeTurn, type Write } from './turn.ts';

const NOW = Date.UTC(2024, 4, 6, 7, 8, 9, 250);

function newState(changes: Partial<TurnState> = {}): TurnState {
  const pack = new PackBuilder();
  return {
    root: loadFolder(() => undefined, undefined, rootRow()),
    head: null,
    pack,
    read: (oid) => pack.read(oid),
    host: 'example.org',
    now: NOW,
    prefix: 'notes/',
    clashesOutside: () => undefined,
    checkQuota: () => {},
    ...changes,
  };
}

function write(path: string, body: string | undefined, changes: Partial<Write> = {}): Write {
  const bytes = Buffer.from(body ?? '');
  return {
    segments: path.split('/'),
    precondition: {},
    author: { user: 'alice' as UserName, app: 'https://app.example', grant: 'notes:rw' },
    quotaBytes: undefined,
    document:
      body === undefined
        ? undefined
        : { type: 'text/plain', body: inlineBody(hashObject('blob', bytes), bytes) },
    ...changes,
  };
}

function read(state: TurnState, oid: Oid, kind: GitObject['kind']): Buffer {
  const object = state.pack.read(oid);
  assert.equal(object?.kind, kind);
  return object!.body;
}

/** The commits of the turn, oldest first. */
function commitsOf(state: TurnState) {
  const commits = [];
  for (let oid: Oid | undefined = state.head ?? undefined; oid; oid = commits[0]!.parents[0]) {
    commits.unshift(parseCommit(read(state, oid, 'commit')));
  }
  return commits;
}

const kinds = (results: readonly unknown[]) =>
  results.map((result) => (result instanceof Error ? result.message : (result as { kind: string }).kind));

test('each accepted write of a turn is a commit of its own, in the order in which they came', () => {
  const state = newState();
  const turn = takeTurn(state, [write('a', '1'), write('b/c', '2'), write('a', undefined)]);
  assert.deepEqual(kinds(turn.results), ['created', 'created', 'deleted']);
  const commits = commitsOf(state);
  assert.deepEqual(
    commits.map(({ message }) => message.split('\n')[0]),
    ['PUT a', 'PUT b/c', 'DELETE a'],
  );
  const [commit] = commits;
  assert.deepEqual(commit!.author, {
    name: 'alice',
    email: 'alice@example.org',
    time: Math.floor(NOW / 1000),
    zone: '+0000',
  });
  assert.equal(commit!.committer.name, 'Gitstead');
  assert.equal(commit!.message, 'PUT a\n\nApp: https://app.example\nGrant: notes:rw\n');
  assert.equal(turn.head, state.head);
});

test('a write is judged against what the writes before it in the same turn left', () => {
  const create = { precondition: { ifNoneMatch: '*' as const } };
  const turn = takeTurn(newState(), [
    write('a', '1', create),
    write('a', '2', create),
    write('a', undefined),
    write('a', '3', create),
    write('a/b', '4'),
  ]);
  assert.deepEqual(kinds(turn.results), ['created', 'stale', 'deleted', 'created', 'clash']);
  const [first, stale] = turn.results as unknown as [{ etag: string }, { current: string }];
  assert.equal(stale.current, first.etag);
});

test('412 comes before 409, 409 before 404, and a clash is told from the root of the user', () => {
  const state = newState();
  takeTurn(state, [write('a/b', '1')]);
  const has = { precondition: { ifMatch: '*' as const } };
  const turn = takeTurn(state, [
    write('a/b/c/d', '1', has),
    write('a/b/c/d', '1'),
    write('a', '1'),
    write('a/b/c', undefined),
    write('a', undefined),
    write('a', undefined, has),
  ]);
  assert.deepEqual(turn.results, [
    { kind: 'stale', current: undefined },
    { kind: 'clash', at: 'notes/a/b' },
    { kind: 'clash', at: 'notes/a' },
    { kind: 'missing' },
    { kind: 'missing' },
    { kind: 'stale', current: undefined },
  ]);
  assert.deepEqual(turn.documents, []);
});

test('a turn in which nothing is accepted leaves the head and the pack as they were', () => {
  const state = newState();
  takeTurn(state, [write('a', '1')]);
  const { head } = state;
  const { length } = state.pack;
  const turn = takeTurn(state, [
    write('b', undefined),
    write('a', '2', { precondition: { ifNoneMatch: '*' } }),
  ]);
  assert.equal(turn.head, head);
  assert.equal(state.pack.length, length);
  assert.deepEqual([turn.folders, turn.documents], [[], []]);
});

test('one write over quota is refused alone', () => {
  const full = new GitsteadError('over-quota', 'too much');
  const added: number[] = [];
  const checkQuota = (_: Write, addedBytes: number) => {
    added.push(addedBytes);
    if (addedBytes > 2) throw full;
  };
  const turn = takeTurn(newState({ checkQuota }), [
    write('a', '123'),
    write('b', '456'),
    write('a', undefined),
  ]);
  assert.deepEqual([turn.results[1], added], [full, [0, 3]]);
  assert.deepEqual(kinds(turn.results), ['created', 'too much', 'deleted']);
});

test('a clash with another repository is asked about only for a document that is new', () => {
  const asked: string[] = [];
  const state = newState({
    clashesOutside: ({ segments }) => {
      asked.push(segments.join('/'));
      return segments[0] === 'taken' ? 'taken' : undefined;
    },
  });
  const turn = takeTurn(state, [write('a', '1'), write('a', '2'), write('taken', '1')]);
  assert.deepEqual(turn.results[2], { kind: 'clash', at: 'taken' });
  assert.deepEqual(asked, ['a', 'taken']);
});

test('the rows that differ are told once each, folders before what is in them', () => {
  const turn = takeTurn(newState(), [
    write('a/b/c', '1'),
    write('a/b/c', '2'),
    write('a/b/d', '3'),
    write('a/b/d', undefined),
  ]);
  assert.deepEqual(
    turn.folders.map(({ row, tree }) => [row.path, row.parent?.path, tree !== null]),
    [
      ['', undefined, true],
      ['a', '', true],
      ['a/b', 'a', true],
    ],
  );
  assert.deepEqual(
    turn.documents.map(({ folder, name, document }) => [folder.path, name, document?.size]),
    [
      ['a/b', 'c', 1],
      ['a/b', 'd', undefined],
    ],
  );
  assert.equal(turn.documents[0]!.document!.modified, 'Mon, 06 May 2024 07:08:09 GMT');
});

test('folders that were left without a document leave the tree, and a tree without any is empty', () => {
  const state = newState();
  takeTurn(state, [write('a/b/c', '1'), write('x', '2')]);
  const turn = takeTurn(state, [write('a/b/c', undefined)]);
  assert.deepEqual(
    turn.folders.map(({ row, tree }) => [row.path, tree === null]),
    [
      ['', false],
      ['a', true],
      ['a/b', true],
    ],
  );
  const names = parseTree(read(state, state.root.written!, 'tree')).map(({ name }) => name);
  assert.deepEqual(names, ['.content-types', 'x']);
  takeTurn(state, [write('x', undefined)]);
  assert.equal(commitsOf(state).at(-1)!.tree, EMPTY_TREE);
  assert.deepEqual(read(state, EMPTY_TREE, 'tree').length, 0);
});

test('a folder that comes, goes and comes again within a turn has one row', () => {
  const turn = takeTurn(newState(), [write('a/b', '1'), write('a/b', undefined), write('a/c', '2')]);
  const rows = turn.folders.filter(({ row }) => row.path === 'a').map(({ row }) => row);
  assert.equal(rows.length, 1);
  for (const { folder } of turn.documents) assert.equal(folder, rows[0]);
});

test('every object that the commits introduce is in the pack, also one that stood before', () => {
  const state = newState();
  takeTurn(state, [write('a', '1'), write('b', '2')]);
  const next = newState({ root: state.root, head: state.head, read: state.read });
  takeTurn(next, [write('b', '1'), write('b', '2')]);
  const blob = hashObject('blob', Buffer.from('1'));
  assert.ok(next.pack.has(blob), 'a blob that was there already');
  assert.ok(next.pack.has(next.root.written!), 'a tree that was there already');
  assert.equal(next.root.written, parseCommit(read(state, state.head!, 'commit')).tree);
});

test('a symbolic link that somebody pushed is in the way, and cannot be deleted', () => {
  const link = { mode: 0o120000, name: 'link', oid: hashObject('blob', Buffer.from('target')) };
  const state = newState();
  const body = encodeTree([link]);
  const tree = hashObject('tree', body);
  state.pack.addBody(tree, 'tree', body);
  state.root = loadFolder(state.read, tree, rootRow());
  const turn = takeTurn(state, [write('link', '1'), write('link/a', '1'), write('link', undefined)]);
  assert.deepEqual(kinds(turn.results), ['clash', 'clash', 'missing']);
});

test("a document's tag is its blob's id and the type's digest", () => {
  const blob = hashObject('blob', Buffer.from('1'));
  const tag = documentTag(blob, 'text/plain');
  assert.match(tag, /^[0-9a-f]{40}-[0-9a-f]{8}$/);
  assert.equal(blobOfTag(tag), blob);
  assert.notEqual(tag, documentTag(blob, 'text/html'));
});

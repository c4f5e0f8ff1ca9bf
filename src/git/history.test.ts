import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeCommit } from './commit.ts';
import { isAncestor, walkCommits } from './history.ts';
import { EMPTY_TREE, type GitObject, hashObject, type Oid } from './object-id.ts';

class Commits {
  readonly objects = new Map<Oid, GitObject>();
  reads = 0;
  readonly read = (oid: Oid): GitObject | undefined => {
    this.reads++;
    return this.objects.get(oid);
  };

  commit(time: number, ...parents: Oid[]): Oid {
    const person = { name: 'A', email: 'a@b', time, zone: '+0000' };
    const message = `${this.objects.size}\n`;
    const body = encodeCommit({ tree: EMPTY_TREE, parents, author: person, committer: person, message });
    const oid = hashObject('commit', body);
    this.objects.set(oid, { kind: 'commit', body });
    return oid;
  }

  line(length: number, time: number, parent?: Oid): Oid[] {
    const line: Oid[] = [];
    for (let i = 0; i < length; i++)
      line.push(this.commit(time + i, ...[line.at(-1) ?? parent ?? []].flat()));
    return line;
  }
}

function oids(walk: Iterable<{ oid: Oid }>): Oid[] {
  return [...walk].map(({ oid }) => oid);
}

test('a line of commits is walked from its head to its root', () => {
  const commits = new Commits();
  const line = commits.line(5, 100);
  assert.deepEqual(oids(walkCommits(commits.read, line[4]!)), line.toReversed());
});

test('a merge is followed on all sides, newest first, each commit once', () => {
  const commits = new Commits();
  const [base] = commits.line(1, 100) as [Oid];
  const left = commits.commit(110, base);
  const right = commits.commit(120, base);
  const merge = commits.commit(130, left, right);
  assert.deepEqual(oids(walkCommits(commits.read, merge)), [merge, right, left, base]);
});

test('the walk stops at the commits that the caller knows', () => {
  const commits = new Commits();
  const line = commits.line(10, 100);
  assert.deepEqual(oids(walkCommits(commits.read, line[9]!, (oid) => oid === line[6])), [
    line[9],
    line[8],
    line[7],
  ]);
  assert.deepEqual(oids(walkCommits(commits.read, line[9]!, () => true)), []);
});

test('only what is asked for is read', () => {
  const commits = new Commits();
  const line = commits.line(1000, 100);
  const walk = walkCommits(commits.read, line[999]!)[Symbol.iterator]();
  walk.next();
  walk.next();
  assert.ok(commits.reads <= 3, `${commits.reads}`);
  commits.reads = 0;
  assert.equal(isAncestor(commits.read, line[995]!, line[999]!), true);
  assert.ok(commits.reads < 15, `${commits.reads}`);
  const side = commits.line(3, 2000, line[990]!);
  commits.reads = 0;
  assert.equal(isAncestor(commits.read, side[2]!, line[999]!), false);
  assert.ok(commits.reads < 30, `${commits.reads}`);
});

test('a commit is its own ancestor, and never the ancestor of its ancestors', () => {
  const commits = new Commits();
  const line = commits.line(20, 100);
  assert.equal(isAncestor(commits.read, line[3]!, line[3]!), true);
  assert.equal(isAncestor(commits.read, line[0]!, line[19]!), true);
  assert.equal(isAncestor(commits.read, line[19]!, line[0]!), false);
});

test('a commit that is missing, or is none, is an error', () => {
  const commits = new Commits();
  const orphan = commits.commit(1, '1'.repeat(40) as Oid);
  assert.throws(() => [...walkCommits(commits.read, orphan)], { code: 'corrupt' });
  const blob = hashObject('blob', Buffer.from('x'));
  commits.objects.set(blob, { kind: 'blob', body: Buffer.from('x') });
  assert.throws(() => isAncestor(commits.read, blob, orphan), { code: 'corrupt' });
});

type Node = { time: number; parents: number[] };
const graph = fc.array(fc.record({ time: fc.nat(5), parents: fc.array(fc.nat(30), { maxLength: 3 }) }), {
  minLength: 1,
  maxLength: 25,
});

/** The graph as commits. */
function commitsOf(nodes: Node[]) {
  const commits = new Commits();
  const made: Oid[] = [];
  const ancestors = new Map<Oid, Set<Oid>>();
  for (const { time, parents } of nodes) {
    const chosen =
      made.length === 0 ? [] : [...new Set(parents.map((parent) => made[parent % made.length]!))];
    const oid = commits.commit(time, ...chosen);
    made.push(oid);
    ancestors.set(oid, new Set([oid, ...chosen.flatMap((parent) => [...ancestors.get(parent)!])]));
  }
  return { read: commits.read, made, ancestors };
}

test('whatever the clocks say, ancestry is that of the graph', () => {
  fc.assert(
    fc.property(graph, fc.nat(), fc.nat(), (nodes, first, second) => {
      const { read, made, ancestors } = commitsOf(nodes);
      const [a, b] = [made[first % made.length]!, made[second % made.length]!];
      assert.equal(isAncestor(read, a, b), ancestors.get(b)!.has(a));
      assert.deepEqual(new Set(oids(walkCommits(read, b))), ancestors.get(b));
    }),
    { numRuns: 500 },
  );
});

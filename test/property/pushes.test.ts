// Catching up with random commits of others, between writes of the store's own: after each the index equals the tree, and
// after each sequence it equals an index made anew, dates included. (Where a push holds several commits or a merge, dates
// may differ: what was changed and changed back keeps the date that it had.) Trees hold what people push: foreign
// spellings, links, programs, submodules, bytes that are no UTF-8, files of types written by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ForeignChange, type ForeignCommit, importCommits } from '../foreign-commits.ts';
import { fsckFaults, indexedContent, indexFaults } from '../index-faults.ts';
import { doc, openTestStore, put, remove, type TestStore, user } from '../open-test-store.ts';
import { depth, runs, seed } from './seed.ts';

const START = Date.UTC(2024, 0, 1) / 1000;
const RUNS = 60;

const own = fc.constantFrom('a', 'b', 'c.json', 'd', 'a:b', 'con', 'ends.');
const entry = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'b', 'c.json', 'd') },
  {
    weight: 3,
    arbitrary: fc.constantFrom('a%3Ab', 'a:b', 'a%3ab', '%61', 'con', '%63on', 'ends.', 'ends%2E', 'e\u0301'),
  },
);
const ownPath = fc.array(own, { minLength: 1, maxLength: 3 });
const foreignPath = fc.oneof(
  { weight: 12, arbitrary: fc.array(entry, { minLength: 1, maxLength: 3 }).map((names) => names.join('/')) },
  {
    weight: 1,
    arbitrary: entry.map((name) => Buffer.concat([Buffer.from(`${name}/x`), Buffer.of(0xff, 0x41)])),
  },
);

const typesLine = fc.constantFrom(
  '*\ttext/html\n',
  '*\ttext/plain\n',
  '*.json\tapplication/ld+json\n',
  'a\ttext/css\n',
  'b\ttext/x-b\r\n',
  'a%3Ab\ttext/x-colon\n',
  'a:b\ttext/x-never\n',
  'c.json\tno type\n',
  'nonsense\n',
  '\n',
  'a\tlast line without an end',
);
const typesFile = fc.record({
  path: fc.array(entry, { maxLength: 2 }).map((names) => [...names, '.content-types'].join('/')),
  body: fc.option(
    fc.array(typesLine, { maxLength: 5 }).map((lines) => lines.join('')),
    { nil: undefined, freq: 4 },
  ),
});

const change: fc.Arbitrary<ForeignChange> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      path: foreignPath,
      body: fc.constantFrom('1', '2', '', 'three'),
      mode: fc.constantFrom('100644', '100644', '100644', '100755', '120000'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      path: foreignPath,
      body: fc.constant('1'.repeat(40)),
      mode: fc.constant('160000'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ path: foreignPath, body: fc.constant(undefined) }) },
  { weight: 2, arbitrary: typesFile },
);

const commit = fc.record({
  /** clocks of others are not to be trusted */
  minutes: fc.integer({ min: -10_000, max: 10_000 }),
  changes: fc.array(change, { maxLength: 5 }),
});

type Step =
  | { kind: 'own'; path: string[]; put: { body: string; type: string } | undefined }
  | { kind: 'push'; commits: { minutes: number; changes: ForeignChange[] }[]; merges: boolean };

const ownStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('own' as const),
  path: ownPath,
  put: fc.option(
    fc.record({
      body: fc.constantFrom('1', '2', 'own'),
      type: fc.constantFrom('text/plain', 'application/json'),
    }),
    { nil: undefined, freq: 3 },
  ),
});

function steps(maxCommits: number): fc.Arbitrary<Step[]> {
  const push: fc.Arbitrary<Step> = fc.record({
    kind: fc.constant('push' as const),
    commits: fc.array(commit, { minLength: 1, maxLength: maxCommits }),
    merges: fc.boolean(),
  });
  return fc.array(fc.oneof({ weight: 3, arbitrary: ownStep }, { weight: 2, arbitrary: push }), {
    minLength: 1,
    maxLength: 12,
    size: 'max',
  });
}

/** The list as a line of commits or, where it is to merge, as a branch that leaves main at its parent and comes back. */
function commitsOf(step: Extract<Step, { kind: 'push' }>): ForeignCommit[] {
  const commits: ForeignCommit[] = step.commits.map(({ minutes, changes }) => ({
    time: START + minutes * 60,
    changes,
  }));
  if (!step.merges || commits.length < 2) return commits;
  const last = commits.length - 1;
  return commits.map((one, position) => {
    if (position === last) return { ...one, parent: 0, ...(last > 1 && { merges: last - 1 }) };
    return position === 1 ? { ...one, parent: 'main' as const } : one;
  });
}

async function play(store: TestStore, name: string, sequence: readonly Step[]): Promise<void> {
  const owner = user(name);
  const { storage, index } = store;
  await put(storage, doc('notes/first', owner), '1', { type: 'text/html' });
  await storage.drain(owner);
  const repository = storage.repositoryFolder(owner, 'notes')!;
  for (const step of sequence) {
    if (step.kind === 'own') {
      const path = doc(['notes', ...step.path].join('/'), owner);
      const answer = step.put
        ? await put(storage, path, step.put.body, step.put)
        : await remove(storage, path);
      assert.match(answer.kind, /^(created|updated|deleted|missing|clash)$/);
    } else {
      await storage.drain(owner);
      await importCommits(repository, commitsOf(step));
      assert.equal((await remove(storage, doc('notes/no-such-document', owner))).kind, 'missing');
    }
    await storage.drain(owner);
    assert.deepEqual(indexFaults(index, repository, name, 'notes'), []);
  }
}

/** What the index holds, without its own numbers. */
function contentWithDates({ index }: TestStore, name: string) {
  const { documents, folders, dates } = indexedContent(index, name, 'notes');
  return { documents, folders, dates };
}

for (const { title, maxCommits, withDates } of [
  { title: 'pushed commits one at a time', maxCommits: 1, withDates: true },
  { title: 'pushes of several commits and of merges', maxCommits: 4, withDates: false },
]) {
  test(`after ${title}, the index equals one that is made anew`, {
    timeout: 180_000 * depth(),
  }, async (t) => {
    let now = START * 1000;
    await using store = await openTestStore({ now: () => (now += 61_000) });
    let count = 0;
    await fc.assert(
      fc.asyncProperty(steps(maxCommits), async (sequence) => {
        const name = `u${count++}`;
        await play(store, name, sequence);
        const before = contentWithDates(store, name);
        await store.storage.reindex(user(name));
        const after = contentWithDates(store, name);
        if (!withDates) assert.deepEqual([...after.dates.keys()], [...before.dates.keys()]);
        assert.deepEqual(
          { ...after, dates: withDates && after.dates },
          { ...before, dates: withDates && before.dates },
        );
        for (const date of after.dates.values()) assert.ok(!Number.isNaN(Date.parse(date)), date);
        const repository = store.storage.repositoryFolder(user(name), 'notes')!;
        if (count % 5 === 0) assert.deepEqual(await fsckFaults(repository), []);
        assert.deepEqual(store.complaints(), []);
      }),
      { numRuns: runs(RUNS), seed: seed(t) },
    );
  });
}

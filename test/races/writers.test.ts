// Many clients at once, and one winner: conditional writes of one document, and documents of the user's root against the
// modules of their names, which stand in another repository. Each round begins from a state of its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WriteResult } from '../../src/storage/types.ts';
import { storeFaults } from '../index-faults.ts';
import { bytesOf, dir, doc, itemsOf, openTestStore, put, remove, textOf } from '../open-test-store.ts';

const CLIENTS = 32;
const ROUNDS = 100;
const LARGE = 'x'.repeat((1 << 20) + 1);

function kindsOf(answers: readonly WriteResult[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of answers) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** The body that client number `client` sends: in some rounds of all sizes, so that they are taken in at different speeds. */
function bodyOf(round: number, client: number): string {
  if (round % 10 !== 0) return `${client}`;
  return client % 8 === 0 ? LARGE + client : `${client}`.repeat(1 + client * 1000);
}

test(`of ${CLIENTS} clients that create a document one succeeds, ${ROUNDS} times`, async () => {
  await using store = await openTestStore();
  for (let round = 0; round < ROUNDS; round++) {
    const path = doc(`notes/${round % 7}/${round}`);
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, (_, client) =>
        put(store.storage, path, bodyOf(round, client), { precondition: { ifNoneMatch: '*' } }),
      ),
    );
    assert.deepEqual(kindsOf(answers), { created: 1, stale: CLIENTS - 1 });
    const winner = answers.findIndex(({ kind }) => kind === 'created');
    const { etag } = answers[winner] as Extract<WriteResult, { kind: 'created' }>;
    for (const answer of answers) if (answer.kind === 'stale') assert.equal(answer.current, etag);
    assert.equal(await textOf(store.storage, path), bodyOf(round, winner));
  }
  assert.deepEqual(await storeFaults(store), []);
  assert.deepEqual(store.complaints(), []);
});

test(`of ${CLIENTS} clients that change one version one succeeds, ${ROUNDS} times`, async () => {
  await using store = await openTestStore();
  const path = doc('notes/a');
  let last = await put(store.storage, path, 'first');
  for (let round = 0; round < ROUNDS; round++) {
    const { etag } = last as Extract<WriteResult, { kind: 'updated' }>;
    const precondition = { ifMatch: [etag] };
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, (_, client) =>
        client === 5
          ? remove(store.storage, path, precondition)
          : put(store.storage, path, `${round} ${bodyOf(round, client)}`, { precondition }),
      ),
    );
    const winner = answers.findIndex(({ kind }) => kind !== 'stale');
    const { kind } = answers[winner]!;
    assert.deepEqual(kindsOf(answers), { [kind]: 1, stale: CLIENTS - 1 });
    const text = await textOf(store.storage, path);
    assert.equal(text, winner === 5 ? undefined : `${round} ${bodyOf(round, winner)}`);
    last = winner === 5 ? await put(store.storage, path, `again ${round}`) : answers[winner]!;
  }
  assert.deepEqual(await storeFaults(store), []);
  assert.deepEqual(store.complaints(), []);
});

test(`a document of the root and a module of its name: one of the two, ${ROUNDS} times`, async () => {
  await using store = await openTestStore();
  const { storage } = store;
  const won = { root: 0, module: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    // half of the rounds make repositories, half come back to one that was emptied
    const name = round % 2 === 0 ? `x${round}` : 'x';
    const [root, below, beside] = [doc(name), doc(`${name}/y`), doc(`${name}/z/y`)];
    const writes = [
      () => put(storage, root, '1'),
      () => put(storage, below, '2'),
      () => put(storage, beside, '3'),
    ];
    if (round % 4 < 2) writes.reverse();
    const answers = await Promise.all(writes.map((write) => write()));
    const made = kindsOf(answers).created ?? 0;
    const isRoot = (await storage.document(root)) !== undefined;
    won[isRoot ? 'root' : 'module']++;
    assert.equal(made, isRoot ? 1 : 2, JSON.stringify(answers));
    assert.equal(kindsOf(answers).clash, 3 - made);
    assert.equal((await storage.document(below)) === undefined, isRoot);
    assert.deepEqual(Object.keys(await itemsOf(storage, dir(''))), isRoot ? [name] : [`${name}/`]);
    await Promise.all([root, below, beside].map((path) => remove(storage, path)));
    assert.deepEqual(await itemsOf(storage, dir('')), {});
  }
  assert.ok(won.root + won.module === ROUNDS);
  assert.deepEqual(await storeFaults(store, { fsck: false }), []);
  assert.deepEqual(store.complaints(), []);
});

test(`the last document goes while one of the other side comes: never both, ${ROUNDS} times`, async () => {
  await using store = await openTestStore();
  const { storage } = store;
  for (let round = 0; round < ROUNDS; round++) {
    const [root, below] = [doc('x'), doc('x/y')];
    const [standing, coming] = round % 2 === 0 ? [below, root] : [root, below];
    assert.equal((await put(storage, standing, '1')).kind, 'created');
    const requests: (() => Promise<WriteResult>)[] = [
      () => remove(storage, standing),
      () => put(storage, coming, '2'),
      () => put(storage, standing, '3', { precondition: { ifNoneMatch: '*' } }),
    ];
    if (round % 4 < 2) requests.reverse();
    const [gone, came] = round % 4 < 2 ? [2, 1] : [0, 1];
    const answers = await Promise.all(requests.map((request) => request()));
    assert.equal(answers[gone]!.kind, 'deleted');
    const has = await Promise.all(
      [standing, coming].map(async (path) => (await bytesOf(storage, path)) !== undefined),
    );
    assert.notDeepEqual(has, [true, true], 'a document and a folder of one name');
    assert.equal(answers[came]!.kind === 'created', has[1]);
    await Promise.all([remove(storage, standing), remove(storage, coming)]);
  }
  assert.deepEqual(await storeFaults(store), []);
  assert.deepEqual(store.complaints(), []);
});

test(`writers of ${CLIENTS} repositories and of the root at once lose nothing`, async () => {
  await using store = await openTestStore();
  const { storage } = store;
  const writes = Array.from({ length: CLIENTS * 10 }, (_, number) => number);
  const answers = await Promise.all(
    writes.map((number) => {
      const module = number % CLIENTS;
      return put(storage, doc(module === 0 ? `d${number}` : `m${module}/d${number}`), `${number}`);
    }),
  );
  assert.deepEqual(kindsOf(answers), { created: writes.length });
  assert.deepEqual(storage.usage(doc('x').user).documents, writes.length);
  const root = Object.keys(await itemsOf(storage, dir('')));
  assert.equal(root.filter((name) => name.endsWith('/')).length, CLIENTS - 1);
  assert.deepEqual(await storeFaults(store), []);
  assert.deepEqual(store.complaints(), []);
});

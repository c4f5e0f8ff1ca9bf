import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashObject } from '../git/object-id.ts';
import type { ObjectStore } from '../git/object-store.ts';
import { type Folder, loadFolder, rootRow } from './folder-trees.ts';
import { type OpenRepository, repositoryState } from './open-repository.ts';
import { openTreeBudget } from './tree-budget.ts';

const blob = hashObject('blob', Buffer.from('1'));

function repositoryWithRoot(module: string): OpenRepository & { root: Folder | undefined } {
  const row = { id: 1, user: 'alice', module, head: null, documents: 0, bytes: 0 };
  const repository = repositoryState(row, '/nowhere', undefined as unknown as ObjectStore, null, '');
  repository.root = loadFolder(() => undefined, undefined, rootRow());
  return repository;
}

function addDocuments(repository: OpenRepository, count: number): void {
  const { tree } = repository.root!;
  for (let each = 0; each < count; each++) tree.set(`document-${tree.count}`, 'blob', blob);
}

test('folders are counted as they are now, not as they were when they were first kept', () => {
  const budget = openTreeBudget(1 << 20);
  const repository = repositoryWithRoot('notes');
  budget.keep(repository);
  const empty = budget.held();
  addDocuments(repository, 2000);
  budget.keep(repository);
  assert.ok(budget.held() > empty + repository.root!.tree.length, `${budget.held()} bytes`);
  assert.ok(repository.root);
});

test('when folders grow beyond the budget, those written longest ago are forgotten', () => {
  const budget = openTreeBudget(1 << 20);
  const repositories = ['a', 'b', 'c', 'd'].map(repositoryWithRoot);
  for (const repository of repositories) budget.keep(repository);
  for (const repository of repositories) {
    addDocuments(repository, 7000);
    budget.keep(repository);
  }
  const kept = repositories.map(({ root }) => root !== undefined);
  assert.equal(kept[0], false);
  assert.equal(kept.at(-1), true);
  assert.ok(budget.held() <= 1 << 20);
});

test('folders that would take more than half of the budget are not kept', () => {
  const budget = openTreeBudget(1 << 20);
  const repository = repositoryWithRoot('notes');
  budget.keep(repository);
  addDocuments(repository, 20_000);
  budget.keep(repository);
  assert.equal(repository.root, undefined);
  assert.equal(budget.held(), 0);
});

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { importCommits } from '../../test/foreign-commits.ts';
import { type Index, openIndex } from '../db/open-index.ts';
import { OpenFiles } from '../git/object-store.ts';
import { createRepository } from '../git/repository.ts';
import { openLog } from '../log.ts';
import { loadFolder, rootRow } from './folder-trees.ts';
import type { OpenRepository } from './open-repository.ts';
import { openRegistry, type Registry } from './registry.ts';
import { repositoryFolder } from './repository-folders.ts';

let folder: string;
let index: Index;
let registry: Registry;
const blocked = new Map<string, string>();
const recovered = { faults: blocked, tryAgain: () => {} };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitstead-registry-'));
  index = openIndex(join(folder, 'index.db'));
  registry = open(3);
});
afterEach(() => {
  registry.closeAll();
  index.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(maxOpen: number, closed?: (repository: OpenRepository) => void): Registry {
  const files = new OpenFiles(16);
  return openRegistry({
    repositoriesFolder: folder,
    index,
    files,
    log: openLog('silent'),
    recovered,
    maxOpen,
    ...(closed ? { closed } : {}),
  });
}

const openModules = () => [...registry.opened()].map(({ module }) => module);

test('a repository is opened once, and made only when it is wanted', () => {
  assert.equal(registry.find('alice', 'notes'), undefined);
  const made = registry.ensure('alice', 'notes');
  assert.equal(registry.find('alice', 'notes'), made);
  assert.equal(registry.ensure('alice', 'notes'), made);
  assert.deepEqual([made.head, made.indexed, made.locked], [null, null, false]);
});

test('beyond the limit the ones untouched longest are closed', () => {
  for (const module of ['a', 'b', 'c']) registry.ensure('alice', module);
  registry.find('alice', 'a');
  registry.ensure('alice', 'd');
  assert.deepEqual(openModules(), ['c', 'a', 'd']);
});

test('no repository is closed while it has work, nor the one just opened', () => {
  for (const module of ['a', 'b', 'c']) registry.ensure('alice', module).running = true;
  const newest = registry.ensure('alice', 'd');
  assert.deepEqual(openModules(), ['a', 'b', 'c', 'd']);
  assert.equal(registry.find('alice', 'd'), newest);
  registry.find('alice', 'b')!.running = false;
  registry.ensure('alice', 'e');
  assert.deepEqual(openModules(), ['a', 'c', 'e'], 'the limit holds again');
});

test('what cannot be used answers 503: gone, of another kind, without its branch', async () => {
  const at = (module: string) => repositoryFolder(folder, 'alice', module);
  for (const module of ['gone', 'branchless']) {
    createRepository(at(module));
    const head = await importCommits(at(module), [{ time: 1, changes: [] }]);
    const { id } = index.repositories.ensure('alice', module);
    index.apply([{ repository: id, head, folders: [], documents: [] }]);
  }
  renameSync(at('gone'), join(folder, 'elsewhere'));
  rmSync(join(at('branchless'), 'refs/heads/main'));
  mkdirSync(at('no-repository'));
  createRepository(at('shallow'));
  writeFileSync(join(at('shallow'), 'shallow'), `${'1'.repeat(40)}\n`);
  blocked.set('alice/blocked', 'its journal cannot be replayed');
  for (const module of ['gone', 'branchless', 'no-repository', 'shallow', 'blocked']) {
    assert.throws(() => registry.find('alice', module), { code: 'not-ready' }, module);
    assert.throws(() => registry.ensure('alice', module), { code: 'not-ready' }, module);
  }
  assert.deepEqual(openModules(), []);
});

test('a fault is remembered for a while, so that a broken repository costs little', () => {
  mkdirSync(repositoryFolder(folder, 'alice', 'notes'), { recursive: true });
  assert.throws(() => registry.find('alice', 'notes'), { code: 'not-ready' });
  rmSync(repositoryFolder(folder, 'alice', 'notes'), { recursive: true });
  assert.throws(() => registry.find('alice', 'notes'), { code: 'not-ready' });
  registry = open(3);
  assert.equal(registry.find('alice', 'notes'), undefined);
});

test('a name that no repository can have is refused as such, each time, and is no fault of a repository', () => {
  const longest = 'n'.repeat(251);
  assert.equal(registry.find('alice', longest), undefined);
  for (const name of [`${longest}n`, 'ä'.repeat(42)]) {
    for (const _ of [1, 2]) assert.throws(() => registry.find('alice', name), { code: 'bad-path' });
  }
});

test('one that is closed says so, keeps no folders, and is told of; found again it is another one', () => {
  const closed: string[] = [];
  registry = open(1, ({ module }) => closed.push(module));
  const first = registry.ensure('alice', 'a');
  first.root = loadFolder(() => undefined, undefined, rootRow());
  registry.ensure('alice', 'b');
  assert.deepEqual([closed, first.isClosed, first.root], [['a'], true, undefined]);
  const again = registry.find('alice', 'a')!;
  assert.notEqual(again, first);
  assert.deepEqual([again.isClosed, again.row], [false, first.row]);
});

test('one that stands where its rows do is opened as it is; one that was moved or changed is looked at', async () => {
  const at = repositoryFolder(folder, 'alice', 'notes');
  createRepository(at);
  const head = await importCommits(at, [{ time: 1, changes: [] }]);
  const { id } = index.repositories.ensure('alice', 'notes');
  index.apply([{ repository: id, head, folders: [], documents: [] }]);
  assert.deepEqual(
    [registry.find('alice', 'notes')?.head, registry.find('alice', 'notes')?.indexed],
    [head, head],
  );
  registry = open(3);
  const pushed = await importCommits(at, [{ time: 2, changes: [] }]);
  assert.deepEqual(
    [registry.find('alice', 'notes')?.head, registry.find('alice', 'notes')?.indexed],
    [pushed, head],
  );
  registry = open(3);
  writeFileSync(join(at, 'shallow'), `${head}\n`);
  assert.throws(() => registry.find('alice', 'notes'), { code: 'not-ready' });
});

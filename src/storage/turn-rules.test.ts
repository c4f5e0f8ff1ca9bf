import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { FolderRow } from '../db/folders.ts';
import { type Index, openIndex } from '../db/open-index.ts';
import { hashObject } from '../git/object-id.ts';
import { ROOT_MODULE, type UserName } from '../protocol/paths.ts';
import { inlineBody } from './intake.ts';
import type { OpenRepository } from './open-repository.ts';
import type { Write } from './turn.ts';
import { outsideRules } from './turn-rules.ts';

let folder: string;
let index: Index;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitstead-rules-'));
  index = openIndex(join(folder, 'index.db'));
});
afterEach(() => {
  index.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Documents in the root folder of a module, with their sizes. */
function store(module: string, sizes: Record<string, number>): void {
  const row: FolderRow = { id: undefined, path: '', name: '', parent: undefined };
  index.apply([
    {
      repository: index.repositories.ensure('alice', module).id,
      head: 'c',
      folders: [{ row, tree: 't' }],
      documents: Object.entries(sizes).map(([name, size]) => ({
        folder: row,
        name,
        document: { etag: 'e', type: 'text/plain', size, modified: '' },
      })),
    },
  ]);
}

function write(path: string, size: number | undefined, quotaBytes?: number): Write {
  const bytes = Buffer.alloc(size ?? 0);
  const document =
    size === undefined
      ? undefined
      : { type: 'text/plain', body: inlineBody(hashObject('blob', bytes), bytes) };
  const author = { user: 'alice' as UserName, app: undefined, grant: undefined };
  return { segments: path.split('/'), precondition: {}, author, quotaBytes, document };
}

const rules = (module: string, ...writes: Write[]) => {
  const row = index.repositories.ensure('alice', module).id;
  return outsideRules(index, { user: 'alice', module, row } as OpenRepository, writes);
};

test("turns of the root, of a module's first document and of what may be its last one need the gate", () => {
  store('notes', { a: 1, b: 1 });
  assert.equal(rules(ROOT_MODULE, write('x', 1)).needsGate, true);
  assert.equal(rules('new', write('x', 1)).needsGate, true);
  assert.equal(rules('notes', write('x', 1), write('a', undefined)).needsGate, false);
  assert.equal(rules('notes', write('a', undefined), write('b', undefined)).needsGate, true);
});

test('a document of the root clashes with a module that holds a document, and the other way round', () => {
  store('notes', { a: 1 });
  store('emptied', {});
  store(ROOT_MODULE, { letter: 1 });
  const root = rules(ROOT_MODULE, write('notes', 1));
  assert.equal(root.clashesOutside(write('notes', 1)), 'notes');
  assert.equal(root.clashesOutside(write('emptied', 1)), undefined);
  assert.equal(root.clashesOutside(write('never', 1)), undefined);
  assert.equal(rules('letter', write('a', 1)).clashesOutside(write('a', 1)), 'letter');
  assert.equal(rules('other', write('a', 1)).clashesOutside(write('a', 1)), undefined);
});

test('the modules that a turn may clash with are told, so that they can be read in first', () => {
  store('notes', { a: 1 });
  assert.deepEqual(rules(ROOT_MODULE, write('x', 1), write('y', 1), write('x', undefined)).neighbours, [
    'x',
    'y',
  ]);
  assert.deepEqual(rules(ROOT_MODULE, write('n'.repeat(255), 1)).neighbours, [], 'too long for a module');
  assert.deepEqual(rules('new', write('x', 1)).neighbours, [ROOT_MODULE]);
  assert.deepEqual(rules('notes', write('x', 1)).neighbours, []);
});

test('a quota counts all modules of the user and what the turn has added, and gives back what is replaced', () => {
  store('notes', { a: 40 });
  store('other', { b: 50 });
  const { checkQuota } = rules('notes', write('x', 1));
  checkQuota(write('new', 10, 100), 0);
  assert.throws(() => checkQuota(write('new', 11, 100), 0), { code: 'over-quota' });
  assert.throws(() => checkQuota(write('new', 10, 100), 1), { code: 'over-quota' });
  checkQuota(write('a', 50, 100), 0);
  assert.throws(() => checkQuota(write('a', 51, 100), 0), { code: 'over-quota' });
  checkQuota(write('new', 1000, undefined), 0);
});

test('who is over quota may delete, and replace a document by one that is no larger', () => {
  store('notes', { a: 40, b: 100 });
  const { checkQuota } = rules('notes', write('x', 1));
  checkQuota(write('a', undefined, 100), 0);
  checkQuota(write('a', 40, 100), 0);
  checkQuota(write('a', 0, 100), 0);
  assert.throws(() => checkQuota(write('a', 41, 100), 0), { code: 'over-quota' });
});

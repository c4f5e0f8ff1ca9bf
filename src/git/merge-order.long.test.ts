import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mergeablePacks, mergePacks } from './merge-packs.ts';
import { packFile } from './pack-files.ts';
import { gitEnvironment } from './process.ts';
import { createRepository } from './repository.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-order-'));
after(() => rmSync(root, { recursive: true, force: true }));

function git(bare: string, args: string[], input = ''): string {
  const env = gitEnvironment(bare);
  return execFileSync('git', args, { env, encoding: 'utf8', stdio: 'pipe', input, maxBuffer: 1 << 28 });
}

/** 1,500 commits, each with a document, a folder and the top of it, and a second pack of one more. */
function repositoryOfTwoPacks(name: string, repack?: string[]): string {
  const bare = join(root, `${name}.git`);
  createRepository(bare);
  const text = 'lines that are alike in all of them\n'.repeat(20);
  for (const [first, count] of [
    [0, 1500],
    [1500, 1],
  ] as const) {
    const lines: string[] = [];
    for (let each = first; each < first + count; each++) {
      const body = `${text}${each}`;
      lines.push('commit refs/heads/main', `committer a <a@example.com> ${each + 1} +0000`, 'data 2', 'PU');
      if (each === first && first > 0) lines.push('from refs/heads/main^0');
      lines.push(`M 644 inline folder/document-${each % 50}`, `data ${body.length}`, body);
    }
    git(bare, ['-c', 'fastimport.unpackLimit=1', 'fast-import', '--quiet'], `${lines.join('\n')}\n`);
    if (first === 0 && repack) git(bare, [...repack, 'repack', '-adfq', '--no-write-bitmap-index']);
  }
  return bare;
}

/** The kinds of a pack's entries, in the order in which they lie, each named once for its run. */
function runsOf(bare: string, pack: string): string[] {
  const entries = git(bare, ['verify-pack', '-v', packFile(bare, pack, 'idx')])
    .split('\n')
    .map((line) => /^[0-9a-f]{40} (\w+) +\d+ \d+ (\d+)/.exec(line))
    .filter((found) => found !== null)
    .map(([, kind, offset]) => ({ kind: kind!, offset: Number(offset) }))
    .sort((a, b) => a.offset - b.offset);
  return entries.map(({ kind }) => kind).filter((kind, at, kinds) => kind !== kinds[at - 1]);
}

const PACKED: [how: string, settings: string[]][] = [
  ['by their distance', []],
  ['by their id', ['-c', 'repack.useDeltaBaseOffset=false']],
];
for (const [how, settings] of PACKED) {
  test(`a large pack whose deltas name their bases ${how} keeps every object in a merge`, () => {
    const bare = repositoryOfTwoPacks(how.replaceAll(' ', '-'), settings);
    const all = ['cat-file', '--batch-all-objects', '--batch-check'];
    const before = git(bare, all);
    const result = mergePacks(
      bare,
      mergeablePacks(bare).map(({ name }) => name),
    );
    assert.equal(result.kind, 'merged');
    assert.equal(git(bare, all), before);
    assert.equal(git(bare, ['fsck', '--strict', '--no-progress']), '');
  });
}

test('of a large pack commits lie first, then trees, then documents', () => {
  const bare = repositoryOfTwoPacks('mixed');
  const [large] = mergeablePacks(bare).toSorted((a, b) => b.bytes - a.bytes);
  assert.ok(runsOf(bare, large!.name).length > 1000);
  const result = mergePacks(
    bare,
    mergeablePacks(bare).map(({ name }) => name),
  );
  assert.ok(result.kind === 'merged');
  assert.deepEqual(runsOf(bare, result.name).slice(0, 3), ['commit', 'tree', 'blob']);
  assert.ok(runsOf(bare, result.name).length < 12);
});

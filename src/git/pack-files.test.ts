import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hashObject } from './object-id.ts';
import { verifyPack } from './object-store.ts';
import { PackBuilder } from './pack-builder.ts';
import {
  dropKeep,
  isMergeable,
  keepPack,
  mergeablePacks,
  ourKeeps,
  packFile,
  packFolder,
  placePack,
  removePack,
} from './pack-files.ts';
import { gitEnvironment } from './process.ts';
import { createRepository } from './repository.ts';
import { storedStream } from './zlib.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-packs-'));
after(() => rmSync(root, { recursive: true, force: true }));

let made = 0;
function newRepository(): string {
  const path = join(root, `${++made}.git`);
  createRepository(path);
  return path;
}

function packOf(text: string) {
  const body = Buffer.from(text);
  const oid = hashObject('blob', body);
  const builder = new PackBuilder();
  builder.add(oid, 'blob', body.length, storedStream(body));
  const { pack, index, checksum } = builder.finish();
  return { oid, pack, index, name: `pack-${checksum}` };
}

function git(gitDir: string, ...args: string[]): string {
  return execFileSync('git', args, { env: gitEnvironment(gitDir), encoding: 'utf8', stdio: 'pipe' });
}

test('a pack that is placed is read by git, and shielded from gc until the keep is dropped', () => {
  const bare = newRepository();
  const { oid, pack, index, name } = packOf('unreachable');
  placePack(bare, name, pack, index);
  assert.ok(verifyPack(packFile(bare, name, 'pack')));
  git(bare, 'gc', '-q', '--prune=now');
  git(bare, 'repack', '-adq');
  assert.equal(git(bare, 'cat-file', '-p', oid), 'unreachable');
  assert.deepEqual(ourKeeps(bare), [name]);
  assert.equal(isMergeable(bare, name), false);
  dropKeep(bare, name);
  assert.deepEqual(ourKeeps(bare), []);
  assert.equal(isMergeable(bare, name), true);
  git(bare, 'repack', '-adq');
  assert.throws(() => git(bare, 'cat-file', '-p', oid));
  assert.deepEqual(readdirSync(join(bare, 'gitstead')), ['keep']);
});

test('placing a pack again, over what a crash left of it, makes it whole', () => {
  const bare = newRepository();
  const { pack, index, name } = packOf('twice');
  writeFileSync(packFile(bare, name, 'pack'), pack.subarray(0, 10), { mode: 0o400 });
  placePack(bare, name, pack, index);
  placePack(bare, name, pack, index);
  assert.ok(verifyPack(packFile(bare, name, 'pack')));
  git(bare, 'fsck', '--strict');
});

test("nobody else's keep is taken for ours", () => {
  const bare = newRepository();
  writeFileSync(packFile(bare, 'pack-theirs', 'keep'), 'receive-pack 1 on host');
  keepPack(bare, 'pack-ours');
  assert.deepEqual(ourKeeps(bare), ['pack-ours']);
  dropKeep(bare, 'pack-theirs');
  dropKeep(bare, 'pack-absent');
  assert.ok(existsSync(packFile(bare, 'pack-theirs', 'keep')));
});

test('packs that may be merged are listed from old to new, without those that are kept or cruft', () => {
  const bare = newRepository();
  const names = ['a', 'bb', 'ccc', 'dddd'].map((text) => {
    const { pack, index, name } = packOf(text);
    placePack(bare, name, pack, index);
    return name;
  });
  dropKeep(bare, names[0]!);
  dropKeep(bare, names[1]!);
  dropKeep(bare, names[2]!);
  writeFileSync(packFile(bare, names[1]!, 'mtimes'), '');
  execFileSync('touch', ['-d', '2001-01-01', packFile(bare, names[2]!, 'pack')]);
  assert.deepEqual(
    mergeablePacks(bare).map(({ name }) => name),
    [names[2], names[0]],
  );
});

test('a pack that is removed is gone with all that belongs to it', () => {
  const bare = newRepository();
  const { pack, index, name } = packOf('gone');
  placePack(bare, name, pack, index);
  dropKeep(bare, name);
  writeFileSync(packFile(bare, name, 'rev'), '');
  removePack(bare, name);
  removePack(bare, name);
  assert.deepEqual(readdirSync(packFolder(bare)), []);
});

test('a pack that is removed without blocking is gone, and may be gone before', async () => {
  const bare = newRepository();
  const { pack, index, name } = packOf('gone later');
  placePack(bare, name, pack, index);
  dropKeep(bare, name);
  removePack(bare, name);
  removePack(bare, name);
  assert.deepEqual(readdirSync(packFolder(bare)), []);
});

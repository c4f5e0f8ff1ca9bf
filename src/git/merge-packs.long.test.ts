import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { encodeCommit } from './commit.ts';
import { encodeSpliceDelta } from './delta.ts';
import { clearStaging } from './durable.ts';
import { choosePacks, mergeablePacks, mergePacks } from './merge-packs.ts';
import { hashObject, type Oid } from './object-id.ts';
import { ObjectStore, OpenFiles, verifyPack } from './object-store.ts';
import { PackBuilder } from './pack-builder.ts';
import { dropKeep, keepPack, ourKeeps, packFile, packFolder, placePack } from './pack-files.ts';
import { openIndex } from './pack-index.ts';
import { gitEnvironment } from './process.ts';
import { createRepository } from './repository.ts';
import { placeSpool, spoolBlob } from './spool-pack.ts';
import { openSpoolThreads } from './spool-threads.ts';
import { EditableTree } from './tree.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-merge-'));
after(() => rmSync(root, { recursive: true, force: true }));

function git(gitDir: string, args: string[], input = ''): string {
  const env = gitEnvironment(gitDir);
  return execFileSync('git', args, { env, encoding: 'utf8', stdio: 'pipe', input, maxBuffer: 1 << 28 });
}

/** A repository that grows by packs of one or more commits, in a folder and a folder in it. */
class Growing {
  static #made = 0;
  readonly bare = join(root, `${++Growing.#made}.git`);
  readonly names: string[] = [];
  /** of all packs so far */
  bytes = 0;
  readonly #top = EditableTree.empty();
  readonly #deep = EditableTree.empty();
  #head: Oid | undefined;
  #versions = 0;

  constructor() {
    createRepository(this.bare);
  }

  /** @param asDeltas whether later trees of the pack are deltas of its first, as our own packs have them */
  addPack(commits: number, asDeltas = true): void {
    const pack = new PackBuilder();
    const last = new Map<EditableTree, Oid>();
    const addTree = (tree: EditableTree): Oid => {
      const oid = tree.hash();
      const splices = tree.takeSplices();
      const base = last.get(tree);
      last.set(tree, oid);
      const delta = asDeltas && base && splices && deltaOf(splices);
      if (!delta || !pack.addDelta(oid, base, delta)) pack.addBody(oid, 'tree', Buffer.from(tree.body()));
      return oid;
    };
    for (let i = 0; i < commits; i++) {
      const version = ++this.#versions;
      const body = Buffer.from(`document ${version} ${'text '.repeat(version % 40)}`);
      const blob = hashObject('blob', body);
      pack.addBody(blob, 'blob', body);
      const tree = version % 3 === 0 ? this.#deep : this.#top;
      tree.set(`document-${(version * 7) % 150}`, 'blob', blob);
      if (tree === this.#deep) this.#top.set('deep', 'tree', addTree(this.#deep));
      const person = { name: 'A', email: 'a@b', time: 1e9 + version, zone: '+0000' };
      const commit = encodeCommit({
        tree: addTree(this.#top),
        parents: this.#head ? [this.#head] : [],
        author: person,
        committer: person,
        message: `PUT ${version}\n`,
      });
      this.#head = hashObject('commit', commit);
      pack.addBody(this.#head, 'commit', commit);
    }
    const { pack: bytes, index, checksum } = pack.finish();
    const name = `pack-${checksum}`;
    writeFileSync(packFile(this.bare, name, 'pack'), bytes);
    writeFileSync(packFile(this.bare, name, 'idx'), index);
    this.bytes += bytes.length;
    this.names.push(name);
    writeFileSync(join(this.bare, 'refs/heads/main'), `${this.#head}\n`);
  }
}

function deltaOf({
  baseLength,
  splices,
}: {
  baseLength: number;
  splices: Parameters<typeof encodeSpliceDelta>[1];
}) {
  return encodeSpliceDelta(baseLength, splices);
}

function growing(packs: number, commits: number, asDeltas = true): Growing {
  const repository = new Growing();
  for (let i = 0; i < packs; i++) repository.addPack(commits, asDeltas);
  return repository;
}

function allObjects(bare: string): string[] {
  return git(bare, [
    'cat-file',
    '--batch-all-objects',
    '--unordered',
    '--batch-check=%(objectname) %(objecttype) %(objectsize)',
  ])
    .split('\n')
    .sort();
}

function reachable(bare: string): string {
  return git(bare, ['rev-list', '--objects', '--all', '--count']);
}

function packBytes(bare: string): number {
  return mergeablePacks(bare).reduce((sum, { bytes }) => sum + bytes, 0);
}

function leftovers(bare: string): string[] {
  const corner = readdirSync(join(bare, 'gitstead')).filter((name) => name.startsWith('.staging-'));
  return [...corner, ...ourKeeps(bare)];
}

function assertSound(bare: string): void {
  assert.equal(git(bare, ['fsck', '--strict', '--full', '--no-dangling']), '');
  for (const { name } of mergeablePacks(bare)) assert.ok(verifyPack(packFile(bare, name, 'pack')), name);
  assert.deepEqual(leftovers(bare), []);
}

test('packs of one commit each become one pack, with all objects, and far smaller', () => {
  const { bare, names } = growing(120, 1);
  const [objects, count, bytes] = [allObjects(bare), reachable(bare), packBytes(bare)];
  const placed: string[] = [];
  const result = mergePacks(bare, names, {
    placed(name, index) {
      placed.push(name);
      assert.deepEqual(ourKeeps(bare), [name], 'shielded while old and new ones stand');
      assert.equal(mergeablePacks(bare).length, names.length);
      assert.deepEqual(readFileSync(packFile(bare, name, 'idx')), index);
    },
  });
  assert.ok(result.kind === 'merged');
  assert.deepEqual(placed, [result.name]);
  assert.deepEqual(
    mergeablePacks(bare).map(({ name }) => name),
    [result.name],
  );
  assert.deepEqual(allObjects(bare), objects);
  assert.equal(reachable(bare), count);
  assert.ok(packBytes(bare) < bytes / 2, `${packBytes(bare)} of ${bytes}`);
  assertSound(bare);
  const chains = git(bare, ['verify-pack', '-v', packFile(bare, result.name, 'idx')]).matchAll(
    /chain length = (\d+)/g,
  );
  assert.ok(Math.max(...[...chains].map((match) => Number(match[1]))) <= 50);
});

for (const asDeltas of [true, false]) {
  test(`packs of many commits are merged, their trees ${asDeltas ? 'deltas' : 'whole'}`, () => {
    const { bare, names } = growing(12, 30, asDeltas);
    const [objects, bytes] = [allObjects(bare), packBytes(bare)];
    assert.equal(mergePacks(bare, names).kind, 'merged');
    assert.deepEqual(allObjects(bare), objects);
    assert.ok(packBytes(bare) < bytes);
    assertSound(bare);
  });
}

test('merged packs are merged again and again, and clones are whole', () => {
  const repository = growing(5, 4);
  const { bare } = repository;
  for (let round = 0; round < 6; round++) {
    const objects = allObjects(bare);
    const result = mergePacks(
      bare,
      mergeablePacks(bare).map(({ name }) => name),
    );
    assert.equal(result.kind, 'merged');
    assert.deepEqual(allObjects(bare), objects);
    repository.addPack(3);
    repository.addPack(1);
  }
  assertSound(bare);
  const env = { ...gitEnvironment('', { GIT_ALLOW_PROTOCOL: 'file' }), GIT_DIR: undefined };
  execFileSync('git', ['clone', '-q', '--no-local', '--bare', bare, `${bare}.clone`], {
    env: env as NodeJS.ProcessEnv,
    stdio: 'pipe',
  });
  assert.equal(reachable(`${bare}.clone`), reachable(bare));
});

test('packs that git made, with deltas of either kind, are merged with ours', () => {
  const repository = growing(20, 3);
  const { bare } = repository;
  for (const [i, byOffset] of [true, false].entries()) {
    git(bare, [
      '-c',
      `repack.useDeltaBaseOffset=${byOffset}`,
      'repack',
      '-adfq',
      '--depth=60',
      '--window=50',
    ]);
    for (let more = 0; more < 3 + i; more++) repository.addPack(2);
  }
  // the same objects once more, as deltas of other bases
  git(bare, [
    'pack-objects',
    '-q',
    '--all',
    '--no-reuse-delta',
    '--window=10',
    join(packFolder(bare), 'pack'),
  ]);
  const objects = allObjects(bare);
  const names = mergeablePacks(bare).map(({ name }) => name);
  assert.ok(names.length > 3);
  for (const order of [names, names.toReversed()]) {
    const copy = `${bare}.copy-${order === names}`;
    execFileSync('cp', ['-r', bare, copy]);
    assert.equal(mergePacks(copy, order).kind, 'merged');
    assert.deepEqual(allObjects(copy), objects);
    assert.equal(mergeablePacks(copy).length, 1);
    assertSound(copy);
  }
});

test('a pack of a push, whose deltas come before their bases, is merged alone and with others', () => {
  const { bare } = growing(1, 60);
  const clone = `${bare}.push`;
  execFileSync('cp', ['-r', bare, clone]);
  git(clone, ['repack', '-adq']);
  const person = {
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@b',
  };
  const env = gitEnvironment(clone, {
    ...person,
    GIT_ALLOW_PROTOCOL: 'file',
    GIT_INDEX_FILE: join(root, 'index'),
  });
  const inClone = (args: string[], input = '') =>
    execFileSync('git', args, { env, input, encoding: 'utf8' }).trim();
  inClone(['read-tree', 'main']);
  const blob = inClone(['hash-object', '-w', '--stdin'], 'pushed');
  inClone(['update-index', '--add', '--cacheinfo', `100644,${blob},pushed`]);
  const commit = inClone(['commit-tree', inClone(['write-tree']), '-p', 'main', '-m', 'pushed']);
  inClone(['push', '-q', bare, `${commit}:refs/heads/main`]);
  const names = mergeablePacks(bare).map(({ name }) => name);
  assert.equal(names.length, 2);
  const objects = allObjects(bare);
  for (const order of [names, names.toReversed(), [names[1]!]]) {
    const copy = `${bare}.${order.length}-${order[0]}`;
    execFileSync('cp', ['-r', bare, copy]);
    assert.equal(mergePacks(copy, order).kind, 'merged');
    assert.deepEqual(allObjects(copy), objects);
    assertSound(copy);
  }
});

test('a crash when the new pack is placed leaves all packs, and a keep that recovery can drop', () => {
  const { bare, names } = growing(5, 2);
  const objects = allObjects(bare);
  const crash = () => {
    throw new Error('the power is gone');
  };
  assert.throws(() => mergePacks(bare, names, { placed: crash }), { message: 'the power is gone' });
  assert.equal(mergeablePacks(bare).length, 5);
  assert.deepEqual(allObjects(bare), objects);
  for (const name of ourKeeps(bare)) dropKeep(bare, name);
  assert.equal(mergeablePacks(bare).length, 6);
  assertSound(bare);
  assert.equal(
    mergePacks(
      bare,
      mergeablePacks(bare).map(({ name }) => name),
    ).kind,
    'merged',
  );
  assert.deepEqual(allObjects(bare), objects);
  assertSound(bare);
});

test('a merge that is killed at any moment loses nothing, and can be done again', async () => {
  const { bare, names } = growing(60, 1);
  const objects = allObjects(bare);
  const program = `
    import { mergePacks } from ${JSON.stringify(new URL('merge-packs.ts', import.meta.url).href)};
    process.stdout.write('ready');
    mergePacks(process.argv[1], process.argv.slice(2));`;
  for (let delay = 0; delay < 60; delay += 20) {
    const copy = `${bare}.killed-${delay}`;
    execFileSync('cp', ['-r', bare, copy]);
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, copy, ...names]);
    await once(child.stdout, 'data');
    await setTimeout(delay); // spread over the merge; whichever moment it is, the same must hold
    child.kill('SIGKILL');
    await once(child, 'close');
    assert.deepEqual(allObjects(copy), objects);
    assert.equal(git(copy, ['fsck', '--strict', '--full', '--no-dangling']), '');
    for (const name of ourKeeps(copy)) dropKeep(copy, name);
    clearStaging(join(copy, 'gitstead'));
    assert.equal(
      mergePacks(
        copy,
        mergeablePacks(copy).map(({ name }) => name),
      ).kind,
      'merged',
    );
    assert.deepEqual(allObjects(copy), objects);
    assertSound(copy);
  }
});

test('an object that is in several packs is in the merged one once', () => {
  const { bare, names } = growing(3, 2);
  const blobs = ['one', 'two', 'three'].map((text) => Buffer.from(text));
  for (const some of [blobs, blobs.slice(1), blobs.slice(0, 2)]) {
    const pack = new PackBuilder();
    for (const body of some) pack.addBody(hashObject('blob', body), 'blob', body);
    const { pack: bytes, index, checksum } = pack.finish();
    placePack(bare, `pack-${checksum}`, bytes, index);
    dropKeep(bare, `pack-${checksum}`);
    names.push(`pack-${checksum}`);
  }
  const objects = allObjects(bare);
  const result = mergePacks(bare, names);
  assert.ok(result.kind === 'merged');
  assert.equal(openIndex(readFileSync(packFile(bare, result.name, 'idx'))).count, new Set(objects).size - 1);
  assertSound(bare);
});

test('a pack that comes out just like one that went in stays', () => {
  const { bare, names } = growing(1, 3);
  assert.equal(mergePacks(bare, names).kind, 'merged');
  assert.deepEqual(
    mergeablePacks(bare).map(({ name }) => name),
    names,
  );
  assertSound(bare);
});

test('large blobs pass through, and are streamed afterwards', async () => {
  const { bare, names } = growing(2, 2);
  const bodies = [randomBytes(5 << 20), Buffer.alloc(6 << 20, 'text '), randomBytes(3 << 20)];
  const spooled = [];
  for (const body of bodies) {
    async function* source() {
      yield body;
    }
    const threads = openSpoolThreads();
    const blob = await spoolBlob(threads, bare, source(), body.length, 1 << 30);
    await threads.close();
    placeSpool(bare, blob);
    dropKeep(bare, blob.name);
    names.push(blob.name);
    spooled.push(blob.oid);
  }
  const before = process.memoryUsage().arrayBuffers;
  assert.equal(mergePacks(bare, names).kind, 'merged');
  assert.ok(process.memoryUsage().arrayBuffers - before < 32 << 20);
  const store = new ObjectStore(bare, new OpenFiles(4));
  for (const [i, oid] of spooled.entries()) {
    const chunks: Buffer[] = [];
    for await (const chunk of store.stream(oid, 2 << 20, bodies[i]!.length - 1))
      chunks.push(Buffer.from(chunk));
    assert.ok(Buffer.concat(chunks).equals(bodies[i]!.subarray(2 << 20)));
  }
  store.close();
  assertSound(bare);
});

test('a pack that somebody keeps is left alone, whenever the keep came', () => {
  const { bare, names } = growing(4, 2);
  writeFileSync(packFile(bare, names[1]!, 'keep'), 'mine');
  assert.deepEqual(mergePacks(bare, names), { kind: 'gave-up', reason: 'pack kept' });
  assert.equal(readdirSync(packFolder(bare)).filter((file) => file.endsWith('.pack')).length, 4);
  rmSync(packFile(bare, names[1]!, 'keep'));
  const result = mergePacks(bare, names, { placed: () => keepPack(bare, names[2]!) });
  assert.ok(result.kind === 'merged');
  assert.ok(verifyPack(packFile(bare, names[2]!, 'pack')));
  dropKeep(bare, names[2]!);
  assert.deepEqual(new Set(mergeablePacks(bare).map(({ name }) => name)), new Set([names[2], result.name]));
  assertSound(bare);
});

test('while a gc runs no pack goes, whether it began before the merge or in the middle', () => {
  const { bare, names } = growing(4, 2);
  const pidFile = join(bare, 'gc.pid');
  const packs = () => new Set(mergeablePacks(bare).map(({ name }) => name));
  writeFileSync(pidFile, `${process.pid} ${hostname()}`);
  assert.deepEqual(mergePacks(bare, names), { kind: 'gave-up', reason: 'gc at work' });
  assert.deepEqual(packs(), new Set(names));
  rmSync(pidFile);
  const placed = () => writeFileSync(pidFile, `${process.pid} ${hostname()}`);
  const result = mergePacks(bare, names, { placed });
  assert.ok(result.kind === 'merged');
  assert.deepEqual(packs(), new Set([...names, result.name]));
  assert.deepEqual(ourKeeps(bare), []);
  assertSound(bare);
  rmSync(pidFile);
  mergePacks(bare, [...names, result.name]);
  assert.equal(packs().size, 1);
  assertSound(bare);
});

test('a multi-pack-index that names the old packs goes, one that does not stays', () => {
  const repository = growing(6, 2);
  const { bare, names } = repository;
  git(bare, ['multi-pack-index', 'write', '--bitmap']);
  repository.addPack(1);
  repository.addPack(1);
  assert.equal(mergePacks(bare, names.slice(6)).kind, 'merged');
  assert.ok(existsSync(join(packFolder(bare), 'multi-pack-index')));
  assertSound(bare);
  assert.equal(mergePacks(bare, names.slice(0, 6)).kind, 'merged');
  assert.deepEqual(
    readdirSync(packFolder(bare)).filter((file) => file.startsWith('multi')),
    [],
  );
  assertSound(bare);
});

test('when a pack is gone, or goes while it is being merged, nothing changes', async () => {
  const { bare, names } = growing(5, 2);
  assert.deepEqual(mergePacks(bare, [...names, `pack-${'1'.repeat(40)}`]), {
    kind: 'gave-up',
    reason: 'pack gone',
  });
  assert.deepEqual(leftovers(bare), []);
  assert.equal(mergeablePacks(bare).length, 5);
  const objects = allObjects(bare);
  const repack = promisify(execFile)('git', ['repack', '-adq'], { env: gitEnvironment(bare) });
  const result = mergePacks(bare, names);
  await repack;
  assert.ok(result.kind === 'merged' || result.reason === 'pack gone');
  assert.deepEqual(allObjects(bare), objects);
  assertSound(bare);
});

test('a pack that vanishes between plan and copy makes it give up', () => {
  const { bare, names } = growing(40, 2);
  linkSync(packFile(bare, names[39]!, 'pack'), join(bare, 'gitstead/saved'));
  let looks = 0;
  const isGivenUp = () => {
    // once for each index, then for each pack that is copied
    if (++looks === 60) rmSync(packFile(bare, names[39]!, 'pack'));
    return false;
  };
  assert.deepEqual(mergePacks(bare, names, { isGivenUp }), { kind: 'gave-up', reason: 'pack gone' });
  assert.ok(looks > 60);
  linkSync(join(bare, 'gitstead/saved'), packFile(bare, names[39]!, 'pack'));
  assertSound(bare);
});

test('given up at any moment, it has changed nothing', () => {
  const { bare, names } = growing(5, 2);
  let moments = 0;
  for (let result: string | undefined; result !== 'merged'; moments++) {
    let looks = 0;
    const merge = mergePacks(bare, names, { isGivenUp: () => looks++ === moments });
    result = merge.kind;
    if (merge.kind === 'merged') break;
    assert.deepEqual(merge, { kind: 'gave-up', reason: 'aborted' });
    assert.equal(mergeablePacks(bare).length, 5);
    assert.deepEqual(leftovers(bare), []);
  }
  assert.ok(moments > 10, `${moments}`);
  assertSound(bare);
});

test('a pack that is damaged is an error, and no pack is removed', () => {
  const damages: ((pack: string) => void)[] = [
    (pack) => truncateSync(pack, statSync(pack).size - 30),
    (pack) => flip(pack, statSync(pack).size >> 1),
    (pack) => flip(pack, 12),
    (pack) => flip(pack.replace(/pack$/, 'idx'), 1),
    (pack) => writeFileSync(pack.replace(/pack$/, 'idx'), ''),
  ];
  for (const [i, damage] of damages.entries()) {
    const { bare, names } = growing(4, 3);
    damage(packFile(bare, names[2]!, 'pack'));
    assert.throws(() => mergePacks(bare, names), { code: 'corrupt' }, `${i}`);
    assert.equal(mergeablePacks(bare).length, 4);
    assert.deepEqual(leftovers(bare), []);
  }
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0xff;
  rmSync(path);
  writeFileSync(path, bytes);
}

test('a store that is reading all the while never misses an object', () => {
  const repository = growing(30, 2);
  const { bare } = repository;
  const store = new ObjectStore(bare, new OpenFiles(2));
  const oids = allObjects(bare)
    .filter(Boolean)
    .map((line) => line.slice(0, 40) as Oid);
  let reads = 0;
  const readSome = () => {
    for (let i = reads % 7; i < oids.length; i += 7) assert.ok(store.read(oids[i]!));
    reads++;
    return false;
  };
  const result = mergePacks(bare, repository.names, {
    isGivenUp: readSome,
    placed(name, index) {
      readSome();
      store.addPack(name, index);
    },
  });
  readSome();
  assert.equal(result.kind, 'merged');
  assert.ok(reads > 60);
  store.rescan();
  assert.equal(store.packs().length, 1);
  for (const oid of oids) assert.ok(store.read(oid));
  store.close();
});

test('1,000 packs of one commit become one', () => {
  const { bare, names } = growing(1000, 1);
  const [objects, bytes] = [allObjects(bare), packBytes(bare)];
  assert.equal(mergePacks(bare, names).kind, 'merged');
  assert.deepEqual(allObjects(bare), objects);
  assert.equal(reachable(bare).trim(), '3333');
  assert.ok(packBytes(bare) < bytes / 3);
  assertSound(bare);
});

test('packs that are merged by and by stay few, however many come', () => {
  const repository = new Growing();
  const { bare } = repository;
  let most = 0;
  let copied = 0;
  for (let i = 0; i < 300; i++) {
    repository.addPack(1);
    if (i % 4 !== 0) continue;
    const packs = mergeablePacks(bare);
    most = Math.max(most, packs.length);
    const chosen = choosePacks(packs);
    const result = chosen && mergePacks(bare, chosen);
    assert.notEqual(result?.kind, 'gave-up');
    copied += result?.kind === 'merged' ? result.bytes : 0;
  }
  assert.ok(most <= 30, `${most}`);
  assert.ok(copied < 4 * repository.bytes, `${copied} bytes written again of ${repository.bytes}`);
  assert.equal(reachable(bare).trim(), String(allObjects(bare).length - 1));
  assertSound(bare);
});

test('which packs are merged: the small ones, so that the sizes that stay grow geometrically', () => {
  const packs = (...kilobytes: number[]) =>
    kilobytes.map((size, i) => ({
      ...{ name: `pack-${i}`, bytes: size * 1024, modified: 1000 - i },
      objects: 10,
    }));
  assert.equal(choosePacks(packs(100, 100, 100)), undefined);
  assert.deepEqual(choosePacks(packs(100, 100, 100), 3), ['pack-2', 'pack-1', 'pack-0']);
  assert.deepEqual(choosePacks(packs(5000, 100, 100, 100), 2), ['pack-3', 'pack-2', 'pack-1']);
  assert.deepEqual(choosePacks(packs(500, 100, 100, 100), 2)?.length, 4);
  assert.equal(choosePacks(packs(6400, 3200, 1600, 800, 400, 200, 100), 2), undefined);
  assert.equal(choosePacks([], 0), undefined);
  assert.equal(choosePacks(packs(6400, 3200, 1600, 800, 400, 200, 100), 2, 8)?.length, 7);
  assert.equal(choosePacks(packs(6400, 730, 90, 10), 2, 8), undefined);
});

test('packs of large objects are left aside, until there are many', () => {
  const pack = (name: string, mebibytes: number, objects: number) => ({
    ...{ name, bytes: mebibytes << 20, objects },
    modified: 0,
  });
  const small = ['s0', 's1', 's2', 's3'].map((name) => pack(name, 1, 3));
  const large = Array.from({ length: 9 }, (_, i) => pack(`l${i}`, 100, 1));
  assert.deepEqual(choosePacks([...small, ...large.slice(1)], 2), ['s0', 's1', 's2', 's3']);
  assert.equal(choosePacks(large.slice(1), 2), undefined);
  assert.equal(choosePacks([...small, ...large], 2)?.length, 13);
});

test('large packs of small objects are left aside, too, while somebody writes', () => {
  const packs = Array.from({ length: 8 }, (_, i) => ({
    ...{ name: `pack-${i}`, bytes: 100 << 20, objects: 100_000, modified: i },
  }));
  const more = packs.map((pack) => ({ ...pack, name: `more-${pack.name}`, bytes: 1 << 20 }));
  assert.equal(choosePacks(packs, 2), undefined);
  assert.equal(choosePacks([...packs, ...more], 2)?.length, 8);
  assert.equal(choosePacks(packs, 2, 2, Number.POSITIVE_INFINITY)?.length, 8);
});

test('whatever the sizes, a few merges leave fewer than 30 packs', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 2, max: 11, noNaN: true }), { maxLength: 200 }), (exponents) => {
      let packs = exponents.map((exponent, i) => ({
        name: `pack-${i}`,
        bytes: Math.floor(10 ** exponent),
        modified: i,
        objects: i % 3 === 0 ? 1 : 1000,
      }));
      for (let chosen = choosePacks(packs); chosen; chosen = choosePacks(packs)) {
        const names = new Set(chosen);
        assert.ok(names.size >= 2);
        const merged = packs.filter(({ name }) => names.has(name));
        const bytes = merged.reduce((sum, pack) => sum + pack.bytes, 0);
        const objects = merged.reduce((sum, pack) => sum + pack.objects, 0);
        packs = packs.filter(({ name }) => !names.has(name));
        packs.push({ name: `pack-m${packs.length}-${bytes}`, bytes, modified: 0, objects });
      }
      assert.ok(packs.length < 30, `${packs.length}`);
    }),
  );
});

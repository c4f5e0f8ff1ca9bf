import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hashObject } from './object-id.ts';
import { ObjectStore, OpenFiles, verifyPack } from './object-store.ts';
import { packFile, packFolder } from './pack-files.ts';
import { gitEnvironment } from './process.ts';
import { createRepository } from './repository.ts';
import {
  clearSpool,
  discardSpool,
  discardSpooledPack,
  dropKeep,
  placeSpool,
  spoolBlob,
} from './spool-pack.ts';
import { openSpoolThreads } from './spool-threads.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-spool-'));
const threads = openSpoolThreads();
after(async () => {
  await threads.close();
  rmSync(root, { recursive: true, force: true });
});

let made = 0;
function newRepository(): string {
  const path = join(root, `${++made}.git`);
  createRepository(path);
  return path;
}

function git(gitDir: string, ...args: string[]): string {
  return execFileSync('git', args, { env: gitEnvironment(gitDir), encoding: 'utf8', stdio: 'pipe' });
}

const LIMIT = 1 << 30;

async function* inPieces(body: Buffer, size = 60_000) {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

function spoolFiles(bare: string): string[] {
  const folder = join(bare, 'gitstead/spool');
  return existsSync(folder) ? readdirSync(folder) : [];
}

const text = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `${i}`).join(' '));
const noise = randomBytes(2_000_000);
const bodies: [string, Buffer][] = [
  ['text', text],
  ['noise', noise],
  ['noise of whole blocks', noise.subarray(0, 65535 * 7)],
  ['one byte', Buffer.of(7)],
  ['nothing', Buffer.alloc(0)],
  ['64 KiB of text, then noise', Buffer.concat([text.subarray(0, 70_000), noise])],
];

for (const [what, body] of bodies) {
  for (const isKnown of [true, false]) {
    test(`a body becomes a pack that git verifies: ${what}, its length ${isKnown ? '' : 'un'}known`, async () => {
      const bare = newRepository();
      const spooled = await spoolBlob(
        threads,
        bare,
        inPieces(body),
        isKnown ? body.length : undefined,
        LIMIT,
      );
      assert.equal(spooled.oid, hashObject('blob', body));
      assert.equal(spooled.size, body.length);
      assert.ok(verifyPack(spooled.packPath));
      assert.deepEqual(spoolFiles(bare).sort(), [`${spooled.name}.idx`, `${spooled.name}.pack`]);
      placeSpool(bare, spooled);
      discardSpooledPack(bare, spooled.name);
      git(bare, 'verify-pack', packFile(bare, spooled.name, 'idx'));
      git(bare, 'fsck', '--strict');
      assert.equal(git(bare, 'cat-file', '-s', spooled.oid).trim(), `${body.length}`);
      const store = new ObjectStore(bare, new OpenFiles(1));
      assert.ok(store.read(spooled.oid)?.body.equals(body));
      const [start, end] = [Math.floor(body.length / 2), body.length - 1];
      const chunks: Buffer[] = [];
      for await (const chunk of store.stream(spooled.oid, start, end)) chunks.push(Buffer.from(chunk));
      assert.ok(Buffer.concat(chunks).equals(body.subarray(start)));
      store.close();
      assert.deepEqual(spoolFiles(bare), []);
      dropKeep(bare, spooled.name);
      assert.ok(!existsSync(packFile(bare, spooled.name, 'keep')));
    });
  }
}

test('text shrinks, noise grows by a header for each block only', async () => {
  const bare = newRepository();
  const size = async (body: Buffer) => {
    const spooled = await spoolBlob(threads, bare, inPieces(body), body.length, LIMIT);
    return execFileSync('stat', ['-c', '%s', spooled.packPath], { encoding: 'utf8' });
  };
  assert.ok(Number(await size(text)) < text.length / 2);
  assert.ok(Number(await size(noise)) < noise.length + 300);
});

test('the same body twice makes two packs, and both can be placed', async () => {
  const bare = newRepository();
  const [one, two] = await Promise.all(
    [1, 2].map(() => spoolBlob(threads, bare, inPieces(noise), noise.length, LIMIT)),
  );
  placeSpool(bare, one!);
  placeSpool(bare, two!);
  assert.equal(readdirSync(packFolder(bare)).filter((file) => file.endsWith('.pack')).length, 2);
  git(bare, 'fsck', '--strict');
});

async function* failing(body: Buffer) {
  yield body;
  throw new Error('the connection is gone');
}

const failures: [string, () => AsyncIterable<Buffer>, number | undefined, object][] = [
  ['is shorter than announced', () => inPieces(noise), noise.length + 1, { code: 'bad-request' }],
  ['is longer than announced', () => inPieces(noise), noise.length - 1, { code: 'bad-request' }],
  ['is announced beyond the limit', () => inPieces(noise), 3_000_001, { code: 'too-large' }],
  [
    'turns out to be beyond the limit',
    () => inPieces(Buffer.concat([noise, noise])),
    undefined,
    { code: 'too-large' },
  ],
  [
    'breaks off, its length known',
    () => failing(noise),
    noise.length + 1,
    { message: 'the connection is gone' },
  ],
  ['breaks off, its length unknown', () => failing(noise), undefined, { message: 'the connection is gone' }],
  ['of text is longer than announced', () => inPieces(text), text.length - 1, { code: 'bad-request' }],
  ['of text is shorter than announced', () => inPieces(text), text.length + 1, { code: 'bad-request' }],
  ['of text breaks off', () => failing(text), text.length + 1, { message: 'the connection is gone' }],
];

for (const [what, source, length, error] of failures) {
  test(`of a body that ${what}, nothing is left`, async () => {
    const bare = newRepository();
    await assert.rejects(spoolBlob(threads, bare, source(), length, 3_000_000), error);
    assert.deepEqual(spoolFiles(bare), []);
    assert.deepEqual(readdirSync(packFolder(bare)), []);
  });
}

test('a body announced beyond the limit is refused before a byte of it is read', async () => {
  let isRead = false;
  async function* source() {
    isRead = true;
    yield noise;
  }
  await assert.rejects(spoolBlob(threads, newRepository(), source(), 11, 10), { code: 'too-large' });
  assert.equal(isRead, false);
});

test('a source that is refused half-way is left open for its owner', async () => {
  let isClosed = false;
  async function* source() {
    try {
      for (;;) yield noise;
    } finally {
      isClosed = true;
    }
  }
  await assert.rejects(spoolBlob(threads, newRepository(), source(), undefined, 5_000_000), {
    code: 'too-large',
  });
  assert.equal(isClosed, false);
});

test('a spooled body that is discarded is gone, also when it was placed', async () => {
  const bare = newRepository();
  const spooled = await spoolBlob(threads, bare, inPieces(noise), noise.length, LIMIT);
  discardSpool(spooled);
  discardSpool(spooled);
  assert.deepEqual(spoolFiles(bare), []);
});

test('what is whole and wanted stays, and the rest is cleared', async () => {
  const bare = newRepository();
  clearSpool(bare, new Set());
  const wanted = await spoolBlob(threads, bare, inPieces(noise), noise.length, LIMIT);
  await spoolBlob(threads, bare, inPieces(text), text.length, LIMIT);
  writeFileSync(join(bare, 'gitstead/spool/.staging-1'), 'half');
  clearSpool(bare, new Set([wanted.name]));
  assert.deepEqual(spoolFiles(bare).sort(), [`${wanted.name}.idx`, `${wanted.name}.pack`]);
});

for (const isKnown of [true, false]) {
  test(`40 MiB pass through little memory, their length ${isKnown ? '' : 'un'}known`, async () => {
    const bare = newRepository();
    const block = randomBytes(1 << 20);
    const before = process.memoryUsage();
    let most = 0;
    async function* source() {
      for (let i = 0; i < 40; i++) {
        yield block;
        const now = process.memoryUsage();
        most = Math.max(most, now.arrayBuffers - before.arrayBuffers + now.heapUsed - before.heapUsed);
      }
    }
    const spooled = await spoolBlob(threads, bare, source(), isKnown ? 40 << 20 : undefined, LIMIT);
    assert.equal(spooled.size, 40 << 20);
    assert.ok(most < 24 << 20, `${most} bytes`);
    placeSpool(bare, spooled);
    discardSpooledPack(bare, spooled.name);
    git(bare, 'verify-pack', packFile(bare, spooled.name, 'idx'));
    rmSync(bare, { recursive: true });
  });
}

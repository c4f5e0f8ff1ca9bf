import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { GitsteadError } from '../errors.ts';
import { hashObject } from '../git/object-id.ts';
import { createRepository } from '../git/repository.ts';
import { openSpoolThreads } from '../git/spool-threads.ts';
import { inflate } from '../git/zlib.ts';
import { freeBody, SPOOL_ABOVE_BYTES, takeBody } from './intake.ts';

const LIMIT = 3 << 20;

const threads = openSpoolThreads();
after(() => threads.close());

let folder: string;
let repository: string;
let spoolsOpened: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitstead-intake-'));
  repository = join(folder, 'notes.git');
  createRepository(repository);
  spoolsOpened = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function openSpool(): string {
  spoolsOpened++;
  return repository;
}

/** A body in chunks of 64 KiB, that may break off after some bytes. */
async function* chunksOf(bytes: Buffer, breakAfter = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1 << 16) {
    if (at >= breakAfter) throw new Error('the connection is gone');
    yield bytes.subarray(at, at + (1 << 16));
  }
}

const bodyOf = (size: number) => Buffer.alloc(size, 'some text that can be made shorter; ');
const take = (bytes: Buffer, length: number | undefined) =>
  takeBody(chunksOf(bytes), length, LIMIT, openSpool, threads);

/** What is left of uploads in the repository. */
function spooled(): string[] {
  return readdirSync(repository, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /spool\/./.test(path),
  );
}

for (const size of [0, 1, 511, 512, 100_000, SPOOL_ABOVE_BYTES]) {
  test(`${size} bytes are taken into memory, with and without their length`, async () => {
    const bytes = bodyOf(size);
    for (const length of [size, undefined]) {
      const body = await take(bytes, length);
      assert.ok(body.kind === 'inline');
      assert.deepEqual([body.oid, body.size], [hashObject('blob', bytes), size]);
      assert.deepEqual(body.bytes, bytes);
      if (body.stream) assert.deepEqual(inflate(body.stream, size), bytes);
      else assert.ok(size < 512);
    }
    assert.equal(spoolsOpened, 0);
  });
}

for (const size of [SPOOL_ABOVE_BYTES + 1, LIMIT]) {
  test(`${size} bytes are spooled, with and without their length`, async () => {
    const bytes = bodyOf(size);
    for (const length of [size, undefined]) {
      const body = await take(bytes, length);
      assert.ok(body.kind === 'spooled');
      assert.deepEqual([body.oid, body.size, body.spool.oid], [hashObject('blob', bytes), size, body.oid]);
    }
    assert.equal(spooled().length, 4);
  });
}

test('a body above the limit is refused: at once when its length is told, else when it gets there', async () => {
  let isRead = false;
  async function* unread(): AsyncGenerator<Buffer> {
    isRead = true;
    yield Buffer.alloc(1);
  }
  await assert.rejects(takeBody(unread(), LIMIT + 1, LIMIT, openSpool, threads), { code: 'too-large' });
  assert.equal(isRead, false);
  await assert.rejects(take(bodyOf(LIMIT + 1), undefined), { code: 'too-large' });
  await assert.rejects(takeBody(chunksOf(bodyOf(200_000)), undefined, 100_000, openSpool, threads), {
    code: 'too-large',
  });
  assert.deepEqual(spooled(), []);
});

test('a body that is shorter or longer than it said, or breaks off, is refused and leaves nothing', async () => {
  for (const size of [1000, SPOOL_ABOVE_BYTES + 1000]) {
    const bytes = bodyOf(size);
    await assert.rejects(take(bytes, size + 1), { code: 'bad-request' });
    await assert.rejects(take(bytes, size - 1), { code: 'bad-request' });
  }
  const tooSlow = new GitsteadError('body-timeout', 'too slow');
  // biome-ignore lint/correctness/useYield: it fails before it has anything
  const silent = async function* (): AsyncGenerator<Buffer> {
    throw tooSlow;
  };
  for (const length of [10, undefined, LIMIT]) {
    await assert.rejects(takeBody(silent(), length, LIMIT, openSpool, threads), tooSlow);
  }
  const large = bodyOf(SPOOL_ABOVE_BYTES * 2);
  for (const breakAfter of [0, 1 << 17, SPOOL_ABOVE_BYTES + (1 << 17)]) {
    for (const length of [large.length, undefined]) {
      const broken = takeBody(chunksOf(large, breakAfter), length, LIMIT, openSpool, threads);
      await assert.rejects(broken, { code: 'bad-request' }, `after ${breakAfter} of ${length}`);
    }
  }
  assert.deepEqual(spooled(), []);
});

test('a body that comes byte by byte is held in one piece', async () => {
  const bytes = bodyOf(100_000);
  async function* byByte() {
    for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
  }
  for (const length of [bytes.length, undefined]) {
    const body = await takeBody(byByte(), length, LIMIT, openSpool, threads);
    assert.ok(body.kind === 'inline');
    assert.equal(body.oid, hashObject('blob', bytes));
    assert.deepEqual(body.bytes, bytes);
    assert.ok(body.bytes.buffer.byteLength <= 2 * bytes.length, `${body.bytes.buffer.byteLength}`);
  }
});

test('a body whose turn is over gives its memory back: its own, and the bytes only if nobody else holds them', async () => {
  for (const isOurs of [true, false]) {
    const bytes = bodyOf(SPOOL_ABOVE_BYTES);
    const body = await take(bytes, bytes.length);
    assert.ok(body.kind === 'inline' && body.stream);
    freeBody(body, isOurs);
    assert.equal(body.bytes.length, isOurs ? 0 : bytes.length);
    assert.equal(bytes.length, SPOOL_ABOVE_BYTES);
  }
});

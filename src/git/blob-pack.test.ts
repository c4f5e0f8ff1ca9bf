import assert from 'node:assert/strict';
import fs, { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BLOCK_BYTES, BlobPack } from './blob-pack.ts';
import { hashObject } from './object-id.ts';
import { PackBuilder } from './pack-builder.ts';
import { storedStream } from './zlib.ts';

const PARTS = 3;
/** Does not shrink, so it is stored. */
const body = Buffer.alloc(PARTS * BLOCK_BYTES);
for (let at = 0, seed = 1; at < body.length; at++) {
  seed = (seed * 48_271) % 2_147_483_647;
  body[at] = seed >>> 16;
}

type Write = (
  ...args: [number, Uint8Array, number, number, null, (error: unknown, bytes: number) => void]
) => void;

/** Writes that are done aside go through `write` for as long as the test lasts. */
function replaceWrite(t: TestContext, write: (real: Write) => Write): void {
  const real = fs.write as unknown as Write;
  const mock = t.mock.method(fs, 'write', write(real) as unknown as typeof fs.write);
  syncBuiltinESMExports();
  t.after(() => {
    mock.mock.restore();
    syncBuiltinESMExports();
  });
}

function openPack(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-blob-pack-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'pack');
  return { path, pack: new BlobPack(path, body.length) };
}

async function addAll(pack: BlobPack): Promise<void> {
  for (let part = 0; part < PARTS; part++) {
    await pack.add(body.subarray(part * BLOCK_BYTES, (part + 1) * BLOCK_BYTES));
  }
}

for (let failing = 1; failing <= PARTS; failing++) {
  test(`a write that fails fails the pack: write ${failing} of ${PARTS}`, async (t) => {
    let writes = 0;
    replaceWrite(t, (real) => (...args) => {
      writes++;
      if (writes < failing) real(...args);
      else setImmediate(args[5], Object.assign(new Error('no space left'), { code: 'ENOSPC' }), 0);
    });
    const { pack } = openPack(t);
    await assert.rejects(
      async () => {
        await addAll(pack);
        await pack.finish();
      },
      { code: 'ENOSPC' },
    );
    await pack.close();
    assert.equal(writes, failing);
  });
}

test('writes that come short and late leave the same pack', async (t) => {
  replaceWrite(t, (real) => (file, bytes, from, length, position, done) => {
    setTimeout(() => real(file, bytes, from, Math.min(length, 10_000), position, done), 1);
  });
  const { path, pack } = openPack(t);
  await addAll(pack);
  const { oid, checksum } = await pack.finish();
  const expected = new PackBuilder();
  const blob = hashObject('blob', body);
  expected.add(blob, 'blob', body.length, storedStream(body));
  assert.equal(oid, blob);
  assert.equal(checksum, expected.finish().checksum);
  assert.ok(readFileSync(path).equals(expected.finish().pack));
});

test('a pack that is given up is closed when its write is over, and not before', async (t) => {
  let isOver = false;
  replaceWrite(t, (real) => (...args) => {
    setTimeout(() => {
      isOver = true;
      real(...args);
    }, 20);
  });
  const { path, pack } = openPack(t);
  await pack.add(body.subarray(0, BLOCK_BYTES));
  assert.ok(!isOver);
  await pack.close();
  assert.ok(isOver);
  assert.ok(readFileSync(path).length > BLOCK_BYTES);
});

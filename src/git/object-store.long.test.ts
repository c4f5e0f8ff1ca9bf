import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { GitsteadError } from '../errors.ts';
import { hashObject, type Oid } from './object-id.ts';
import { ObjectStore, OpenFiles, verifyPack } from './object-store.ts';
import { REF_DELTA, writeEntryHeader } from './pack-entry.ts';
import { encodeIndex } from './pack-index.ts';
import { gitEnvironment } from './process.ts';
import { createRepository } from './repository.ts';
import { storedStream } from './zlib.ts';

const root = mkdtempSync(join(tmpdir(), 'gitstead-store-'));
after(() => rmSync(root, { recursive: true, force: true }));

const extra = {
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@b',
  GIT_ALLOW_PROTOCOL: 'file',
};

function git(gitDir: string, args: string[], input: string | Buffer = ''): Buffer {
  return execFileSync('git', args, {
    env: gitEnvironment(gitDir, extra),
    stdio: 'pipe',
    input,
    maxBuffer: 1 << 30,
  });
}

function gitOid(gitDir: string, args: string[], input: string | Buffer = ''): Oid {
  return git(gitDir, args, input).toString().trim() as Oid;
}

let made = 0;
function newRepository(): string {
  const path = join(root, `${++made}.git`);
  createRepository(path);
  return path;
}

function storeOf(bare: string, limit = 8): ObjectStore {
  return new ObjectStore(bare, new OpenFiles(limit));
}

/** 60 versions of a folder of 100 documents, one of them changed each time, and a tag. */
function historyOf(bare: string): Oid {
  const data = (text: string) => `data ${text.length}\n${text}\n`;
  const change = (path: string, text: string) => `M 100644 inline ${path}\n${data(text)}`;
  const lines: string[] = [];
  for (let version = 0; version < 60; version++) {
    lines.push(`commit refs/heads/main\ncommitter A <a@b> ${1e9 + version} +0000\n${data(`v${version}`)}`);
    for (let i = 0; version === 0 && i < 100; i++) {
      lines.push(change(`folder/document-${String(i).padStart(3, '0')}`, `document ${i}\n`.repeat(i + 1)));
    }
    lines.push(
      change(`folder/document-${String(version).padStart(3, '0')}`, `${'line\n'.repeat(300)}${version}`),
    );
  }
  lines.push(`tag v1\nfrom refs/heads/main\ntagger A <a@b> 1000000000 +0000\n${data('the tag')}`);
  git(bare, ['-c', 'fastimport.unpackLimit=100000', 'fast-import', '--quiet'], lines.join(''));
  return gitOid(bare, ['rev-parse', 'main']);
}

function allObjects(bare: string): Oid[] {
  const list = git(bare, ['cat-file', '--batch-all-objects', '--batch-check=%(objectname)']);
  return list.toString().trim().split('\n') as Oid[];
}

function assertAllRead(bare: string, store: ObjectStore, oids: readonly Oid[]): void {
  for (const oid of oids) {
    const object = store.read(oid);
    assert.ok(object, oid);
    assert.equal(hashObject(object.kind, object.body), oid);
    assert.deepEqual(store.stat(oid), { kind: object.kind, size: object.body.length });
  }
  assert.equal(store.read('1'.repeat(40) as Oid), undefined, bare);
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

test('every object is read, loose and packed in each way that git packs', () => {
  const bare = newRepository();
  historyOf(bare);
  const oids = allObjects(bare);
  assert.ok(oids.length > 200);
  assert.match(git(bare, ['count-objects', '-v']).toString(), /^in-pack: 0$/m);
  const store = storeOf(bare);
  assertAllRead(bare, store, oids);
  git(bare, ['repack', '-adfq', '--depth=50']);
  git(bare, ['prune-packed']);
  assertAllRead(bare, store, oids);
  assertAllRead(bare, storeOf(bare), oids);
  git(bare, ['-c', 'repack.useDeltaBaseOffset=false', 'repack', '-adfq', '--depth=4000', '--window=100']);
  assertAllRead(bare, store, oids);
  assert.equal(store.packs().length, 1);
  const [name] = readdirSync(join(bare, 'objects/pack')).filter((file) => file.endsWith('.pack'));
  assert.ok(verifyPack(join(bare, 'objects/pack', name!)));
});

test('a push that arrives under an open store is found', () => {
  const bare = newRepository();
  const other = newRepository();
  const store = storeOf(bare);
  const head = historyOf(other);
  assert.equal(store.read(head), undefined);
  git(other, ['push', '-q', bare, 'main']);
  assert.equal(store.read(head)?.kind, 'commit');
});

test('a store whose packs are replaced again and again never says absent', () => {
  const bare = newRepository();
  historyOf(bare);
  const oids = allObjects(bare);
  const files = new OpenFiles(1);
  const store = new ObjectStore(bare, files);
  for (let round = 0; round < 3; round++) {
    git(bare, ['repack', '-adfq', `--window=${round + 5}`]);
    for (let i = round; i < oids.length; i += 7) assert.ok(store.read(oids[i]!));
    files.closeAll();
  }
});

/** A pack of the given entries (type, body, and for a REF_DELTA its base), placed in the repository. */
function placePack(
  bare: string,
  entries: { oid: Oid; type: number; size: number; base?: Oid; stream: Buffer }[],
): string {
  const parts: Buffer[] = [Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1')];
  parts[0]!.writeUInt32BE(entries.length, 8);
  let offset = 12;
  const index: Parameters<typeof encodeIndex>[0][number][] = [];
  for (const entry of entries) {
    const header = Buffer.alloc(32);
    let end = writeEntryHeader(header, 0, entry.type, entry.size);
    if (entry.base) end += header.write(entry.base, end, 20, 'hex');
    index.push({ oid: entry.oid, crc: 0, offset });
    parts.push(header.subarray(0, end), entry.stream);
    offset += end + entry.stream.length;
  }
  const checksum = createHash('sha1').update(Buffer.concat(parts)).digest();
  parts.push(checksum);
  const name = `pack-${checksum.toString('hex')}`;
  writeFileSync(join(bare, 'objects/pack', `${name}.pack`), Buffer.concat(parts));
  writeFileSync(
    join(bare, 'objects/pack', `${name}.idx`),
    encodeIndex(index, checksum.toString('hex') as Oid),
  );
  return join(bare, 'objects/pack', `${name}.pack`);
}

function wholeBlob(body: Buffer, stream = storedStream(body)) {
  return { oid: hashObject('blob', body), type: 3, size: body.length, stream };
}

test('a delta of itself, a circle of deltas and a base elsewhere are errors, and end', () => {
  const bare = newRepository();
  const a = 'a'.repeat(40) as Oid;
  const b = 'b'.repeat(40) as Oid;
  const c = 'c'.repeat(40) as Oid;
  const d = 'd'.repeat(40) as Oid;
  const delta = { type: REF_DELTA, size: 3, stream: storedStream(Buffer.of(1, 1, 0x90)) };
  placePack(bare, [
    { ...delta, oid: a, base: b },
    { ...delta, oid: b, base: a },
    { ...delta, oid: c, base: c },
    { ...delta, oid: d, base: 'e'.repeat(40) as Oid },
  ]);
  const store = storeOf(bare);
  for (const oid of [a, b, c, d]) {
    assert.throws(() => store.read(oid), { code: 'corrupt' });
    assert.throws(() => store.stat(oid), { code: 'corrupt' });
  }
});

test('an entry that claims to be huge is an error and reserves nothing', () => {
  const bare = newRepository();
  const oid = 'a'.repeat(40) as Oid;
  placePack(bare, [{ oid, type: 3, size: 2 ** 40, stream: storedStream(Buffer.from('x')) }]);
  assert.throws(() => storeOf(bare).read(oid), { code: 'corrupt' });
});

test('an entry beyond 2 GiB and one beyond 4 GiB are read', () => {
  const bare = newRepository();
  const near = Buffer.from('near');
  const far = [2 ** 31 + 5, 2 ** 32 + 7];
  const path = join(bare, 'objects/pack/pack-far.pack');
  const descriptor = openSync(path, 'w');
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\x03', 'latin1');
  writeSync(descriptor, header);
  const index = [];
  for (const [i, offset] of [12, ...far].entries()) {
    const body = Buffer.concat([near, Buffer.of(i)]);
    const entry = Buffer.alloc(1);
    writeEntryHeader(entry, 0, 3, body.length);
    writeSync(descriptor, Buffer.concat([entry, storedStream(body)]), 0, null, offset);
    index.push({ oid: hashObject('blob', body), crc: 0, offset });
  }
  ftruncateSync(descriptor, far[1]! + 100);
  writeSync(descriptor, Buffer.alloc(20, 7), 0, 20, far[1]! + 100);
  closeSync(descriptor);
  writeFileSync(path.replace('.pack', '.idx'), encodeIndex(index, '07'.repeat(20) as Oid));
  const store = storeOf(bare);
  for (const [i, { oid }] of index.entries()) assert.equal(store.read(oid)?.body.at(-1), i);
});

test('a wordy stream, far longer than its body, is read all the same', () => {
  const bare = newRepository();
  const body = randomBytes(6000);
  const blocks: Buffer[] = [Buffer.of(0x78, 0x01)];
  for (const byte of body) blocks.push(Buffer.of(0, 1, 0, 0xfe, 0xff, byte));
  const stored = storedStream(body);
  const stream = Buffer.concat([...blocks, Buffer.of(1, 0, 0, 0xff, 0xff), stored.subarray(-4)]);
  placePack(bare, [wholeBlob(body, stream), wholeBlob(Buffer.from('next'))]);
  assert.ok(storeOf(bare).read(hashObject('blob', body))?.body.equals(body));
});

test('where one copy is broken, the sound one in another pack answers; where none is, an error', () => {
  const bare = newRepository();
  const body = Buffer.from('precious');
  const oid = hashObject('blob', body);
  const broken = storedStream(body);
  broken[8]! ^= 1;
  placePack(bare, [wholeBlob(body, broken)]);
  assert.throws(() => storeOf(bare).read(oid), { code: 'corrupt' });
  placePack(bare, [wholeBlob(body), wholeBlob(Buffer.from('other'))]);
  const store = storeOf(bare);
  for (let i = 0; i < 3; i++) assert.deepEqual(store.read(oid)?.body, body);
});

test('a pack that is cut short, an index that is cut short and a foreign index are errors, never absent', () => {
  const damages: ((pack: string) => void)[] = [
    (pack) => truncateSync(pack, statSync(pack).size - 1),
    (pack) => truncateSync(pack, 5),
    (pack) => truncateSync(pack.replace(/pack$/, 'idx'), 1000),
    (pack) => writeFileSync(pack.replace(/pack$/, 'idx'), encodeIndex([], '1'.repeat(40) as Oid)),
  ];
  for (const [i, damage] of damages.entries()) {
    const bare = newRepository();
    const body = Buffer.from('precious');
    const pack = placePack(bare, [wholeBlob(body)]);
    assert.ok(verifyPack(pack));
    damage(pack);
    assert.equal(verifyPack(pack), false);
    if (i < 3) assert.throws(() => storeOf(bare).read(hashObject('blob', body)), { code: 'corrupt' }, `${i}`);
  }
});

test('a pack that cannot be read for another reason is not-ready, never absent', () => {
  const bare = newRepository();
  const body = Buffer.from('precious');
  const pack = placePack(bare, [wholeBlob(body)]);
  rmSync(pack);
  mkdirSync(pack);
  assert.throws(() => storeOf(bare).read(hashObject('blob', body)), { code: 'not-ready' });
  rmSync(bare, { recursive: true });
  assert.throws(() => storeOf(bare).read(hashObject('blob', body)), { code: 'not-ready' });
});

test('a pack placed by us is read without looking at the folder, and given up when it goes', () => {
  const bare = newRepository();
  const store = storeOf(bare);
  assert.deepEqual(store.packs(), []);
  const body = Buffer.from('new');
  const pack = placePack(bare, [wholeBlob(body)]);
  const name = pack.slice(pack.lastIndexOf('/') + 1, -'.pack'.length);
  store.addPack(name, readFileSync(pack.replace(/pack$/, 'idx')));
  assert.deepEqual(store.packs(), [name]);
  assert.deepEqual(store.read(hashObject('blob', body))?.body, body);
  rmSync(pack);
  rmSync(pack.replace(/pack$/, 'idx'));
  store.rescan();
  assert.deepEqual(store.packs(), []);
  assert.equal(store.read(hashObject('blob', body)), undefined);
});

test('no more files are open than allowed, beside those that are streamed from', async () => {
  const bare = newRepository();
  const bodies = Array.from({ length: 6 }, () => randomBytes(300_000));
  for (const body of bodies) placePack(bare, [wholeBlob(body)]);
  const files = new OpenFiles(2);
  const store = new ObjectStore(bare, files);
  const streams = bodies.map((body) => store.stream(hashObject('blob', body), 0, body.length - 1));
  assert.equal(files.openCount, 6);
  for (const body of bodies) assert.ok(store.read(hashObject('blob', body))?.body.equals(body));
  store.close();
  for (const [i, stream] of streams.entries()) assert.ok((await bytesOf(stream)).equals(bodies[i]!));
  assert.equal(files.openCount, 0);
  for (const body of bodies) assert.ok(store.read(hashObject('blob', body))?.body.equals(body));
  assert.equal(files.openCount, 2);
  files.closeAll();
});

const compressible = Buffer.from(Array.from({ length: 300_000 }, (_, i) => `${i}`).join(' '));
const incompressible = randomBytes(3_000_001);
const streamed: [string, Buffer, (body: Buffer) => Buffer][] = [
  ['deflated', compressible, (body) => deflateSync(body, { level: 1 })],
  ['stored in full blocks', incompressible, storedStream],
  ['stored by zlib', incompressible, (body) => deflateSync(body, { level: 0 })],
  ['stored, a whole number of blocks', incompressible.subarray(0, 65535 * 20), storedStream],
  ['one byte', Buffer.of(1), storedStream],
];

for (const [what, body, streamOf] of streamed) {
  test(`any range of a body is streamed: ${what}`, async () => {
    const bare = newRepository();
    const other = Buffer.from('another entry behind it');
    placePack(bare, [
      wholeBlob(other),
      wholeBlob(body, streamOf(body)),
      wholeBlob(incompressible.subarray(5)),
    ]);
    const store = storeOf(bare);
    const oid = hashObject('blob', body);
    const last = body.length - 1;
    const ranges: [number, number][] = [
      [0, last],
      [0, 0],
      [last, last],
      [0, last + 10],
    ];
    for (let i = 0; i < 12; i++) {
      const [a, b] = [Math.random(), Math.random()].map((x) => Math.floor(x * body.length)) as [
        number,
        number,
      ];
      ranges.push([Math.min(a, b), Math.max(a, b)]);
    }
    for (const edge of [65535 * 17, 65535 * 18 - 1, 65535 * 20 - 1]) {
      if (edge + 2 < body.length) ranges.push([edge, edge + 1]);
    }
    for (const [start, end] of ranges) {
      const got = await bytesOf(store.stream(oid, start, end));
      assert.ok(got.equals(body.subarray(start, end + 1)), `${start}-${end}`);
    }
    assert.equal((await bytesOf(store.stream(oid, 5, 4))).length, 0);
  });
}

test('loose objects and deltas are streamed too, in ranges', async () => {
  const bare = newRepository();
  const bodies = [compressible, Buffer.concat([compressible, Buffer.from('more')])];
  const oids = bodies.map((body) => gitOid(bare, ['hash-object', '-w', '--stdin'], body));
  for (let round = 0; round < 2; round++) {
    const store = storeOf(bare);
    for (const [i, oid] of oids.entries()) {
      for (const [start, end] of [
        [0, bodies[i]!.length - 1],
        [1_200_000, 1_300_000],
        [7, 7],
      ] as const) {
        const got = await bytesOf(store.stream(oid, start, end));
        assert.ok(got.equals(bodies[i]!.subarray(start, end + 1)));
      }
    }
    git(
      bare,
      ['-c', 'core.bigFileThreshold=1g', 'pack-objects', '-q', join(bare, 'objects/pack/pack')],
      `${oids.join('\n')}\n`,
    );
    git(bare, ['prune-packed', '-q']);
  }
});

test('a broken stream ends in an error, and never gives all bytes', async () => {
  const body = compressible;
  const oid = hashObject('blob', body);
  const whole = deflateSync(body, { level: 1 });
  const flipped = Buffer.from(whole);
  flipped[whole.length >> 1]! ^= 0xff;
  const badChecksum = Buffer.from(whole);
  badChecksum[whole.length - 1]! ^= 1;
  const stored = storedStream(incompressible);
  stored[2 + 65540 * 20 + 1]! ^= 1;
  const cases: [string, Oid, number, Buffer][] = [
    ['flipped in the middle', oid, body.length, flipped],
    ['a checksum that does not hold', oid, body.length, badChecksum],
    ['cut short', oid, body.length, whole.subarray(0, -100)],
    ['shorter than its header says', oid, body.length + 1, whole],
    ['longer than its header says', oid, body.length - 1, whole],
    ['a stored block with a wrong length', hashObject('blob', incompressible), incompressible.length, stored],
  ];
  for (const [what, id, size, stream] of cases) {
    const bare = newRepository();
    placePack(bare, [{ oid: id, type: 3, size, stream }]);
    for (const start of [0, 1_100_000]) {
      let bytes = 0;
      const read = async () => {
        for await (const chunk of storeOf(bare).stream(id, start, size - 1)) bytes += chunk.length;
      };
      await assert.rejects(read(), { code: 'corrupt' }, what);
      assert.ok(bytes < size - start, what);
    }
  }
});

test('a flipped bit in a stored block shows when the whole is read', async () => {
  const bare = newRepository();
  const damaged = storedStream(incompressible);
  damaged[2 + 65540 * 30 + 1000]! ^= 1;
  placePack(bare, [wholeBlob(incompressible, damaged)]);
  let bytes = 0;
  const read = async () => {
    const oid = hashObject('blob', incompressible);
    for await (const chunk of storeOf(bare).stream(oid, 0, incompressible.length - 1)) bytes += chunk.length;
  };
  await assert.rejects(read(), { code: 'corrupt' });
  assert.ok(bytes < incompressible.length);
});

test('a stream that is left half-way, or not read at all, gives its file back once', async () => {
  const bare = newRepository();
  placePack(bare, [wholeBlob(incompressible)]);
  const files = new OpenFiles(1);
  const store = new ObjectStore(bare, files);
  const oid = hashObject('blob', incompressible);
  const halfRead = store.stream(oid, 0, incompressible.length - 1);
  const unread = store.stream(oid, 0, 10);
  for await (const _ of halfRead) break;
  halfRead.close();
  unread.close();
  store.close();
  assert.equal(files.openCount, 0);
});

test('a large body passes through little memory', async () => {
  const bare = newRepository();
  const body = Buffer.alloc(96 << 20, 'all the same ');
  const oid = hashObject('blob', body);
  placePack(bare, [wholeBlob(body, deflateSync(body, { level: 1 }))]);
  const store = storeOf(bare);
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  let bytes = 0;
  for await (const chunk of store.stream(oid, 0, body.length - 1)) {
    bytes += chunk.length;
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  assert.equal(bytes, body.length);
  assert.ok(most < 32 << 20, `${most} bytes`);
});

test('whatever is in a pack, only an object or a corrupt error comes out', () => {
  const source = newRepository();
  const pack = placePack(source, [
    wholeBlob(
      Buffer.from('a body of some length, which is deflated'),
      deflateSync('a body of some length, which is deflated'),
    ),
    wholeBlob(Buffer.from('stored')),
    {
      oid: 'a'.repeat(40) as Oid,
      type: REF_DELTA,
      size: 4,
      base: hashObject('blob', Buffer.from('stored')),
      stream: storedStream(Buffer.of(6, 3, 0x90, 3)),
    },
  ]);
  const bytes = readFileSync(pack);
  const index = readFileSync(pack.replace(/pack$/, 'idx'));
  const oids = [
    'a'.repeat(40) as Oid,
    hashObject('blob', Buffer.from('stored')),
    hashObject('blob', Buffer.from('a body of some length, which is deflated')),
  ];
  const bare = newRepository();
  const copy = join(bare, 'objects/pack', pack.slice(pack.lastIndexOf('/') + 1));
  const edit = fc.record({ at: fc.nat(bytes.length - 33), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
      const mutated = Buffer.from(bytes);
      for (const { at, byte } of edits) mutated[12 + at] = byte;
      writeFileSync(copy, mutated);
      copyFileSync(pack.replace(/pack$/, 'idx'), copy.replace(/pack$/, 'idx'));
      const store = storeOf(bare);
      for (const oid of oids) {
        for (const ask of [() => store.read(oid), () => store.stat(oid)]) {
          try {
            assert.ok(ask());
          } catch (error) {
            assert.ok(error instanceof GitsteadError && error.code === 'corrupt', String(error));
          }
        }
      }
      store.close();
    }),
    { numRuns: 300 },
  );
  assert.ok(index.length > 0);
});

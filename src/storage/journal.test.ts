import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Oid } from '../git/object-id.ts';
import { openLog } from '../log.ts';
import { type JournalOptions, openJournal } from './journal.ts';
import { decodeRecords, SEGMENT_HEADER_BYTES, type TurnRecord } from './journal-format.ts';
import { noteRemoval, readJournal } from './left-journal.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitstead-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function turn(number: number, entryBytes = 50): TurnRecord {
  const oid = (value: number) => value.toString(16).padStart(40, '0') as Oid;
  return {
    user: 'alice',
    module: 'nötes',
    oldHead: number === 0 ? null : oid(number),
    newHead: oid(number + 1),
    packName: `pack-${oid(number % 3)}`,
    packOffset: 12 + number,
    spooled: number % 2 ? [`pack-${oid(number + 1000)}`, `pack-${oid(number + 2000)}`] : [],
    time: 1_700_000_000_000.5 + number,
    entries: Buffer.alloc(entryBytes, number + 1),
  };
}

function options(changes: Partial<JournalOptions> = {}): JournalOptions {
  return {
    folder,
    segmentBytes: 4096,
    waitingSegments: 2,
    firstSegment: 1,
    firstSequence: 1,
    settle: async () => {},
    log: openLog('silent'),
    passing: () => {},
    ...changes,
  };
}

/** settles nothing, so that every segment stays */
const keepAll = { settle: () => new Promise<void>(() => {}), waitingSegments: 1000 };

test('what was appended is read back, in order, also over several segments', async () => {
  const journal = openJournal(options(keepAll));
  const turns = Array.from({ length: 100 }, (_, number) => turn(number));
  for (let at = 0; at < turns.length; at += 7) await journal.append(turns.slice(at, at + 7));
  const read = readJournal(folder);
  assert.deepEqual(read.turns, turns);
  assert.ok(read.files.length > 3, 'several segments');
  assert.equal(read.nextSequence, 101);
  assert.equal(read.nextSegment, read.files.length + 1);
});

test('a group larger than a segment gets a segment of its own', async () => {
  const journal = openJournal(options(keepAll));
  await journal.append([turn(0)]);
  await journal.append([turn(1, 100_000)]);
  await journal.append([turn(2)]);
  assert.deepEqual(readJournal(folder).turns, [turn(0), turn(1, 100_000), turn(2)]);
});

test('a journal cut at any byte gives the whole records before the cut, and no others', async () => {
  const journal = openJournal(options(keepAll));
  const turns = [turn(0), turn(1), turn(2)];
  const ends: number[] = [];
  for (const one of turns) {
    await journal.append([one]);
    const bytes = readFileSync(join(folder, '00000001.segment'));
    ends.push(decodeRecords(bytes, 1).end);
  }
  const whole = readFileSync(join(folder, '00000001.segment'));
  for (let cut = 0; cut <= ends[2]! + 10; cut++) {
    for (const rest of ['gone', 'zeros', 'other'] as const) {
      const torn = mkdtempSync(join(folder, 'torn-'));
      const bytes = rest === 'gone' ? whole.subarray(0, cut) : Buffer.from(whole);
      if (rest === 'zeros') bytes.fill(0, cut);
      if (rest === 'other') bytes.fill(0xa5, cut);
      writeFileSync(join(torn, '00000001.segment'), bytes);
      const expected =
        cut < SEGMENT_HEADER_BYTES && rest !== 'zeros' ? 0 : ends.filter((end) => end <= cut).length;
      const found = readJournal(torn).turns;
      const headerIsWhole =
        cut >= SEGMENT_HEADER_BYTES || bytes.subarray(0, 32).equals(whole.subarray(0, 32));
      assert.deepEqual(found, headerIsWhole ? turns.slice(0, expected) : [], `cut at ${cut}, ${rest}`);
      rmSync(torn, { recursive: true });
    }
  }
});

test('a settled segment goes, and its file is used again without its old records being read', async () => {
  const settled: string[][] = [];
  const journal = openJournal(
    options({
      settle: async (use) => {
        settled.push([...use.keys()]);
      },
    }),
  );
  const turns = Array.from({ length: 60 }, (_, number) => turn(number));
  for (const one of turns) await journal.append([one]);
  assert.ok(settled.length > 1);
  assert.deepEqual(settled[0], ['alice/nötes']);
  const left = readJournal(folder).turns;
  assert.deepEqual(left, turns.slice(turns.length - left.length), 'only the newest turns are left');
  await journal.settleAll();
  await journal.close();
  assert.deepEqual(readdirSync(folder), []);
});

test('a turn whose sync failed is never replayed, nor is its segment written again', async () => {
  let fail = false;
  const journal = openJournal(
    options({
      ...keepAll,
      passing: (point) => {
        if (point === 'journal.appended' && fail)
          throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      },
    }),
  );
  await journal.append([turn(0)]);
  fail = true;
  await assert.rejects(journal.append([turn(1)]), { code: 'ENOSPC' });
  await assert.rejects(journal.append([turn(2)]), { code: 'ENOSPC' });
  fail = false;
  await journal.append([{ ...turn(1), time: 5 }]);
  assert.deepEqual(readJournal(folder).turns, [turn(0), { ...turn(1), time: 5 }]);
});

test('the journal is full while too many segments are unsettled, and takes what has begun all the same', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const journal = openJournal(options({ settle: () => promise, waitingSegments: 2 }));
  await journal.append([turn(0, 3000)]);
  await journal.append([turn(1, 3000)]);
  assert.equal(journal.isFull(), false);
  await journal.append([turn(2, 3000)]);
  assert.equal(journal.isFull(), true);
  const room = new Promise<void>((then) => journal.onRoom(then));
  await journal.append([turn(3, 3000)]);
  resolve();
  await room;
  await journal.settleAll();
  assert.equal(journal.isFull(), false);
  await journal.close();
});

test('a segment that cannot be settled holds nobody up, and is kept', async () => {
  const settle = ({ size }: { size: number }) =>
    size > 0 ? Promise.reject(new Error('on purpose')) : Promise.resolve();
  const journal = openJournal(options({ settle, waitingSegments: 1 }));
  for (let number = 0; number < 4; number++) await journal.append([turn(number, 3000)]);
  await assert.rejects(journal.settleAll(), { code: 'not-ready' });
  assert.equal(journal.isFull(), false);
  await journal.close();
  assert.equal(readJournal(folder).turns.length, 4);
});

test('what was not acknowledged is cut off at once: a crash before anything else does not bring it back', async () => {
  let isFailing = false;
  const passing = (point: string) => {
    if (isFailing && point === 'journal.appended') throw new Error('on purpose');
  };
  const journal = openJournal(options({ ...keepAll, passing }));
  await journal.append([turn(0)]);
  isFailing = true;
  await assert.rejects(journal.append([turn(1)]), { message: 'on purpose' });
  assert.deepEqual(readJournal(folder).turns, [turn(0)]);
});

test('a stray file, an empty segment and a segment under another name are passed over', async () => {
  const journal = openJournal(options(keepAll));
  await journal.append([turn(0)]);
  writeFileSync(join(folder, 'notes.txt'), 'a person was here');
  writeFileSync(join(folder, '00000007.segment'), '');
  copyFileSync(join(folder, '00000001.segment'), join(folder, '00000009.segment'));
  mkdirSync(join(folder, 'folder'));
  const read = readJournal(folder);
  assert.deepEqual(read.turns, [turn(0)]);
  assert.equal(read.nextSegment, 10);
});

test('turns of a user who was removed are not read; later ones under the same name are', async () => {
  const journal = openJournal(options(keepAll));
  const ofBob = { ...turn(1), user: 'bob' };
  await journal.append([turn(0), ofBob, turn(2)]);
  const note = noteRemoval(folder, 'alice', 4);
  await journal.append([turn(3)]);
  const read = readJournal(folder);
  assert.deepEqual(read.turns, [ofBob, turn(3)]);
  assert.equal(read.files.at(-1), note, 'the note goes after the segments');
  for (const file of read.files.slice(0, -1)) rmSync(file);
  assert.equal(readJournal(folder).nextSequence, 4, 'no turn to come is below the note');
});

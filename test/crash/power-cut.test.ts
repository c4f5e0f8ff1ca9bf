// Power cuts: what was not synced may be lost, torn, or there, in any mixture. What was acknowledged must stand all the
// same. GITSTEAD_SEED repeats a run's choices (not its timing).
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MAIN, readRef } from '../../src/git/refs.ts';
import {
  decodeRecords,
  encodeTurn,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type TurnRecord,
} from '../../src/storage/journal-format.ts';
import { openExpectations } from './expectations.ts';
import { type Cut, copyIndex, cutPower } from './power-cut.ts';
import {
  checkAfterCrash,
  checkRepositories,
  openAgain,
  removeFolder,
  temporaryDataFolder,
} from './reopened.ts';
import { runWriter, type WriterJob } from './run-writer.ts';
import { diceOf } from './workload.ts';

type Round = {
  cut: Cut;
  /** where the process kills itself; without it, it is killed at a random moment */
  stop?: WriterJob['stop'];
  /** where the next one, recovering, kills itself: the power is cut only then */
  again?: WriterJob['stop'];
  meddle?: WriterJob['meddle'];
  segmentBytes?: number;
};

const ROUNDS: readonly Round[] = [
  { cut: { names: 'synced', bytes: 'synced', index: 'written' } },
  { cut: { names: 'synced', bytes: 'synced', index: 'gone' } },
  { cut: { names: 'written', bytes: 'empty', index: 'older' } },
  { cut: { names: 'written', bytes: 'zeros', index: 'gone' } },
  { cut: { names: 'written', bytes: 'synced', index: 'written' } },
  { cut: { names: 'written', bytes: 'short', index: 'older' } },
  { cut: { names: 'synced', bytes: 'any', index: 'older' } },
  { cut: { names: 'written', bytes: 'mixed', index: 'written' } },
  { cut: { names: 'written', bytes: 'any', index: 'gone' } },
  {
    cut: { names: 'synced', bytes: 'synced', index: 'older' },
    stop: { point: 'settle.segment-gone', time: 3 },
    segmentBytes: 1 << 15,
  },
  {
    cut: { names: 'written', bytes: 'empty', index: 'written' },
    stop: { point: 'settle.segment-gone', time: 4 },
    segmentBytes: 1 << 15,
  },
  {
    cut: { names: 'written', bytes: 'empty', index: 'gone' },
    stop: { point: 'checkpoint.spool-placed', time: 2 },
  },
  {
    cut: { names: 'synced', bytes: 'synced', index: 'gone' },
    stop: { point: 'checkpoint.spool-placed', time: 2 },
  },
  {
    cut: { names: 'synced', bytes: 'synced', index: 'written' },
    stop: { point: 'checkpoint.ref-moved', time: 6 },
    meddle: { at: 60 },
  },
  {
    cut: { names: 'written', bytes: 'empty', index: 'older' },
    stop: { point: 'checkpoint.ref-moved', time: 9 },
    meddle: { at: 60 },
  },
  {
    cut: { names: 'synced', bytes: 'synced', index: 'written' },
    again: { point: 'recovery.refs-moved', time: 1 },
  },
  {
    cut: { names: 'written', bytes: 'empty', index: 'gone' },
    stop: { point: 'settle.synced', time: 3 },
    again: { point: 'recovery.segment-gone', time: 1 },
    segmentBytes: 1 << 15,
  },
];

const MAX_LINES = 500;

test('a store whose power is cut keeps what it acknowledged', async (t) => {
  const seed = Number(process.env.GITSTEAD_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const dice = diceOf(seed);
  const place = temporaryDataFolder();
  t.after(() => removeFolder(place));
  const olderIndex = join(place, 'older-index');
  mkdirSync(olderIndex);
  const expectations = openExpectations();
  let dataFolder = join(place, 'data-0');
  mkdirSync(dataFolder);
  for (const [number, round] of ROUNDS.entries()) {
    const what = `power cut ${number + 1}: ${JSON.stringify(round)}`;
    const image = join(place, `image-${number}`);
    mkdirSync(image);
    const job = {
      dataFolder,
      seed: seed + number,
      base: expectations.nextBase(),
      acks: 100_000,
      segmentBytes: round.segmentBytes ?? 1 << 18,
    };
    const first = {
      ...job,
      ...(round.stop && { stop: round.stop }),
      ...(round.meddle && { meddle: round.meddle }),
    };
    const run = await runWriter(first, { image, ...(!round.stop && { killAfter: 20 + dice(MAX_LINES) }) });
    assert.equal(run.code, undefined, what);
    if (round.stop) assert.match(run.lines.at(-1)!, /^stop /, what);
    if (round.again) {
      const { lines } = await runWriter({ ...job, acks: 0, stop: round.again }, { image });
      assert.match(lines.at(-1)!, /^stop /, what);
    }
    expectations.add(run.lines);
    const next = join(place, `data-${number + 1}`);
    cutPower({ image, from: dataFolder, to: next, olderIndex, cut: round.cut, dice });
    removeFolder(image);
    copyIndex(dataFolder, olderIndex);
    try {
      await checkAfterCrash(next, expectations, { mayComplain: round.meddle !== undefined });
    } catch (error) {
      throw new Error(what, { cause: error });
    }
    removeFolder(dataFolder);
    dataFolder = next;
  }
  t.diagnostic(`${expectations.acknowledged()} writes acknowledged`);
});

test('records behind a cut of the journal are gone whole, and those before it stand', async (t) => {
  const seed = Number(process.env.GITSTEAD_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const place = temporaryDataFolder();
  t.after(() => removeFolder(place));
  const dataFolder = join(place, 'data');
  const image = join(place, 'image');
  for (const folder of [dataFolder, image]) mkdirSync(folder);
  const job = { dataFolder, seed, base: 0, acks: 100_000, segmentBytes: 16 << 20 };
  await runWriter(job, { image, killAfter: 300 });
  // of the repositories nothing is left but that they are: all is in the journal
  const left = join(place, 'left');
  const cut: Cut = { names: 'synced', bytes: 'synced', index: 'gone' };
  cutPower({ image, from: dataFolder, to: left, olderIndex: place, cut, dice: diceOf(seed) });
  const segment = 'journal/00000001.segment';
  const whole = readFileSync(join(left, segment));
  const turns = decodeRecords(whole, 1).records.map(({ turn }) => turn);
  const lengths = turns.map((turn) => encodeTurn(turn).length);
  const ends = lengths.map((_, last) =>
    lengths.slice(0, last + 1).reduce((a, b) => a + b, SEGMENT_HEADER_BYTES),
  );
  assert.ok(turns.length > 8, 'there are many turns');
  const last = turns.length - 1;
  const cuts = [last, last - 1, last - 7].flatMap((number) => {
    const [from, to] = [ends[number - 1]!, ends[number]!];
    const places = [from, from + 1, from + RECORD_HEADER_BYTES, Math.floor((from + to) / 2), to - 1];
    return places.map((at) => ({ at, standing: turns.slice(0, number) }));
  });
  for (const [number, { at, standing }] of cuts.entries()) {
    const folder = join(place, 'cut');
    cpSync(left, folder, { recursive: true });
    const bytes = Buffer.from(whole);
    // a record may end in a zero of its own: zeros behind a cut there would leave it whole
    const asZeros = number % 2 === 1 && whole[at] !== 0;
    writeFileSync(join(folder, segment), asZeros ? bytes.fill(0, at) : bytes.subarray(0, at));
    await checkHeads(folder, standing, number % 5 === 3);
    removeFolder(folder);
  }
});

/** Every repository stands at its last turn of these; git looks at all of it if it shall. */
async function checkHeads(
  dataFolder: string,
  standing: readonly TurnRecord[],
  isThorough: boolean,
): Promise<void> {
  const store = await openAgain(dataFolder);
  try {
    const heads = new Map(standing.map(({ user, module, newHead }) => [`${user}/${module}`, newHead]));
    for (const { user, module, folder } of store.storage.repositories()) {
      assert.equal(readRef(folder, MAIN), heads.get(`${user}/${module}`), `main of ${user}/${module}`);
    }
    if (isThorough) await checkRepositories(store, dataFolder);
    assert.deepEqual(store.errors, []);
  } finally {
    await store.close();
  }
}

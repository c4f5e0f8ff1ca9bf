// A stop at each named point between two steps whose order matters, at its first and at later passings, also while an
// earlier stop is being recovered from. After each: what was acknowledged stands, and git finds nothing to complain about.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STOP_POINTS, type StopPoint } from '../../src/storage/stop-points.ts';
import { type Expectations, openExpectations } from './expectations.ts';
import { MEDDLED } from './meddle.ts';
import { checkAfterCrash, openAgain, removeFolder, temporaryDataFolder } from './reopened.ts';
import { type Run, runWriter, type WriterJob } from './run-writer.ts';
import { readState } from './workload.ts';

const TIMES = [1, 5];
/** Rotation and settling need many turns: the journal's segments are small here. */
const SEGMENT_BYTES = 1 << 15;
/** More than any stop needs. */
const ACKS = 5000;

type Stop = NonNullable<WriterJob['stop']>;
type Ways = { stop?: Stop; acks?: number; meddle?: { at: number } };

async function runTo(dataFolder: string, expectations: Expectations, ways: Ways): Promise<Run> {
  const base = expectations.nextBase();
  const run = await runWriter({
    dataFolder,
    seed: base + (ways.stop?.time ?? 0),
    base,
    acks: ways.acks ?? ACKS,
    segmentBytes: SEGMENT_BYTES,
    ...ways,
  });
  expectations.add(run.lines);
  return run;
}

function isStopped({ lines }: Run, { point, time }: Stop): boolean {
  return lines.at(-1) === `stop ${point} ${time}`;
}

const isOfRecovery = (point: StopPoint) => point.startsWith('recovery.');

for (const point of STOP_POINTS.filter((name) => !isOfRecovery(name))) {
  test(`stopped at ${point}, the store keeps what it acknowledged`, async (t) => {
    const dataFolder = temporaryDataFolder();
    t.after(() => removeFolder(dataFolder));
    const expectations = openExpectations();
    for (const time of TIMES) {
      const stop = { point, time };
      const run = await runTo(dataFolder, expectations, { stop });
      assert.ok(isStopped(run, stop), `it passes ${point} for time ${time}, and ends at ${run.lines.at(-1)}`);
      await checkAfterCrash(dataFolder, expectations);
    }
  });
}

/** Where a first stop leaves something for the recovery to do: pending commits, an upload, a pack without its index. */
function stopBefore(point: StopPoint, round: number): Stop {
  if (point === 'recovery.spool-placed') return { point: 'checkpoint.spool-waiting', time: 1 };
  if (!isOfRecovery(point) || round % 2 === 0) return { point: 'journal.synced', time: 12 };
  return { point: 'checkpoint.pack-written', time: 6 };
}

const IN_RECOVERY: readonly StopPoint[] = [
  ...STOP_POINTS.filter(isOfRecovery),
  'checkpoint.kept',
  'checkpoint.pack-written',
  'checkpoint.index-written',
];

test('stopped in the middle of a recovery, and in the next one again, the store keeps what it acknowledged', async (t) => {
  const dataFolder = temporaryDataFolder();
  t.after(() => removeFolder(dataFolder));
  const expectations = openExpectations();
  const reached = new Set<StopPoint>();
  for (const [round, point] of IN_RECOVERY.entries()) {
    const before = stopBefore(point, round);
    const first = await runTo(dataFolder, expectations, { stop: before });
    assert.ok(isStopped(first, before), `it passes ${before.point}`);
    for (const time of [1, 2]) {
      const stop = { point, time };
      const run = await runTo(dataFolder, expectations, { stop, acks: 0 });
      if (isStopped(run, stop)) reached.add(point);
    }
    await checkAfterCrash(dataFolder, expectations);
  }
  assert.deepEqual([...reached].sort(), [...IN_RECOVERY].sort(), 'every point of a recovery was stopped at');
});

/** Its repository has commits pending at some of these moments, and is merged with what main was moved to. */
const MEDDLE_AT = 70;
const AFTER_MEDDLING: readonly Stop[] = [
  { point: 'journal.synced', time: 1 },
  { point: 'journal.synced', time: 4 },
  { point: 'checkpoint.kept', time: 2 },
  { point: 'checkpoint.index-written', time: 3 },
  { point: 'checkpoint.ref-moved', time: 3 },
];

test('stopped after main was moved by a program that ignores its lock, the store keeps what both wrote', async (t) => {
  for (const stop of AFTER_MEDDLING) {
    const dataFolder = temporaryDataFolder();
    t.after(() => removeFolder(dataFolder));
    const expectations = openExpectations();
    const run = await runTo(dataFolder, expectations, { stop, meddle: { at: MEDDLE_AT } });
    assert.ok(isStopped(run, stop), `it passes ${stop.point} for time ${stop.time}`);
    await checkAfterCrash(dataFolder, expectations, { mayComplain: true });
    await checkMeddled(dataFolder);
  }
});

async function checkMeddled(dataFolder: string): Promise<void> {
  const store = await openAgain(dataFolder);
  try {
    assert.equal((await readState(store.storage, MEDDLED.key))?.bytes.toString(), MEDDLED.text);
  } finally {
    await store.close();
  }
}

// A process of the background suite: the storage without HTTP, written by 8 writers, with a note of when each checkpoint ran
// (the storage tells it as it passes its stop points). node background-checkpoints.ts DATA-FOLDER SECONDS prints, as JSON, the
// times of all writes and of those during which no checkpoint ran.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openIndex } from '../../src/db/open-index.ts';
import { openLog } from '../../src/log.ts';
import { NO_PRECONDITION } from '../../src/protocol/conditions.ts';
import { documentPath, parseUserName } from '../../src/protocol/paths.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { DOCUMENT_TYPE, documentName, makeDocument, pickBelow } from '../documents.ts';
import { userName } from '../sides/side.ts';

/** durations in ms */
export type CheckpointTimes = { all: number[]; alone: number[]; checkpoints: number };

const WRITERS = 8;
const DOCUMENTS = 100;

const [dataFolder, seconds] = process.argv.slice(2) as [string, string];
mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
const index = openIndex(join(dataFolder, 'index.db'));
/** checkpoints that ran to their end, and whether one is running */
let finished = 0;
let isRunning = false;
const storage = await openStorage({
  ...{ dataFolder, index, log: openLog('warn'), now: Date.now, host: 'bench.localhost' },
  passing(point) {
    if (point === 'checkpoint.kept') isRunning = true;
    if (point !== 'checkpoint.done') return;
    isRunning = false;
    finished += 1;
  },
});
const user = parseUserName(userName(0))!;

async function* once(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}

async function put(name: string): Promise<void> {
  const body = Buffer.from(makeDocument());
  const result = await storage.put(documentPath(user, ['bench', 'docs', name]), {
    ...{ type: DOCUMENT_TYPE, body: once(body), length: body.length, precondition: NO_PRECONDITION },
    author: { user, app: undefined, grant: undefined },
    quotaBytes: undefined,
  });
  if (result.kind !== 'created' && result.kind !== 'updated') throw new Error(`PUT was ${result.kind}`);
}

const times: CheckpointTimes = { all: [], alone: [], checkpoints: 0 };
for (let document = 0; document < DOCUMENTS; document += 1) await put(documentName(document));
const before = finished;
const until = performance.now() + Number(seconds) * 1000;
const write = async (_: unknown, seed: number) => {
  const pick = pickBelow(DOCUMENTS, seed);
  while (performance.now() < until) {
    const earlier = finished;
    const isMeanwhile = isRunning;
    const start = performance.now();
    await put(documentName(pick()));
    const took = performance.now() - start;
    times.all.push(took);
    if (!isMeanwhile && !isRunning && finished === earlier) times.alone.push(took);
  }
};
await Promise.all(Array.from({ length: WRITERS }, write));
times.checkpoints = finished - before;
await storage[Symbol.asyncDispose]();
index.close();
process.stdout.write(`${JSON.stringify(times)}\n`, () => process.exit(0));

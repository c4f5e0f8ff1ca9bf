// The process that is killed: opens the store of a data folder, runs the writers, and tells on stdout, line by line, what
// was sent and what was acknowledged. Its job is the first argument, as JSON. Kills itself at a stop point if it says so.
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { openIndex } from '../../src/db/open-index.ts';
import { openLog } from '../../src/log.ts';
import type { Passing } from '../../src/storage/stop-points.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { moveMainAside } from './meddle.ts';
import type { WriterJob } from './run-writer.ts';
import { runWriters, storageTarget } from './workload.ts';

const job = JSON.parse(process.argv[2]!) as WriterJob;

/** What the pipe has taken is not lost with the process. */
function tell(line: string): void {
  for (let rest = Buffer.from(`${line}\n`); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error; // full for the moment
    }
  }
}

const passed = new Map<string, number>();
let hasMeddled = false;
const passing: Passing = (point) => {
  const times = (passed.get(point) ?? 0) + 1;
  passed.set(point, times);
  if (job.meddle && point === 'turn.judged' && times === job.meddle.at) {
    moveMainAside(job.dataFolder);
    passed.clear(); // the stop is counted from here
    passed.set(point, times);
    hasMeddled = true;
  }
  if ((job.meddle && !hasMeddled) || point !== job.stop?.point || times !== job.stop.time) return;
  tell(`stop ${point} ${times}`);
  process.kill(process.pid, 'SIGKILL');
};

const index = openIndex(join(job.dataFolder, 'index.db'));
const storage = await openStorage({
  dataFolder: job.dataFolder,
  index,
  log: openLog(job.meddle ? 'silent' : 'error'),
  host: 'crash.example',
  segmentBytes: job.segmentBytes,
  ...(job.maxOpen === undefined ? {} : { maxOpen: job.maxOpen }),
  passing,
});
tell('open');
await runWriters(storageTarget(storage), (event, key, version) => tell(`${event} ${version} ${key}`), job);
await storage[Symbol.asyncDispose]();
index.close();
tell('closed');

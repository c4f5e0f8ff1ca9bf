// Runs the HTTP rows: every side in turn, round after round (A B C, A B C, A B C), each in the same way. While one
// is measured the others are held still, so that none pays for another's background work.
import { measureFastImport } from './fast-import.ts';
import { Connection } from './http-connection.ts';
import { type LoadResult, runLoad } from './load-job.ts';
import { readMemory, readProcessorMs, resetPeak } from './machine.ts';
import { pause, resume } from './processes.ts';
import { LARGE_BYTES, LARGE_NAME } from './recorded-answers.ts';
import { addRound, type Round, type RowResult } from './results.ts';
import { LARGE_FOLDER, type LoopRow, type Row, SMALL_FOLDER, type TransferRow } from './rows.ts';
import { MODULES, type Side, WRITERS } from './sides/side.ts';
import type { Plan } from './suite.ts';

const MEMORY_SAMPLE_MS = 20;
const MIB = 2 ** 20;

/** Fills a side with what the rows need: 100 documents for each user, 10,000 in one folder, whose listing is checked. */
export async function prepare(side: Side, rows: readonly Row[]): Promise<void> {
  const users = rows.some(({ id }) => id === 'http-put-32-users') ? WRITERS : 1;
  await side.fill([...Array(users).keys()], MODULES.small, SMALL_FOLDER);
  if (!rows.some(({ id }) => id.endsWith('10000') || id === 'http-list-304')) return;
  await side.fill([0], MODULES.folder, LARGE_FOLDER);
  await checkListing(side);
}

async function checkListing(side: Side): Promise<void> {
  const { folder, authorization } = side.target(0, MODULES.folder);
  const connection = await Connection.open(side.port);
  const head = `GET ${folder} HTTP/1.1\r\nHost: 127.0.0.1:${side.port}\r\n`;
  const answer = await connection.request(`${head}Authorization: ${authorization}\r\n\r\n`, true);
  connection.close();
  if (answer.status !== 200) throw new Error(`the listing answered ${answer.status}`);
  const listing = JSON.parse((answer.body ?? Buffer.alloc(0)).toString()) as { items?: object };
  const count = Object.keys(listing.items ?? {}).length;
  if (count !== LARGE_FOLDER) throw new Error(`the listing has ${count} items instead of ${LARGE_FOLDER}`);
}

/** Measures one row on all sides. */
export async function measureRow(row: Row, sides: readonly Side[], plan: Plan): Promise<RowResult> {
  const unit = row.kind === 'loop' ? '/s' : 'MiB/s';
  const result: RowResult = { id: row.id, title: row.title, unit, better: 'more', cells: {} };
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const side of sides) {
      await addRound(result, side.name, () =>
        alone(side, sides, () =>
          row.kind === 'loop' ? measureLoop(row, side, plan) : measureTransfer(row, side),
        ),
      );
    }
    if (row.kind === 'loop' && row.fastImport !== undefined) {
      const documents = row.fastImport;
      for (const side of sides) pause(side.process);
      await addRound(result, 'fast-import', () => measureFastImport(documents, plan.seconds));
    }
  }
  for (const side of sides) resume(side.process);
  return result;
}

async function alone<T>(side: Side, sides: readonly Side[], measure: () => Promise<T>): Promise<T> {
  for (const other of sides) {
    if (other !== side) pause(other.process);
  }
  resume(side.process);
  return measure();
}

async function measureLoop(row: LoopRow, side: Side, plan: Plan): Promise<Round> {
  const job = await row.job(side);
  const before = readProcessorMs(side.process.pid);
  const result = await runLoad({
    kind: 'loop',
    ...job,
    warmupSeconds: plan.warmupSeconds,
    seconds: plan.seconds,
  });
  const after = readProcessorMs(side.process.pid);
  const used = before === undefined || after === undefined ? undefined : after - before;
  return { ...roundOf(result), ...(used === undefined ? {} : { processorMs: used / result.sent }) };
}

function roundOf(result: LoadResult): Round {
  return {
    value: result.rate,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    generatorLoad: result.generatorLoad,
    ...(result.errors > 0 ? { errors: result.errors } : {}),
    ...(result.firstError === undefined ? {} : { firstError: result.firstError }),
  };
}

/** A large document, and by how much the server's resident memory rose meanwhile. */
async function measureTransfer(row: TransferRow, side: Side): Promise<Round> {
  const { pid } = side.process;
  const before = readMemory(pid);
  if (before) resetPeak(pid);
  let sampledBytes = 0;
  const sampler = setInterval(() => {
    sampledBytes = Math.max(sampledBytes, readMemory(pid)?.nowBytes ?? 0);
  }, MEMORY_SAMPLE_MS);
  try {
    const target = side.target(0, MODULES.large);
    const { method } = row;
    const job = { kind: 'transfer', port: side.port, method, target, name: LARGE_NAME } as const;
    const result = await runLoad({ ...job, bytes: LARGE_BYTES });
    const peak = Math.max(sampledBytes, readMemory(pid)?.peakBytes ?? 0);
    return {
      value: LARGE_BYTES / MIB / result.seconds,
      ...(before && peak > 0 ? { growthBytes: Math.max(0, peak - before.nowBytes) } : {}),
    };
  } finally {
    clearInterval(sampler);
  }
}

/** A fresh process for the large documents, after a few small requests: what grew before is not hidden in its memory. */
export async function refresh(side: Side): Promise<void> {
  resume(side.process);
  await side.restart();
  await side.fill([0], MODULES.small, SMALL_FOLDER);
  const target = side.target(0, MODULES.small);
  const { port } = side;
  const job = { kind: 'loop', port, method: 'GET', documents: 1, expect: [200] } as const;
  await runLoad({ ...job, expect: [200], targets: [target], warmupSeconds: 0, seconds: 0.3 });
}

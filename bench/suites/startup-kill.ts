// What a start takes after `kill -9` while clients write: 32 writers of small documents, and large documents that fill the
// journal quicker than it is settled. How much of the journal has to be replayed is a row of its own.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readJournal } from '../../src/storage/left-journal.ts';
import { documentName } from '../documents.ts';
import { removeFolder } from '../processes.ts';
import { addRound, type RowResult } from '../results.ts';
import { HISTORY_WRITERS, makeModules } from './growth-repository.ts';
import { type GrowthServer, measureLoop, openGrowthServer } from './growth-server.ts';
import { pauseFor } from './waiting.ts';

const OURS = 'gitstead';
const MODULE = 'bench';
const DOCUMENTS = 100;
const LOAD_SECONDS = { small: 1.5, large: 3 };
/** The load goes on meanwhile: nothing is settled in peace. */
const KILL_BEFORE_END_MS = 200;
const LARGE_BYTES = 900_000;
const LARGE_WRITERS = 8;
const MIB = 2 ** 20;

const row = (id: string, title: string, unit: string): RowResult => ({
  ...{ id, title, unit, better: 'less', cells: {} },
});

export async function measureKills(rounds: number): Promise<RowResult[]> {
  const small = row('startup-kill', 'spawn to /health after kill -9, 32 writers', 'ms');
  const smallJournal = row('startup-kill-journal', 'journal to replay then', 'MiB');
  const full = row('startup-kill-full', 'spawn to /health after kill -9, full journal', 'ms');
  const fullJournal = row('startup-kill-full-journal', 'journal to replay then', 'MiB');
  const server = await openGrowthServer('startup');
  await makeModules(server, [MODULE], DOCUMENTS);
  for (let round = 0; round < rounds; round += 1) {
    await measureKill(server, small, smallJournal, 'small');
    await measureKill(server, full, fullJournal, 'large');
  }
  await server.stop();
  removeFolder(server.folder);
  return [small, smallJournal, full, fullJournal];
}

async function measureKill(
  server: GrowthServer,
  time: RowResult,
  journal: RowResult,
  what: 'small' | 'large',
): Promise<void> {
  const seconds = LOAD_SECONDS[what];
  const load = (what === 'small' ? writeSmall : writeLarge)(server, seconds).catch(() => {}); // it ends with the server
  await pauseFor(seconds * 1000 - KILL_BEFORE_END_MS);
  await server.kill();
  await load;
  await addRound(journal, OURS, async () => ({ value: journalBytes(server) / MIB }));
  await addRound(time, OURS, async () => ({ value: await server.start() }));
}

function writeSmall(server: GrowthServer, seconds: number): Promise<unknown> {
  const targets = Array.from({ length: HISTORY_WRITERS }, () => server.target(MODULE));
  const loop = { method: 'PUT', targets, documents: DOCUMENTS, warmupSeconds: 0 } as const;
  return measureLoop(server, { ...loop, seconds });
}

/** Just below what would be put aside as a pack of its own: all of it goes through the journal. */
function writeLarge(server: GrowthServer, seconds: number): Promise<unknown> {
  const { folder, authorization } = server.target(MODULE);
  const until = performance.now() + seconds * 1000;
  const write = async (_: unknown, writer: number) => {
    const body = randomBytes(LARGE_BYTES);
    for (let count = 0; performance.now() < until; count += 1) {
      const url = `http://127.0.0.1:${server.port}${folder}large-${writer}-${documentName(count)}`;
      body.writeUInt32BE(count); // another document each time
      const headers = { authorization, 'content-type': 'application/octet-stream' };
      const answer = await fetch(url, { method: 'PUT', headers, body });
      await answer.arrayBuffer();
    }
  };
  return Promise.allSettled(Array.from({ length: LARGE_WRITERS }, write));
}

/** of the turns that the next start finds, whether they are in packs already or not */
function journalBytes(server: GrowthServer): number {
  const { turns } = readJournal(join(server.data, 'journal'));
  return turns.reduce((sum, { entries }) => sum + entries.length, 0);
}

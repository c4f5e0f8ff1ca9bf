// What it takes to make the index anew: documents in several repositories and folders, and a history of 100,000 commits that
// must be walked to its first for the date of a document. A start with the index stands beside it.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { documentName } from '../documents.ts';
import { removeFolder } from '../processes.ts';
import { addRound, type RowResult } from '../results.ts';
import { layDown, makeModules } from './growth-repository.ts';
import { type GrowthServer, openGrowthServer } from './growth-server.ts';
import { LONG_DOCUMENTS, layLongHistoryDown } from './long-history.ts';
import { untilAnswers } from './waiting.ts';

const MODULES = ['books', 'notes', 'photos', 'tasks', 'trips'];
/** `docs` is the folder that targets name */
const FOLDERS = ['archive', 'docs', 'drafts', 'inbox', 'shared'];
const DOCUMENTS_EACH = 5000;
export const LAID_DOCUMENTS = MODULES.length * FOLDERS.length * DOCUMENTS_EACH;

const HISTORY = 'history';

const row = (id: string, title: string): RowResult => ({
  ...{ id, title, unit: 'ms', better: 'less', cells: {} },
});

export async function measureIndex(rounds: number): Promise<RowResult[]> {
  const documents = row(
    'startup-index',
    `spawn to all listings, ${LAID_DOCUMENTS.toLocaleString('en-US')} documents`,
  );
  const laid = await openGrowthServer('startup-index');
  await makeModules(laid, MODULES);
  await laid.stop();
  await Promise.all(MODULES.map((module) => layDown(laid.repository(module), FOLDERS, DOCUMENTS_EACH)));
  await laid.start();
  await untilListed(laid, MODULES, DOCUMENTS_EACH);
  await measureStarts(laid, documents, rounds, () => untilListed(laid, MODULES, DOCUMENTS_EACH));

  const history = row('startup-history', 'spawn to the listing, 100,000 commits');
  const long = await openGrowthServer('startup-history');
  await layLongHistoryDown(long, HISTORY);
  await measureStarts(long, history, rounds, () => untilListed(long, [HISTORY], LONG_DOCUMENTS));
  return [documents, history];
}

/** Starts with the index and without it, in turn. */
async function measureStarts(
  server: GrowthServer,
  result: RowResult,
  rounds: number,
  whenComplete: () => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    for (const side of ['index there', 'index gone']) {
      await server.stop();
      if (side === 'index gone') removeIndex(server);
      await addRound(result, side, async () => {
        const begin = performance.now();
        await server.start();
        await whenComplete();
        return { value: performance.now() - begin };
      });
    }
  }
  await server.stop();
  removeFolder(server.folder);
}

function removeIndex(server: GrowthServer): void {
  for (const ending of ['', '-wal', '-shm']) {
    rmSync(join(server.data, `index.db${ending}`), { force: true });
  }
}

/** Waits until a listing of each module answers in full; a repository is read in as a whole. */
async function untilListed(
  server: GrowthServer,
  modules: readonly string[],
  documents: number,
): Promise<void> {
  for (const module of modules) {
    const { folder, authorization } = server.target(module);
    const isWhole = (body: string) => body.includes(documentName(documents - 1));
    await untilAnswers(server, folder, isWhole, authorization);
  }
}

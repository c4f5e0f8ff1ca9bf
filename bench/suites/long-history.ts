// The history of 100,000 commits that more than one suite reads: real PUTs, made once in a run, since they take a while;
// whoever needs it later gets a copy of the repository.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { documentName } from '../documents.ts';
import { temporaryFolder } from '../processes.ts';
import { MANY_WRITERS, makeHistory, makeModules } from './growth-repository.ts';
import type { GrowthServer } from './growth-server.ts';
import { untilAnswers, untilIdle } from './waiting.ts';

export const LONG_COMMITS = 100_000;
export const LONG_DOCUMENTS = 100;

const COPY_ATTEMPTS = 5;

let kept: string | undefined;

/**
 * Writes the history into a module, and keeps a copy of it. The last document is written once, at the beginning: only the
 * whole history tells its date.
 * @returns commits per second, and where the copy is
 */
export async function writeLongHistory(
  server: GrowthServer,
  module: string,
  writers: number,
): Promise<{ rate: number; copy: string }> {
  await makeModules(server, [module], LONG_DOCUMENTS);
  const rate = await makeHistory(server, module, LONG_DOCUMENTS - 1, LONG_COMMITS, writers);
  await untilIdle(server);
  kept = copyAtRest(server.repository(module), temporaryFolder('long-history'));
  return { rate, copy: kept };
}

/**
 * A copy while the server runs and nobody writes. Its packs may be merged meanwhile: one that was listed and is gone ends the
 * attempt, and without that all that was listed is there.
 */
function copyAtRest(repository: string, folder: string): string {
  for (let attempt = 1; ; attempt += 1) {
    const copy = join(folder, `copy-${attempt}.git`);
    try {
      cpSync(repository, copy, { recursive: true });
      return copy;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === COPY_ATTEMPTS) throw error;
    }
  }
}

/** Has a module with that history: the copy, or a new one where there is none yet. */
export async function layLongHistoryDown(server: GrowthServer, module: string): Promise<void> {
  const repository = server.repository(module);
  if (kept === undefined) {
    await writeLongHistory(server, module, MANY_WRITERS);
    await server.stop();
  } else {
    await makeModules(server, [module]);
    await server.stop();
    rmSync(repository, { recursive: true });
    cpSync(kept, repository, { recursive: true });
  }
  await server.start();
  const { folder, authorization } = server.target(module);
  const isWhole = (body: string) => body.includes(documentName(LONG_DOCUMENTS - 1));
  await untilAnswers(server, folder, isWhole, authorization);
}

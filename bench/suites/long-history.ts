// The history of 100,000 commits that more than one suite reads: real PUTs by 128 writers, made once in a run, since they take
// a while; whoever needs it later gets a copy of the repository.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { documentName } from '../documents.ts';
import { temporaryFolder } from '../processes.ts';
import { MANY_WRITERS, makeHistory, makeModules } from './growth-repository.ts';
import type { GrowthServer } from './growth-server.ts';
import { untilAnswers, untilIdle } from './waiting.ts';

export const LONG_COMMITS = 100_000;
export const LONG_DOCUMENTS = 100;

let kept: string | undefined;

/** The last document is written once, at the beginning: only the whole history tells its date. */
export async function makeLongHistory(server: GrowthServer, module: string): Promise<void> {
  const repository = server.repository(module);
  if (kept === undefined) {
    await makeModules(server, [module], LONG_DOCUMENTS);
    await makeHistory(server, module, LONG_DOCUMENTS - 1, LONG_COMMITS, MANY_WRITERS);
    await untilIdle(server);
    await server.stop();
    const copy = join(temporaryFolder('long-history'), 'copy.git');
    cpSync(repository, copy, { recursive: true });
    kept = copy;
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

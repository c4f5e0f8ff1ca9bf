// A thread that makes the repositories of some of the accounts: commits, trees and rows come from the engine's own turn, one
// pack and one main for each, as they stand after a merge of packs. The waiting for the disk is left out; and what is the same
// in all of them is one file with a name in each, since tens of thousands of files take longer to make than all the rest.
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { IndexChange } from '../../src/db/open-index.ts';
import { hashObject } from '../../src/git/object-id.ts';
import { PackBuilder } from '../../src/git/pack-builder.ts';
import { packFile } from '../../src/git/pack-files.ts';
import { moveRef, releaseRefLock, takeRefLock } from '../../src/git/refs.ts';
import { NO_PRECONDITION } from '../../src/protocol/conditions.ts';
import { parseUserName } from '../../src/protocol/paths.ts';
import { loadFolder, rootRow } from '../../src/storage/folder-trees.ts';
import { inlineBody } from '../../src/storage/intake.ts';
import { repositoryFolder } from '../../src/storage/repository-folders.ts';
import { takeTurn, type Write } from '../../src/storage/turn.ts';
import { DOCUMENT_TYPE, documentName, makeDocument } from '../documents.ts';

export type RepositoriesJob = {
  repositoriesFolder: string;
  users: string[];
  modules: readonly string[];
  documents: number;
  /** a repository as the product makes it, for what all have in common */
  template: string;
};

export type MadeRepository = { user: string; module: string; change: Omit<IndexChange, 'repository'> };

const BATCH = 500;
const ALIKE = ['HEAD', 'config', 'gitstead/keep'];
const FOLDERS = ['', '/objects', '/objects/pack', '/refs', '/refs/heads', '/gitstead'];
const now = Date.now();

const job = workerData as RepositoriesJob;
let made: MadeRepository[] = [];
for (const user of job.users) {
  mkdirSync(`${job.repositoriesFolder}/${user}`, { mode: 0o700 });
  for (const module of job.modules) made.push({ user, module, change: makeRepository(user, module) });
  if (made.length < BATCH) continue;
  parentPort!.postMessage(made);
  made = [];
}
parentPort!.postMessage(made);

function makeRepository(user: string, module: string): MadeRepository['change'] {
  const folder = repositoryFolder(job.repositoriesFolder, user, module);
  for (const part of FOLDERS) mkdirSync(folder + part, { mode: 0o700 });
  for (const name of ALIKE) linkSync(`${job.template}/${name}`, `${folder}/${name}`);
  const builder = new PackBuilder();
  const { head, folders, documents } = takeTurn(
    {
      root: loadFolder(() => undefined, undefined, rootRow()),
      head: null,
      pack: builder,
      read: () => undefined,
      host: 'bench.localhost',
      now,
      prefix: `${module}/`,
      clashesOutside: () => undefined,
      checkQuota: () => undefined,
    },
    Array.from({ length: job.documents }, (_, document) => newDocument(user, document)),
  );
  const { pack, index, checksum } = builder.finish();
  writeFileSync(packFile(folder, `pack-${checksum}`, 'pack'), pack, { mode: 0o400 });
  writeFileSync(packFile(folder, `pack-${checksum}`, 'idx'), index, { mode: 0o400 });
  takeRefLock(folder);
  moveRef(folder, head!);
  // both files that main takes turns with are there, as after a second commit
  takeRefLock(folder);
  releaseRefLock(folder);
  return { head, folders, documents };
}

function newDocument(name: string, document: number): Write {
  const bytes = Buffer.from(makeDocument());
  const user = parseUserName(name)!;
  return {
    segments: ['docs', documentName(document)],
    precondition: NO_PRECONDITION,
    author: { user, app: 'http://bench.example', grant: '*:rw' },
    quotaBytes: undefined,
    document: { type: DOCUMENT_TYPE, body: inlineBody(hashObject('blob', bytes), bytes) },
  };
}

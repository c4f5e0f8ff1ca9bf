// What `git gc` leaves for git's own readers, made for a repository that rests: one index over all packs with a bitmap, which
// a clone is answered from, and a commit graph, which the log is. Stock git makes them, and never in their place: it is given
// a folder of ours as its objects, with links to the packs. What it leaves is moved to its place here, when all packs that it
// names still stand. So a git that is ended, or lives longer than we do, writes into a folder that nobody looks at.
//
//   1. link    packs and their indexes       gitstead/.staging-aids-…/pack      `info/alternates` leads to the rest
//   2. write   git multi-pack-index, git commit-graph
//   3. look    every pack that was linked stands
//   4. move    mark and graph, bitmap, index; what belonged to an index before goes
//   5. look    again: a gc may have come between
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { GitsteadError } from '../errors.ts';
import { placeFile, STAGING_PREFIX } from './durable.ts';
import { gcIsAtWork } from './gc-lock.ts';
import {
  checksumOf,
  commitGraphFile,
  commitGraphMark,
  isOfMultiPackIndex,
  multiPackIndexFile,
  readMultiPackIndex,
  removeMultiPackIndex,
  stands,
} from './multi-pack-index.ts';
import { ourKeeps, type PackFile, packFile, packFolder, packsOf } from './pack-files.ts';
import { runGit } from './process.ts';
import { CORNER } from './repository.ts';

/** Fewer objects than this, all or those that came since, are not worth a process. */
const WORTH_OBJECTS = 4096;
/** A bitmap of 400,000 objects took 300 MB, with what git maps of the packs. */
const MEMORY_PER_OBJECT_BYTES = 1024;
const LIMIT_MS = 10 * 60_000;
/** After so long git itself takes a gc for one that has died. */
const DEAD_AFTER_MS = 12 * 3_600_000;
/** What another program holds while it makes the same files. */
const OTHERS_FILES = ['objects/pack/multi-pack-index.lock', 'objects/info/commit-graph.lock'];
const STAGED = `${STAGING_PREFIX}aids-`;

export type ReadingAids =
  /** `bitmap`: false where packs need objects that are not in packs */
  | { kind: 'made'; bitmap: boolean }
  | { kind: 'given-up'; reason: 'aborted' | 'others at work' | 'pack gone' | 'little memory' };

/** Whether so many objects stand in packs that no such index names that it is worth making one. */
export function wantsReadingAids(gitDir: string, worthObjects = WORTH_OBJECTS): boolean {
  const index = readMultiPackIndex(gitDir);
  const named = new Set(index?.kind === 'readable' ? index.packs : []);
  return objectsIn(packsToCover(gitDir).filter(({ name }) => !named.has(name))) >= worthObjects;
}

/** Packs of ours on their way are left out: a ref may never reach them. */
function packsToCover(gitDir: string): PackFile[] {
  const onTheirWay = new Set(ourKeeps(gitDir));
  return packsOf(gitDir).filter(({ name }) => !onTheirWay.has(name));
}

function objectsIn(packs: readonly PackFile[]): number {
  return packs.reduce((sum, { objects }) => sum + objects, 0);
}

/**
 * Makes them, in place of those that stand. Whatever happens, nothing half-made is left, and those that stand stay good.
 * @param signal ends git at once
 * @throws GitsteadError `internal` when git fails (a damaged repository, a full disk), `not-ready` when there is no git
 */
export async function makeReadingAids(gitDir: string, signal?: AbortSignal): Promise<ReadingAids> {
  if (othersAreAtWork(gitDir)) return { kind: 'given-up', reason: 'others at work' };
  mkdirSync(`${gitDir}/${CORNER}`, { recursive: true, mode: 0o700 });
  for (const folder of stagedIn(gitDir)) await rm(folder, { recursive: true, force: true });
  const packs = packsToCover(gitDir);
  if (objectsIn(packs) * MEMORY_PER_OBJECT_BYTES > process.availableMemory()) {
    return { kind: 'given-up', reason: 'little memory' };
  }
  const staged = mkdtempSync(`${gitDir}/${CORNER}/${STAGED}`);
  const allStand = () => packs.every(({ name }) => stands(gitDir, name));
  try {
    if (packs.length === 0 || !linkPacks(gitDir, packs, staged))
      return { kind: 'given-up', reason: 'pack gone' };
    const bitmap = await writeAids(gitDir, packs, staged, signal);
    return place(gitDir, allStand, staged)
      ? { kind: 'made', bitmap }
      : { kind: 'given-up', reason: 'pack gone' };
  } catch (error) {
    if (signal?.aborted) return { kind: 'given-up', reason: 'aborted' };
    // git may have looked for what was in it
    if (!allStand()) return { kind: 'given-up', reason: 'pack gone' };
    throw error;
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

/** What a git made that went on after a kill of ours, and after what it had been given was cleared away. */
function stagedIn(gitDir: string): string[] {
  const folder = `${gitDir}/${CORNER}`;
  const names = readdirSync(folder).filter((file) => file.startsWith(STAGED));
  return names.map((name) => `${folder}/${name}`);
}

function othersAreAtWork(gitDir: string): boolean {
  if (gcIsAtWork(gitDir, DEAD_AFTER_MS)) return true;
  return OTHERS_FILES.some((file) => {
    const stats = statSync(`${gitDir}/${file}`, { throwIfNoEntry: false });
    return stats !== undefined && Date.now() - stats.mtimeMs < DEAD_AFTER_MS;
  });
}

/** @returns false when one has gone meanwhile */
function linkPacks(gitDir: string, packs: readonly PackFile[], staged: string): boolean {
  for (const folder of ['pack', 'info']) mkdirSync(`${staged}/${folder}`, { recursive: true, mode: 0o700 });
  writeFileSync(`${staged}/info/alternates`, '../../objects\n');
  try {
    for (const { name } of packs) {
      for (const ending of ['pack', 'idx']) {
        linkSync(packFile(gitDir, name, ending), `${staged}/pack/${name}.${ending}`);
      }
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** @returns whether there is a bitmap */
async function writeAids(
  gitDir: string,
  packs: readonly PackFile[],
  staged: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const options = { env: { GIT_OBJECT_DIRECTORY: staged }, signal, timeoutMs: LIMIT_MS, isBackground: true };
  const largest = packs.reduce((most, pack) => (pack.objects > most.objects ? pack : most));
  // what stands in this one is sent to a clone as it lies there
  const write = ['multi-pack-index', 'write', '--no-progress', `--preferred-pack=${largest.name}.pack`];
  const bitmap = (await runGit(gitDir, [...write, '--bitmap'], options)).code === 0;
  // a push may have left objects outside of packs, and a bitmap cannot tell of these
  if (!bitmap) await mustRunGit(gitDir, write, options);
  await mustRunGit(gitDir, ['commit-graph', 'write', '--reachable', '--no-progress'], options);
  return bitmap;
}

async function mustRunGit(gitDir: string, args: string[], options: Parameters<typeof runGit>[2]) {
  const { code, stderr } = await runGit(gitDir, args, options);
  if (code === 0) return;
  const cause = new Error(stderr.trim());
  throw new GitsteadError('internal', `git ${args[0]} ended with code ${code}`, { cause });
}

/** @returns false when one of the packs is gone */
function place(gitDir: string, allStand: () => boolean, staged: string): boolean {
  if (!allStand()) return false;
  placeGraph(gitDir, `${staged}/info/commit-graph`);
  const fresh = readdirSync(`${staged}/pack`).filter(isOfMultiPackIndex);
  const folder = packFolder(gitDir);
  for (const name of fresh) placeReadOnly(`${staged}/pack/${name}`, `${folder}/${name}`);
  placeReadOnly(`${staged}/pack/multi-pack-index`, multiPackIndexFile(gitDir));
  for (const name of readdirSync(folder).filter(isOfMultiPackIndex)) {
    if (!fresh.includes(name)) rmSync(`${folder}/${name}`, { force: true });
  }
  if (allStand()) return true;
  removeMultiPackIndex(gitDir);
  return false;
}

/** The mark first: a graph that is not known as ours would stay when its commits go. */
function placeGraph(gitDir: string, staged: string): void {
  const checksum = checksumOf(staged);
  if (checksum === undefined) return; // git was told to make none
  mkdirSync(`${gitDir}/objects/info`, { recursive: true, mode: 0o700 });
  writeFileSync(commitGraphMark(gitDir), `${checksum}\n`, { mode: 0o600 });
  placeReadOnly(staged, commitGraphFile(gitDir));
}

function placeReadOnly(from: string, to: string): void {
  chmodSync(from, 0o400);
  placeFile(from, to);
}

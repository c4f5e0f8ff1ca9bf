// Recovery, at start: what the journal holds becomes packs and refs before anything is served; then the leftovers of the
// stopped process go. Nothing that was acknowledged depends on anything but the journal, which goes only when all is synced
// (see aftermath.ts).
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GitsteadError } from '../errors.ts';
import { clearStaging } from '../git/durable.ts';
import { isAncestor, walkCommits } from '../git/history.ts';
import { mendMultiPackIndex } from '../git/multi-pack-index.ts';
import type { Oid } from '../git/object-id.ts';
import { ObjectStore, type OpenFiles, verifyPack } from '../git/object-store.ts';
import { packOfEntries } from '../git/pack-builder.ts';
import { dropKeep, ourKeeps, packFile, removePack } from '../git/pack-files.ts';
import { MAIN, moveRef, readRef, removeAnyLock, removeOurLock, takeRefLock } from '../git/refs.ts';
import { CORNER, createRepository, mendRepository } from '../git/repository.ts';
import { clearSpool, placeSpooledPack } from '../git/spool-pack.ts';
import type { Log } from '../log.ts';
import { type Aftermath, openAftermath, type Written } from './aftermath.ts';
import { syncPacks, writePack } from './checkpoint.ts';
import type { ReadObject } from './folder-trees.ts';
import type { TurnRecord } from './journal-format.ts';
import { type JournalContents, readJournal, removeSpare } from './left-journal.ts';
import { mergeHeads } from './merge-heads.ts';
import { repositoryFolder } from './repository-folders.ts';
import type { Passing } from './stop-points.ts';

/** Entries of a pack begin behind its 12-byte header. */
const FIRST_ENTRY = 12;
const LOCK_TRIES = 100;
const LOCK_AGAIN_MS = 50;

export type RecoveryOptions = {
  journalFolder: string;
  repositoriesFolder: string;
  files: OpenFiles;
  log: Log;
  passing: Passing;
  host: string;
  now: () => number;
  /** the folder is a copy of one that a process had open: locks in it are nobody's */
  isCopy: boolean;
};

export type Recovered = Pick<JournalContents, 'nextSegment' | 'nextSequence'> & Aftermath;

/** Replays the journal. Repositories that cannot be brought up to date do not keep the others from starting. */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { journalFolder, log, passing } = options;
  removeSpare(journalFolder);
  const contents = readJournal(journalFolder);
  const failed = new Map<string, { turns: readonly TurnRecord[]; error: unknown }>();
  const written: Written[] = [];
  for (const [key, turns] of Map.groupBy(contents.turns, ({ user, module }) => `${user}/${module}`)) {
    try {
      written.push(await replay(options, turns));
    } catch (error) {
      failed.set(key, { turns, error });
    }
  }
  passing('recovery.refs-moved');
  const { nextSegment, nextSequence } = contents;
  async function replayAgain(turns: readonly TurnRecord[]): Promise<Written> {
    const again = await replay(options, turns);
    removeLeftovers(again.folder, options.isCopy);
    return again;
  }
  const aftermath = openAftermath({
    journalFolder,
    repositoriesFolder: options.repositoriesFolder,
    files: contents.files,
    nextSequence,
    written,
    failed,
    replay: replayAgain,
    log,
    passing,
  });
  return { nextSegment, nextSequence, ...aftermath };
}

function folderOf(options: RecoveryOptions, turns: readonly TurnRecord[]): string {
  const { user, module } = turns[0]!;
  return repositoryFolder(options.repositoriesFolder, user, module);
}

/**
 * The turns that stand: one that begins where an earlier one began takes the place of all from that one on (their append
 * failed, and nobody was told that they stood).
 */
export function chainOf(turns: readonly TurnRecord[]): TurnRecord[] {
  const chain: TurnRecord[] = [];
  const places = new Map<Oid | null, number>();
  for (const turn of turns) {
    const replaced = places.get(turn.oldHead) ?? chain.length;
    for (const { oldHead } of chain.splice(replaced)) places.delete(oldHead);
    places.set(turn.oldHead, chain.length);
    chain.push(turn);
  }
  return chain;
}

/** Makes the turns of one repository packs, and moves its main. Nothing is synced. */
async function replay(options: RecoveryOptions, turns: readonly TurnRecord[]): Promise<Written> {
  const folder = folderOf(options, turns);
  const chain = chainOf(turns);
  if (!existsSync(folder)) {
    if (chain[0]!.oldHead !== null) throw new GitsteadError('not-ready', 'its folder is gone');
    createRepository(folder);
  }
  mendRepository(folder);
  removeStaleLock(folder, options.isCopy);
  const packs = new Set<string>();
  for (const name of chain.flatMap(({ spooled }) => spooled)) {
    placeSpooledPack(folder, name);
    options.passing('recovery.spool-placed');
    packs.add(name);
  }
  // their names in the spool go when leftovers are removed: their places must be on the disk by then
  if (packs.size > 0) await syncPacks(folder, packs);
  const groups = Map.groupBy(chain, ({ packName }) => packName);
  for (const [name, turns] of groups) {
    if (verifyPack(packFile(folder, name, 'pack'))) continue;
    // it may be all there is, unless the whole of it stands in the journal, or it has no index and nobody sees it
    if (existsSync(packFile(folder, name, 'idx'))) packOfTurns(turns);
    removePack(folder, name);
  }
  using store = disposable(new ObjectStore(folder, options.files));
  for (const [name, turns] of groups) {
    packs.add(name);
    const isThere = existsSync(packFile(folder, name, 'pack'));
    // without its pack, a head that can be read was merged into another pack, durably
    if (isThere || store.object.stat(turns.at(-1)!.newHead) !== undefined) continue;
    const { pack, index } = packOfTurns(turns).finish();
    await writePack(folder, name, pack, index, options.passing);
  }
  options.passing('recovery.packs-written');
  store.object.rescan();
  const merged = await moveMain(options, folder, chain, store.object);
  if (merged) packs.add(merged);
  for (const name of packs) dropKeep(folder, name);
  return { folder, packs };
}

function disposable(object: ObjectStore) {
  return { object, [Symbol.dispose]: () => object.close() };
}

function packOfTurns(turns: readonly TurnRecord[]) {
  let next = FIRST_ENTRY;
  for (const { packOffset, entries } of turns) {
    if (packOffset !== next) throw new GitsteadError('corrupt', 'the journal does not hold a whole pack');
    next += entries.length;
  }
  return packOfEntries(Buffer.concat(turns.map(({ entries }) => entries)));
}

/** Main to the newest journaled commit, unless it is there or beyond; merged where it went another way. */
async function moveMain(
  options: RecoveryOptions,
  folder: string,
  chain: readonly TurnRecord[],
  store: ObjectStore,
): Promise<string | undefined> {
  const newest = chain.at(-1)!;
  const head = newest.newHead;
  const read = (oid: Oid) => store.read(oid);
  await lockMain(folder);
  try {
    const main = readMain(folder);
    if (main === head || (main !== undefined && isAncestor(read, head, main))) return undefined;
    if (main === undefined || chain.some(({ oldHead }) => oldHead === main) || isAncestor(read, main, head)) {
      moveRef(folder, head);
      return undefined;
    }
    options.log.error(
      { folder, main, head },
      'main was moved while the server stood still; merging it with what was acknowledged',
    );
    const merged = mergeHeads(options, newest.user, read, partingOf(read, chain, main), head, main);
    await writePack(folder, merged.packName, merged.pack, merged.index, options.passing);
    // it stands in no journal: durable before main points at it
    await syncPacks(folder, [merged.packName]);
    moveRef(folder, merged.head);
    return merged.packName;
  } finally {
    removeOurLock(folder);
  }
}

/** The newest commit of the chain that `main` has too: where the two went different ways. */
function partingOf(read: ReadObject, chain: readonly TurnRecord[], main: Oid): Oid | null {
  const places = new Map<Oid | null, number>([[chain[0]!.oldHead, -1]]);
  for (const [place, { newHead }] of chain.entries()) places.set(newHead, place);
  let newest = -1;
  const isOfChain = (oid: Oid) => {
    newest = Math.max(newest, places.get(oid) ?? -1);
    return places.has(oid);
  };
  for (const _ of walkCommits(read, main, isOfChain));
  return newest < 0 ? chain[0]!.oldHead : chain[newest]!.newHead;
}

/** undefined: no main, or one that a power cut left without its content */
function readMain(folder: string): Oid | undefined {
  try {
    return readRef(folder, MAIN);
  } catch (error) {
    if (error instanceof GitsteadError && error.code === 'corrupt') return undefined;
    throw error;
  }
}

async function lockMain(folder: string): Promise<void> {
  for (let tries = 0; takeRefLock(folder) === 'held-by-other'; tries++) {
    if (tries === LOCK_TRIES) {
      throw new GitsteadError(
        'not-ready',
        'another program holds the lock on main; delete refs/heads/main.lock if none runs',
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_AGAIN_MS));
  }
}

/**
 * Takes away what a stopped process left in a repository: its lock, staging files, uploads that never got their turn,
 * and the `.keep` marks of ours. A marked pack that does not verify was never needed: its objects stand elsewhere.
 */
export function removeLeftovers(folder: string, isCopy: boolean): void {
  mendRepository(folder);
  removeStaleLock(folder, isCopy);
  clearStaging(join(folder, CORNER));
  clearSpool(folder, new Set());
  for (const name of ourKeeps(folder)) {
    if (!verifyPack(packFile(folder, name, 'pack'))) removePack(folder, name);
    dropKeep(folder, name);
  }
  mendMultiPackIndex(folder);
}

/** In a copy ours can no longer be told from that of a git, and neither runs there. */
function removeStaleLock(folder: string, isCopy: boolean): void {
  if (isCopy) removeAnyLock(folder);
  else removeOurLock(folder);
}

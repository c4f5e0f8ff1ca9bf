// The door of the store. Opens what lives (index, journal, repositories), recovers, and sends each request its
// straight way: writes through intake into their repository's queue, reads to the index and the repository's objects.
import { existsSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Index } from '../db/open-index.ts';
import { asGitsteadError, GitsteadError } from '../errors.ts';
import { placeFile, stagingPath, syncFolder } from '../git/durable.ts';
import { HeldIndexes } from '../git/held-indexes.ts';
import { OpenFiles } from '../git/object-store.ts';
import { discardSpool, discardSpooledPack } from '../git/spool-pack.ts';
import { openSpoolThreads } from '../git/spool-threads.ts';
import type { Log } from '../log.ts';
import { permitsWrite } from '../protocol/conditions.ts';
import { type DocumentPath, moduleOf, type UserName } from '../protocol/paths.ts';
import { openCheckpointPace } from './checkpoint-pace.ts';
import { openDiskRoom } from './disk-room.ts';
import { openGroupCommit } from './group-commit.ts';
import { freeBody, takeBody } from './intake.ts';
import { escapeName, escapeRepositoryName } from './item-names.ts';
import { openJournal, type SegmentUse } from './journal.ts';
import { openListings } from './listings.ts';
import { openMaintenance } from './maintenance.ts';
import { type MeasuredStorage, openCounters, packsOf } from './measures.ts';
import { sharesOf } from './memory-budget.ts';
import { isIdle, type OpenRepository } from './open-repository.ts';
import { openPending } from './pending.ts';
import { type Engine, enqueue } from './queue.ts';
import { openReads } from './reads.ts';
import { recover } from './recovery.ts';
import { openRegistry } from './registry.ts';
import { listRepositoryFolders, repositoryFolder } from './repository-folders.ts';
import { openRootGates } from './root-gate.ts';
import { setRunningMark } from './running-mark.ts';
import { type Passing, passOn } from './stop-points.ts';
import { syncRepositories, type Unsynced } from './sync-repositories.ts';
import { takeStock } from './take-stock.ts';
import { openTreeBudget } from './tree-budget.ts';
import type { Write } from './turn.ts';
import { hasRootDocument } from './turn-rules.ts';
import type { PutRequest, WriteResult } from './types.ts';
import { inRoom, openWriteMemory } from './write-memory.ts';

export type StorageOptions = {
  /** holds repos/ and journal/, which are made when missing */
  dataFolder: string;
  index: Index;
  log: Log;
  /** host of the authors' addresses in commits */
  host: string;
  /** Unix milliseconds */
  now?: () => number;
  documentLimitBytes?: number;
  /** for what is kept and queued, see memory-budget.ts; 256 MiB unless given */
  memoryBytes?: number;
  segmentBytes?: number;
  /** idle repositories beyond so many are closed */
  maxOpen?: number;
  passing?: Passing;
};

const DEFAULT_DOCUMENT_LIMIT = 1 << 30;
const DEFAULT_MEMORY_BYTES = 256 << 20;
const DEFAULT_SEGMENT_BYTES = 16 << 20;
/** With the newest segment and the spare one: at most 64 MiB of journal. */
const WAITING_SEGMENTS = 2;
/** Repositories looked at between two turns of the event loop: a segment may hold thousands. */
const SETTLE_AT_ONCE = 64;
const MAX_OPEN_FILES = 512;

/** Opens the store; when this resolves, everything that was ever acknowledged stands in packs or will be served. */
export async function openStorage(options: StorageOptions): Promise<MeasuredStorage> {
  const { index, log, host, passing = passOn } = options;
  const now = sinceEpoch(options.now ?? Date.now);
  const repositoriesFolder = join(options.dataFolder, 'repos');
  const journalFolder = join(options.dataFolder, 'journal');
  for (const folder of [repositoriesFolder, journalFolder])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  await syncFolder(options.dataFolder);
  const mark = setRunningMark(journalFolder);

  const shares = sharesOf(options.memoryBytes ?? DEFAULT_MEMORY_BYTES);
  const files = new OpenFiles(MAX_OPEN_FILES, new HeldIndexes(shares.packIndexes));
  const recovered = await recover({
    ...{ journalFolder, repositoriesFolder, files, log, passing, host, now },
    isCopy: mark.isCopy,
  });
  const stock = takeStock(repositoriesFolder, index, mark, recovered.faults, log);
  const { leftovers } = stock;
  const trees = openTreeBudget(shares.trees);
  const closed = (repository: OpenRepository) => {
    trees.forget(repository);
    maintenance.forget(repository);
  };
  const registry = openRegistry({
    ...{ repositoriesFolder, index, files, log, recovered, leftovers, closed },
    ...(options.maxOpen === undefined ? {} : { maxOpen: options.maxOpen }),
  });
  const journal = openJournal({
    folder: journalFolder,
    segmentBytes: options.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
    waitingSegments: WAITING_SEGMENTS,
    firstSegment: recovered.nextSegment,
    firstSequence: recovered.nextSequence,
    settle,
    log,
    passing,
  });
  const counters = openCounters();
  const maintenance = openMaintenance({ log, counters });
  const pending = openPending(shares.pending);
  const engine: Engine = {
    index,
    commits: openGroupCommit(journal, index, log, passing, counters.journal),
    gates: openRootGates(),
    log,
    passing,
    now,
    host,
    pending,
    awake: 0,
    turns: 0,
    answeredAt: 0,
    pace: openCheckpointPace(),
    counters,
    trees,
    whenReady: (user, module) => reads.whenReady(user, module),
    checkpointed(repository) {
      maintenance.consider(repository);
      writes.retry();
    },
  };
  const writes = openWriteMemory(shares.writes, () => pending.overrun);
  const listings = openListings(index, shares.listings);
  const reads = openReads({ engine, registry, stock, listings, cacheBytes: shares.bodies });
  const documentLimit = options.documentLimitBytes ?? DEFAULT_DOCUMENT_LIMIT;
  const threads = openSpoolThreads();
  const room = openDiskRoom(options.dataFolder);
  /** how often a user was removed: a body that was on its way meanwhile is nobody's */
  const removalsOf = new Map<string, number>();
  let isClosing = false;
  const isOver = () => isClosing;
  const readIn = Promise.all([stock.lookAtAll(isOver).then(catchUpAll), leftovers.clearAll(isOver)]);

  /** Makes durable what holds a segment's turns: drained, then packs, indexes and refs synced. */
  async function settle(use: SegmentUse): Promise<void> {
    const unsynced: Unsynced[] = [];
    let looked = 0;
    for (const [key, packs] of use) {
      if (looked++ % SETTLE_AT_ONCE === 0) await setImmediate();
      const [user, module] = splitKey(key);
      const repository = registry.get(user, module);
      if (repository && !isIdle(repository)) await job(repository, 'drain');
      const folder = repositoryFolder(repositoriesFolder, user, module);
      if (existsSync(folder)) unsynced.push({ folder, packs });
    }
    await syncRepositories(repositoriesFolder, unsynced);
    for (const { folder, packs } of unsynced) {
      if (looked++ % SETTLE_AT_ONCE === 0) await setImmediate();
      for (const name of packs) discardSpooledPack(folder, name);
    }
  }

  /** Rows for repositories that the index does not know, one after the other, while requests are served. */
  async function catchUpAll(found: readonly { user: string; module: string }[]): Promise<void> {
    for (const { user, module } of found) {
      if (isClosing) return;
      try {
        await reads.whenReady(user, module);
      } catch (error) {
        log.error({ err: error, user, module }, 'this repository could not be read in');
      }
    }
  }

  function job(repository: OpenRepository, kind: 'drain' | 'catch-up'): Promise<void> {
    return new Promise((resolve, reject) => enqueue(engine, repository, { kind, resolve, reject }));
  }

  async function write(path: DocumentPath, request: Omit<Write, 'segments'>): Promise<WriteResult> {
    const refused = registry.find(path.user, moduleOf(path))
      ? undefined
      : refuseWithoutRepository(path, request);
    if (refused) return refused;
    const repository = registry.ensure(path.user, moduleOf(path));
    const segments = within(path);
    return new Promise((resolve, reject) =>
      enqueue(engine, repository, { kind: 'write', write: { segments, ...request }, resolve, reject }),
    );
  }

  /** What would be refused anyway makes no repository. */
  function refuseWithoutRepository(
    path: DocumentPath,
    { precondition }: Omit<Write, 'segments'>,
  ): WriteResult | undefined {
    if (!permitsWrite(precondition, undefined)) return { kind: 'stale', current: undefined };
    const [module, ...rest] = path.segments;
    return rest.length > 0 && hasRootDocument(index, path.user, module)
      ? { kind: 'clash', at: module }
      : undefined;
  }

  /** @param isOwned false: the account was removed meanwhile */
  async function putBody(
    path: DocumentPath,
    { sender, type, body: source, length, precondition, author, quotaBytes }: PutRequest,
    isOwned: () => boolean,
    arrived: () => void,
  ): Promise<WriteResult> {
    const openSpool = () => {
      if (!isOwned()) throw ownerRemoved();
      return registry.ensure(path.user, moduleOf(path)).folder;
    };
    const body = await takeBody(source, length, documentLimit, openSpool, threads).catch((error) => {
      throw isOwned() ? error : ownerRemoved(error);
    });
    arrived();
    let isKept = false;
    try {
      // a body may be hours on its way
      const confirmed = sender?.confirm();
      if (confirmed) await confirmed;
      if (!isOwned()) throw ownerRemoved();
      const result = await write(path, { precondition, author, quotaBytes, document: { type, body } });
      isKept = result.kind === 'created' || result.kind === 'updated';
      return result;
    } finally {
      if (!isKept && body.kind === 'spooled') discardSpool(body.spool);
      freeBody(body, source.isGivenAway === true);
    }
  }

  const storage: MeasuredStorage = {
    document: reads.document,
    body: reads.body,
    folderTag: reads.folderTag,
    listing: reads.listing,

    async put(path, request) {
      checkNames(path);
      room.check((request.length ?? 0) + pending.bytes);
      const removals = removalsOf.get(path.user);
      const isOwned = () => removalsOf.get(path.user) === removals;
      return inRoom(writes, path.user, request.length, request.sender, ({ arrived }) =>
        putBody(path, request, isOwned, arrived),
      );
    },

    async delete(path, { sender, precondition, author }) {
      checkNames(path);
      if (!registry.find(path.user, moduleOf(path))) {
        return permitsWrite(precondition, undefined)
          ? { kind: 'missing' }
          : { kind: 'stale', current: undefined };
      }
      room.check(pending.bytes);
      return inRoom(writes, path.user, 0, sender, async ({ arrived }, hasWaited) => {
        arrived();
        if (hasWaited) await sender?.confirm();
        return await write(path, { precondition, author, quotaBytes: undefined, document: undefined });
      });
    },

    usage: (user) => index.repositories.usage(user),
    modules: (user) => index.repositories.list(user).filter(({ documents }) => documents > 0),

    async drain(user, module) {
      const wanted = [...registry.opened()].filter(
        (repository) =>
          (user === undefined || repository.user === user) &&
          (module === undefined || repository.module === module),
      );
      await Promise.all(
        wanted.filter((repository) => !isIdle(repository)).map((repository) => job(repository, 'drain')),
      );
    },

    repositoryFolder(user, module) {
      const folder = repositoryFolder(repositoriesFolder, user, module);
      return existsSync(folder) ? folder : undefined;
    },

    repositories: (user) =>
      [...listRepositoryFolders(repositoriesFolder, user)].map((found) => ({
        ...found,
        user: found.user as UserName,
      })),

    async reindex(user) {
      const found = storage.repositories(user);
      for (const { user: owner, module } of found) {
        const idle = registry.find(owner, module);
        if (!idle) continue;
        await job(idle, 'drain');
        // it may have been closed meanwhile
        const repository = registry.find(owner, module);
        if (!repository) continue;
        repository.indexed = null;
        await job(repository, 'catch-up');
      }
      const stands = new Set(found.map(({ user: owner, module }) => `${owner}/${module}`));
      const rows = index.repositories.listAll().filter((row) => user === undefined || row.user === user);
      for (const row of rows) {
        if (!stands.has(`${row.user}/${row.module}`)) index.repositories.remove(row.id);
      }
      const documents = index.repositories.listAll().reduce((sum, row) => sum + row.documents, 0);
      return { repositories: found.length, documents };
    },

    async removeUser(user) {
      removalsOf.set(user, (removalsOf.get(user) ?? 0) + 1);
      await storage.drain(user);
      await recovered.forget(user);
      await journal.settleAll();
      for (const repository of [...registry.opened()])
        if (repository.user === user) registry.forget(repository);
      for (const row of index.repositories.list(user)) index.repositories.remove(row.id);
      const folder = join(repositoriesFolder, user);
      if (!existsSync(folder)) return;
      const gone = stagingPath(repositoriesFolder);
      placeFile(folder, gone);
      await syncFolder(repositoriesFolder);
      await rm(gone, { recursive: true, force: true, maxRetries: 3 }); // a git in it is about to end
    },

    measures() {
      const opened = [...registry.opened()];
      const { treeHits: hits, treeMisses: misses, ...counted } = counters;
      const trees = { hits, misses, held: engine.trees.held(), limit: shares.trees };
      return {
        ...{ ...counted, pendingBytes: pending.bytes, pendingCommits: pending.commits },
        caches: { bodies: reads.measures(), listings: listings.measures(), trees },
        memory: {
          pending: { held: pending.bytes, limit: pending.limit },
          writes: { held: writes.held(), limit: shares.writes },
          packIndexes: { held: files.indexes.held, limit: shares.packIndexes },
        },
        waitingWrites: writes.waiting(),
        openRepositories: opened.length,
        openFiles: files.openCount,
        packs: packsOf(opened),
      };
    },

    async [Symbol.asyncDispose]() {
      isClosing = true;
      const calm = maintenance.close(); // first: it ends a git that may have seconds to go
      await readIn;
      await recovered.settled();
      await storage
        .drain()
        .catch((error) => log.error({ err: asGitsteadError(error) }, 'what is pending stays in the journal'));
      await calm;
      await threads.close();
      await journal.close();
      registry.closeAll();
      files.closeAll();
      // a clean stop leaves nothing, unless this start had not come to the end of what a kill left
      if (leftovers.left() === 0) mark.remove();
    },
  };
  return storage;
}

/** Git has no time before 1970, where some clocks without a battery begin. */
function sinceEpoch(now: () => number): () => number {
  return () => Math.max(0, now());
}

function ownerRemoved(cause?: unknown): GitsteadError {
  return new GitsteadError('token-needed', 'the account was removed meanwhile', { cause });
}

/** The path within the repository. */
function within(path: DocumentPath): readonly string[] {
  return path.segments.length === 1 ? path.segments : path.segments.slice(1);
}

/** Throws bad-path for a name that is too long to store, before anything of the body is read. */
function checkNames(path: DocumentPath): void {
  for (const name of within(path)) escapeName(name);
  escapeRepositoryName(moduleOf(path));
}

function splitKey(key: string): [user: string, module: string] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash), key.slice(slash + 1)];
}

// Which repositories are open: opened on first touch, checked to be of a kind that can be served, closed again when
// too many are. Says 503 for one that cannot be read, and looks again after a while.
import { statSync } from 'node:fs';
import type { Index } from '../db/open-index.ts';
import type { RepositoryRow } from '../db/repositories.ts';
import { GitsteadError } from '../errors.ts';
import type { Oid } from '../git/object-id.ts';
import { ObjectStore, type OpenFiles } from '../git/object-store.ts';
import { hasRefs, MAIN, readRef, refStamp } from '../git/refs.ts';
import { checkRepository, createRepository } from '../git/repository.ts';
import type { Log } from '../log.ts';
import type { Leftovers } from './leftovers.ts';
import { isIdle, type OpenRepository, repositoryState } from './open-repository.ts';
import type { Recovered } from './recovery.ts';
import { repositoryFolder } from './repository-folders.ts';

/** Idle ones beyond this are closed, the longest untouched first. */
const MAX_OPEN = 1024;
/** A repository that could not be used is tried again after this. */
const FAULT_AGAIN_MS = 2000;

export type RegistryOptions = {
  repositoriesFolder: string;
  index: Index;
  files: OpenFiles;
  log: Log;
  /** knows which repositories could not be brought up to date at the start, and why */
  recovered: Pick<Recovered, 'faults' | 'tryAgain'>;
  /** what a crash left in a repository goes before it is opened */
  leftovers?: Pick<Leftovers, 'clear'>;
  /** called for each one that is closed: what others keep of it is to go too */
  closed?: (repository: OpenRepository) => void;
  maxOpen?: number;
};

export interface Registry {
  /** The repository, opened; undefined: there is none. Throws not-ready when it cannot be used. */
  find(user: string, module: string): OpenRepository | undefined;
  /** The same, made when there is none. */
  ensure(user: string, module: string): OpenRepository;
  /** those that are open now */
  opened(): Iterable<OpenRepository>;
  get(user: string, module: string): OpenRepository | undefined;
  forget(repository: OpenRepository): void;
  closeAll(): void;
}

export function openRegistry(options: RegistryOptions): Registry {
  const { index, files, log, repositoriesFolder, maxOpen = MAX_OPEN } = options;
  /** in the order of their last touch */
  const open = new Map<string, OpenRepository>();
  /** the last one in that order */
  let touchedLast: OpenRepository | undefined;
  const faults = new Map<string, { error: GitsteadError; at: number }>();

  function find(user: string, module: string): OpenRepository | undefined {
    const key = `${user}/${module}`;
    const known = open.get(key);
    if (known) {
      if (known !== touchedLast) {
        open.delete(key);
        open.set(key, known);
        touchedLast = known;
      }
      return known;
    }
    refuseFaulty(key);
    // a name that no repository can have is the request's fault, and none of the repository
    const folder = repositoryFolder(repositoriesFolder, user, module);
    try {
      options.leftovers?.clear(user, module);
      const repository = openOne(user, module, folder);
      if (!repository) return undefined;
      open.set(key, repository);
      touchedLast = repository;
      closeIdle(repository);
      return repository;
    } catch (error) {
      throw noteFault(key, error);
    }
  }

  function openOne(user: string, module: string, folder: string): OpenRepository | undefined {
    const row = index.repositories.find(user, module);
    const indexed = row?.head ?? null;
    if (indexed === null && !isThere(folder)) return undefined;
    // in this order: a push in between shows as one that is to be read in
    const stamp = refStamp(folder, MAIN);
    const head = indexed === null ? null : (readRef(folder, MAIN) ?? null);
    // rows come only from repositories that were checked: one that stands where its rows do is spared some ten system calls
    if (row && head !== null && head === indexed) return opened(row, folder, head, stamp);
    if (!isThere(folder)) throw new GitsteadError('not-ready', 'the repository is gone');
    checkRepository(folder);
    const known = row ?? index.repositories.ensure(user, module);
    return opened(known, folder, readRef(folder, MAIN) ?? null, stamp);
  }

  function opened(row: RepositoryRow, folder: string, head: Oid | null, stamp: string): OpenRepository {
    const store = new ObjectStore(folder, files);
    // without an index, packs that no ref reaches tell of a branch that is gone
    if (head === null && (row.head !== null || (store.packs().length > 0 && !hasRefs(folder)))) {
      throw new GitsteadError('not-ready', 'the branch main is gone');
    }
    return repositoryState(row, folder, store, head, stamp);
  }

  function refuseFaulty(key: string): void {
    const reason = options.recovered.faults.get(key);
    if (reason !== undefined) {
      options.recovered.tryAgain(key);
      throw new GitsteadError('not-ready', reason);
    }
    const fault = faults.get(key);
    if (!fault) return;
    if (performance.now() - fault.at < FAULT_AGAIN_MS) throw fault.error;
    faults.delete(key);
  }

  function noteFault(key: string, error: unknown): GitsteadError {
    log.error({ err: error, repository: key }, 'this repository cannot be used; it answers 503');
    const reason = error instanceof GitsteadError ? error.message : 'it cannot be read';
    const fault = new GitsteadError('not-ready', reason, { cause: error });
    if (faults.size > MAX_OPEN) faults.clear();
    faults.set(key, { error: fault, at: performance.now() });
    return fault;
  }

  function ensure(user: string, module: string): OpenRepository {
    const found = find(user, module);
    if (found) return found;
    createRepository(repositoryFolder(repositoriesFolder, user, module));
    return find(user, module)!;
  }

  function closeIdle(newest: OpenRepository): void {
    if (open.size <= maxOpen) return;
    for (const [key, repository] of open) {
      if (open.size <= maxOpen) return;
      // the newest is about to be used: closed now, it would be opened a second time beside itself
      if (!isIdle(repository) || repository === newest) continue;
      open.delete(key);
      close(repository);
    }
  }

  function close(repository: OpenRepository): void {
    repository.isClosed = true;
    repository.root = undefined;
    repository.store.close();
    options.closed?.(repository);
  }

  function forget(repository: OpenRepository): void {
    open.delete(`${repository.user}/${repository.module}`);
    close(repository);
  }

  return {
    find,
    ensure,
    opened: () => open.values(),
    get: (user, module) => open.get(`${user}/${module}`),
    forget,
    closeAll() {
      for (const repository of open.values()) {
        // what could not be checkpointed stays in the journal: nothing here tries again
        clearTimeout(repository.timer);
        repository.pack = undefined;
        close(repository);
      }
      open.clear();
    },
  };
}

/** @throws not-ready when the disk does not say: absence is only what is known */
function isThere(folder: string): boolean {
  try {
    return statSync(folder, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw new GitsteadError('not-ready', 'the repository cannot be read', { cause: error });
  }
}

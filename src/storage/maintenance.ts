// Work in the background: merging small packs, one repository at a time, so that none ever has more than a few dozen.
import { choosePacks, mergeablePacks, mergePacks } from '../git/merge-packs.ts';
import type { Log } from '../log.ts';
import type { OpenRepository } from './open-repository.ts';

/** Fewer packs than this are not worth a look. */
const LOOK_ABOVE_PACKS = 16;

export interface Maintenance {
  /** called after each checkpoint; cheap */
  consider: (repository: OpenRepository) => void;
  /** gives up the merge under way, and starts no other */
  close(): Promise<void>;
}

export function openMaintenance(log: Log): Maintenance {
  const waiting = new Set<OpenRepository>();
  const closing = new AbortController();
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    for (const repository of waiting) {
      waiting.delete(repository);
      if (closing.signal.aborted) return;
      try {
        await mergeOnce(repository);
      } catch (error) {
        const { user, module } = repository;
        log.warn({ err: error, user, module }, 'merging packs failed; nothing is lost');
      }
    }
  }

  async function mergeOnce(repository: OpenRepository): Promise<void> {
    const chosen = choosePacks(mergeablePacks(repository.folder));
    if (!chosen) return;
    await mergePacks(repository.folder, chosen, {
      placed: (name, index) => repository.store.addPack(name, index),
      signal: closing.signal,
    });
    repository.store.rescan();
  }

  return {
    consider(repository) {
      if (closing.signal.aborted || repository.store.packs().length <= LOOK_ABOVE_PACKS) return;
      waiting.add(repository);
      running ??= run().finally(() => {
        running = undefined;
      });
    },
    async close() {
      closing.abort();
      await running;
    },
  };
}

// Work in the background: merging small packs, one repository at a time, so that none ever has more than a few dozen.
const choosePacks = (_: string): string[] | undefined => undefined;
const mergePacks = async (_: string, __: string[]) => {};

import type { Log } from '../log.ts';
import type { OpenRepository } from './open-repository.ts';

/** Fewer packs than this are not worth a look. */
const LOOK_ABOVE_PACKS = 8;

export interface Maintenance {
  /** called after each checkpoint; cheap */
  consider: (repository: OpenRepository) => void;
  /** waits for the merge under way */
  close(): Promise<void>;
}

export function openMaintenance(log: Log): Maintenance {
  const waiting = new Set<OpenRepository>();
  let running: Promise<void> | undefined;
  let isClosing = false;

  async function run(): Promise<void> {
    for (const repository of waiting) {
      if (isClosing) return;
      waiting.delete(repository);
      try {
        await mergeOnce(repository);
      } catch (error) {
        log.warn(
          { err: error, user: repository.user, module: repository.module },
          'merging packs failed; nothing is lost',
        );
      }
    }
  }

  async function mergeOnce(repository: OpenRepository): Promise<void> {
    const chosen = choosePacks(repository.folder);
    if (!chosen) return;
    await mergePacks(repository.folder, chosen);
    repository.store.rescan();
  }

  return {
    consider(repository) {
      if (isClosing || repository.store.packs().length <= LOOK_ABOVE_PACKS) return;
      waiting.add(repository);
      running ??= run().finally(() => {
        running = undefined;
      });
    },
    async close() {
      isClosing = true;
      await running;
    },
  };
}

// After a recovery, while requests are served: what was written from the journal is synced, and then the old segments go;
// and what failed is tried again (the disk has room again, or somebody removed a lock that was left).
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import { syncPacksAndMain } from './checkpoint.ts';
import type { TurnRecord } from './journal-format.ts';
import { noteRemoval, removeSegments } from './left-journal.ts';
import type { Passing } from './stop-points.ts';
import { syncRepositories, type Unsynced } from './sync-repositories.ts';

const TRY_AGAIN_MS = 2000;

/** A repository that was brought up to date, and the packs that must be synced. */
export type Written = Unsynced;

export type AftermathOptions = {
  journalFolder: string;
  repositoriesFolder: string;
  /** the segments, with what goes with them */
  files: readonly string[];
  /** above all that stands in them */
  nextSequence: number;
  written: readonly Written[];
  /** by 'user/module': what could not be replayed, and why */
  failed: ReadonlyMap<string, { turns: readonly TurnRecord[]; error: unknown }>;
  replay: (turns: readonly TurnRecord[]) => Promise<Written>;
  log: Log;
  passing: Passing;
};

export interface Aftermath {
  /**
   * 'user/module' of the repositories that could not be brought up to date, with the reason: they answer 503, and the
   * segments are kept
   */
  readonly faults: ReadonlyMap<string, string>;
  /** Tries once more to bring one of them up to date, in the background, unless that was tried a moment ago. */
  tryAgain(key: string): void;
  /** The user is being removed: what the old segments still have of theirs is not replayed, now or at a later start. */
  forget(user: string): Promise<void>;
  /** waits until what was recovered is synced, and for what is being tried */
  settled(): Promise<void>;
}

export function openAftermath(options: AftermathOptions): Aftermath {
  const { journalFolder, log, passing } = options;
  const faults = new Map<string, string>();
  const triedAt = new Map<string, number>();
  const trying = new Map<string, Promise<void>>();
  /** files beside the segments that go with them: notes of users that were removed */
  const notes: string[] = [];
  for (const [key, { error }] of options.failed) noteFault(key, error);
  const synced = syncWritten();

  function noteFault(key: string, error: unknown): void {
    log.error(
      { err: error, repository: key },
      'this repository cannot be brought up to date; it answers 503',
    );
    faults.set(key, error instanceof GitsteadError ? error.message : 'its journal cannot be replayed');
    triedAt.set(key, performance.now());
  }

  async function syncWritten(): Promise<boolean> {
    try {
      await syncRepositories(options.repositoriesFolder, options.written);
    } catch (error) {
      log.error({ err: error }, 'what was recovered cannot be synced; its journal is kept');
      return false;
    }
    passing('recovery.synced');
    removeOld();
    return true;
  }

  function removeOld(): void {
    if (faults.size === 0) removeSegments(journalFolder, [...options.files, ...notes], passing);
  }

  async function replayAgain(key: string): Promise<void> {
    try {
      const { folder, packs } = await options.replay(options.failed.get(key)!.turns);
      await syncPacksAndMain(folder, packs);
      const isSynced = await synced;
      faults.delete(key);
      if (isSynced) removeOld();
      log.warn({ repository: key }, 'this repository is up to date again');
    } catch (error) {
      noteFault(key, error);
    }
    trying.delete(key);
  }

  return {
    faults,
    tryAgain(key) {
      const isDue = performance.now() - (triedAt.get(key) ?? 0) > TRY_AGAIN_MS;
      if (faults.has(key) && isDue && !trying.has(key)) trying.set(key, replayAgain(key));
    },
    async forget(user) {
      const isSynced = await synced;
      await Promise.all(trying.values());
      if (isSynced && faults.size === 0) return;
      notes.push(noteRemoval(journalFolder, user, options.nextSequence));
      for (const key of [...faults.keys()]) if (key.startsWith(`${user}/`)) faults.delete(key);
      if (isSynced) removeOld();
    },
    async settled() {
      await synced;
      await Promise.all(trying.values());
    },
  };
}

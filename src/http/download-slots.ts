// How many long documents may be on their way to readers at once (threat 27): each holds some 300 KiB of memory for as long
// as its reader likes to take. When there are too many, slow readers of whoever has most give way to one more.
import { GitsteadError } from '../errors.ts';
import { chooseSlow, type Moving, Pace } from '../storage/giving-way.ts';

export interface Download {
  /** so many bytes more were taken */
  note(bytes: number): void;
  /** gives the slot back */
  end(): void;
}

export interface DownloadSlots {
  /**
   * Takes a slot.
   * @param who whom it counts for: an account, or the address that reads a public document
   * @param cut called when it has to give way
   * @throws not-ready when there is none, and nobody gives way
   */
  take(who: string, cut: () => void): Download;
}

type Reader = Moving & { cut: () => void };

/** @param elapsed monotonic milliseconds */
export function openDownloadSlots(total: number, elapsed = () => performance.now()): DownloadSlots {
  const readers = new Set<Reader>();
  const taken = new Map<string, number>();

  /** Those that are cut leave a moment later: until then there is one more. */
  function makeRoom(who: string): void {
    const own = (taken.get(who) ?? 0) + 1;
    const missing = readers.size + 1 - total;
    const slow = chooseSlow(readers, taken, own, missing, elapsed());
    for (const reader of slow) {
      reader.isEnding = true;
      reader.cut();
    }
    const isEnough = [...readers].filter(({ isEnding }) => isEnding).length >= missing;
    if (!isEnough) {
      throw new GitsteadError('not-ready', 'too many long documents are being read just now: try again');
    }
  }

  return {
    take(who, cut) {
      if (readers.size >= total) makeRoom(who);
      const pace = new Pace(elapsed());
      const reader = { user: who, taken: 1, pace, isEnding: false, cut };
      readers.add(reader);
      taken.set(who, (taken.get(who) ?? 0) + 1);
      return {
        note(bytes) {
          pace.note(bytes, elapsed());
        },
        end() {
          if (!readers.delete(reader)) return;
          const left = taken.get(who)! - 1;
          if (left === 0) taken.delete(who);
          else taken.set(who, left);
        },
      };
    },
  };
}

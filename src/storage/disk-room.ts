// Whether there is room on the disk for another write. Some is kept for what must still be written for the writes that were
// acknowledged before: their packs, the index. Without it reads would fail on a full disk, not only writes.
import { statfsSync } from 'node:fs';
import { GitsteadError } from '../errors.ts';

/** Kept free; of a small disk only a part of it. */
const RESERVE_BYTES = 16 << 20;
const RESERVE_PART = 1 / 16;

export interface DiskRoom {
  /** @throws disk-full when `bytes` more would not leave what is kept free */
  check(bytes: number): void;
}

/** @param folder any folder on the disk */
export function openDiskRoom(folder: string): DiskRoom {
  return {
    check(bytes) {
      // a microsecond: nothing need be remembered
      const { bavail, blocks, bsize } = statfsSync(folder);
      const reserve = Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_PART);
      if (bavail * bsize - bytes >= reserve) return;
      throw new GitsteadError('disk-full', 'the disk is full; the old version stands');
    },
  };
}

// Whether there is room on the disk for another write. Some is kept for what must still be written for the writes that were
// acknowledged before: their packs, the index. Without it reads would fail on a full disk, not only writes.
import { statfsSync } from 'node:fs';
import { GitsteadError } from '../errors.ts';

/** Kept free; of a small disk only a part of it. */
const RESERVE_BYTES = 16 << 20;
const RESERVE_PART = 1 / 16;
/** With this much room beyond what is kept free, the disk is not asked again before so long. */
const AMPLE_BYTES = 256 << 20;
const LOOK_AGAIN_MS = 100;
/** What a write takes beside its body: commit, trees, a row, each more than once. */
const WRITE_BYTES = 64 << 10;

export interface DiskRoom {
  /** @throws disk-full when `bytes` more would not leave what is kept free */
  check(bytes: number): void;
}

/**
 * @param folder any folder on the disk
 * @param now milliseconds, monotonic
 */
export function openDiskRoom(
  folder: string,
  now = () => performance.now(),
  look: (folder: string) => { bavail: number; blocks: number; bsize: number } = statfsSync,
): DiskRoom {
  /** what was free beyond the reserve when the disk was asked, less what was let through since */
  let room = 0;
  let askedAt = Number.NEGATIVE_INFINITY;
  return {
    check(bytes) {
      if (room - bytes < AMPLE_BYTES || now() - askedAt > LOOK_AGAIN_MS) {
        const { bavail, blocks, bsize } = look(folder);
        room = bavail * bsize - Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_PART);
        askedAt = now();
      }
      if (room < bytes) throw new GitsteadError('disk-full', 'the disk is full; the old version stands');
      room -= bytes + WRITE_BYTES;
    },
  };
}

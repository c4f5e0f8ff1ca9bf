// Acknowledged commits whose packs are still in memory, of all repositories together: how much memory they take, and when
// that is so much that packs are sealed before their time. How a pack is sealed is checkpoint.ts's.
import type { OpenPack, OpenRepository } from './open-repository.ts';

/** A pack of this size is sealed at its turn's end, whatever its age. */
const SEAL_ABOVE_BYTES = 16 << 20;
/** of the limit, for packs that wait for their time; the rest is for what turns add meanwhile */
const HELD_PART = 0.4;
const MAX_TURN_BYTES = 8 << 20;
/** All are told to seal their packs no more often than this: one that cannot complains each time. */
const TELL_AGAIN_MS = 100;

export interface Pending {
  readonly bytes: number;
  readonly commits: number;
  readonly limit: number;
  /** of bodies, in one turn */
  readonly maxTurnBytes: number;
  /** bytes beyond what may rest here: what is on its way must fit into what is left */
  readonly overrun: number;
  /** True when the pack is to be sealed whatever its age. */
  isDue(pack: OpenPack): boolean;
  /** A turn has added so many commits to the repository's pack. */
  add(repository: OpenRepository, commits: number): void;
  /** Its pack is in memory no more. */
  remove(repository: OpenRepository, pack: OpenPack): void;
  /** All that hold a pack, when they are to seal it now. */
  tooMany(): Iterable<OpenRepository>;
}

/** @param limit bytes */
export function openPending(limit: number): Pending {
  const holders = new Set<OpenRepository>();
  const most = limit * HELD_PART;
  let bytes = 0;
  let commits = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    get bytes() {
      return bytes;
    },
    get commits() {
      return commits;
    },
    limit,
    maxTurnBytes: Math.min(MAX_TURN_BYTES, limit / 4),
    get overrun() {
      return Math.max(0, bytes - most);
    },
    isDue: (pack) => bytes > most || pack.builder.length > Math.min(SEAL_ABOVE_BYTES, most),
    add(repository, added) {
      const pack = repository.pack!;
      bytes += pack.builder.capacity - pack.bytes;
      pack.bytes = pack.builder.capacity;
      commits += added;
      pack.commits += added;
      holders.add(repository);
    },
    remove(repository, pack) {
      bytes -= pack.bytes;
      commits -= pack.commits;
      holders.delete(repository);
    },
    tooMany() {
      if (bytes <= most || performance.now() - toldAt < TELL_AGAIN_MS) return [];
      toldAt = performance.now();
      return holders;
    },
  };
}

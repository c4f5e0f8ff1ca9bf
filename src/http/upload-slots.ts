// How many PUTs may be under way at once (threat 27), of one account and of all: each may hold up to a MiB of
// memory, and as long as its client likes to send. Only the account's own apps wait when one of them is slow.
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';

/** The last slots, a part of all, are for accounts that have taken few, a part of what they may. */
const KEPT_PART = 1 / 8;
const FEW_PART = 1 / 16;

export type UploadLimits = { perUser: number; total: number };

export interface UploadSlots {
  /**
   * Takes a slot; the returned function gives it back, once however often it is called.
   * @throws too-many when the account has too many uploads open, not-ready when the server has
   */
  take(user: UserName): () => void;
  /** how many are taken */
  count(): number;
}

export function openUploadSlots({ perUser, total }: UploadLimits): UploadSlots {
  const taken = new Map<UserName, number>();
  const open = total - Math.floor(total * KEPT_PART);
  let all = 0;
  return {
    count: () => all,
    take(user) {
      const own = taken.get(user) ?? 0;
      if (own >= perUser) {
        throw new GitsteadError(
          'too-many',
          `this account has ${perUser} uploads open: end one, then try again`,
        );
      }
      if (all >= (own < perUser * FEW_PART ? total : open))
        throw new GitsteadError('not-ready', 'the server takes no more uploads just now: try again');
      taken.set(user, own + 1);
      all++;
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        all--;
        const left = taken.get(user)! - 1;
        if (left === 0) taken.delete(user);
        else taken.set(user, left);
      };
    },
  };
}

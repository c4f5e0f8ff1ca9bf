// Memory for writes that are on their way: their bodies, from before the first byte is read until the answer. When there is
// no room a write waits before its body is read, so that what waits costs nothing, and after a while it is refused.
import { GitsteadError } from '../errors.ts';
import { SPOOL_ABOVE_BYTES } from './intake.ts';
import type { Sender } from './types.ts';

/** A write waits no longer than this for room. */
const MAX_WAIT_MS = 30_000;
/** One account takes no more than half of the room, and large bodies, which may be long on their way, leave a quarter to others. */
const ACCOUNT_PART = 1 / 2;
const LARGE_PART = 3 / 4;
/** What a write takes beside its body, and what a large body takes on its way to the disk. */
const WRITE_BYTES = 2 << 10;
const SPOOL_BYTES = 768 << 10;

export interface WriteMemory {
  /**
   * Takes room for a body of `length` bytes (undefined: not known); a promise when it has to wait.
   * @param sender what waits leaves the queue when its sender is gone
   * @returns rejects with too-many when the account itself has too much under way for long, not-ready when all have,
   *   bad-request when the sender is gone
   */
  enter(user: string, length: number | undefined, sender?: Sender): undefined | Promise<void>;
  /** Gives it back; to be called once for each `enter` that did not reject. */
  leave(user: string, length: number | undefined): void;
  /** There may be room again: `overrun` is less. */
  retry(): void;
  /** bytes that are taken, and how many writes wait */
  held(): number;
  waiting(): number;
}

type Waiting = { user: string; bytes: number; admit: () => void };

/**
 * @param limit bytes
 * @param overrun bytes by which others hold more than they should: less is let in meanwhile
 */
export function openWriteMemory(limit: number, overrun: () => number, maxWaitMs = MAX_WAIT_MS): WriteMemory {
  const taken = new Map<string, number>();
  const waiting = new Set<Waiting>();
  let held = 0;
  /** by large bodies */
  let heldLarge = 0;
  /** one waits for all, not for its own account: smaller ones do not pass it */
  let isFull = false;
  /** a large one does so: others pass it, as a part of the room is theirs */
  let isFullForLarge = false;

  function hasOwnRoom(user: string, bytes: number): boolean {
    const own = taken.get(user);
    return own === undefined || own + bytes <= limit * ACCOUNT_PART;
  }

  function hasRoom(bytes: number): boolean {
    if (held + Math.min(bytes, limit) + overrun() > limit) return false;
    const mostLarge = limit * LARGE_PART;
    return !isLarge(bytes) || heldLarge + Math.min(bytes, mostLarge) <= mostLarge;
  }

  function mustQueue(bytes: number): boolean {
    return isFull || (isLarge(bytes) && isFullForLarge);
  }

  function noteFull(bytes: number): void {
    if (isLarge(bytes)) isFullForLarge = true;
    else isFull = true;
  }

  function take(user: string, bytes: number): void {
    held += bytes;
    if (isLarge(bytes)) heldLarge += bytes;
    taken.set(user, (taken.get(user) ?? 0) + bytes);
  }

  function retry(): void {
    isFull = false;
    isFullForLarge = false;
    for (const each of waiting) {
      if (mustQueue(each.bytes) || !hasOwnRoom(each.user, each.bytes)) continue;
      if (!hasRoom(each.bytes)) {
        noteFull(each.bytes);
        continue;
      }
      take(each.user, each.bytes);
      each.admit();
    }
  }

  function wait(user: string, bytes: number, sender: Sender | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let stayAway = () => {};
      const each: Waiting = {
        user,
        bytes,
        admit() {
          end();
          resolve();
        },
      };
      const end = () => {
        waiting.delete(each);
        clearTimeout(timer);
        stayAway();
      };
      const refuse = (error: GitsteadError) => {
        end();
        reject(error);
        retry();
      };
      const timer = setTimeout(() => refuse(refusal(hasOwnRoom(user, bytes))), maxWaitMs);
      waiting.add(each);
      if (hasOwnRoom(user, bytes)) noteFull(bytes);
      if (sender) stayAway = sender.onGone(() => refuse(senderGone()));
    });
  }

  return {
    enter(user, length, sender) {
      const bytes = bytesFor(length);
      if (mustQueue(bytes) || !hasOwnRoom(user, bytes) || !hasRoom(bytes)) return wait(user, bytes, sender);
      take(user, bytes);
      return undefined;
    },
    leave(user, length) {
      const bytes = bytesFor(length);
      held -= bytes;
      if (isLarge(bytes)) heldLarge -= bytes;
      const own = taken.get(user)! - bytes;
      if (own === 0) taken.delete(user);
      else taken.set(user, own);
      if (waiting.size > 0) retry();
    },
    retry() {
      if (waiting.size > 0) retry();
    },
    held: () => held,
    waiting: () => waiting.size,
  };
}

function isLarge(bytes: number): boolean {
  return bytes === SPOOL_BYTES;
}

/** A body is held twice, as it came and deflated. One of unknown length may be the largest that is. */
function bytesFor(length: number | undefined): number {
  if (length !== undefined && length > SPOOL_ABOVE_BYTES) return SPOOL_BYTES;
  return WRITE_BYTES + 2 * (length ?? SPOOL_ABOVE_BYTES);
}

function senderGone(): GitsteadError {
  return new GitsteadError(
    'bad-request',
    'the client went away while its write waited; nothing of it was kept',
  );
}

function refusal(hasOwnRoom: boolean): GitsteadError {
  return hasOwnRoom
    ? new GitsteadError('not-ready', 'the server has too much to write just now: try again')
    : new GitsteadError('too-many', 'this account has too much to write just now: try again');
}

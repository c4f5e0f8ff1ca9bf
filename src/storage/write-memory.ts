// Memory for writes that are on their way: their bodies, from before the first byte is read until the answer. When there is
// no room a write waits before its body is read, so that what waits costs nothing, and after a while it is refused. Which
// bodies come too slowly while others wait is giving-way.ts's to say.
import { GitsteadError } from '../errors.ts';
import { chooseSlow, type Moving, Pace } from './giving-way.ts';
import { SPOOL_ABOVE_BYTES } from './intake.ts';
import type { Sender } from './types.ts';

/** A write waits no longer than this for room. */
const MAX_WAIT_MS = 30_000;
/** When one has waited for so long, slow bodies of others give way. */
const GIVE_WAY_AFTER_MS = 1_000;
/**
 * One account takes no more than half of the room. Who has taken little, this write with it, is modest: the last eighth is
 * for the modest. And large bodies, which may be long on their way, leave a quarter to others.
 */
const ACCOUNT_PART = 1 / 2;
const MODEST_PART = 1 / 64;
const OPEN_PART = 7 / 8;
const LARGE_PART = 3 / 4;
/** What a write takes beside its body, and what a large body takes on its way to the disk. */
const WRITE_BYTES = 2 << 10;
const SPOOL_BYTES = 768 << 10;

/** The room that a write has taken. */
export interface TakenRoom {
  /** its body is here, and gives way to nobody any more */
  arrived(): void;
  /** Gives the room back; to be called once. */
  leave(): void;
}

export interface WriteMemory {
  /**
   * Takes room for a body of `length` bytes (undefined: not known); a promise when it has to wait.
   * @param sender what waits leaves the queue when its sender is gone; what comes slowly is ended when others wait for room
   * @returns rejects with too-many when the account itself has too much under way for long, not-ready when all have,
   *   bad-request when the sender is gone
   */
  enter(user: string, length: number | undefined, sender?: Sender): TakenRoom | Promise<TakenRoom>;
  /** There may be room again: `overrun` is less. */
  retry(): void;
  /** bytes that are taken, and how many writes wait */
  held(): number;
  waiting(): number;
}

/** For whom there is room: each kind passes those after it, as a part of the room is its own. */
const MODEST = 0;
const OTHER = 1;
const LARGE = 2;
const NOBODY = 3;
type Kind = typeof MODEST | typeof OTHER | typeof LARGE;

/** A body that has room and is not all there. */
type Arriving = Moving & {
  sender: Sender;
  /** bytes that had come when it was looked at last */
  seen: number;
};

type Waiting = {
  user: string;
  bytes: number;
  /** monotonic milliseconds */
  since: number;
  sender: Sender | undefined;
  admit: (room: TakenRoom) => void;
};

/**
 * @param limit bytes
 * @param overrun bytes by which others hold more than they should: less is let in meanwhile
 */
export function openWriteMemory(
  limit: number,
  overrun: () => number,
  { maxWaitMs = MAX_WAIT_MS, giveWayAfterMs = GIVE_WAY_AFTER_MS, elapsed = () => performance.now() } = {},
): WriteMemory {
  const taken = new Map<string, number>();
  const arriving = new Set<Arriving>();
  const waiting = new Set<Waiting>();
  let held = 0;
  /** by large bodies */
  let heldLarge = 0;
  /** one of this kind waits for room: those of it, and of the kinds after it, do not pass it */
  let fullFor: Kind | typeof NOBODY = NOBODY;
  let isLooking = false;
  /** others give way to it, so it is the next one */
  let favoured: Waiting | undefined;

  function kindOf(user: string, bytes: number): Kind {
    if (isLarge(bytes)) return LARGE;
    return (taken.get(user) ?? 0) + bytes <= limit * MODEST_PART ? MODEST : OTHER;
  }

  function hasOwnRoom(user: string, bytes: number): boolean {
    const own = taken.get(user);
    return own === undefined || own + bytes <= limit * ACCOUNT_PART;
  }

  /** Bytes by which there is too little room; alone, the largest body always has enough. */
  function missing(kind: Kind, bytes: number): number {
    const most = kind === MODEST ? limit : limit * OPEN_PART;
    return held + Math.min(bytes, most) + overrun() - most;
  }

  function missingForLarge(bytes: number): number {
    const most = limit * LARGE_PART;
    return isLarge(bytes) ? heldLarge + Math.min(bytes, most) - most : 0;
  }

  function hasRoom(kind: Kind, bytes: number): boolean {
    return missing(kind, bytes) <= 0 && missingForLarge(bytes) <= 0;
  }

  function take(user: string, bytes: number, sender: Sender | undefined): TakenRoom {
    held += bytes;
    if (isLarge(bytes)) heldLarge += bytes;
    taken.set(user, (taken.get(user) ?? 0) + bytes);
    const body = sender && {
      ...{ user, taken: bytes, pace: new Pace(elapsed()), isEnding: false },
      ...{ sender, seen: 0 },
    };
    if (body) arriving.add(body);
    const arrived = () => void (body && arriving.delete(body));
    return {
      arrived,
      leave() {
        arrived();
        held -= bytes;
        if (isLarge(bytes)) heldLarge -= bytes;
        const own = taken.get(user)! - bytes;
        if (own === 0) taken.delete(user);
        else taken.set(user, own);
        if (waiting.size > 0) retry();
      },
    };
  }

  function retry(): void {
    fullFor = NOBODY;
    if (favoured) admitIfRoom(favoured);
    for (const isModest of [true, false]) {
      for (const each of waiting) {
        if ((kindOf(each.user, each.bytes) === MODEST) === isModest) admitIfRoom(each);
      }
    }
  }

  function admitIfRoom(each: Waiting): void {
    const { user, bytes, sender } = each;
    const kind = kindOf(user, bytes);
    if (kind >= fullFor || !hasOwnRoom(user, bytes)) return;
    if (hasRoom(kind, bytes)) each.admit(take(user, bytes, sender));
    else fullFor = kind;
  }

  function wait(user: string, bytes: number, sender: Sender | undefined): Promise<TakenRoom> {
    return new Promise((resolve, reject) => {
      let stayAway = () => {};
      const each: Waiting = {
        ...{ user, bytes, sender, since: elapsed() },
        admit(room) {
          end();
          resolve(room);
        },
      };
      const end = () => {
        waiting.delete(each);
        if (favoured === each) favoured = undefined;
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
      if (hasOwnRoom(user, bytes)) fullFor = Math.min(fullFor, kindOf(user, bytes)) as Kind;
      lookForSlow();
      if (sender) stayAway = sender.onGone(() => refuse(senderGone()));
    });
  }

  /** Looks again and again, while anybody waits. */
  function lookForSlow(): void {
    if (isLooking) return;
    isLooking = true;
    setTimeout(() => {
      isLooking = false;
      if (waiting.size === 0) return;
      lookAtPaces(elapsed());
      giveWay(elapsed());
      lookForSlow();
    }, giveWayAfterMs / 4).unref();
  }

  function lookAtPaces(now: number): void {
    for (const body of arriving) {
      const received = body.sender.received();
      body.pace.note(received - body.seen, now);
      body.seen = received;
    }
  }

  /** Ends slow bodies for the first one that has waited long enough and whose account has taken less. */
  function giveWay(now: number): void {
    const others = new Set<string>();
    for (const each of waiting) {
      const { user, bytes, since } = each;
      if (now - since < giveWayAfterMs || others.has(user) || !hasOwnRoom(user, bytes)) continue;
      others.add(user);
      const forLarge = missingForLarge(bytes);
      const among = forLarge > 0 ? [...arriving].filter((body) => isLarge(body.taken)) : arriving;
      const needed = forLarge > 0 ? forLarge : missing(kindOf(user, bytes), bytes);
      const ownAfter = (taken.get(user) ?? 0) + bytes;
      const slow = chooseSlow(among, taken, ownAfter, needed, now);
      for (const body of slow) {
        body.isEnding = true;
        body.sender.endBody(tooSlow());
      }
      if (slow.length === 0) continue;
      favoured = each;
      return;
    }
  }

  return {
    enter(user, length, sender) {
      const bytes = bytesFor(length);
      const kind = kindOf(user, bytes);
      const mustWait = kind >= fullFor || !hasOwnRoom(user, bytes) || !hasRoom(kind, bytes);
      return mustWait ? wait(user, bytes, sender) : take(user, bytes, sender);
    },
    retry() {
      if (waiting.size > 0) retry();
    },
    held: () => held,
    waiting: () => waiting.size,
  };
}

/**
 * Does something for a write while it has room.
 * @param run is told of the room, and whether the write had to wait for it
 */
export async function inRoom<T>(
  memory: WriteMemory,
  user: string,
  length: number | undefined,
  sender: Sender | undefined,
  run: (room: TakenRoom, hasWaited: boolean) => Promise<T>,
): Promise<T> {
  const entered = memory.enter(user, length, sender);
  const hasWaited = entered instanceof Promise;
  const room = hasWaited ? await entered : entered;
  try {
    return await run(room, hasWaited);
  } finally {
    room.leave();
  }
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

function tooSlow(): GitsteadError {
  return new GitsteadError(
    'body-timeout',
    'the body came too slowly while others waited; nothing of it was kept',
  );
}

function refusal(hasOwnRoom: boolean): GitsteadError {
  return hasOwnRoom
    ? new GitsteadError('not-ready', 'the server has too much to write just now: try again')
    : new GitsteadError('too-many', 'this account has too much to write just now: try again');
}

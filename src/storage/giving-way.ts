// Which bodies on their way give up their memory when others wait for it: slow ones, of accounts that have taken more. A
// body that comes well, and an account that takes no more than who waits, are never asked.
import type { Sender } from './types.ts';

/** A body that came slower than this, on average, is slow. */
const SLOW_BYTES_PER_MS = 64;

/** A body that has room and is not all there. */
export type Arriving = {
  user: string;
  /** the room that it has taken */
  bytes: number;
  sender: Sender;
  /** when it was let in, in monotonic milliseconds */
  since: number;
  /** it was told to give way, and has not left yet */
  isEnding: boolean;
};

/**
 * The slowest bodies of the accounts that have taken most, as many as are needed.
 * @param taken bytes, by account
 * @param ownBytes what the account that waits will have taken: who has taken no more than that gives nothing
 * @param neededBytes room that is missing
 * @param before only those that were let in before this (monotonic milliseconds)
 * @returns none when all that could be asked would not make enough room
 */
export function chooseSlow(
  arriving: Iterable<Arriving>,
  taken: ReadonlyMap<string, number>,
  ownBytes: number,
  neededBytes: number,
  before: number,
): Arriving[] {
  let needed = neededBytes;
  const left = new Map(taken);
  const slow: { body: Arriving; rate: number }[] = [];
  for (const body of arriving) {
    if (body.isEnding) {
      needed -= body.bytes;
      left.set(body.user, left.get(body.user)! - body.bytes);
      continue;
    }
    const rate = body.sender.received() / (performance.now() - body.since);
    if (body.since <= before && rate < SLOW_BYTES_PER_MS) slow.push({ body, rate });
  }
  slow.sort((a, b) => a.rate - b.rate);
  const chosen: Arriving[] = [];
  while (needed > 0) {
    const most = largest(slow, left, ownBytes);
    if (!most) return [];
    slow.splice(slow.indexOf(most), 1);
    left.set(most.body.user, left.get(most.body.user)! - most.body.bytes);
    needed -= most.body.bytes;
    chosen.push(most.body);
  }
  return chosen;
}

/** The first one of the account that has most, if that is more than `ownBytes`. */
function largest<T extends { body: Arriving }>(
  slow: readonly T[],
  left: ReadonlyMap<string, number>,
  ownBytes: number,
): T | undefined {
  let best: T | undefined;
  let most = ownBytes;
  for (const each of slow) {
    const own = left.get(each.body.user)!;
    if (own <= most) continue;
    best = each;
    most = own;
  }
  return best;
}

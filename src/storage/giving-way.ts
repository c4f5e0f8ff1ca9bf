// Which bodies on their way give up what they have taken when others wait for it: slow ones, of accounts that have taken
// more. A body that moves well, and an account that takes no more than who waits, are never asked. What is taken is for the
// caller to say: memory for uploads, places for downloads.

/** A body that moves slower than this is slow. */
const SLOW_BYTES_PER_MS = 64;
/** At first it has so long to begin. */
const BEGIN_MS = 1_000;
/** What it moved faster, or slower, counts for so long. */
const MEMORY_MS = 4_000;

/** Whether a body keeps up, lately. Times are monotonic milliseconds. */
export class Pace {
  /** bytes that it has moved more than it had to; below zero it is slow */
  #lead = BEGIN_MS * SLOW_BYTES_PER_MS;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** So many bytes more have moved since the last time. */
  note(bytes: number, now: number): void {
    const most = MEMORY_MS * SLOW_BYTES_PER_MS;
    this.#lead = Math.min(most, Math.max(-most, this.lead(now) + bytes));
    this.#at = now;
  }

  lead(now: number): number {
    return this.#lead - (now - this.#at) * SLOW_BYTES_PER_MS;
  }
}

/** A body that has taken something, and has not come to its end. */
export type Moving = {
  /** the account, or whoever it counts for */
  user: string;
  /** how much it has taken */
  taken: number;
  pace: Pace;
  /** it was told to give way, and has not left yet */
  isEnding: boolean;
};

/**
 * The slowest bodies of the accounts that have taken most, as many as are needed.
 * @param taken all that is taken, by account
 * @param own what the account that waits will have taken: who has taken no more than that gives nothing
 * @param missing how much must be given
 * @param now monotonic milliseconds
 * @returns none when all that could be asked would not make enough room
 */
export function chooseSlow<Body extends Moving>(
  moving: Iterable<Body>,
  taken: ReadonlyMap<string, number>,
  own: number,
  missing: number,
  now: number,
): Body[] {
  let needed = missing;
  const left = new Map(taken);
  const slow: { body: Body; lead: number }[] = [];
  for (const body of moving) {
    if (body.isEnding) {
      needed -= body.taken;
      left.set(body.user, left.get(body.user)! - body.taken);
      continue;
    }
    const lead = body.pace.lead(now);
    if (lead < 0) slow.push({ body, lead });
  }
  slow.sort((a, b) => a.lead - b.lead);
  const chosen: Body[] = [];
  while (needed > 0) {
    const most = largest(slow, left, own);
    if (!most) return [];
    slow.splice(slow.indexOf(most), 1);
    left.set(most.body.user, left.get(most.body.user)! - most.body.taken);
    needed -= most.body.taken;
    chosen.push(most.body);
  }
  return chosen;
}

/** The first one of the account that has most, if that is more than `atLeast`. */
function largest<T extends { body: Moving }>(
  slow: readonly T[],
  left: ReadonlyMap<string, number>,
  atLeast: number,
): T | undefined {
  let best: T | undefined;
  let most = atLeast;
  for (const each of slow) {
    const held = left.get(each.body.user)!;
    if (held <= most) continue;
    best = each;
    most = held;
  }
  return best;
}

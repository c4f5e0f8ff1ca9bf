// How often one network may ask for public documents that do not exist (threat 25; draft, section 14): such
// addresses are secrets that can be guessed. A network that is over its budget sees no public document at all
// until the window ends, or it would still learn of every hit. Requests with a token that covers them count nothing.
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { networkOf } from './throttle.ts';

const WINDOW_SECONDS = 15 * 60;
const MISSES_PER_NETWORK = 300;
const MAX_BLOCKED = 10_000;

export interface GuessBudget {
  /** Seconds until `address` may ask again; undefined: now. */
  blockedFor(address: string): number | undefined;
  /** Notes that `address` asked for what does not exist. */
  noteMiss(address: string): void;
  /** True while nobody is blocked: saves the callers from finding the address. */
  readonly isQuiet: boolean;
}

/** @param now Unix milliseconds */
export function openGuessBudget(now: () => number, misses = MISSES_PER_NETWORK): GuessBudget {
  const limiter = new RateLimiterMemory({ points: misses, duration: WINDOW_SECONDS });
  const blockedUntil = new Map<string, number>();

  function block(network: string, ms: number): void {
    if (blockedUntil.size >= MAX_BLOCKED) blockedUntil.delete(blockedUntil.keys().next().value!);
    blockedUntil.set(network, now() + ms);
  }

  return {
    get isQuiet() {
      return blockedUntil.size === 0;
    },
    blockedFor(address) {
      const network = networkOf(address);
      const until = blockedUntil.get(network);
      if (until === undefined) return undefined;
      const seconds = Math.ceil((until - now()) / 1000);
      if (seconds > 0) return seconds;
      blockedUntil.delete(network);
      return undefined;
    },
    noteMiss(address) {
      const network = networkOf(address);
      limiter.consume(network).then(
        ({ remainingPoints, msBeforeNext }) => {
          if (remainingPoints === 0) block(network, msBeforeNext);
        },
        (refusal) => {
          if (refusal instanceof RateLimiterRes) block(network, refusal.msBeforeNext);
        },
      );
    },
  };
}

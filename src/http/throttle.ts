// How often passwords may be guessed (threat 24). Only failures count, per account and per address. A browser in
// which the account's owner signed in before has a budget of its own, so others cannot lock the owner out.
import { isIPv6 } from 'node:net';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { GitsteadError } from '../errors.ts';

const WINDOW_SECONDS = 15 * 60;
const FAILURES_PER_ACCOUNT = 10;
const FAILURES_PER_ADDRESS = 50;
const FAILURES_PER_KNOWN_BROWSER = 10;

export type Attempt = {
  /** the account's name, whether it exists or not; undefined: no account can be called that */
  account: string | undefined;
  /** the client's address */
  address: string;
  /** the secret of a browser in which this account signed in before */
  knownBrowser: string | undefined;
};

export interface Throttle {
  /**
   * Runs `attempt`, which says whether it succeeded; a failure uses up budget.
   * @throws too-many, without running it, when the budget is used up
   */
  guard<T>(who: Attempt, attempt: () => Promise<T | undefined>): Promise<T | undefined>;
}

export function openThrottle(): Throttle {
  const accounts = budget(FAILURES_PER_ACCOUNT);
  const addresses = budget(FAILURES_PER_ADDRESS);
  const browsers = budget(FAILURES_PER_KNOWN_BROWSER);

  return {
    async guard({ account, address, knownBrowser }, attempt) {
      const charges: [RateLimiterMemory, string][] =
        knownBrowser !== undefined
          ? [[browsers, knownBrowser]]
          : [
              [addresses, networkOf(address)],
              ...(account === undefined ? [] : [[accounts, account] as [RateLimiterMemory, string]]),
            ];
      // charged before and given back after success: otherwise many guesses at once would all be let in
      for (const [limiter, key] of charges) await charge(limiter, key);
      let isFailure = false;
      try {
        const success = await attempt();
        isFailure = success === undefined;
        return success;
      } finally {
        if (!isFailure) for (const [limiter, key] of charges) await limiter.reward(key, 1);
      }
    },
  };
}

function budget(failures: number): RateLimiterMemory {
  return new RateLimiterMemory({ points: failures, duration: WINDOW_SECONDS });
}

async function charge(limiter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (refusal) {
    if (refusal instanceof Error) throw refusal;
    throw new GitsteadError(
      'too-many',
      'Too many wrong passwords. Wait a quarter of an hour, then try again.',
    );
  }
}

/** An IPv6 customer has at least a /64 to themselves: single addresses would be no limit. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [left = '', right] = address.split('::');
  const groups = left === '' ? [] : left.split(':');
  const rest = right === undefined || right === '' ? [] : right.split(':');
  const middle =
    right === undefined ? [] : Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill('0');
  return `${[...groups, ...middle, ...rest].slice(0, 4).join(':')}/64`;
}

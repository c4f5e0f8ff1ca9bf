// Passwords: which are accepted, and how they are kept (argon2id, RFC 9106). Few run at once, so that a flood
// of sign-ins cannot take all memory and every thread. Who may try how often is http's business.
import { argon2, timingSafeEqual } from 'node:crypto';
import { GitsteadError } from '../errors.ts';
import type { RandomBytes } from './secrets.ts';

const MIN_CHARACTERS = 8;
const MAX_BYTES = 1024;
const MEMORY_KIB = 19_456;
const PASSES = 2;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const MAX_RUNNING = 2;
const MAX_WAITING = 50;
const STORED = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

export type Passwords = {
  /** @returns `$argon2id$v=19$m=…,t=…,p=…$salt$key`, base64 without padding */
  hash(password: string): Promise<string>;
  /** With `stored` undefined it takes the same time and is false: an unknown user looks like a wrong password.
      @throws too-many when too many wait already */
  verify(password: string, stored: string | undefined): Promise<boolean>;
};

/** What is wrong with a password that someone wants to set, in words for them; undefined: nothing. */
export function passwordFault(password: string): string | undefined {
  if ([...password].length < MIN_CHARACTERS)
    return `The password needs at least ${MIN_CHARACTERS} characters.`;
  if (Buffer.byteLength(password) > MAX_BYTES) return `The password may have at most ${MAX_BYTES} bytes.`;
  return undefined;
}

export function openPasswords(randomBytes: RandomBytes): Passwords {
  const run = boundedRunner();
  return {
    async hash(password) {
      const salt = randomBytes(SALT_BYTES);
      const key = await run(() => derive(password, salt, MEMORY_KIB, PASSES, 1, KEY_BYTES));
      return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=1$${unpadded(salt)}$${unpadded(key)}`;
    },
    async verify(password, stored) {
      const [, memory, passes, lanes, salt, key] = stored?.match(STORED) ?? [];
      if (stored !== undefined && key === undefined) {
        throw new GitsteadError('corrupt', 'a stored password cannot be read; set it anew');
      }
      // Longer than any password can be: no work for it, and the answer tells nothing about the account.
      if (Buffer.byteLength(password) > MAX_BYTES) return false;
      const expected = key === undefined ? Buffer.alloc(KEY_BYTES) : Buffer.from(key, 'base64');
      const given = await run(() =>
        derive(
          password,
          salt === undefined ? Buffer.alloc(SALT_BYTES) : Buffer.from(salt, 'base64'),
          Number(memory ?? MEMORY_KIB),
          Number(passes ?? PASSES),
          Number(lanes ?? 1),
          expected.length,
        ),
      );
      return timingSafeEqual(given, expected) && stored !== undefined;
    },
  };
}

/** NFKC first: the same key presses give different code points on different systems. */
function derive(
  password: string,
  nonce: Buffer,
  memory: number,
  passes: number,
  parallelism: number,
  tagLength: number,
): Promise<Buffer> {
  const message = password.normalize('NFKC');
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message, nonce, parallelism, tagLength, memory, passes }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function boundedRunner(): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= MAX_RUNNING) {
      if (waiting.length >= MAX_WAITING) {
        throw new GitsteadError('too-many', 'too many people sign in at this moment; try again in a minute');
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running++;
    }
    try {
      return await work();
    } finally {
      // the place passes to the next in line, so `running` changes only when nobody waits
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

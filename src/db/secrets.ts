// Secrets that this server hands out: 256 random bits as base64url, of which only the SHA-256 is kept, so a
// stolen database opens nothing (and comparing hashes tells nothing by its time).
import { hash } from 'node:crypto';

/** Gives `size` random bytes; `crypto.randomBytes` outside of tests. */
export type RandomBytes = (size: number) => Buffer;

/** Characters of a secret. */
export const SECRET_LENGTH = 43;
const SECRET = new RegExp(`^[A-Za-z0-9_-]{${SECRET_LENGTH}}$`);

export function makeSecret(randomBytes: RandomBytes): string {
  return randomBytes(32).toString('base64url');
}

export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}

/** Whether the text has the form of a secret: anything else need not be looked up. */
export function isSecret(text: string): boolean {
  return SECRET.test(text);
}

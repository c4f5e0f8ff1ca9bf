// Proof that whoever redeems a code is the app that asked for it (RFC 7636): at first it shows a hash, and with the code
// what it is the hash of. Only S256 is taken; with `plain` whoever sees the request has the proof, too.
import { hash } from 'node:crypto';

/** The form of an S256 challenge: 256 bits as base64url. */
export function isChallenge(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}

/** The challenge that a verifier answers; undefined when it is none (RFC 7636, section 4.1). */
export function challengeOf(verifier: string): string | undefined {
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) return undefined;
  return hash('sha256', verifier, 'base64url');
}

// The SHA-1 of a large message that is edited in place and hashed after every edit: the state of the hash is kept every
// 64 KiB, so that what stands before the first changed byte is not hashed again. Without this, a changed document in a
// folder of 10,000 costs the hashing of all 10,000 entries.
import { createHash, type Hash, hash } from 'node:crypto';
import type { Oid } from './object-id.ts';

const STEP_BYTES = 64 * 1024;

export class SteppedHash {
  /** the first: after one step of the message, the second: after two … */
  #states: Hash[] = [];
  #length: number | undefined;

  /** Notes that bytes of the message changed, none of them before `at`. */
  changedFrom(at: number): void {
    const unchanged = Math.floor(at / STEP_BYTES);
    if (this.#states.length > unchanged) this.#states.length = unchanged;
  }

  /** The SHA-1 of the message as it is now. A message of another length than the last one is hashed from its start. */
  hash(message: Buffer): Oid {
    if (message.length !== this.#length) {
      // lengths often change with every edit, and then no state would be of use
      this.#length = message.length;
      this.#states = [];
      return hash('sha1', message, 'hex') as Oid;
    }
    const states = this.#states;
    let state = states.at(-1)?.copy() ?? createHash('sha1');
    let at = states.length * STEP_BYTES;
    for (; at + STEP_BYTES < message.length; at += STEP_BYTES) {
      state.update(message.subarray(at, at + STEP_BYTES));
      states.push(state);
      state = state.copy();
    }
    return state.update(message.subarray(at)).digest('hex') as Oid;
  }
}

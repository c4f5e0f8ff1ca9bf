// Indexes of packs that stay in memory, of all repositories together, within a budget. One that is not asked for a while is
// forgotten when room is needed, and read again when it is asked. What an index is, is pack-index.ts's.

/** A pack whose index is in memory. */
export interface IndexHolder {
  /** set by the holder whenever its index is asked: it then stays for one more round */
  wasAsked: boolean;
  forgetIndex(): void;
}

const DEFAULT_LIMIT_BYTES = 32 << 20;

export class HeldIndexes {
  readonly limit: number;
  /** by when they came, or were last found to be in use; with their bytes */
  readonly #holders = new Map<IndexHolder, number>();
  #held = 0;

  constructor(limit = DEFAULT_LIMIT_BYTES) {
    this.limit = limit;
  }

  /** bytes of all indexes in memory */
  get held(): number {
    return this.#held;
  }

  /** A larger index is left in its file: it would drive out all others. */
  get largest(): number {
    return this.limit / 4;
  }

  /** The holder has an index of so many bytes in memory now; others may have to forget theirs. */
  add(holder: IndexHolder, bytes: number): void {
    this.drop(holder);
    holder.wasAsked = true;
    this.#holders.set(holder, bytes);
    this.#held += bytes;
    for (const [other, size] of this.#holders) {
      if (this.#held <= this.limit) return;
      this.drop(other);
      if (other.wasAsked) {
        other.wasAsked = false;
        this.#holders.set(other, size);
        this.#held += size;
      } else {
        other.forgetIndex();
      }
    }
  }

  /** The holder has it no more. */
  drop(holder: IndexHolder): void {
    this.#held -= this.#holders.get(holder) ?? 0;
    this.#holders.delete(holder);
  }
}

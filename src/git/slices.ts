// Long work on the event loop cut into slices, with room for requests between them. What the work is, is left to others.
import { setImmediate } from 'node:timers/promises';

/** After each slice the event loop has its turn. */
export const SLICE_MS = 2;

const RUN_LENGTH = 512;

/** The slices of one piece of work. In a loop: `if (slices.isOver) await slices.pause();` */
export class Slices {
  readonly #signal: AbortSignal | undefined;
  #until = performance.now() + SLICE_MS;

  /** @param signal ends the work at the next pause, which throws the signal's reason */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  async pause(): Promise<void> {
    this.#signal?.throwIfAborted();
    await setImmediate();
    this.#until = performance.now() + SLICE_MS;
  }
}

/**
 * Sorts numbers by `compare` (which never gives 0 for two of them), in slices: short runs first, then merged pair by pair.
 * The result is one of two arrays; `numbers` is used up.
 */
export async function sortInSlices(
  numbers: Uint32Array<ArrayBuffer>,
  compare: (a: number, b: number) => number,
  slices: Slices,
): Promise<Uint32Array> {
  const count = numbers.length;
  for (let at = 0; at < count; at += RUN_LENGTH) {
    numbers.subarray(at, at + RUN_LENGTH).sort(compare);
    if (slices.isOver) await slices.pause();
  }
  let from = numbers;
  let to = new Uint32Array(count > RUN_LENGTH ? count : 0);
  for (let length = RUN_LENGTH; length < count; length *= 2) {
    for (let start = 0; start < count; start += 2 * length) {
      const middle = Math.min(start + length, count);
      const end = Math.min(middle + length, count);
      let left = start;
      let right = middle;
      for (let at = start; at < end; at++) {
        const isLeft = right === end || (left < middle && compare(from[left]!, from[right]!) < 0);
        to[at] = isLeft ? from[left++]! : from[right++]!;
        if ((at & 1023) === 0 && slices.isOver) await slices.pause();
      }
    }
    [from, to] = [to, from];
  }
  return from;
}

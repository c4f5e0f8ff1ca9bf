// Edits of a body, composed as they happen into the splices that turn an earlier version into the present one.
// Only places and lengths are kept; the inserted bytes stand in the body itself when the splices are taken.
import type { Splice } from './delta.ts';

const FIELDS = 3;

export type Told = { baseLength: number; splices: Splice[] };

export class SpliceLog {
  #baseLength: number;
  /** for each splice in order: offset in the base, bytes removed from it, bytes inserted */
  #fields: number[] = [];
  #isLost = false;
  readonly #maxSplices: number;

  /**
   * @param baseLength length of the version as it is now, against which the next edits are told
   * @param maxSplices more places edited than this are too many to be worth telling
   */
  constructor(baseLength: number, maxSplices: number) {
    this.#baseLength = baseLength;
    this.#maxSplices = maxSplices;
  }

  /**
   * Notes that `removed` bytes from `at` on gave way to `inserted` others. Places are those of the body as it stood just
   * before this edit. Splices that the edit overlaps or touches become one with it.
   */
  record(at: number, removed: number, inserted: number): void {
    if (this.#isLost) return;
    const fields = this.#fields;
    // the splices that end before the edit, and how far they moved what follows them
    let first = 0;
    let shift = 0;
    while (first < fields.length && fields[first]! + shift + fields[first + 2]! < at) {
      shift += fields[first + 2]! - fields[first + 1]!;
      first += FIELDS;
    }
    // the span, in the body before this edit, of the edit and of the splices that it swallows
    let start = at;
    let end = at + removed;
    let next = first;
    let endShift = shift;
    while (next < fields.length && fields[next]! + endShift <= end) {
      const from = fields[next]! + endShift;
      if (from < start) start = from;
      if (from + fields[next + 2]! > end) end = from + fields[next + 2]!;
      endShift += fields[next + 2]! - fields[next + 1]!;
      next += FIELDS;
    }
    const baseStart = start - shift;
    const baseEnd = end - endShift;
    const length = end - start - removed + inserted;
    if (next === first + FIELDS) {
      fields[first] = baseStart;
      fields[first + 1] = baseEnd - baseStart;
      fields[first + 2] = length;
      return;
    }
    fields.splice(first, next - first, baseStart, baseEnd - baseStart, length);
    if (fields.length > this.#maxSplices * FIELDS) this.#isLost = true;
  }

  /** As `told`, and the version of now becomes the base of what is told next. */
  take(bodyLength: number, bytes: Buffer, bodyStart: number): Told | undefined {
    const told = this.told(bytes, bodyStart);
    this.#baseLength = bodyLength;
    this.#isLost = false;
    if (this.#fields.length > 0) this.#fields = [];
    return told;
  }

  /**
   * The splices since the base, told in places of that version, ordered and not overlapping; undefined when the base was
   * empty, or too much has changed.
   * @param bytes hold the body from `bodyStart` on; the splices hold views of it
   */
  told(bytes: Buffer, bodyStart: number): Told | undefined {
    const baseLength = this.#baseLength;
    const fields = this.#fields;
    if (this.#isLost || baseLength === 0) return undefined;
    const splices: Splice[] = [];
    let start = bodyStart;
    let copied = 0;
    for (let each = 0; each < fields.length; each += FIELDS) {
      const at = fields[each]!;
      const removed = fields[each + 1]!;
      start += at - copied;
      const end = start + fields[each + 2]!;
      splices.push({ at, removed, inserted: bytes.subarray(start, end) });
      start = end;
      copied = at + removed;
    }
    return { baseLength, splices };
  }
}

// One table's rows in memory: those that were read or written last, so that most requests ask SQLite nothing, and those that
// are still to be written. Right because only this process writes the index.
import { LRUCache } from 'lru-cache';

/** What a row takes beside its texts, in bytes: measured. */
const ROW_BYTES = 300;

/** `now`: at once, in a transaction that is under way. `later`: together with others, when it is asked for. */
export type When = 'now' | 'later';

/** Runs a reading of rows that it does not name one by one: with what waits among them. */
export type Scan = <T>(read: () => T) => T;

/** What a row is to become, null: gone; and how to make it so in the database. */
type Change<Row> = { row: Row | null; run: () => void };

export class KnownRows<Row extends object> {
  readonly #kept: LRUCache<string, Row>;
  /** by what is being applied now */
  readonly #fresh = new Map<string, Change<Row>>();
  /** what was applied and is to be written, newest version only */
  readonly #waiting = new Map<string, Change<Row>>();

  /** bytes that rows may take, beside those that wait to be written */
  readonly limit: number;
  hits = 0;
  misses = 0;

  /** @param textOf the text of a row that may be long; its key is counted anyway */
  constructor(limitBytes: number, textOf: (row: Row) => string = () => '') {
    this.limit = limitBytes;
    this.#kept = new LRUCache({
      max: Math.ceil(limitBytes / ROW_BYTES),
      maxSize: limitBytes,
      sizeCalculation: (row, key) => ROW_BYTES + key.length + textOf(row).length,
    });
  }

  /** bytes that the rows take, about */
  get held(): number {
    return this.#kept.calculatedSize;
  }

  /** how many rows wait to be written */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The row of this key as it is now: a known one, or what `look` finds in the database. */
  find(key: string, look: () => Row | undefined): Row | undefined {
    const change = this.#fresh.get(key) ?? this.#waiting.get(key);
    const kept = change ? change.row : this.#kept.get(key);
    if (kept !== undefined) {
      this.hits++;
      return kept ?? undefined;
    }
    this.misses++;
    const found = look();
    if (found) this.#kept.set(key, found);
    return found;
  }

  /** The row is this from now on, unless `drop` is called; it is written now, or `run` is called later. */
  change(key: string, row: Row | null, when: When, run: () => void): void {
    if (when === 'now') run();
    this.#fresh.set(key, { row, run });
  }

  /** What was changed holds, and is in the database. */
  settle(): void {
    for (const [key, { row }] of this.#fresh) this.#keep(key, row);
    this.#fresh.clear();
  }

  /** What was changed holds, and is to be written. */
  putOff(): void {
    for (const [key, change] of this.#fresh) this.#waiting.set(key, change);
    this.#fresh.clear();
  }

  /** What was changed does not hold. */
  drop(): void {
    for (const key of this.#fresh.keys()) this.#kept.delete(key);
    this.#fresh.clear();
  }

  /** Writes what waits, in a transaction of the caller's; it waits on until `settleWaiting` says that it is written. */
  writeWaiting(): void {
    for (const { run } of this.#waiting.values()) run();
  }

  settleWaiting(): void {
    for (const [key, { row }] of this.#waiting) this.#keep(key, row);
    this.#waiting.clear();
  }

  #keep(key: string, row: Row | null): void {
    if (row) this.#kept.set(key, row);
    else this.#kept.delete(key);
  }

  /** Forgets what is kept, when many rows went at once. */
  forget(): void {
    this.#kept.clear();
  }
}

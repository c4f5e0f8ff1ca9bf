// Rows that were read or written last, so that most requests ask SQLite nothing. Right because only this process writes the
// index: what a transaction changes is noted here, and counts once it is committed.
import { LRUCache } from 'lru-cache';

/** For each table; a row takes some 300 bytes. */
const MAX_ROWS = 16_384;

export class KnownRows<Row extends object> {
  readonly #rows = new LRUCache<string, Row>({ max: MAX_ROWS });
  /** by the transaction under way; null: the row is gone */
  readonly #changed = new Map<string, Row | null>();

  /** The row of this key: a known one, or what `look` finds in the database. */
  find(key: string, look: () => Row | undefined): Row | undefined {
    if (this.#changed.size > 0) {
      const changed = this.#changed.get(key);
      if (changed !== undefined) return changed ?? undefined;
    }
    const known = this.#rows.get(key);
    if (known) return known;
    const found = look();
    if (found) this.#rows.set(key, found);
    return found;
  }

  /** Notes what the transaction under way makes of the row; null: nothing. */
  change(key: string, row: Row | null): void {
    this.#changed.set(key, row);
  }

  /** The transaction is over: what it changed holds now, or (rolled back) never was. */
  settle(isCommitted: boolean): void {
    for (const [key, row] of this.#changed) {
      if (isCommitted && row) this.#rows.set(key, row);
      else this.#rows.delete(key);
    }
    this.#changed.clear();
  }

  clear(): void {
    this.#rows.clear();
    this.#changed.clear();
  }
}

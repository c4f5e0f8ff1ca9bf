// What the server keeps and queues in memory, and how much of it: each kind has a share of one budget, the setting
// `memoryBudget`. The shares are here and nowhere else; who owns a kind keeps to its share, and tells what it holds.
// Beside it stand the program itself, SQLite's and a merge's working memory, and what a connection needs.

/** In 64ths of the budget; together 64. */
const SHARES = {
  /** bodies of documents that were read last */
  bodies: 13,
  /** descriptions of folders, as they are sent */
  listings: 5,
  /** folders as turns edit them, of the repositories written last: without them each turn reads its folders anew */
  trees: 12,
  /** rows of the index that are known, each some 300 bytes */
  rows: 4,
  /** pages of the index that SQLite keeps */
  pages: 6,
  /** where objects lie in packs: 28 bytes for each object of a pack that is read from */
  packIndexes: 5,
  /** tokens that were shown last, and what they allow */
  tokens: 1,
  /** packs in memory: acknowledged commits that are not in a file yet; there is room in it for all that `writes` become */
  pending: 10,
  /** bodies that arrive or wait for their turn; a write for which there is no room waits, and then gets 503 */
  writes: 8,
} as const;
const WHOLE = 64;
/** With less, a body of 1 MiB would have no room beside its deflated self. */
const MIN_BUDGET_BYTES = 16 << 20;

export type MemoryShares = { readonly [Kind in keyof typeof SHARES]: number };

/** @returns bytes for each kind; a budget of less than 16 MiB counts as that */
export function sharesOf(budgetBytes: number): MemoryShares {
  const part = Math.max(budgetBytes, MIN_BUDGET_BYTES) / WHOLE;
  const shares = Object.entries(SHARES).map(([kind, parts]) => [kind, Math.floor(part * parts)]);
  return Object.fromEntries(shares) as MemoryShares;
}

// What a cache tells of itself. How it is told to the world is left to the rooms above.

/** What it was asked for since it was opened, and what it holds. */
export type CacheMeasures = {
  hits: number;
  misses: number;
  /** bytes, and the most that it may hold */
  held: number;
  limit: number;
};

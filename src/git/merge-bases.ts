// Which earlier version each whole tree of a pack can be told by, when the pack is merged into another: that of the same
// folder in the parent of the commit that brought it. The delta is made, and written or not, in merge-entries.ts.

import { parseCommit } from './commit.ts';
import type { MergeSource } from './merge-source.ts';
import type { Oid } from './object-id.ts';
import type { OidTable } from './oid-table.ts';
import type { EntryHeader } from './pack-entry.ts';
import { MAX_ENTRY_HEADER_BYTES, readEntryHeader } from './pack-entry.ts';
import type { PackReader } from './pack-reader.ts';
import type { Slices } from './slices.ts';
import { isFolderMode } from './tree.ts';
import { differingEntries } from './tree-diff.ts';

/** Larger packs have been merged before, or packed by git: what could be gained is gained. */
const MAX_PACK_BYTES = 16 << 20;
const MAX_PACK_ENTRIES = 20_000;
const FREE_VISITS = 32;
const VISITS_PER_TREE = 4;
const RECENT_TREE_BYTES = 8 << 20;
const RECENT_COMMITS = 20_000;
/** Deltas above this are not made: the caller reads a base at once. */
const MAX_TREE_BYTES = 8 << 20;

/** No chain of deltas is made longer than this. */
export const MAX_CHAIN = 50;

/** A tree's earlier version, and how many deltas within its pack are told from it, one after the other. */
export type TreeBase = { base: Oid; height: number };

export class TreeBases {
  readonly #table: OidTable;
  readonly #readers: readonly PackReader[];
  readonly #slices: Slices;
  readonly #treeOfCommit = new Map<Oid, Oid>();
  readonly #trees = new Map<Oid, Buffer>();
  #treeBytes = 0;

  constructor(table: OidTable, readers: readonly PackReader[], slices: Slices) {
    this.#table = table;
    this.#readers = readers;
    this.#slices = slices;
  }

  /**
   * The bases of a source's whole trees, as far as there are any. Whether a base is written already is for the caller to
   * see. What cannot be read or understood has no base.
   */
  async of(source: MergeSource): Promise<Map<Oid, TreeBase>> {
    const bases = new Map<Oid, TreeBase>();
    if (source.end > MAX_PACK_BYTES || source.count > MAX_PACK_ENTRIES) return bases;
    const { trees, commits } = await this.#scan(source);
    if (trees.size === 0) return bases;
    // Most whole trees are met in the pack's first commits: read one after the other, and no further than needed.
    const budget = { visits: FREE_VISITS + VISITS_PER_TREE * trees.size };
    for (const oid of commits) {
      if (bases.size === trees.size || budget.visits <= 0) break;
      const commit = this.#commit(oid);
      const parent = commit?.parents[0];
      const before = parent && (this.#treeOfCommit.get(parent) ?? this.#commit(parent)?.tree);
      if (before && before !== commit.tree) {
        found(commit.tree, before, trees, bases);
        await this.#search(source, [[commit.tree, before]], trees, bases, budget);
      }
      if (this.#slices.isOver) await this.#slices.pause();
    }
    return bases;
  }

  /** The body of a tree of any source; undefined when it is too large, or none. */
  tree(oid: Oid): Buffer | undefined {
    const recent = this.#trees.get(oid);
    if (recent) return recent;
    const row = this.#table.find(oid);
    if (row < 0) return undefined;
    const reader = this.#readers[this.#table.sources[row]!]!;
    const offset = reader.find(oid);
    if (offset === undefined) return undefined;
    const { kind, size } = reader.stat(offset);
    if (kind !== 'tree' || size > MAX_TREE_BYTES) return undefined;
    const { body } = reader.read(offset);
    this.#trees.set(oid, body);
    this.#treeBytes += body.length;
    for (const [oldest, old] of this.#trees) {
      if (this.#treeBytes <= RECENT_TREE_BYTES || oldest === oid) break;
      this.#trees.delete(oldest);
      this.#treeBytes -= old.length;
    }
    return body;
  }

  /** The source's whole trees that are still to be written and may become deltas, with their heights; and its commits. */
  async #scan(source: MergeSource): Promise<{ trees: Map<Oid, number>; commits: Oid[] }> {
    const trees = new Map<Oid, number>();
    const commits: Oid[] = [];
    const heights = new Uint32Array(source.count);
    const bases = new Int32Array(source.count).fill(-1);
    const wholeTrees: number[] = [];
    for (let i = 0; i < source.count; i++) {
      const header = await headerOf(source, i);
      if (header.kind === 'commit') commits.push(oidOf(source, i));
      if (header.kind === 'tree') wholeTrees.push(i);
      if (header.distance !== undefined) {
        bases[i] = source.entryAt(source.offsets[i]! - header.distance) ?? -1;
      }
      if (this.#slices.isOver) await this.#slices.pause();
    }
    for (let i = source.count - 1; i >= 0; i--) {
      const base = bases[i]!;
      if (base >= 0 && base < i) heights[base] = Math.max(heights[base]!, heights[i]! + 1);
    }
    for (const i of wholeTrees) {
      const oid = oidOf(source, i);
      if (heights[i]! >= MAX_CHAIN || this.#table.offsets[this.#table.find(oid)]! >= 0) continue;
      trees.set(oid, heights[i]!);
    }
    return { trees, commits };
  }

  /**
   * Walks versions of the top folder, from the first on, and pairs the folders below them. Most whole trees are met in the
   * pack's first commits; the walk ends when those that are left are too rare to be worth it.
   */
  async #search(
    source: MergeSource,
    versions: readonly [Oid, Oid][],
    trees: ReadonlyMap<Oid, number>,
    bases: Map<Oid, TreeBase>,
    budget: { visits: number },
  ): Promise<void> {
    for (const version of versions) {
      const waiting = [version];
      for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
        if (bases.size === trees.size || budget.visits-- <= 0) return;
        const [fresh, old] = pair;
        const [freshBody, oldBody] = [this.tree(fresh), this.tree(old)];
        if (!freshBody || !oldBody) continue;
        for (const { before, after } of differingEntries(oldBody, freshBody)) {
          if (!before || !after || !isFolderMode(before.mode) || !isFolderMode(after.mode)) continue;
          if (source.index.find(after.oid) === undefined) continue;
          found(after.oid, before.oid, trees, bases);
          waiting.push([after.oid, before.oid]);
        }
        if (this.#slices.isOver) await this.#slices.pause();
      }
    }
  }

  #commit(oid: Oid): { tree: Oid; parents: readonly Oid[] } | undefined {
    const row = this.#table.find(oid);
    if (row < 0) return undefined;
    const reader = this.#readers[this.#table.sources[row]!]!;
    const offset = reader.find(oid);
    const object = offset === undefined ? undefined : reader.read(offset);
    if (object?.kind !== 'commit') return undefined;
    const commit = parseCommit(object.body);
    if (this.#treeOfCommit.size >= RECENT_COMMITS) this.#treeOfCommit.clear();
    this.#treeOfCommit.set(oid, commit.tree);
    return commit;
  }
}

/** Notes the earlier version of a tree, if it is one that is looked for. */
function found(fresh: Oid, old: Oid, trees: ReadonlyMap<Oid, number>, bases: Map<Oid, TreeBase>): void {
  const height = trees.get(fresh);
  if (height !== undefined && !bases.has(fresh)) bases.set(fresh, { base: old, height });
}

function oidOf(source: MergeSource, entry: number): Oid {
  return source.index.oidAt(source.places[entry]!);
}

/** The header of a source's entry. */
export async function headerOf(source: MergeSource, entry: number): Promise<EntryHeader> {
  const start = source.offsets[entry]!;
  const length = Math.min(source.offsets[entry + 1]! - start, MAX_ENTRY_HEADER_BYTES);
  return readEntryHeader(await source.bytes(start, length), 0);
}

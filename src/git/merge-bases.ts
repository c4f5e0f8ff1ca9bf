// Which earlier version each whole tree of a pack can be told by, when the pack is merged into another: the first whole one
// of the same folder in the packs before it, or in its own. It is whole where it lies, so that no chain of deltas need be
// read; and the versions between the two are told from it already. The delta is made, and written or not, in
// merge-entries.ts.
import { treeOfCommit } from './commit.ts';
import type { MergeSource } from './merge-source.ts';
import type { Oid } from './object-id.ts';
import type { OidTable } from './oid-table.ts';
import type { EntryHeader } from './pack-entry.ts';
import { MAX_ENTRY_HEADER_BYTES, readEntryHeader } from './pack-entry.ts';
import type { PackReader } from './pack-reader.ts';
import { isFolderMode, parseTree } from './tree.ts';

/** Larger packs have been merged before, or packed by git: what could be gained is gained. */
const MAX_PACK_BYTES = 16 << 20;
const MAX_PACK_ENTRIES = 20_000;
/** Smaller trees (those of folders of folders) are not worth a delta, and there may be one for each commit. */
const MIN_TREE_BYTES = 256;
/** Versions of the top folder that are read although they are deltas, to find whole trees below them. */
const FREE_VISITS = 8;
const VISITS_PER_TREE = 2;
const RECENT_TREE_BYTES = 8 << 20;
/** Deltas above this are not made: the caller reads a base at once. */
const MAX_TREE_BYTES = 8 << 20;
/** Larger trees are not put together from chains of deltas, only to look for folders in them. */
const MAX_CHAINED_BYTES = 64 << 10;
const MAX_FOLDERS = 10_000;
/** How a folder's entry begins; found elsewhere, too, but a body without it holds no folder. */
const FOLDER_ENTRY = Buffer.from('40000 ');

/** A tree's earlier version, and how many deltas within its pack are told from the tree, one after the other. */
export type TreeBase = { oid: Oid; base: Oid; height: number };

/** What is looked for in one source. */
type Search = {
  source: MergeSource;
  /** its whole trees that were not met yet, with their heights */
  missing: Map<Oid, number>;
  bases: Map<Oid, TreeBase>;
  /** folders of which this source's first whole version was met */
  met: Set<string>;
  /** versions told by deltas that may still be read */
  visits: number;
};

export class TreeBases {
  readonly #table: OidTable;
  readonly #readers: readonly PackReader[];
  /** by a folder's path: its first whole version in the newest source that has one */
  readonly #heads = new Map<string, Oid>();
  readonly #trees = new Map<Oid, Buffer>();
  #treeBytes = 0;

  constructor(table: OidTable, readers: readonly PackReader[]) {
    this.#table = table;
    this.#readers = readers;
  }

  /**
   * The bases of a source's whole trees, as far as there are any; to be asked for one source after the other. Whether a base
   * is written already is for the caller to see. What cannot be read or understood has no base.
   */
  of(source: MergeSource): Map<Oid, TreeBase> {
    const bases = new Map<Oid, TreeBase>();
    if (source.end > MAX_PACK_BYTES || source.count > MAX_PACK_ENTRIES) return bases;
    const { trees, commits } = this.#scan(source);
    const visits = FREE_VISITS + VISITS_PER_TREE * trees.size;
    const search: Search = { source, missing: trees, bases, met: new Set(), visits };
    for (const oid of commits) {
      if (trees.size === 0) break;
      const tree = this.#treeOf(oid);
      if (tree !== undefined) this.#visit(search, '', tree);
    }
    return bases;
  }

  /** The body of a tree of any source; undefined when it is too large, or none. */
  tree(oid: Oid, maxBytes = MAX_TREE_BYTES): Buffer | undefined {
    const recent = this.#trees.get(oid);
    if (recent) return recent;
    const row = this.#table.find(oid);
    if (row < 0) return undefined;
    const reader = this.#readers[this.#table.sources[row]!]!;
    const offset = reader.find(oid);
    if (offset === undefined) return undefined;
    const { kind, size } = reader.stat(offset);
    if (kind !== 'tree' || size > maxBytes) return undefined;
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

  /** The source's whole trees with their heights, and its commits. */
  #scan(source: MergeSource): { trees: Map<Oid, number>; commits: Oid[] } {
    const trees = new Map<Oid, number>();
    const commits: Oid[] = [];
    const heights = new Uint32Array(source.count);
    const bases = new Int32Array(source.count).fill(-1);
    const wholeTrees: number[] = [];
    for (let i = 0; i < source.count; i++) {
      const header = headerOf(source, i);
      if (header.kind === 'commit') commits.push(oidOf(source, i));
      if (header.kind === 'tree' && header.size >= MIN_TREE_BYTES) wholeTrees.push(i);
      if (header.distance !== undefined) {
        bases[i] = source.entryAt(source.offsets[i]! - header.distance) ?? -1;
      }
    }
    for (let i = source.count - 1; i >= 0; i--) {
      const base = bases[i]!;
      if (base >= 0 && base < i) heights[base] = Math.max(heights[base]!, heights[i]! + 1);
    }
    for (const i of wholeTrees) trees.set(oidOf(source, i), heights[i]!);
    return { trees, commits };
  }

  /** A version of the folder at `path`: if it is one of those looked for, its base; then the folders in it. */
  #visit(search: Search, path: string, oid: Oid): void {
    const waiting: [path: string, oid: Oid][] = [[path, oid]];
    for (let next = waiting.pop(); next && search.missing.size > 0; next = waiting.pop()) {
      const [path, oid] = next;
      const height = search.missing.get(oid);
      if (height !== undefined) this.#meet(search, path, oid, height);
      else if (search.visits-- <= 0) continue;
      if (search.missing.size === 0) return;
      for (const [name, child] of this.#foldersIn(
        oid,
        height === undefined ? MAX_CHAINED_BYTES : MAX_TREE_BYTES,
      )) {
        if (search.source.index.find(child) !== undefined) waiting.push([`${path}/${name}`, child]);
      }
    }
  }

  #meet({ missing, bases, met }: Search, path: string, oid: Oid, height: number): void {
    missing.delete(oid);
    const base = this.#heads.get(path);
    if (base !== undefined && base !== oid) bases.set(oid, { oid, base, height });
    if (met.has(path)) return;
    met.add(path);
    if (this.#heads.size >= MAX_FOLDERS) this.#heads.clear();
    this.#heads.set(path, oid);
  }

  #foldersIn(oid: Oid, maxBytes: number): [name: string, oid: Oid][] {
    const body = this.tree(oid, maxBytes);
    if (!body?.includes(FOLDER_ENTRY)) return [];
    return parseTree(body)
      .filter(({ mode }) => isFolderMode(mode))
      .map((entry) => [entry.name, entry.oid]);
  }

  /** The tree of a commit of any source. */
  #treeOf(commit: Oid): Oid | undefined {
    const row = this.#table.find(commit);
    if (row < 0) return undefined;
    const reader = this.#readers[this.#table.sources[row]!]!;
    const offset = reader.find(commit);
    const object = offset === undefined ? undefined : reader.read(offset);
    return object?.kind === 'commit' ? treeOfCommit(object.body) : undefined;
  }
}

function oidOf(source: MergeSource, entry: number): Oid {
  return source.index.oidAt(source.places[entry]!);
}

/** The header of a source's entry. */
export function headerOf(source: MergeSource, entry: number): EntryHeader {
  const start = source.offsets[entry]!;
  const length = Math.min(source.offsets[entry + 1]! - start, MAX_ENTRY_HEADER_BYTES);
  return readEntryHeader(source.bytes(start, length), 0);
}

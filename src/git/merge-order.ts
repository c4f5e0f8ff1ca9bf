// In which order the entries of a pack are written into another: of one that is large by now, commits first, then trees, then
// what is left. A reader that follows a chain of trees, or the commits of a log, then finds the next one beside the last,
// where there were documents between them.
import { headerOf } from './merge-bases.ts';
import type { MergeSource } from './merge-source.ts';

/** Smaller packs are written as they lie: they are merged again before they matter. */
const MIN_ENTRIES = 4096;
/** Of larger objects there are few, and looking at the header of each means reading all of them. */
const MAX_ENTRY_BYTES = 4 << 10;
const COMMITS = 0;
const TREES = 1;
const REST = 2;

/** Places in the source's own order; an entry never comes before one that it is told from by its distance. */
export function orderOfEntries(source: MergeSource): Uint32Array {
  const { count } = source;
  const order = new Uint32Array(count);
  if (count < MIN_ENTRIES || source.end > count * MAX_ENTRY_BYTES) return order.map((_, i) => i);
  const groups = groupsOf(source);
  let next = 0;
  for (const group of [COMMITS, TREES, REST]) {
    for (let i = 0; i < count; i++) if (groups[i] === group) order[next++] = i;
  }
  return order;
}

/** A delta is of the group of its base; one that names its base by id comes after all that may be it. */
function groupsOf(source: MergeSource): Uint8Array {
  const groups = new Uint8Array(source.count);
  for (let i = 0; i < source.count; i++) {
    const { kind, distance } = headerOf(source, i);
    const base = distance === undefined ? undefined : source.entryAt(source.offsets[i]! - distance);
    if (base !== undefined && base < i) groups[i] = groups[base]!;
    else groups[i] = kind === 'commit' ? COMMITS : kind === 'tree' ? TREES : REST;
  }
  return groups;
}

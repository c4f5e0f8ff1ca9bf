// Walks over commits: from a head to its ancestors, newest first, and whether one commit is an ancestor of another.
// What the commits changed is tree-diff.ts's.
import { GitsteadError } from '../errors.ts';
import { type Commit, parseCommit } from './commit.ts';
import type { GitObject, Oid } from './object-id.ts';

export type Read = (oid: Oid) => GitObject | undefined;
export type WalkedCommit = { oid: Oid; commit: Commit };

/**
 * The ancestors of `from`, itself included: each once, newest first by committer time (as far as parents allow; clocks of
 * foreign commits may be wrong). Lazy.
 * @param until a commit of which this is true is left out, and nothing is followed beyond it
 * @throws GitsteadError `corrupt` when a commit is missing or is none
 */
export function* walkCommits(
  read: Read,
  from: Oid,
  until?: (oid: Oid) => boolean,
): Generator<WalkedCommit, void, undefined> {
  const seen = new Set<Oid>([from]);
  const queue = new CommitQueue();
  if (!until?.(from)) queue.push({ oid: from, commit: readCommit(read, from) });
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    yield next;
    for (const oid of next.commit.parents) {
      if (seen.has(oid)) continue;
      seen.add(oid);
      if (!until?.(oid)) queue.push({ oid, commit: readCommit(read, oid) });
    }
  }
}

/**
 * Whether `a` is an ancestor of `b` (or `b` itself), whatever the clocks say. Reads little more than the commits between
 * the two, or, where they have diverged, those since they did.
 * @throws GitsteadError `corrupt` when a commit is missing or is none
 */
export function isAncestor(read: Read, a: Oid, b: Oid): boolean {
  if (a === b) return true;
  const painting = new Painting(read, a, b);
  while (painting.isUnsettled) {
    painting.step();
    if (painting.sideOf(a) === BOTH) return true;
  }
  return false;
}

const FROM_OLD = 1;
const FROM_NEW = 2;
const BOTH = FROM_OLD | FROM_NEW;

/**
 * Commits marked with the heads, old or new, that they can be reached from, newest first. A commit whose marks grow is
 * looked at again.
 */
class Painting {
  readonly #read: Read;
  readonly #sides = new Map<Oid, number>();
  readonly #queue = new CommitQueue();
  /** the marks with which the commits in the queue are counted */
  readonly #queued = new Map<Oid, number>();
  /** commits in the queue that do not bear both marks */
  #unsettled = 0;

  constructor(read: Read, old: Oid, fresh: Oid) {
    this.#read = read;
    this.#mark(old, FROM_OLD);
    this.#mark(fresh, FROM_NEW);
  }

  /** Whether marks can still come together: false once everything that is left was reached from both heads. */
  get isUnsettled(): boolean {
    return this.#unsettled > 0;
  }

  sideOf(oid: Oid): number {
    return this.#sides.get(oid) ?? 0;
  }

  /** Hands the marks of the newest commit that waits to its parents. */
  step(): void {
    const next = this.#queue.pop();
    if (next === undefined) return;
    if (this.#queued.get(next.oid) !== BOTH) this.#unsettled--;
    this.#queued.delete(next.oid);
    const side = this.sideOf(next.oid);
    for (const parent of next.commit.parents) this.#mark(parent, side);
  }

  #mark(oid: Oid, added: number): void {
    const side = this.sideOf(oid) | added;
    if (side === this.#sides.get(oid)) return;
    this.#sides.set(oid, side);
    const queued = this.#queued.get(oid);
    if (queued === undefined) this.#queue.push({ oid, commit: readCommit(this.#read, oid) });
    else if (queued !== BOTH) this.#unsettled--;
    if (side !== BOTH) this.#unsettled++;
    this.#queued.set(oid, side);
  }
}

function readCommit(read: Read, oid: Oid): Commit {
  const object = read(oid);
  if (object?.kind !== 'commit') throw new GitsteadError('corrupt', 'a commit is missing, or is none');
  return parseCommit(object.body);
}

/** A heap: the commit with the latest committer time comes first, of equal ones that which was put in first. */
class CommitQueue {
  readonly #heap: (WalkedCommit & { order: number })[] = [];
  #pushed = 0;

  push(entry: WalkedCommit): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push({ ...entry, order: this.#pushed++ });
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  pop(): WalkedCommit | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || heap.length === 0) return first;
    heap[0] = last!;
    for (let at = 0; ; ) {
      let next = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && this.#isBefore(child, next)) next = child;
      }
      if (next === at) return first;
      this.#swap(at, next);
      at = next;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a]!, this.#heap[b]!];
    const difference = right.commit.committer.time - left.commit.committer.time;
    return difference < 0 || (difference === 0 && left.order < right.order);
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  }
}

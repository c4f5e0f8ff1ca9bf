// What differs between two trees, file by file. Only what differs is read: equal subtrees are passed over by their ids,
// equal runs of entries by their bytes. What a file is, and what its name means, is left to the callers.

import { GitsteadError } from '../errors.ts';
import { EMPTY_TREE, type GitObject, type Oid } from './object-id.ts';
import { isFolderMode, parseTree, type TreeEntry } from './tree.ts';

/**
 * A file that came (no `before`), went (no `after`) or changed. `path`: entry names from the root down. Whatever is not a
 * folder is a file here, links and submodules too; a file that gives way to a folder of its name has gone.
 */
export type TreeChange = { path: string[]; before?: TreeEntry; after?: TreeEntry };

const OID_BYTES = 20;
const COMPARED_BYTES = 4096;

/** Two folders still to be compared; one of them may be missing. */
type Pair = { path: string[]; before: Oid | undefined; after: Oid | undefined };

/**
 * The files that differ between tree `a` (undefined: the empty tree) and tree `b`. Lazy, and folder by folder: the files
 * of a folder come before those in its subfolders. The depth and number of folders are bounded by what the caller takes.
 * @throws GitsteadError `corrupt` when a tree is missing, is none, or is malformed
 */
export function* diffTrees(
  read: (oid: Oid) => GitObject | undefined,
  a: Oid | undefined,
  b: Oid | undefined,
): Generator<TreeChange, void, undefined> {
  const waiting: Pair[] = a === b ? [] : [{ path: [], before: a, after: b }];
  for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
    const folders: Pair[] = [];
    for (const { before, after } of differingEntries(bodyOf(read, pair.before), bodyOf(read, pair.after))) {
      const path = [...pair.path, (after ?? before)!.name];
      const fileBefore = before && !isFolderMode(before.mode) ? before : undefined;
      const fileAfter = after && !isFolderMode(after.mode) ? after : undefined;
      if (fileBefore || fileAfter) {
        const change: TreeChange = { path };
        if (fileBefore) change.before = fileBefore;
        if (fileAfter) change.after = fileAfter;
        yield change;
      }
      const folderBefore = before && !fileBefore ? before.oid : undefined;
      const folderAfter = after && !fileAfter ? after.oid : undefined;
      if (folderBefore !== folderAfter) folders.push({ path, before: folderBefore, after: folderAfter });
    }
    waiting.push(...folders.reverse());
  }
}

function bodyOf(read: (oid: Oid) => GitObject | undefined, oid: Oid | undefined): Buffer {
  // git knows the empty tree without storing it
  if (oid === undefined || oid === EMPTY_TREE) return Buffer.alloc(0);
  const object = read(oid);
  if (object?.kind !== 'tree') throw new GitsteadError('corrupt', 'a tree is missing, or is none');
  return object.body;
}

/** Entries of two tree bodies that are not in both, paired by name. */
function differingEntries(a: Buffer, b: Buffer): { before?: TreeEntry; after?: TreeEntry }[] {
  const pairs = new Map<string, { before?: TreeEntry; after?: TreeEntry }>();
  const [onlyInA, onlyInB] = unsharedRuns(a, b);
  for (const run of onlyInA) for (const entry of parseTree(run)) pairs.set(entry.name, { before: entry });
  for (const run of onlyInB) {
    for (const entry of parseTree(run)) {
      const pair = pairs.get(entry.name);
      const { before } = pair ?? {};
      if (before?.mode === entry.mode && before.oid === entry.oid) pairs.delete(entry.name);
      else if (pair) pair.after = entry;
      else pairs.set(entry.name, { after: entry });
    }
  }
  return [...pairs.values()];
}

/**
 * Both bodies without the runs of whole entries that they share, found in one walk. What is left may still hold equal
 * entries (never the reverse).
 */
function unsharedRuns(a: Buffer, b: Buffer): [Buffer[], Buffer[]] {
  const runs: [Buffer[], Buffer[]] = [[], []];
  let atA = 0;
  let atB = 0;
  while (atA < a.length && atB < b.length) {
    const shared = sharedEntries(a, atA, sharedBytes(a, atA, b, atB));
    atA += shared;
    atB += shared;
    if (atA >= a.length || atB >= b.length) break;
    const endA = entryEnd(a, atA);
    const endB = entryEnd(b, atB);
    // of the two entries the one that sorts first cannot come later in the other body
    const order = compareNames(a, atA, endA, b, atB, endB);
    if (order <= 0) {
      runs[0].push(a.subarray(atA, endA));
      atA = endA;
    }
    if (order >= 0) {
      runs[1].push(b.subarray(atB, endB));
      atB = endB;
    }
  }
  if (atA < a.length) runs[0].push(a.subarray(atA));
  if (atB < b.length) runs[1].push(b.subarray(atB));
  return runs;
}

/** How many bytes from the two places on are the same. */
function sharedBytes(a: Buffer, atA: number, b: Buffer, atB: number): number {
  const most = Math.min(a.length - atA, b.length - atB);
  let shared = 0;
  while (shared < most) {
    const length = Math.min(COMPARED_BYTES, most - shared);
    const [fromA, fromB] = [atA + shared, atB + shared];
    if (a.compare(b, fromB, fromB + length, fromA, fromA + length) !== 0) break;
    shared += length;
  }
  while (shared < most && a[atA + shared] === b[atB + shared]) shared++;
  return shared;
}

/** Of `length` bytes from `at` on, how many are whole entries. */
function sharedEntries(body: Buffer, at: number, length: number): number {
  const end = at + length;
  let whole = at;
  while (whole < end) {
    const next = entryEnd(body, whole);
    if (next > end) break;
    whole = next;
  }
  return whole - at;
}

/** Where the entry at `at` ends; a body that ends first is passed on whole, for the parser to refuse. */
function entryEnd(body: Buffer, at: number): number {
  const nul = body.indexOf(0, at);
  return nul < 0 || nul + 1 + OID_BYTES > body.length ? body.length : nul + 1 + OID_BYTES;
}

function compareNames(a: Buffer, atA: number, endA: number, b: Buffer, atB: number, endB: number): number {
  return Buffer.compare(sortKey(a, atA, endA), sortKey(b, atB, endB));
}

/** The entry's name as it sorts: a folder's with a slash. */
function sortKey(body: Buffer, at: number, end: number): Buffer {
  const space = body.indexOf(0x20, at);
  const name = body.subarray(space + 1, Math.max(space + 1, end - OID_BYTES - 1));
  return body[at] === 0x34 ? Buffer.concat([name, Buffer.of(0x2f)]) : name;
}

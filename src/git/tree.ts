// Git trees: encode, parse, and a tree that is edited in place. One buffer holds the body, so that the hot path (change
// one entry, hash, tell the change as splices) allocates nothing; entries become objects only when somebody lists them.
// How a version is written to a pack is not decided here, nor which names are allowed (storage/item-names.ts).
//
//   body:   entry … in git's order: names compare as bytes, a folder's as if it ended in `/`
//   entry:  as tree-entry.ts tells
import { hash } from 'node:crypto';
import { GitsteadError } from '../errors.ts';
import { hasOid, OID_BYTES, type Oid, writeOid } from './object-id.ts';
import { SpliceLog, type Told } from './splice-log.ts';
import { SteppedHash } from './stepped-hash.ts';
import {
  checkEntry,
  compareEntriesAt,
  compareToName,
  encodeName,
  hasUsualMode,
  isEntryName,
  isFolderMode,
  readEntry,
  readTakenEntry,
  type TreeEntry,
  takeName,
  takenEntryLength,
  takenOidStart,
  writeTakenEntry,
} from './tree-entry.ts';

export { isFolderMode, type TreeEntry };

const SLASH = Buffer.of(0x2f);
const NUL = Buffer.of(0);

/**
 * The entries of anybody's tree, in the order in which they stand.
 * @throws GitsteadError `corrupt` when the body is not a row of entries
 */
export function parseTree(body: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < body.length; ) {
    const oidAt = checkEntry(body, at, body.length);
    entries.push(readEntry(body, at));
    at = oidAt + OID_BYTES;
  }
  return entries;
}

/** A name as it sorts: a folder's with its slash. */
function sortKey(entry: TreeEntry): Buffer {
  const name = encodeName(entry.name);
  return isFolderMode(entry.mode) ? Buffer.concat([name, SLASH]) : name;
}

/** The body of a tree of these entries, in whatever order they come. */
export function encodeTree(entries: readonly TreeEntry[]): Buffer {
  const keyed = entries.map((entry) => ({ entry, key: sortKey(entry) }));
  keyed.sort((a, b) => Buffer.compare(a.key, b.key));
  const parts: Buffer[] = [];
  for (const { entry } of keyed) {
    parts.push(Buffer.from(`${entry.mode.toString(8)} `, 'latin1'), encodeName(entry.name));
    parts.push(NUL, Buffer.from(entry.oid, 'hex'));
  }
  return Buffer.concat(parts);
}

/** Room in front of the body for `tree <length>\0`, so that hashing copies nothing. */
const HEADROOM = 24;
/** Below this, keeping states of the hash costs more than hashing again. */
const STEPPED_ABOVE_BYTES = 128 * 1024;
const INITIAL_BYTES = 1024;
/** More places edited than these between two versions, or since an anchor, are too many to be worth telling. */
const MAX_SPLICES = 64;
const MAX_ANCHORED_SPLICES = 2048;
const INITIAL_ENTRIES = 16;

/**
 * A tree as one buffer, edited in place: binary search over entry offsets, 20 bytes written to change an entry.
 * Views handed out (`body`, the splices' bytes) are valid until the next edit.
 */
export class EditableTree {
  #bytes: Buffer;
  #length: number;
  /** body offsets of the entries, the first `#count` of them valid */
  #offsets: Uint32Array;
  #count: number;
  #oid: Oid | undefined;
  /** of a large tree: what is known of its hash after an edit */
  #steps: SteppedHash | undefined;
  /** the edits since the version that splices are told against; undefined when there is no such version */
  #log: SpliceLog | undefined;
  /** those since the last `anchor` */
  #anchored: SpliceLog | undefined;

  private constructor(bytes: Buffer, length: number, offsets: Uint32Array, count: number) {
    this.#bytes = bytes;
    this.#length = length;
    this.#offsets = offsets;
    this.#count = count;
  }

  static empty(): EditableTree {
    return new EditableTree(Buffer.allocUnsafeSlow(INITIAL_BYTES), 0, new Uint32Array(INITIAL_ENTRIES), 0);
  }

  /**
   * A tree to edit; `body` is copied.
   * @throws GitsteadError `corrupt` when the body is malformed or not in git's order
   */
  static parse(body: Buffer): EditableTree {
    const bytes = Buffer.allocUnsafeSlow(HEADROOM + Math.max(INITIAL_BYTES, Math.ceil(body.length * 1.25)));
    body.copy(bytes, HEADROOM);
    let offsets: Uint32Array = new Uint32Array(Math.max(INITIAL_ENTRIES, Math.ceil(body.length / 36)));
    let count = 0;
    for (let at = 0; at < body.length; ) {
      if (count === offsets.length) offsets = enlarge(offsets, count * 2);
      offsets[count++] = at;
      at = checkEntry(body, at, body.length) + OID_BYTES;
    }
    for (let index = 1; index < count; index++) {
      if (compareEntriesAt(body, offsets[index - 1]!, body, offsets[index]!) < 0) continue;
      throw new GitsteadError('corrupt', "a tree is not in git's order");
    }
    const tree = new EditableTree(bytes, body.length, offsets, count);
    tree.#log = new SpliceLog(body.length, MAX_SPLICES);
    return tree;
  }

  get count(): number {
    return this.#count;
  }

  /** of the body, in bytes */
  get length(): number {
    return this.#length;
  }

  /** bytes of memory that it takes: there is room to grow in it */
  get capacity(): number {
    return this.#bytes.length + this.#offsets.byteLength;
  }

  /** The entry of this name, whether it is a document or a folder. */
  find(name: string): TreeEntry | undefined {
    const index = this.#indexOf(name);
    return index < 0 ? undefined : readTakenEntry(this.#bytes, HEADROOM + this.#offsets[index]!, name);
  }

  /** Replaces or inserts an entry. A document that is replaced keeps its mode (100644 when new); a link does not. */
  set(name: string, kind: 'blob' | 'tree', oid: Oid): void {
    takeName(name);
    if (!isEntryName()) throw new GitsteadError('internal', 'a tree entry needs a name without slash or NUL');
    const asFolder = kind === 'tree';
    let index = this.#search(asFolder);
    if (index >= 0 && hasUsualMode(this.#bytes, HEADROOM + this.#offsets[index]!)) {
      this.#replaceOid(index, oid);
      return;
    }
    const stale = index >= 0 ? index : this.#search(!asFolder);
    if (stale >= 0) {
      this.#remove(stale);
      index = this.#search(asFolder);
    }
    this.#insert(~index, asFolder, oid);
  }

  /** Deletes the entry of this name, document or folder; nothing happens when there is none. */
  delete(name: string): void {
    const index = this.#indexOf(name);
    if (index >= 0) this.#remove(index);
  }

  *entries(): Iterable<TreeEntry> {
    for (let index = 0; index < this.#count; index++) {
      yield readEntry(this.#bytes, HEADROOM + this.#offsets[index]!);
    }
  }

  /** The object id of the tree as it is now. */
  hash(): Oid {
    if (this.#oid === undefined) {
      const header = `tree ${this.#length}\0`;
      const start = HEADROOM - header.length;
      this.#bytes.write(header, start, 'latin1');
      const message = this.#bytes.subarray(start, HEADROOM + this.#length);
      if (this.#length > STEPPED_ABOVE_BYTES) {
        this.#steps ??= new SteppedHash();
        this.#oid = this.#steps.hash(message);
      } else {
        this.#steps = undefined;
        this.#oid = hash('sha1', message, 'hex') as Oid;
      }
    }
    return this.#oid;
  }

  /** The body, a view that is valid until the next edit. */
  body(): Buffer {
    return this.#bytes.subarray(HEADROOM, HEADROOM + this.#length);
  }

  /**
   * What was edited since the last call (or since `parse`), in coordinates of the version of then, ordered and not
   * overlapping; undefined when this version had better be written whole. The inserted bytes are views.
   */
  takeSplices(): Told | undefined {
    const taken = this.#log?.take(this.#length, this.#bytes, HEADROOM);
    this.#log ??= new SpliceLog(this.#length, MAX_SPLICES);
    return taken;
  }

  /** From now on edits are told against this version, too, until the next call. */
  anchor(): void {
    this.#anchored = new SpliceLog(this.#length, MAX_ANCHORED_SPLICES);
  }

  /** What was edited since `anchor`, as `takeSplices` tells it. */
  splicesSinceAnchor(): Told | undefined {
    return this.#anchored?.told(this.#bytes, HEADROOM);
  }

  #indexOf(name: string): number {
    takeName(name);
    if (!isEntryName()) return -1;
    const index = this.#search(false);
    return index < 0 ? this.#search(true) : index;
  }

  /** The index of the entry with the taken name, or the complement of where it would stand. */
  #search(asFolder: boolean): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareToName(this.#bytes, HEADROOM + this.#offsets[middle]!, asFolder);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return ~low;
  }

  #replaceOid(index: number, oid: Oid): void {
    const oidAt = takenOidStart(this.#bytes, HEADROOM + this.#offsets[index]!);
    if (hasOid(this.#bytes, oidAt, oid)) return;
    writeOid(this.#bytes, oidAt, oid);
    this.#record(oidAt - HEADROOM, OID_BYTES, OID_BYTES);
  }

  #insert(index: number, asFolder: boolean, oid: Oid): void {
    const size = takenEntryLength(asFolder);
    this.#makeRoom(size);
    const at = index < this.#count ? this.#offsets[index]! : this.#length;
    this.#bytes.copyWithin(HEADROOM + at + size, HEADROOM + at, HEADROOM + this.#length);
    writeTakenEntry(this.#bytes, HEADROOM + at, asFolder, oid);
    if (this.#count === this.#offsets.length) this.#offsets = enlarge(this.#offsets, this.#count * 2);
    const offsets = this.#offsets;
    offsets.copyWithin(index + 1, index, this.#count);
    offsets[index] = at;
    this.#count++;
    this.#length += size;
    for (let each = index + 1; each < this.#count; each++) offsets[each]! += size;
    this.#record(at, 0, size);
  }

  #remove(index: number): void {
    const at = this.#offsets[index]!;
    const next = index + 1 < this.#count ? this.#offsets[index + 1]! : this.#length;
    const size = next - at;
    this.#bytes.copyWithin(HEADROOM + at, HEADROOM + next, HEADROOM + this.#length);
    const offsets = this.#offsets;
    offsets.copyWithin(index, index + 1, this.#count);
    this.#count--;
    this.#length -= size;
    for (let each = index; each < this.#count; each++) offsets[each]! -= size;
    this.#record(at, size, 0);
  }

  #makeRoom(extra: number): void {
    const needed = HEADROOM + this.#length + extra;
    if (needed <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafeSlow(Math.ceil(needed * 1.25));
    this.#bytes.copy(bytes, HEADROOM, HEADROOM, HEADROOM + this.#length);
    this.#bytes = bytes;
  }

  /** Notes an edit of the body as it was before: `removed` bytes from `at` on gave way to `inserted` others. */
  #record(at: number, removed: number, inserted: number): void {
    this.#oid = undefined;
    this.#steps?.changedFrom(at);
    this.#log?.record(at, removed, inserted);
    this.#anchored?.record(at, removed, inserted);
  }
}

function enlarge(offsets: Uint32Array, length: number): Uint32Array {
  const larger = new Uint32Array(length);
  larger.set(offsets);
  return larger;
}

// The journal: acknowledged turns that are not yet safe in packs. One append and one fdatasync make the turns
// of all ready repositories durable. Owns the segments in <data>/journal: their bytes are journal-format.ts's,
// what makes a segment's packs durable (so that it may go) is the engine's `settle`.
import {
  close,
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  encodeSegmentHeader,
  encodeTurn,
  SEGMENT_HEADER_BYTES,
  type SealedSegment,
  sealRecord,
  type TurnRecord,
} from './journal-format.ts';
import { openQuickSync } from './quick-sync.ts';
import type { Passing } from './stop-points.ts';

const closeFile = promisify(close);
/** Settling that fails is tried again after this, then after twice as long, and so on. */
const SETTLE_AGAIN_MS = 500;
const MAX_SETTLE_AGAIN_MS = 16_000;
/** one writev takes at most so many buffers (IOV_MAX) */
const MAX_BUFFERS = 1024;
/** The name of a segment that was settled, and is to be used again. */
export const SPARE = 'spare';

/** The packs that hold a segment's turns, by repository ('user/module'). */
export type SegmentUse = Map<string, Set<string>>;

export type JournalOptions = {
  folder: string;
  /** the usual size of a segment; one record that is larger gets a segment of its own */
  segmentBytes: number;
  /** the journal counts as full while this many segments wait to be settled */
  waitingSegments: number;
  /** the first segment's id and the first record's sequence: above all that was ever used here */
  firstSegment: number;
  firstSequence: number;
  /** makes durable all packs, indexes and refs that hold a segment's turns */
  settle: (use: SegmentUse) => Promise<void>;
  log: Log;
  passing: Passing;
};

export interface Journal {
  /** Appends the turns and syncs once. When it rejects, none of them will be replayed. */
  append(turns: readonly TurnRecord[]): Promise<void>;
  /**
   * True while too many segments wait to be settled: no turn should begin then. Those that have begun are still
   * taken, as settling may wait for them.
   */
  isFull(): boolean;
  /** Calls back once, when a segment waits no longer. */
  onRoom(then: () => void): void;
  /** Settles every segment, the newest too, and takes them off the disk. Throws not-ready when one cannot be settled now. */
  settleAll(): Promise<void>;
  close(): Promise<void>;
}

type Segment = {
  id: number;
  path: string;
  file: number;
  size: number;
  /** where its acknowledged records end */
  end: number;
  use: SegmentUse;
  /** the sealed segment that its header names */
  names: SealedSegment | undefined;
};

export function openJournal(options: JournalOptions): Journal {
  const { folder, log, passing } = options;
  let nextSegment = options.firstSegment;
  let nextSequence = options.firstSequence;
  let active: Segment | undefined;
  let sealed: SealedSegment | undefined;
  let spare: string | undefined;
  let closing = false;
  const { sync } = openQuickSync();
  const settling = new Map<Segment, Promise<void>>();
  /** those of them whose first attempt is under way: what cannot be settled holds up nobody else */
  const waiting = new Set<Segment>();
  let callbacks: (() => void)[] = [];
  /** the append under way: its segment is not retired before what it holds is noted */
  let appending: Promise<void> | undefined;
  /** end the pauses between attempts */
  const pauses = new Set<() => void>();

  function append(turns: readonly TurnRecord[]): Promise<void> {
    const work = appendNow(turns).finally(() => {
      if (appending === work) appending = undefined;
    });
    appending = work;
    return work;
  }

  async function appendNow(turns: readonly TurnRecord[]): Promise<void> {
    const parts = turns.map(encodeTurn);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const segment = segmentFor(length);
    const buffers: Buffer[] = [];
    for (const part of parts) {
      sealRecord(part, segment.id, nextSequence++);
      buffers.push(part.header, part.entries);
    }
    const end = segment.end;
    try {
      writeAll(segment.file, buffers, end);
      passing('journal.appended');
      await sync(segment.file, length);
    } catch (error) {
      await seal(segment);
      throw error;
    }
    passing('journal.synced');
    segment.end = end + length;
    for (const turn of turns) noteUse(segment.use, turn);
  }

  function segmentFor(length: number): Segment {
    if (active && active.end + length <= active.size) return active;
    if (active) {
      retire(active);
      active = undefined;
    }
    active = openSegment(Math.max(options.segmentBytes, SEGMENT_HEADER_BYTES + length));
    passing('journal.rotated');
    return active;
  }

  /** A segment whose append or sync failed is never written again, and what was not acknowledged is cut off. */
  async function seal(segment: Segment): Promise<void> {
    active = undefined;
    cutOff(segment);
    if (segment.use.size > 0) {
      sealed = { id: segment.id, end: segment.end };
      retire(segment);
    } else {
      sealed = segment.names;
      await closeFile(segment.file).catch(() => undefined);
      rmSync(segment.path, { force: true });
    }
  }

  /** Where this fails too, the next segment's header tells where this one ends. */
  function cutOff(segment: Segment): void {
    segment.size = segment.end; // never a spare
    try {
      ftruncateSync(segment.file, segment.end);
    } catch (error) {
      log.error({ err: error, segment: segment.id }, 'a failed record cannot be cut off the journal');
    }
  }

  function openSegment(size: number): Segment {
    const id = nextSegment++;
    const path = join(folder, segmentName(id));
    try {
      if (spare && size === options.segmentBytes) renameSync(spare, path);
      else fillWithZeros(path, size);
      spare = undefined;
      syncFolder(folder);
      const file = openSync(path, 'r+');
      writeSync(file, encodeSegmentHeader(id, sealed), 0, SEGMENT_HEADER_BYTES, 0);
      const names = sealed;
      sealed = undefined;
      return { id, path, file, size, end: SEGMENT_HEADER_BYTES, use: new Map(), names };
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
  }

  function retire(segment: Segment): void {
    waiting.add(segment);
    const done = settle(segment).finally(() => {
      settling.delete(segment);
      endWait(segment);
    });
    settling.set(segment, done);
  }

  function endWait(segment: Segment): void {
    if (!waiting.delete(segment)) return;
    const called = callbacks;
    callbacks = [];
    for (const call of called) call();
  }

  async function settle(segment: Segment): Promise<void> {
    for (let again = SETTLE_AGAIN_MS; ; again = Math.min(again * 2, MAX_SETTLE_AGAIN_MS)) {
      try {
        await options.settle(segment.use);
        break;
      } catch (error) {
        log.error({ err: error, segment: segment.id }, 'a journal segment cannot be settled yet; it is kept');
        // the next start replays it
        if (closing) return closeFile(segment.file);
        endWait(segment);
        await pause(again);
      }
    }
    passing('settle.synced');
    await closeFile(segment.file);
    if (spare || segment.size !== options.segmentBytes) {
      rmSync(segment.path, { force: true });
    } else {
      spare = join(folder, SPARE);
      renameSync(segment.path, spare);
    }
    passing('settle.segment-gone');
  }

  function pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      pauses.add(end);
    });
  }

  function retireActive(): void {
    if (active) retire(active);
    active = undefined;
  }

  async function settleAll(): Promise<void> {
    while (appending) await appending.catch(() => undefined);
    retireActive();
    for (const end of pauses) end();
    while (waiting.size > 0) await new Promise<void>((resolve) => callbacks.push(resolve));
    if (settling.size > 0) throw new GitsteadError('not-ready', 'the journal cannot be settled now');
  }

  async function closeJournal(): Promise<void> {
    closing = true;
    retireActive();
    for (const end of pauses) end();
    while (settling.size > 0) await Promise.all(settling.values());
    if (spare) rmSync(spare, { force: true });
    spare = undefined;
  }

  return {
    append,
    isFull: () => waiting.size >= options.waitingSegments,
    onRoom: (then) => callbacks.push(then),
    settleAll,
    close: closeJournal,
  };
}

function segmentName(id: number): string {
  return `${id.toString(16).padStart(8, '0')}.segment`;
}

function noteUse(use: SegmentUse, turn: TurnRecord): void {
  const key = `${turn.user}/${turn.module}`;
  const packs = use.get(key) ?? new Set();
  for (const name of [turn.packName, ...turn.spooled]) packs.add(name);
  use.set(key, packs);
}

function writeAll(file: number, buffers: Buffer[], position: number): void {
  let at = position;
  for (let first = 0; first < buffers.length; first += MAX_BUFFERS) {
    const slice = buffers.slice(first, first + MAX_BUFFERS);
    const wanted = slice.reduce((sum, buffer) => sum + buffer.length, 0);
    const written = writevSync(file, slice, at);
    if (written < wanted) writeRest(file, Buffer.concat(slice).subarray(written), at + written);
    at += wanted;
  }
}

function writeRest(file: number, rest: Buffer, position: number): void {
  for (let from = 0; from < rest.length; )
    from += writeSync(file, rest, from, rest.length - from, position + from);
}

/** Zeros written in advance: an fdatasync of a file whose blocks stand costs half (it has no size to record). */
function fillWithZeros(path: string, size: number): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    const zeros = Buffer.alloc(1 << 20);
    for (let at = 0; at < size; at += zeros.length)
      writeSync(file, zeros, 0, Math.min(zeros.length, size - at), at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncFolder(folder: string): void {
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

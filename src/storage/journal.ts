// The journal: acknowledged turns that are not yet safe in packs. One append and one fdatasync make the turns
// of all ready repositories durable. Owns the segments in <data>/journal: their bytes are journal-format.ts's,
// what makes a segment's packs durable (so that it may go) is the engine's `settle`.
import {
  close,
  closeSync,
  fdatasync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Log } from '../log.ts';
import {
  decodeRecords,
  decodeSegmentHeader,
  encodeSegmentHeader,
  encodeTurn,
  SEGMENT_HEADER_BYTES,
  type SealedSegment,
  sealRecord,
  type TurnRecord,
} from './journal-format.ts';
import type { Passing } from './stop-points.ts';

const syncData = promisify(fdatasync);
const closeFile = promisify(close);
const SETTLE_AGAIN_MS = 500;
/** one writev takes at most so many buffers (IOV_MAX) */
const MAX_BUFFERS = 1024;

/** The packs that hold a segment's turns, by repository ('user/module'). */
export type SegmentUse = Map<string, Set<string>>;

export type JournalOptions = {
  folder: string;
  /** the usual size of a segment; one record that is larger gets a segment of its own */
  segmentBytes: number;
  /** no more than this many full segments wait to be settled; appends wait instead */
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
  /** Settles every segment, the newest too, and takes them off the disk. */
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
  const settling = new Map<Segment, Promise<void>>();

  async function append(turns: readonly TurnRecord[]): Promise<void> {
    const parts = turns.map(encodeTurn);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const segment = await segmentFor(length);
    const buffers: Buffer[] = [];
    for (const part of parts) {
      sealRecord(part, segment.id, nextSequence++);
      buffers.push(part.header, part.entries);
    }
    const end = segment.end;
    try {
      writeAll(segment.file, buffers, end);
      passing('journal.appended');
      await syncData(segment.file);
    } catch (error) {
      await seal(segment);
      throw error;
    }
    passing('journal.synced');
    segment.end = end + length;
    for (const turn of turns) noteUse(segment.use, turn);
  }

  async function segmentFor(length: number): Promise<Segment> {
    if (active && active.end + length <= active.size) return active;
    if (active) {
      retire(active);
      active = undefined;
    }
    while (settling.size >= options.waitingSegments) await Promise.race(settling.values());
    active = openSegment(Math.max(options.segmentBytes, SEGMENT_HEADER_BYTES + length));
    passing('journal.rotated');
    return active;
  }

  /** A segment whose append or sync failed is never written again. */
  async function seal(segment: Segment): Promise<void> {
    active = undefined;
    if (segment.use.size > 0) {
      sealed = { id: segment.id, end: segment.end };
      retire(segment);
    } else {
      sealed = segment.names;
      await closeFile(segment.file).catch(() => undefined);
      rmSync(segment.path, { force: true });
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
    const done = settle(segment).finally(() => settling.delete(segment));
    settling.set(segment, done);
  }

  async function settle(segment: Segment): Promise<void> {
    for (;;) {
      try {
        await options.settle(segment.use);
        break;
      } catch (error) {
        log.error({ err: error, segment: segment.id }, 'a journal segment cannot be settled yet; it is kept');
        // the next start replays it
        if (closing) return closeFile(segment.file);
        await new Promise((resolve) => setTimeout(resolve, SETTLE_AGAIN_MS));
      }
    }
    passing('settle.synced');
    await closeFile(segment.file);
    if (spare || segment.size !== options.segmentBytes) {
      rmSync(segment.path, { force: true });
      return;
    }
    spare = join(folder, 'spare');
    renameSync(segment.path, spare);
  }

  async function settleAll(): Promise<void> {
    if (active) retire(active);
    active = undefined;
    while (settling.size > 0) await Promise.all(settling.values());
  }

  async function closeJournal(): Promise<void> {
    closing = true;
    await settleAll();
    if (spare) rmSync(spare, { force: true });
    spare = undefined;
  }

  return { append, settleAll, close: closeJournal };
}

export type JournalContents = {
  /** every acknowledged turn that stands in the journal, in the order in which they were made durable */
  turns: TurnRecord[];
  /** the segment files that hold them; they go once the turns are safe */
  files: string[];
  nextSegment: number;
  nextSequence: number;
};

/** Reads what a stopped process left in the journal's folder: every segment up to its own torn end. */
export function readJournal(folder: string): JournalContents {
  const segments: { id: number; sealed: SealedSegment | undefined; bytes: Buffer }[] = [];
  const files: string[] = [];
  let highest = 0;
  for (const name of readdirSync(folder)) {
    const named = /^([0-9a-f]{8})\.segment$/.exec(name);
    if (!named && name !== 'spare') continue;
    files.push(join(folder, name));
    if (!named) continue;
    const id = Number.parseInt(named[1]!, 16);
    highest = Math.max(highest, id);
    const bytes = readFileSync(join(folder, name));
    const header = decodeSegmentHeader(bytes);
    if (header?.id === id) segments.push({ id, sealed: header.sealed, bytes });
  }
  segments.sort((a, b) => a.id - b.id);
  const ends = new Map(segments.flatMap(({ sealed }) => (sealed ? [[sealed.id, sealed.end] as const] : [])));
  const records = segments.flatMap(
    ({ id, bytes }) => decodeRecords(bytes, id, ends.get(id) ?? bytes.length).records,
  );
  records.sort((a, b) => a.sequence - b.sequence);
  return {
    turns: records.map(({ turn }) => turn),
    files,
    nextSegment: highest + 1,
    nextSequence: (records.at(-1)?.sequence ?? 0) + 1,
  };
}

/** Takes segments off the disk whose turns are safe elsewhere. */
export function removeSegments(folder: string, files: readonly string[]): void {
  for (const file of files) rmSync(file, { force: true });
  syncFolder(folder);
}

function segmentName(id: number): string {
  return `${id.toString(16).padStart(8, '0')}.segment`;
}

function noteUse(use: SegmentUse, turn: TurnRecord): void {
  const key = `${turn.user}/${turn.module}`;
  const packs = use.get(key);
  if (packs) packs.add(turn.packName);
  else use.set(key, new Set([turn.packName]));
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

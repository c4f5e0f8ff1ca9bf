// What a stopped process left in the journal's folder, read at the next start: segments, each up to its own torn end, and
// notes of users that were removed while segments were kept. Writing segments is journal.ts's.
//
//   00000007.segment    see journal-format.ts
//   alice.removed       a sequence in decimal: alice's turns below it are not replayed
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { syncFolderNow, writeFileDurably } from '../git/durable.ts';
import { SPARE } from './journal.ts';
import { decodeRecords, decodeSegmentHeader, type SealedSegment, type TurnRecord } from './journal-format.ts';
import type { Passing } from './stop-points.ts';

const REMOVED = '.removed';

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
  const removals: string[] = [];
  const removed = new Map<string, number>();
  let highest = 0;
  for (const name of readdirSync(folder)) {
    if (name.endsWith(REMOVED)) {
      removals.push(join(folder, name));
      removed.set(name.slice(0, -REMOVED.length), Number(readFileSync(join(folder, name), 'latin1')));
      continue;
    }
    const named = /^([0-9a-f]{8})\.segment$/.exec(name);
    if (!named) continue;
    files.push(join(folder, name));
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
    turns: records
      .filter(({ turn, sequence }) => sequence >= (removed.get(turn.user) ?? 0))
      .map(({ turn }) => turn),
    // the segments go first
    files: [...files, ...removals],
    nextSegment: highest + 1,
    // above what a note tells too, which may have outlived the segments
    nextSequence: Math.max((records.at(-1)?.sequence ?? 0) + 1, ...removed.values()),
  };
}

/** Removes the spare segment of a stopped process: it holds nothing, and its name is wanted. */
export function removeSpare(folder: string): void {
  rmSync(join(folder, SPARE), { force: true });
}

/**
 * A user was removed: turns of that name below this sequence are not replayed, in segments that are kept for the sake of
 * others.
 * @returns the path of the note, which goes with the segments
 */
export function noteRemoval(folder: string, user: string, sequence: number): string {
  const path = join(folder, user + REMOVED);
  writeFileDurably(path, String(sequence));
  syncFolderNow(folder);
  return path;
}

/** Takes segments off the disk whose turns are safe elsewhere. */
export function removeSegments(folder: string, files: readonly string[], passing: Passing): void {
  for (const file of files) {
    rmSync(file, { force: true });
    passing('recovery.segment-gone');
  }
  syncFolderNow(folder);
}

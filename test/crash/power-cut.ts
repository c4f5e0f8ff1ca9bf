// What a disk may hold after a power cut: built from the image of what was synced for certain and from what the killed
// process had written. Folders either lose every name since their last sync, or keep all as they were; of what a file got
// since its own last sync anything may be there, in any mixture.
import fs from 'node:fs';
import { join } from 'node:path';
import { type FolderImage, isOfDatabase, keyOf } from './track-syncs.ts';

const SECTOR_BYTES = 512;

/** How the cut went: which names are there, which bytes are in files that were not synced, which index. */
export type Cut = {
  names: 'synced' | 'written';
  bytes: 'synced' | 'written' | 'empty' | 'zeros' | 'short' | 'mixed' | 'any';
  index: 'written' | 'gone' | 'older';
};

export type CutOptions = {
  image: string;
  from: string;
  to: string;
  /** a copy of the index's files, of an earlier moment */
  olderIndex: string;
  cut: Cut;
  dice: (limit: number) => number;
};

export function cutPower({ image, from, to, olderIndex, cut, dice }: CutOptions): void {
  const placed = new Map<string, string>();
  placeFolder(keyOf(fs.statSync(from, { bigint: true })), from, to);
  // its text is its inode, which a power cut does not change
  const mark = join(to, 'journal/running');
  if (fs.existsSync(mark)) fs.writeFileSync(mark, String(fs.statSync(mark).ino));
  if (cut.index !== 'gone') copyIndex(cut.index === 'older' ? olderIndex : from, to);

  function placeFolder(key: string, source: string | undefined, target: string): void {
    fs.mkdirSync(target, { mode: 0o700 });
    const entries = cut.names === 'synced' ? syncedNames(key) : writtenNames(source!);
    for (const [name, entry] of Object.entries(entries)) {
      const below = source && join(source, name);
      if (entry.isFolder) placeFolder(entry.key, below, join(target, name));
      else placeFile(entry.key, below, join(target, name));
    }
  }

  function syncedNames(key: string): FolderImage {
    return fs.existsSync(join(image, key)) ? JSON.parse(fs.readFileSync(join(image, key), 'utf8')) : {};
  }

  function placeFile(key: string, source: string | undefined, target: string): void {
    const known = placed.get(key);
    if (known !== undefined) {
      fs.linkSync(known, target);
      return;
    }
    placed.set(key, target);
    const isSynced = fs.existsSync(join(image, key));
    const synced = isSynced ? fs.readFileSync(join(image, key)) : Buffer.alloc(0);
    // a name that is certain may have been taken away since
    const stats = source && fs.statSync(source, { bigint: true, throwIfNoEntry: false });
    const written = stats && keyOf(stats) === key ? fs.readFileSync(source) : synced;
    fs.writeFileSync(target, chooseBytes(synced, written, dice, cut.bytes), {
      mode: target.endsWith('.pack') || target.endsWith('.idx') ? 0o400 : 0o600,
    });
  }
}

/** Names and inodes as the process left them. */
function writtenNames(path: string): FolderImage {
  const entries: FolderImage = {};
  for (const name of fs.readdirSync(path)) {
    if (isOfDatabase(name)) continue;
    const stats = fs.lstatSync(join(path, name), { bigint: true });
    entries[name] = { key: keyOf(stats), isFolder: stats.isDirectory() };
  }
  return entries;
}

export function copyIndex(from: string, to: string): void {
  for (const name of fs.readdirSync(from))
    if (isOfDatabase(name)) fs.copyFileSync(join(from, name), join(to, name));
}

const WAYS = ['synced', 'written', 'empty', 'zeros', 'short', 'mixed'] as const;

function chooseBytes(
  synced: Buffer,
  written: Buffer,
  dice: (limit: number) => number,
  way: Cut['bytes'],
): Buffer {
  if (synced.equals(written)) return synced;
  switch (way) {
    case 'any':
      return chooseBytes(synced, written, dice, WAYS[dice(WAYS.length)]!);
    case 'synced':
      return synced;
    case 'written':
      return written;
    case 'mixed':
      return mix(synced, written, dice);
    // a file that was synced once keeps what it had where it was not written to
    case 'empty':
      return synced.length > 0 ? synced : Buffer.alloc(0);
    case 'zeros':
      return synced.length > 0 ? mix(synced, written, dice) : Buffer.alloc(written.length);
    case 'short':
      return synced.length > 0 ? mix(synced, written, dice) : written.subarray(0, dice(written.length + 1));
  }
}

/** Each sector as it was synced (zeros: never), or as it was written. */
function mix(synced: Buffer, written: Buffer, dice: (limit: number) => number): Buffer {
  const mixed = Buffer.alloc(Math.max(synced.length, written.length));
  for (let at = 0; at < mixed.length; at += SECTOR_BYTES) {
    const source = dice(2) === 0 ? synced : written;
    mixed.set(source.subarray(at, at + SECTOR_BYTES), at);
  }
  return mixed;
}

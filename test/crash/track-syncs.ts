// Loaded before anything else (`--import`) into the process that will lose its power: keeps, beside the data folder, an
// image of what has reached the disk for certain. Of a file its bytes at the last fsync, of a folder its names at the last
// fsync, both by inode, as the rules of POSIX have it; nothing else is certain. Nothing is really synced: that saves time.
// What SQLite syncs by itself is not seen; its files are left out.
import fs, { type BigIntStats } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { isMainThread, threadId } from 'node:worker_threads';

/** Names in a folder, each with the key of its inode. */
export type FolderImage = Record<string, { key: string; isFolder: boolean }>;

const image = process.env.GITSTEAD_IMAGE!;
const dataFolder = process.env.GITSTEAD_IMAGE_OF!;
let copies = 0;

/** An inode number is used again at once; the time of its making tells the files apart. */
export function keyOf(stats: BigIntStats): string {
  return `${stats.ino}-${stats.birthtimeNs}`;
}

export function isOfDatabase(name: string): boolean {
  return name.startsWith('index.db');
}

function remember(path: string, stats: BigIntStats, listed = path): void {
  const staged = join(image, `.${process.pid}-${threadId}-${copies++}`);
  if (stats.isDirectory()) fs.writeFileSync(staged, JSON.stringify(listFolder(listed)));
  else fs.copyFileSync(path, staged);
  fs.renameSync(staged, join(image, keyOf(stats)));
}

function listFolder(path: string): FolderImage {
  const entries: FolderImage = {};
  for (const name of fs.readdirSync(path)) {
    const stats = fs.lstatSync(join(path, name), { bigint: true, throwIfNoEntry: false });
    if (stats && !isOfDatabase(name)) entries[name] = { key: keyOf(stats), isFolder: stats.isDirectory() };
  }
  return entries;
}

/** At the beginning everything is on the disk. */
function rememberAll(path: string): void {
  const stats = fs.lstatSync(path, { bigint: true });
  if (stats.isDirectory()) {
    for (const name of fs.readdirSync(path)) if (!isOfDatabase(name)) rememberAll(join(path, name));
  }
  // packs are never written to again
  if (path.endsWith('.pack')) fs.linkSync(path, join(image, keyOf(stats)));
  else if (!fs.existsSync(join(image, keyOf(stats)))) remember(path, stats);
}

function sync(descriptor: number): void {
  const path = `/proc/self/fd/${descriptor}`;
  const stats = fs.fstatSync(descriptor, { bigint: true });
  remember(path, stats, stats.isDirectory() ? fs.readlinkSync(path) : path);
}

function syncLater(descriptor: number, done: (error: Error | null) => void): void {
  sync(descriptor);
  setImmediate(done, null);
}

if (image !== undefined) {
  // a process before this one may have begun the image
  if (isMainThread && fs.readdirSync(image).length === 0) rememberAll(dataFolder);
  Object.assign(fs, { fsync: syncLater, fdatasync: syncLater, fsyncSync: sync, fdatasyncSync: sync });
  syncBuiltinESMExports();
}

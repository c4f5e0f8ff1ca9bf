// The files that make a pack on disk: their names, the order in which they come and go, and the `.keep` beside a pack
// that no ref reaches yet (git's repack and gc leave such a pack alone). What is in a pack is left to others.
//
//   objects/pack/pack-….keep    comes first, goes when a ref reaches the pack's objects
//   objects/pack/pack-….pack    without an index nobody sees it
//   objects/pack/pack-….idx     comes last and whole, goes first
import { linkSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { placeFile, stagingPath, writeFileDurably } from './durable.ts';
import { removeIfNamed } from './multi-pack-index.ts';
import { CORNER } from './repository.ts';

/** What our `.keep` files hold, so that nobody else's is ever removed. */
const KEEP_MARK = 'gitstead\n';
/** Packs with one of these beside them are not ours to merge: kept, of a partial clone, or of unreachable objects. */
const UNTOUCHABLE = ['keep', 'promisor', 'mtimes'];
/** Everything that goes with a pack, in the order in which it goes. */
const ENDINGS = ['idx', 'rev', 'bitmap', 'pack'];

export function packFolder(gitDir: string): string {
  return `${gitDir}/objects/pack`;
}

/** Path of one of a pack's files. `name`: `pack-…`; `ending`: pack, idx, keep. */
export function packFile(gitDir: string, name: string, ending: string): string {
  return `${gitDir}/objects/pack/${name}.${ending}`;
}

/**
 * Puts a pack that is in memory into the repository, with a `.keep`: to be dropped when a ref reaches it.
 * Nothing is synced: sync both files and the packs folder before the journal forgets what is in them.
 */
export function placePack(gitDir: string, name: string, pack: Uint8Array, index: Uint8Array): void {
  const staged = stagingPath(`${gitDir}/${CORNER}`);
  const path = packFile(gitDir, name, 'pack');
  keepPack(gitDir, name);
  try {
    writeFileSync(path, pack, { mode: 0o400, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // left by a crash, perhaps cut short; or whole and being read, so it is not written to
    writeFileSync(staged, pack, { mode: 0o400 });
    placeFile(staged, path);
  }
  writeFileSync(staged, index, { mode: 0o400 });
  placeFile(staged, packFile(gitDir, name, 'idx'));
}

/** Puts pack and index files into the repository, from elsewhere on the same disk, with a `.keep`. Nothing is synced. */
export function placePackFiles(gitDir: string, name: string, packPath: string, indexPath: string): void {
  keepPack(gitDir, name);
  placeFile(packPath, packFile(gitDir, name, 'pack'));
  placeFile(indexPath, packFile(gitDir, name, 'idx'));
}

/**
 * Shields a pack, also one that is yet to come, from git's repack and gc. The shield is a second name of one file of
 * ours: making and unmaking a name costs a fraction of making and unmaking a file.
 */
export function keepPack(gitDir: string, name: string): void {
  const mark = `${gitDir}/${CORNER}/keep`;
  const path = packFile(gitDir, name, 'keep');
  try {
    linkSync(mark, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' && code !== 'EMLINK') throw error;
    rmSync(mark, { force: true });
    // its text must be there after a power cut, or none of its names would be known as ours
    writeFileDurably(mark, KEEP_MARK);
    linkSync(mark, path);
  }
}

/** Removes the shield, if it is ours. */
export function dropKeep(gitDir: string, name: string): void {
  const path = packFile(gitDir, name, 'keep');
  if (holdsOurMark(path)) rmSync(path, { force: true });
}

/** Removes a shield that the caller has just put up itself. */
export function dropOwnKeep(gitDir: string, name: string): void {
  rmSync(packFile(gitDir, name, 'keep'), { force: true });
}

/** The names of the packs that we shield: after a crash, those whose journal records are dealt with can be dropped. */
export function ourKeeps(gitDir: string): string[] {
  return listFolder(gitDir)
    .filter((file) => file.endsWith('.keep'))
    .map((file) => file.slice(0, -'.keep'.length))
    .filter((name) => holdsOurMark(packFile(gitDir, name, 'keep')));
}

/**
 * Removes a pack with everything that belongs to it: its index first, so that nobody finds half of it, and before that an
 * index over several packs that names it.
 */
export function removePack(gitDir: string, name: string): void {
  removeIfNamed(gitDir, [name]);
  for (const ending of ENDINGS) rmSync(packFile(gitDir, name, ending), { force: true });
}

/** Whether the pack may be merged into another and removed: nothing beside it says otherwise. */
export function isMergeable(gitDir: string, name: string): boolean {
  return !UNTOUCHABLE.some((ending) => statSync(packFile(gitDir, name, ending), { throwIfNoEntry: false }));
}

/** `bytes` of the `.pack` file, `modified` in ms since 1970, `objects` as its index has room for. */
export type PackFile = { name: string; bytes: number; modified: number; objects: number };

/** An index of a pack: header, fan-out and two checksums; and for each object its id, its checksum and its place. */
const INDEX_FRAME_BYTES = 8 + 256 * 4 + 40;
const INDEX_ENTRY_BYTES = 28;

/** The packs that may be merged, oldest first. */
export function mergeablePacks(gitDir: string): PackFile[] {
  return packsOf(gitDir, UNTOUCHABLE);
}

/** All packs, oldest first, but those with a file of one of these endings beside them. */
export function packsOf(gitDir: string, without: readonly string[] = []): PackFile[] {
  const files = new Set(listFolder(gitDir));
  const packs: PackFile[] = [];
  for (const file of files) {
    if (!file.startsWith('pack-') || !file.endsWith('.idx')) continue;
    const name = file.slice(0, -'.idx'.length);
    if (without.some((ending) => files.has(`${name}.${ending}`))) continue;
    const [pack, index] = (['pack', 'idx'] as const).map((ending) =>
      statSync(packFile(gitDir, name, ending), { throwIfNoEntry: false }),
    );
    if (!pack || !index) continue;
    const objects = Math.max(0, Math.floor((index.size - INDEX_FRAME_BYTES) / INDEX_ENTRY_BYTES));
    packs.push({ name, bytes: pack.size, modified: pack.mtimeMs, objects });
  }
  return packs.sort((a, b) => a.modified - b.modified || (a.name < b.name ? -1 : 1));
}

function listFolder(gitDir: string): string[] {
  try {
    return readdirSync(packFolder(gitDir));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function holdsOurMark(path: string): boolean {
  try {
    return readFileSync(path, 'latin1') === KEEP_MARK;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

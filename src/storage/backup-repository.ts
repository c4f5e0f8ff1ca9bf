// One repository copied while others write to it. Why the copy is whole:
//   1. the refs are read
//   2. the files of objects/ are listed and copied. They never change, and a merge of packs or a gc takes one away only after
//      what replaces it stands. When one goes while it is copied, or between two listings, it all begins again at 1
//   3. git finds every object that the refs reach among the files that were listed
//   4. the copy's refs move, all at once (one file, packed-refs)
//   5. only then the copy loses the files that were not listed: packs that were merged
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { GitsteadError } from '../errors.ts';
import { clearStaging, placeFile, replaceFile, stagingPath, syncFile, syncFolder } from '../git/durable.ts';
import { type Oid, parseOid } from '../git/object-id.ts';
import { runGit } from '../git/process.ts';

export type Copied = { files: number; bytes: number };

/** Each attempt copies only what the ones before it did not: the last ones take milliseconds. */
const MAX_ATTEMPTS = 50;
const FOLDERS = ['objects', 'objects/pack', 'objects/info', 'refs', 'refs/heads'];
const PACKED_REFS = 'packed-refs';

type Refs = Map<string, Oid>;
/** Paths below objects/, with sizes: `pack/pack-….idx`, `ab/cdef…`. */
type Objects = Map<string, number>;

/**
 * Brings the bare repository at `copy` (made when missing) to the state of the one at `from`.
 * @throws corrupt when `from` lacks objects that its refs reach: the copy stands as it was
 */
export async function copyRepository(from: string, copy: string): Promise<Copied> {
  const isNew = !existsSync(copy);
  const target = isNew ? stagingPath(dirname(copy)) : copy;
  makeSkeleton(from, target);
  const copied: Copied = { files: 0, bytes: 0 };
  const { refs, objects } = await copyObjects(from, target, copied);
  const moved = writeRefs(target, refs);
  await removeSurplus(target, objects);
  if (isNew) {
    placeFile(target, copy);
    await syncFolder(dirname(copy));
  }
  if (moved) copied.files++;
  return copied;
}

function makeSkeleton(from: string, target: string): void {
  for (const folder of FOLDERS) mkdirSync(join(target, folder), { recursive: true, mode: 0o700 });
  clearStaging(target);
  for (const name of ['HEAD', 'config']) {
    const bytes = readFileSync(join(from, name));
    const file = join(target, name);
    if (!existsSync(file) || !readFileSync(file).equals(bytes)) replaceFile(file, bytes);
  }
}

async function copyObjects(
  from: string,
  target: string,
  copied: Copied,
): Promise<{ refs: Refs; objects: Objects }> {
  let reason = '';
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const refs = readRefs(from);
    const before = listObjects(from);
    const objects = listObjects(from);
    if (hasGone(before, objects) || !(await copyMissing(from, target, objects, copied))) {
      reason = 'its packs change faster than they can be copied';
      continue;
    }
    const missing = await findMissing(target, refs, objects);
    if (missing === undefined) return { refs, objects };
    reason = missing;
    // the same refs over the same files again: no merge was in the way, the repository itself lacks objects
    if (!hasGone(objects, listObjects(from)) && sameRefs(refs, readRefs(from))) break;
  }
  throw new GitsteadError('corrupt', `this repository could not be copied: ${reason}`);
}

/** False when a file went before it was copied. */
async function copyMissing(from: string, target: string, objects: Objects, copied: Copied): Promise<boolean> {
  const there = listObjects(target);
  const missing = [...objects].filter(([path, size]) => there.get(path) !== size);
  // what takes longest first, while the small packs are merged; an index after its pack
  missing.sort(
    ([a, sizeA], [b, sizeB]) => Number(a.endsWith('.idx')) - Number(b.endsWith('.idx')) || sizeB - sizeA,
  );
  const folders = new Set<string>();
  for (const [path, size] of missing) {
    const file = join(target, 'objects', path);
    const staged = stagingPath(target);
    try {
      await copyFile(join(from, 'objects', path), staged);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
    await syncFile(staged);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    placeFile(staged, file);
    folders.add(dirname(file));
    copied.files++;
    copied.bytes += size;
  }
  for (const folder of folders) await syncFolder(folder);
  if (folders.size > 0) await syncFolder(join(target, 'objects'));
  return true;
}

function listObjects(gitDir: string): Objects {
  const objects: Objects = new Map();
  const note = (path: string) => {
    const stats = statSync(join(gitDir, 'objects', path), { throwIfNoEntry: false });
    if (stats) objects.set(path, stats.size);
  };
  for (const name of readdirSync(join(gitDir, 'objects'))) {
    if (!/^[0-9a-f]{2}$/.test(name)) continue;
    for (const rest of namesIn(join(gitDir, 'objects', name))) {
      if (/^[0-9a-f]{38}$/.test(rest)) note(`${name}/${rest}`);
    }
  }
  const inPacks = new Set(namesIn(join(gitDir, 'objects/pack')));
  for (const name of inPacks) {
    if (!name.endsWith('.idx') || !inPacks.has(`${name.slice(0, -4)}.pack`)) continue;
    note(`pack/${name.slice(0, -4)}.pack`);
    note(`pack/${name}`);
  }
  return objects;
}

/** None when the folder has gone: git removes empty ones. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function hasGone(before: Objects, after: Objects): boolean {
  return [...before.keys()].some((path) => !after.has(path));
}

/** Loose refs are read before the packed ones, as git does: `pack-refs` writes those before it takes these away. */
function readRefs(gitDir: string): Refs {
  const loose: Refs = new Map();
  for (const path of readdirSync(join(gitDir, 'refs'), { recursive: true, encoding: 'utf8' })) {
    if (path.endsWith('.lock')) continue;
    const oid = parseOid(readFileIfThere(join(gitDir, 'refs', path)).slice(0, 40));
    if (oid !== undefined) loose.set(`refs/${path}`, oid);
  }
  const refs: Refs = new Map();
  for (const line of readFileIfThere(join(gitDir, PACKED_REFS)).split('\n')) {
    const oid = parseOid(line.slice(0, 40));
    if (oid !== undefined && line[40] === ' ') refs.set(line.slice(41).trimEnd(), oid);
  }
  return new Map([...refs, ...loose]);
}

function readFileIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

function sameRefs(a: Refs, b: Refs): boolean {
  return a.size === b.size && [...a].every(([name, oid]) => b.get(name) === oid);
}

/** @returns true when they changed */
function writeRefs(target: string, refs: Refs): boolean {
  const lines = [...refs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, oid]) => `${oid} ${name}\n`);
  const file = join(target, PACKED_REFS);
  if (readFileIfThere(file) === lines.join('')) return false;
  replaceFile(file, lines.join(''));
  return true;
}

/**
 * Asks git whether everything that `refs` reach stands in the listed files.
 * @returns git's complaint
 */
async function findMissing(target: string, refs: Refs, objects: Objects): Promise<string | undefined> {
  if (refs.size === 0) return undefined;
  if (!hasGone(listObjects(target), objects)) {
    // all that stood stays: what the copy's refs reach was looked at by the run that moved them
    const known = [...new Set(readRefs(target).values())].map((oid) => `^${oid}`);
    return walk(target, [...new Set(refs.values()), ...known]);
  }
  const view = mkdtempSync(join(tmpdir(), 'gitstead-backup-'));
  try {
    makeSkeleton(target, view);
    for (const path of objects.keys()) {
      mkdirSync(dirname(join(view, 'objects', path)), { recursive: true });
      symlinkSync(join(target, 'objects', path), join(view, 'objects', path));
    }
    return await walk(view, [...new Set(refs.values())]);
  } finally {
    rmSync(view, { recursive: true, force: true });
  }
}

async function walk(gitDir: string, revisions: readonly string[]): Promise<string | undefined> {
  const input = Buffer.from(revisions.map((revision) => `${revision}\n`).join(''));
  const { code, stderr } = await runGit(gitDir, ['rev-list', '--objects', '--quiet', '--stdin'], { input });
  return code === 0 ? undefined : stderr.split('\n')[0]!;
}

async function removeSurplus(target: string, objects: Objects): Promise<void> {
  const surplus = [...listObjects(target).keys()].filter((path) => !objects.has(path));
  // an index before its pack
  surplus.sort((a, b) => Number(b.endsWith('.idx')) - Number(a.endsWith('.idx')));
  for (const path of surplus) rmSync(join(target, 'objects', path), { force: true });
  if (surplus.length > 0) await syncFolder(join(target, 'objects/pack'));
}

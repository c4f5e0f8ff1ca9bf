// A bare repository as a folder on disk: how a new one is made, and whether one that stands here is of the kind that
// Gitstead reads. What is in it is left to refs.ts and object-store.ts.
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GitsteadError } from '../errors.ts';
import { placeFile, replaceFile, stagingPath, syncFolderNow, writeFileDurably } from './durable.ts';

/** Our own corner of a repository: git never looks in there, and gc leaves it alone. */
export const CORNER = 'gitstead';

const FOLDERS = ['objects', 'objects/pack', 'refs', 'refs/heads', CORNER];
const HEAD = 'ref: refs/heads/main\n';
// bigFileThreshold: no gc turns into a delta what we stream. unpackLimit: a push becomes a pack, never loose objects.
const CONFIG = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	ignorecase = false
	filesRefLockTimeout = 5000
	bigFileThreshold = 1m
[gc]
	auto = 0
[receive]
	autogc = false
	fsckObjects = true
	unpackLimit = 1
`;

/**
 * Makes an empty bare repository at `path`, whole or not at all. Its parent is made when missing.
 * Throws 'not-ready' when something stands at `path` already.
 */
export function createRepository(path: string): void {
  const parent = dirname(path);
  const parentMade = mkdirSync(parent, { recursive: true, mode: 0o700 });
  const staged = stagingPath(parent);
  try {
    mkdirSync(staged, { mode: 0o700 });
    for (const folder of FOLDERS) mkdirSync(join(staged, folder), { mode: 0o700 });
    writeFileDurably(join(staged, 'config'), CONFIG);
    writeFileDurably(join(staged, 'HEAD'), HEAD);
    syncFolderNow(staged);
    if (statSync(path, { throwIfNoEntry: false })) {
      throw new GitsteadError('not-ready', 'there is something at the place of the new repository');
    }
    placeFile(staged, path);
  } catch (error) {
    rmSync(staged, { recursive: true, force: true });
    throw error;
  }
  syncFolderNow(parent);
  if (parentMade) syncFolderNow(dirname(parentMade));
}

/**
 * Gives HEAD and config their text again when a power loss took it (the files are empty or all zero bytes), and makes
 * missing folders of a repository that has a HEAD. Everything else stays as it is. For recovery.
 */
export function mendRepository(path: string): void {
  if (!statSync(join(path, 'HEAD'), { throwIfNoEntry: false })) return;
  for (const folder of FOLDERS) mkdirSync(join(path, folder), { recursive: true, mode: 0o700 });
  const texts = { HEAD, config: CONFIG };
  for (const [name, text] of Object.entries(texts)) {
    if (readIfThere(path, name)?.replaceAll('\0', '') === '') replaceFile(join(path, name), text);
  }
}

/**
 * Whether the folder is a repository that Gitstead can read and write.
 * Throws 'not-ready', with the reason in the message: missing, not a repository, another object or ref format, shallow, borrowed objects.
 */
export function checkRepository(path: string): void {
  const reason = unusable(path);
  if (reason !== undefined) throw refusal(reason);
}

function unusable(path: string): string | undefined {
  if (!isFolder(path)) return 'it is missing';
  const head = readIfThere(path, 'HEAD');
  if (head === undefined || !isFolder(join(path, 'objects')) || !isFolder(join(path, 'refs'))) {
    return 'it is not a git repository';
  }
  if (!/^(ref:\s*refs\/.+|[0-9a-f]{40}([0-9a-f]{24})?)\s*$/.test(head)) return 'its HEAD is damaged';
  const config = readIfThere(path, 'config') ?? '';
  const reason = config === CONFIG ? undefined : unusableConfig(parseSettings(config));
  if (reason !== undefined) return reason;
  if (isThere(path, 'shallow') && readIfThere(path, 'shallow')) return 'it is shallow';
  if (isThere(path, 'objects/info/alternates') && readIfThere(path, 'objects/info/alternates')?.trim()) {
    return 'it borrows objects of another (alternates)';
  }
  return undefined;
}

function unusableConfig(settings: Map<string, string>): string | undefined {
  const format = settings.get('core.repositoryformatversion') ?? '0';
  if (!['0', '1'].includes(format)) return `its format version is ${format.slice(0, 20)}`;
  if ((settings.get('extensions.refstorage') ?? 'files') !== 'files') {
    return 'its refs are kept in another format (reftable)';
  }
  if ((settings.get('extensions.objectformat') ?? 'sha1') !== 'sha1')
    return 'its objects are named by SHA-256';
  if (settings.has('extensions.partialclone')) return 'it is a partial clone';
  return undefined;
}

function refusal(reason: string, cause?: unknown): GitsteadError {
  return new GitsteadError('not-ready', `this repository cannot be used: ${reason}`, { cause });
}

/** Asked before a file that most repositories do not have is opened: an error costs ten times as much. */
function isThere(path: string, name: string): boolean {
  try {
    return statSync(`${path}/${name}`, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw refusal(`its ${name} cannot be read`, error);
  }
}

/** What is not UTF-8 in it is no setting of git's that matters here. */
function readIfThere(path: string, name: string): string | undefined {
  try {
    return readFileSync(`${path}/${name}`, 'utf8');
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw refusal(`its ${name} cannot be read`, error);
  }
}

function isAbsence(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * The settings of a git configuration file as `section.key` → value, lower-cased throughout; later lines win.
 * Subsections are passed over: none of the settings that decide on a repository's format has one.
 */
function parseSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  let section: string | undefined;
  for (const line of text.split('\n')) {
    const header = /^\s*\[\s*([a-z0-9.-]+)(\s+"(?:[^"\\]|\\.)*")?\s*\](.*)$/i.exec(line);
    if (header) section = header[2] === undefined ? header[1]!.toLowerCase() : undefined;
    const setting = /^\s*([a-z][a-z0-9-]*)\s*(?:=\s*(.*?))?\s*(?:[#;].*)?$/i.exec(header?.[3] ?? line);
    if (section === undefined || !setting) continue;
    const value = (setting[2] ?? 'true').replaceAll('"', '').toLowerCase();
    settings.set(`${section}.${setting[1]!.toLowerCase()}`, value);
  }
  return settings;
}

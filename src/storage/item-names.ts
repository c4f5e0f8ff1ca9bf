// Item names and git tree entries: any name that the draft allows becomes an entry that stock git stores without
// a second look and Windows can check out, and comes back as it was. This is part of the stored format: it never
// changes for names that are in use. Also the folder names of repositories.
import { GitsteadError } from '../errors.ts';
import { isItemName, ROOT_MODULE } from '../protocol/paths.ts';

/** Bytes of an entry, as file systems have it. */
export const MAX_ENTRY_BYTES = 255;
/** Bytes of a repository's folder name, before `.git`. */
export const MAX_REPOSITORY_NAME_BYTES = 251;

const ROOT_REPOSITORY = '@root';

/** Most names: nothing in them needs an escape, and they do not begin like a Windows device. */
const PLAIN = /^(?!con|prn|aux|nul|com|lpt)[\w-](?:[\w .@+,=()!&'-]*[\w@+,=()!&'-])?$/i;

/** Control characters, what Windows refuses in names, and a `%` that would read as an escape. */
const ALWAYS_ESCAPED = /[\x00-\x1f\x7f-\x9f"*:<>?\\|]|%(?=[0-9A-Fa-f]{2})/g;
/** Windows drops it from the end of a name. */
const DROPPED_FROM_END = /[. ]$/;

/** What HFS+ leaves out when it compares names, by git's list. */
const IGNORED_BY_HFS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/** Windows devices, alone or before an extension, however many spaces between. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)/;

const DOT_NAMES = ['git', 'gitmodules', 'gitattributes', 'gitignore', 'mailmap', 'content-types'];

/** The special dot names and their NTFS short forms: the first six letters and `~1` to `~4`, or a hash of the name. */
const SPECIAL = new RegExp(
  [
    `\\.(?:${DOT_NAMES.join('|')})`,
    'git~[1-9]',
    `(?:${DOT_NAMES.filter((name) => name.length > 6)
      .map((name) => name.slice(0, 6))
      .join('|')}|mailma)~[1-4]`,
    // of .content-types the hash is not known here: any four digits of one will do
    'co[0-9a-f]{4}~[0-9]',
    ...['gi7eba', 'gi7d29', 'gi250a', 'maba30'].map(shortHashForms),
  ]
    .map((form) => `^(?:${form})$`)
    .join('|'),
);

/** A hashed short name has eight characters: the more digits follow the `~`, the less of the hash stands before it. */
function shortHashForms(hash: string): string {
  const forms: string[] = [];
  for (let kept = 0; kept <= hash.length; kept++) {
    forms.push(`${hash.slice(0, kept)}~[1-9][0-9]{${hash.length - kept}}`);
  }
  return forms.join('|');
}

/**
 * The tree entry of an item.
 *
 *     name           entry
 *     a:b            a%3Ab
 *     50%25          50%2525
 *     .git           %2Egit
 *     con.txt        %63on.txt
 *     ends with .    ends with %2E
 *
 * @throws bad-path when it is no item name, or its entry would be longer than MAX_ENTRY_BYTES
 */
export function escapeName(name: string): string {
  if (name.length <= MAX_ENTRY_BYTES && PLAIN.test(name)) return name;
  if (!isItemName(name)) throw new GitsteadError('bad-path', 'this is no name for a document or folder');
  let entry = name.replace(ALWAYS_ESCAPED, escapeCharacter).replace(DROPPED_FROM_END, escapeCharacter);
  if (isSpecial(name)) {
    // no special name begins with a character that was escaped already
    const first = String.fromCodePoint(name.codePointAt(0)!);
    entry = escapeCharacter(first) + entry.slice(first.length);
  }
  if (Buffer.byteLength(entry) > MAX_ENTRY_BYTES) {
    throw new GitsteadError('bad-path', `a name has at most ${MAX_ENTRY_BYTES} bytes, with its escapes`);
  }
  return entry;
}

/** The item of a tree entry, or undefined when escapeName would not have made this entry. */
export function unescapeName(entry: string): string | undefined {
  if (entry.length > MAX_ENTRY_BYTES) return undefined;
  if (PLAIN.test(entry)) return entry;
  const name = decodeEscapes(entry);
  if (name === undefined || !isItemName(name)) return undefined;
  try {
    return escapeName(name) === entry ? name : undefined;
  } catch (error) {
    if (error instanceof GitsteadError && error.code === 'bad-path') return undefined;
    throw error;
  }
}

function isSpecial(name: string): boolean {
  // by a table of our own and not by toLowerCase, whose idea of Unicode grows: ASCII, and the long s, which some
  // file systems take for an s
  const folded = name
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
    .replace(/\u017f/g, 's')
    .replace(IGNORED_BY_HFS, '')
    .replace(/[. ]+$/, '');
  return SPECIAL.test(folded) || DEVICE.test(folded);
}

function escapeCharacter(character: string): string {
  let escaped = '';
  for (const byte of Buffer.from(character)) {
    escaped += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return escaped;
}

function decodeEscapes(entry: string): string | undefined {
  // runs of escapes are decoded together: a character may have several bytes
  try {
    return entry.replace(/(?:%[0-9A-F]{2})+/g, (run) => decodeURIComponent(run));
  } catch {
    return undefined;
  }
}

/**
 * The folder of a module's repository, without `.git`. The server's own disk may ignore case, so only lower-case
 * letters, digits and `._-` stand for themselves.
 * @param module decoded, or ROOT_MODULE
 * @throws bad-path when it would be longer than MAX_REPOSITORY_NAME_BYTES
 */
export function escapeRepositoryName(module: string): string {
  if (module === ROOT_MODULE) return ROOT_REPOSITORY;
  if (!isItemName(module)) throw new GitsteadError('bad-path', 'this is no name for a folder');
  const folder = module.replace(/[^a-z0-9._-]/gu, escapeCharacter).replace(/^\./, '%2E');
  if (folder.length > MAX_REPOSITORY_NAME_BYTES) {
    throw new GitsteadError(
      'bad-path',
      `a top-level folder's name has at most ${MAX_REPOSITORY_NAME_BYTES} bytes, with its escapes`,
    );
  }
  return folder;
}

/** The module of a repository's folder (without `.git`), or undefined when escapeRepositoryName makes no such name. */
export function unescapeRepositoryName(folder: string): string | undefined {
  if (folder === ROOT_REPOSITORY) return ROOT_MODULE;
  const module = decodeEscapes(folder);
  if (module === undefined || !isItemName(module)) return undefined;
  try {
    return escapeRepositoryName(module) === folder ? module : undefined;
  } catch (error) {
    if (error instanceof GitsteadError && error.code === 'bad-path') return undefined;
    throw error;
  }
}

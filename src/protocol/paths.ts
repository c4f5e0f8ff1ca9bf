// The paths of the draft's section 4: a raw request path becomes a user and decoded segments, once, at the edge.
// Nothing is normalised: two names are equal when their code points are. How a name is kept in git is the
// storage's business.
import { GitsteadError } from '../errors.ts';

declare const userName: unique symbol;
declare const moduleName: unique symbol;
declare const parsed: unique symbol;

export type UserName = string & { readonly [userName]: true };

/** The first segment of a path, decoded, or ROOT_MODULE: what a repository holds. */
export type ModuleName = string & { readonly [moduleName]: true };

/** The module of documents directly in a user's root. No segment holds a slash, so it is no folder's name. */
export const ROOT_MODULE = '/' as ModuleName;

export type DocumentPath = {
  readonly kind: 'document';
  readonly user: UserName;
  /** decoded, at least one */
  readonly segments: readonly [string, ...string[]];
  /** true below `/public/`: readable without a token (draft, section 9) */
  readonly isPublic: boolean;
  readonly [parsed]: true;
};

export type FolderPath = {
  readonly kind: 'folder';
  readonly user: UserName;
  /** decoded; empty: the user's root */
  readonly segments: readonly string[];
  /** true for `/public/` and below */
  readonly isPublic: boolean;
  readonly [parsed]: true;
};

export type StoragePath = DocumentPath | FolderPath;

/** What storage paths begin with; a user's `<storage_root>` is this and their name. */
export const STORAGE_PREFIX = '/storage/';

/** Bytes of a decoded path below the user's root. */
export const MAX_PATH_BYTES = 4096;

const USER_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
/** What most names look like. */
const PLAIN_NAME = /^[\w-][\w.-]*$/;
/** Paths of plain names, as most are: nothing in them needs decoding or a second look. */
const PLAIN_PATH = /^\/storage\/[a-z0-9][a-z0-9._-]{0,62}(?:\/[\w-][\w.-]*)+\/?$/;
/** Visible ASCII without `#` and `\`, which no client sends raw and proxies rewrite. */
const RAW_PATH = /^[!-"$-[\]-~]+$/;

export function parseUserName(raw: string): UserName | undefined {
  return USER_NAME.test(raw) ? (raw as UserName) : undefined;
}

/**
 * The path of a request target as it was sent: without its query and, in the absolute form that proxies use
 * (RFC 9112, section 3.2.2), without scheme and host.
 */
export function pathOfTarget(target: string): string {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  if (path.startsWith('/')) return path;
  const authority = /^https?:\/\/[^/]*/i.exec(path)?.[0];
  return authority === undefined ? path : path.slice(authority.length) || '/';
}

/**
 * The path of a request.
 * @param rawPath still encoded, without the query: `/storage/alice/notes/a%20b`
 * @throws bad-path: empty segments, `.`, `..`, `%2F`, `%00`, invalid UTF-8, another prefix, no such kind of user name;
 * path-too-long
 */
export function parseStoragePath(rawPath: string): StoragePath {
  if (rawPath.length < MAX_PATH_BYTES && PLAIN_PATH.test(rawPath)) return splitPlainPath(rawPath);
  if (!rawPath.startsWith(STORAGE_PREFIX)) throw badPath(`it does not begin with ${STORAGE_PREFIX}`);
  if (!RAW_PATH.test(rawPath)) throw badPath('it holds characters that must be percent-encoded');
  const raw = rawPath.slice(STORAGE_PREFIX.length).split('/');
  const user = parseUserName(decodeSegment(raw.shift()!));
  if (user === undefined) throw badPath('it names no user');
  if (raw.length === 0) throw badPath("a user's root folder ends with a slash");
  const isFolder = raw.at(-1) === '';
  if (isFolder) raw.pop();
  for (let i = 0; i < raw.length; i++) raw[i] = decodeSegment(raw[i]!);
  return isFolder ? folderPath(user, raw) : documentPath(user, raw);
}

function splitPlainPath(path: string): StoragePath {
  let end = path.indexOf('/', STORAGE_PREFIX.length);
  const user = path.slice(STORAGE_PREFIX.length, end) as UserName;
  const segments: string[] = [];
  // quicker than `split`, which leaves generated code
  let start = end + 1;
  while (start < path.length) {
    end = path.indexOf('/', start);
    if (end < 0) end = path.length;
    segments.push(path.slice(start, end));
    start = end + 1;
  }
  const kind = path.endsWith('/') ? 'folder' : 'document';
  const isPublic = segments[0] === 'public' && (kind === 'folder' || segments.length > 1);
  return { kind, user, segments, isPublic } as unknown as StoragePath;
}

/** A document by its decoded segments. @throws bad-path, path-too-long */
export function documentPath(user: UserName, segments: readonly string[]): DocumentPath {
  if (segments.length === 0) throw badPath('it names no document');
  checkSegments(segments);
  const isPublic = segments.length > 1 && segments[0] === 'public';
  return { kind: 'document', user, segments, isPublic } as unknown as DocumentPath;
}

/** A folder by its decoded segments; none: the user's root. @throws bad-path, path-too-long */
export function folderPath(user: UserName, segments: readonly string[]): FolderPath {
  checkSegments(segments);
  return { kind: 'folder', user, segments, isPublic: segments[0] === 'public' } as FolderPath;
}

/** The module that holds this path; the user's root folder has none. */
export function moduleOf(path: DocumentPath): ModuleName;
export function moduleOf(path: StoragePath): ModuleName | undefined;
export function moduleOf(path: StoragePath): ModuleName | undefined {
  if (path.kind === 'document')
    return (path.segments.length === 1 ? ROOT_MODULE : path.segments[0]) as ModuleName;
  return path.segments[0] as ModuleName | undefined;
}

/** True when `name` may name an item (draft, section 4). */
export function isItemName(name: string): boolean {
  if (PLAIN_NAME.test(name)) return true;
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name) && name.isWellFormed();
}

function checkSegments(segments: readonly string[]): void {
  let characters = segments.length;
  for (const segment of segments) {
    if (!isItemName(segment)) throw badPath('a name in it is empty, `.` or `..`, or holds a slash or a NUL');
    characters += segment.length;
  }
  // a UTF-16 unit has at most 3 bytes in UTF-8: most paths need no second look
  if (characters * 3 > MAX_PATH_BYTES && Buffer.byteLength(segments.join('/')) > MAX_PATH_BYTES) {
    throw new GitsteadError('path-too-long', `paths here have at most ${MAX_PATH_BYTES} bytes`);
  }
}

function decodeSegment(raw: string): string {
  if (!raw.includes('%')) return raw;
  try {
    // strict: refuses half escapes, overlong forms and surrogates
    return decodeURIComponent(raw);
  } catch (cause) {
    throw new GitsteadError('bad-path', 'the path is not percent-encoded UTF-8', { cause });
  }
}

function badPath(why: string): GitsteadError {
  return new GitsteadError('bad-path', `this is no storage path: ${why}`);
}

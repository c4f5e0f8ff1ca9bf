// Access scopes (draft, section 9): what `notes:rw` or `*:r` allows. One function decides for every route, by
// whole decoded segments.
import type { StoragePath } from './paths.ts';

export type Scope = {
  /** a module's name, or `*` */
  readonly module: string;
  readonly level: 'r' | 'rw';
};

/** More than any app asks for; a bound on what is parsed, shown and kept. */
const MAX_SCOPES = 64;
/** RFC 6749's scope characters without `*`, `/`, `:` and `%`. */
const SCOPE = /^(\*|[!#-$&-)+-.0-9;-[\]-~]{1,128}):(rw?)$/;
/** What drafts 00 and 01 called `*`. */
const OLD_NAME_OF_ALL = 'root';

/**
 * The scopes of a space-separated list, each module once with the sum of its levels, in the order of the list.
 * `public` is no module (draft, section 9), `root` is `*`.
 * @returns undefined when the list is malformed
 */
export function parseScopes(raw: string): readonly Scope[] | undefined {
  const levels = new Map<string, Scope['level']>();
  for (const item of raw.split(' ')) {
    if (item === '') continue;
    const match = SCOPE.exec(item);
    if (!match || levels.size >= MAX_SCOPES) return undefined;
    const module = match[1] === OLD_NAME_OF_ALL ? '*' : match[1]!;
    if (module === 'public' || module === '.' || module === '..') return undefined;
    if (levels.get(module) !== 'rw') levels.set(module, match[2] as Scope['level']);
  }
  if (levels.size === 0) return undefined;
  return [...levels].map(([module, level]) => ({ module, level }));
}

/** The list again: `notes:rw contacts:r`. */
export function formatScopes(scopes: readonly Scope[]): string {
  return scopes.map(formatScope).join(' ');
}

export function formatScope(scope: Scope): string {
  return `${scope.module}:${scope.level}`;
}

/**
 * The narrowest scope that allows a request, or undefined. That documents under `/public/` are read without any
 * scope is for the caller to know.
 */
export function scopeFor(
  scopes: readonly Scope[],
  path: StoragePath,
  method: 'GET' | 'HEAD' | 'PUT' | 'DELETE',
): Scope | undefined {
  const module = moduleBelowRoot(path);
  const needsWrite = method === 'PUT' || method === 'DELETE';
  let all: Scope | undefined;
  for (const scope of scopes) {
    if (needsWrite && scope.level !== 'rw') continue;
    if (scope.module === '*') all = scope;
    else if (scope.module === module) return scope;
  }
  return all;
}

/** The module whose `/<module>/` or `/public/<module>/` this path starts with; a document in a root starts with none. */
function moduleBelowRoot({ kind, segments }: StoragePath): string | undefined {
  const at = segments[0] === 'public' ? 1 : 0;
  const isBelow = kind === 'folder' ? segments.length > at : segments.length > at + 1;
  return isBelow ? segments[at] : undefined;
}

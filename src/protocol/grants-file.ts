// The file that lists which apps may be let in: lines of `<hash> <module> <permissions>`, where the hash stands for one user,
// one app and one address to go back to. Pure: reading the file, and ending what its lines gave, is left to others.
import { hash as digest } from 'node:crypto';
import type { UserName } from './paths.ts';
import { parseScopes, type Scope } from './scopes.ts';

type Level = Scope['level'];

/** What the lines of each hash allow: its modules, each with the sum of its levels. */
export type ListedGrants = ReadonlyMap<string, ReadonlyMap<string, Level>>;

/** A line that grants nothing. */
export type LineFault = {
  /** from 1 */
  line: number;
  /** completes "line 3 …"; holds nothing of the line itself */
  message: string;
};

/** Who asks, for what a line may be written. */
export type Asker = {
  user: UserName;
  /** origin of the app, as URL writes it */
  app: string;
  /** the address to go back to, as URL writes it, without query and fragment */
  redirect: string;
};

const HASH = /^[0-9a-f]{64}$/i;
const MD5 = /^[0-9a-f]{32}$/i;
/** What lines call the module `*`. */
const ALL = 'root';

/** 64 hex digits: the SHA-256 of user, app and address, each on a line of its own. */
export function grantHash({ user, app, redirect }: Asker): string {
  return digest('sha256', `${user}\n${app}\n${redirect}`, 'hex');
}

/** The line that allows `scope`: `3f9c… notes rw`. */
export function formatGrantLine(hash: string, { module, level }: Scope): string {
  return `${hash} ${module === '*' ? ALL : module} ${level}`;
}

/** Reads all lines. Empty ones, those that begin with `#`, and what follows a `#` after the third column are left out. */
export function parseGrantsFile(text: string): { listed: ListedGrants; faults: readonly LineFault[] } {
  const listed = new Map<string, Map<string, Level>>();
  const faults: LineFault[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const columns = line.split(/[ \t]+/).filter((word) => word !== '');
    if (columns.length === 0 || columns[0]!.startsWith('#')) continue;
    const read = readLine(columns);
    if (typeof read === 'string') faults.push({ line: index + 1, message: read });
    else addLine(listed, read);
  }
  return { listed, faults };
}

/** @returns what is wrong with it, or what it grants */
function readLine([hash = '', module = '', level = '', comment]: string[]): string | GrantLine {
  if (MD5.test(hash)) {
    return 'begins with an MD5 hash of the old system, which is not accepted: the page on which the app asks shows the new one';
  }
  if (!HASH.test(hash)) return 'does not begin with a hash of 64 hex digits';
  if (module === '') return 'names no module';
  if (level === '') return 'has no permissions: r or rw';
  if (comment !== undefined && !comment.startsWith('#'))
    return 'has more than a hash, a module and permissions';
  if (level !== 'r' && level !== 'rw') return 'has permissions that are neither r nor rw';
  if (module === '*') return `says *: everything is called ${ALL} here`;
  const scopes = parseScopes(`${module}:${level}`);
  if (!scopes) return 'names a module that no app can ask for';
  return { hash: hash.toLowerCase(), scope: scopes[0]! };
}

/** One line: what it allows to whom. */
export type GrantLine = { hash: string; scope: Scope };

/** In place: a file may have thousands of lines of one hash. */
function addLine(listed: Map<string, Map<string, Level>>, { hash, scope }: GrantLine): void {
  const levels = listed.get(hash) ?? new Map<string, Level>();
  if (levels.get(scope.module) !== 'rw') levels.set(scope.module, scope.level);
  listed.set(hash, levels);
}

/** The lines one by one, those of a module added up. */
export function linesOf(listed: ListedGrants): GrantLine[] {
  return [...listed].flatMap(([hash, levels]) =>
    [...levels].map(([module, level]) => ({ hash, scope: { module, level } })),
  );
}

/** The reverse of linesOf. */
export function listedIn(lines: readonly GrantLine[]): ListedGrants {
  const listed = new Map<string, Map<string, Level>>();
  for (const line of lines) addLine(listed, line);
  return listed;
}

/** The scopes that no line of this hash covers; none: all that is asked for may be given. */
export function missingScopes(listed: ListedGrants, hash: string, asked: readonly Scope[]): readonly Scope[] {
  const levels = listed.get(hash);
  return asked.filter(({ module, level }) =>
    [levels?.get('*'), levels?.get(module)].every((given) => given !== 'rw' && given !== level),
  );
}

// What commands take on their command line: parsed once, here. A malformed one is bad usage (exit code 2).
import { type Command, InvalidArgumentError } from 'commander';
import { dataFolderOf, parseDuration, parseSize } from '../config.ts';
import { isPlainHost } from '../protocol/authorize.ts';
import { parseUserName, ROOT_MODULE, type UserName } from '../protocol/paths.ts';
import { parseScopes, type Scope } from '../protocol/scopes.ts';

/** Every command works on a data folder. */
export function addDataOption(command: Command): Command {
  return command.option('--data <dir>', 'the data folder (default: GITSTEAD_DATA, or ./data)');
}

export function addJsonOption(command: Command): Command {
  return command.option('--json', 'print JSON');
}

/** The absolute path of the data folder that a command's options name. */
export function dataFolderIn(options: { data?: string | undefined }): string {
  return dataFolderOf(options.data);
}

/** An example at the end of a command's help. */
export function addExample(command: Command, ...lines: string[]): Command {
  return command.addHelpText(
    'after',
    `\n${lines.length > 1 ? 'Examples' : 'Example'}:\n  ${lines.join('\n  ')}`,
  );
}

export function userNameArgument(text: string): UserName {
  const name = parseUserName(text);
  if (name !== undefined) return name;
  throw new InvalidArgumentError(
    'A name has 1 to 63 lower-case letters, digits, dots, dashes and underscores, and begins with a letter or a digit.',
  );
}

/** The first folder of a path, or `@root` for the documents directly in the user's root. */
export function moduleArgument(text: string): string {
  if (text === '@root') return ROOT_MODULE;
  const module = text.replace(/\/$/, '');
  if (module !== '' && !module.includes('/')) return module;
  throw new InvalidArgumentError('A module is the first folder of a path, such as notes.');
}

/** Collects the scopes of one or several arguments. */
export function scopesArgument(text: string, before: readonly Scope[] | undefined): readonly Scope[] {
  const scopes = parseScopes(text);
  if (scopes) return [...(before ?? []), ...scopes];
  throw new InvalidArgumentError(
    'A scope is a module and what may be done there, such as notes:rw, contacts:r or *:rw.',
  );
}

/** `none` → undefined */
export function quotaArgument(text: string): { bytes: number | undefined } {
  if (text === 'none') return { bytes: undefined };
  const bytes = parseSize(text);
  if (bytes !== undefined) return { bytes };
  throw new InvalidArgumentError('A quota is a size such as 5GiB, or none.');
}

/** → milliseconds */
export function durationArgument(text: string): number {
  const duration = parseDuration(text);
  if (duration !== undefined && duration > 0) return duration;
  throw new InvalidArgumentError('A time is written as 30d, 12h or 10m, and is no longer than 36500d.');
}

export function originArgument(text: string): string {
  const url = URL.parse(text);
  const isOrigin = url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
  if (isOrigin && isPlainHost(url.hostname)) return url.origin;
  throw new InvalidArgumentError('An app is named by its origin, such as https://notes.example.');
}

export function countArgument(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('This is a number from 1 on.');
}

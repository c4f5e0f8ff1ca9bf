// The settings: one table, and the only reader of the environment. Later sources win: defaults, gitstead.yaml in the
// data folder, GITSTEAD_* variables, flags. What a setting does is left to the rooms; docs/config.md is made of the table.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { GitsteadError } from './errors.ts';
import type { LogLevel } from './log.ts';

export const SETTINGS_FILE = 'gitstead.yaml';
const ENVIRONMENT_PREFIX = 'GITSTEAD_';
const DATA_VARIABLE = 'GITSTEAD_DATA';
const DEFAULT_DATA_FOLDER = './data';

/** How a value is written: `what` completes "is not …". */
export type SettingType<T> = { what: string; parse(text: string): T | undefined };
export type Setting<T> = { type: SettingType<T>; default: string | undefined; help: string };

const UNITS_OF_SIZE: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
const UNITS_OF_TIME_MS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const LONGEST_DURATION_MS = 36_500 * 86_400_000; // a sum with it is still a date

function quantity(text: string, units: Record<string, number>, max: number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text);
  const unit = match && units[match[2]!];
  if (!unit) return undefined;
  const value = Math.round(Number(match[1]) * unit);
  return value <= max ? value : undefined;
}

/** `64MiB`, `1.5GB` → bytes */
export function parseSize(text: string): number | undefined {
  return quantity(text, UNITS_OF_SIZE, Number.MAX_SAFE_INTEGER);
}

/** `30d`, `10s` → milliseconds; undefined also for more than 100 years (36,500 days) */
export function parseDuration(text: string): number | undefined {
  return quantity(text, UNITS_OF_TIME_MS, LONGEST_DURATION_MS);
}

const size: SettingType<number> = { what: 'a size such as 64MiB', parse: parseSize };

const sizeOrNone: SettingType<number | 'none'> = {
  what: 'a size such as 5GiB, or none',
  parse: (text) => (text === 'none' ? 'none' : parseSize(text)),
};

const duration: SettingType<number> = {
  what: 'a time such as 30d or 12h',
  parse: (text) => parseDuration(text) || undefined,
};

const durationOrNone: SettingType<number | 'none'> = {
  what: 'a time such as 30d, or none',
  parse: (text) => (text === 'none' ? 'none' : parseDuration(text) || undefined),
};

const port: SettingType<number> = {
  what: 'a port number (0 takes a free one)',
  parse: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined),
};

const address: SettingType<string> = {
  what: 'an address such as 127.0.0.1 or ::',
  parse: (text) => (isIP(text) || text === 'localhost' ? text : undefined),
};

const origin: SettingType<URL> = {
  what: 'an address of the form https://example.com, without a path',
  parse(text) {
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) return undefined;
    return url.href === `${url.origin}/` && !/[?#]/.test(text) ? url : undefined;
  },
};

/** What is asked there carries tokens and a secret: in clear text only within this machine. */
const introspection: SettingType<URL> = {
  what: 'an address of the form https://example.com, or http:// with localhost, 127.0.0.1 or [::1]',
  parse(text) {
    const url = URL.parse(text);
    if (!url || url.username || url.password || /[?#]/.test(text)) return undefined;
    const isLocal = url.protocol === 'http:' && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
    return url.protocol === 'https:' || isLocal ? url : undefined;
  },
};

const file: SettingType<string> = {
  what: 'the path of a file',
  parse: (text) => (text === '' || text.includes('\0') ? undefined : resolve(text)),
};

const onOrOff: SettingType<boolean> = {
  what: 'on or off',
  parse: (text) => (/^(?:on|true)$/.test(text) ? true : /^(?:off|false)$/.test(text) ? false : undefined),
};

const domain: SettingType<string> = {
  what: 'a domain such as example.com',
  parse(text) {
    const url = URL.parse(`https://${text}`);
    return url && url.host === text.toLowerCase() ? url.host : undefined;
  },
};

const networks: SettingType<readonly string[]> = {
  what: 'a list of addresses and networks such as 127.0.0.1, 10.0.0.0/8',
  parse(text) {
    const items = text.split(/[\s,]+/).filter((item) => item !== '');
    return items.every(isNetwork) ? items : undefined;
  },
};

function isNetwork(text: string): boolean {
  const [ip, prefix, more] = text.split('/');
  const family = isIP(ip!);
  if (family === 0 || more !== undefined) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 6 ? 128 : 32));
}

const userName: SettingType<string> = {
  what: 'the name of an account',
  parse: (text) => (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(text) ? text : undefined),
};

function oneOf<const T extends string>(...values: T[]): SettingType<T> {
  return { what: `one of ${values.join(', ')}`, parse: (text) => values.find((value) => value === text) };
}

/** Every setting. A default of undefined means that the setting is left out unless it is given. */
export const SETTINGS = {
  port: { type: port, default: '8000', help: 'the port to listen on' },
  host: {
    type: address,
    default: '127.0.0.1',
    help: 'the address to listen on: 127.0.0.1 reaches this machine only, 0.0.0.0 or :: every network of it',
  },
  publicUrl: {
    type: origin,
    default: undefined,
    help: 'the address under which people and apps reach the server, when it is not http://localhost:PORT',
  },
  storageUrl: {
    type: origin,
    default: undefined,
    help: 'the address under which apps reach storage, when it has one of its own; then it serves no pages, and publicUrl no storage',
  },
  role: {
    type: oneOf('all', 'accounts', 'storage'),
    default: 'all',
    help: 'what this process serves: accounts (sign-in, consent, discovery), storage, or both',
  },
  introspect: {
    type: introspection,
    default: undefined,
    help: 'for the role storage, without a data folder in common: the address of the accounts process, which is asked about tokens',
  },
  introspectSecretFile: {
    type: file,
    default: undefined,
    help: 'a file with the secret by which a storage process may ask about tokens, the same on both sides; others may not read it',
  },
  addressHost: {
    type: domain,
    default: undefined,
    help: 'the domain of the accounts’ addresses (NAME@example.com), when it is not the host of the public URL',
  },
  trustedProxies: {
    type: networks,
    default: '',
    help: 'proxies whose X-Forwarded-For and X-Forwarded-Host are believed',
  },
  singleUser: {
    type: userName,
    default: undefined,
    help: 'the account that is meant when an app asks for the bare host, without a name',
  },
  documentLimit: { type: size, default: '1GiB', help: 'the largest document that is taken' },
  quota: {
    type: sizeOrNone,
    default: 'none',
    help: 'how much an account may store, unless it has a quota of its own',
  },
  memoryBudget: {
    type: size,
    default: '256MiB',
    help: 'memory for documents, folders and listings that are kept at hand',
  },
  sessionIdle: {
    type: duration,
    default: '30d',
    help: 'how long a browser stays signed in when it is not used',
  },
  'auth.tokenLife': {
    type: durationOrNone,
    default: 'none',
    help: 'how long an app’s access lasts when it cannot renew it (the implicit grant, which most apps use today); none: until it is revoked',
  },
  'auth.codeTokenLife': {
    type: duration,
    default: '1h',
    help: 'how long a token lasts that an app got for a code; it renews it by itself',
  },
  'auth.refreshIdle': {
    type: duration,
    default: '180d',
    help: 'how long an app that got its access by a code may stay away before it must ask again',
  },
  'auth.grantsFile': {
    type: { what: file.what, parse: (text: string) => file.parse(text) && text }, // relative to the data folder
    default: undefined,
    help: 'a file of lines “hash module permissions”, relative to the data folder: then an app is let in only with what its lines cover',
  },
  'auth.queryTokens': {
    type: onOrOff,
    default: 'off',
    help: 'whether a GET may carry its token in the address (?access_token=…), where histories and logs of others keep it',
  },
  'log.level': {
    type: oneOf<LogLevel>('debug', 'info', 'warn', 'error', 'silent'),
    default: 'info',
    help: 'the least severe lines that are logged',
  },
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;
type Value<S extends Setting<unknown>> =
  | Exclude<ReturnType<S['type']['parse']>, undefined>
  | (S['default'] extends string ? never : undefined);
export type Settings = { readonly [Name in SettingName]: Value<(typeof SETTINGS)[Name]> };
/** The settings, and the absolute path of the data folder. */
export type Config = Settings & { readonly dataFolder: string };

/** Values as they were written; the flags of one command. */
export type GivenSettings = { readonly [Name in SettingName]?: string | undefined };

export function settingNames(): SettingName[] {
  return Object.keys(SETTINGS) as SettingName[];
}

/** `log.level` → `GITSTEAD_LOG_LEVEL` */
export function variableOf(name: SettingName): string {
  return ENVIRONMENT_PREFIX + words(name).join('_').toUpperCase();
}

/** `log.level` → `log-level`, the flag of `serve` without its dashes */
export function flagOf(name: SettingName): string {
  return words(name).join('-');
}

function words(name: string): string[] {
  return name.replaceAll(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`).split('.');
}

/**
 * One setting, parsed.
 * @param source where it was written, for the message
 * @throws bad-request naming the setting
 */
export function parseSetting<Name extends SettingName>(
  name: Name,
  text: string,
  source: string,
): Settings[Name] {
  const { type } = SETTINGS[name];
  const value = type.parse(text.trim());
  if (value === undefined) {
    throw new GitsteadError('bad-request', `${source}: ${name}: ${JSON.stringify(text)} is not ${type.what}`);
  }
  return value as Settings[Name];
}

/** What the settings say to the store. */
export function storeSettings(config: Config) {
  const { dataFolder, addressHost, publicUrl, documentLimit, memoryBudget } = config;
  return {
    dataFolder,
    /** the host of authors' addresses, without a port */
    host: addressHost?.replace(/:\d+$/, '') ?? publicUrl?.hostname ?? 'localhost',
    documentLimitBytes: documentLimit,
    cacheBytes: memoryBudget,
  };
}

/** The data folder that `--data` or GITSTEAD_DATA names, absolute. */
export function dataFolderOf(flag: string | undefined, environment = process.env): string {
  return resolve(flag ?? (environment[DATA_VARIABLE] || DEFAULT_DATA_FOLDER));
}

/**
 * Reads all sources for the data folder at `dataFolder` (absolute).
 * @throws bad-request naming the first setting that is unknown or malformed
 */
export function loadConfig(
  dataFolder: string,
  flags: GivenSettings = {},
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  const values: Partial<Record<SettingName, unknown>> = {};
  const take = (name: SettingName, text: string, source: string) => {
    values[name] = parseSetting(name, text, source);
  };
  for (const name of settingNames()) {
    const text = SETTINGS[name].default;
    values[name] = undefined;
    if (text !== undefined) take(name, text, 'default');
  }
  for (const [name, text] of settingsOfFile(join(dataFolder, SETTINGS_FILE))) take(name, text, SETTINGS_FILE);
  for (const [name, text, variable] of settingsOfEnvironment(environment)) take(name, text, variable);
  for (const name of settingNames()) {
    const text = flags[name];
    if (text !== undefined) take(name, text, `--${flagOf(name)}`);
  }
  return { ...(values as Settings), dataFolder };
}

function settingsOfEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): [SettingName, string, string][] {
  const names = new Map(settingNames().map((name) => [variableOf(name), name]));
  const given: [SettingName, string, string][] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(ENVIRONMENT_PREFIX) || variable === DATA_VARIABLE || text === undefined)
      continue;
    const name = names.get(variable);
    if (name === undefined) throw unknownSetting(variable, 'the environment');
    given.push([name, text, variable]);
  }
  return given;
}

function settingsOfFile(file: string): [SettingName, string][] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ENOTDIR: whoever opens the data folder says what stands in its place
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new GitsteadError('bad-request', `${SETTINGS_FILE} cannot be read`, { cause: error });
  }
  let tree: unknown;
  try {
    tree = parseYaml(text);
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new GitsteadError('bad-request', `${SETTINGS_FILE} is not YAML: ${reason}`, { cause: error });
  }
  if (tree === null) return [];
  if (!isMapping(tree))
    throw new GitsteadError('bad-request', `${SETTINGS_FILE}: lines of "name: value" are expected`);
  return settingsOfMapping(tree, '');
}

/** `log: { level: debug }` and `log.level: debug` are the same. */
function settingsOfMapping(mapping: Record<string, unknown>, prefix: string): [SettingName, string][] {
  return Object.entries(mapping).flatMap(([key, value]): [SettingName, string][] => {
    const name = prefix + key;
    if (Object.hasOwn(SETTINGS, name)) return [[name as SettingName, textOf(name, value)]];
    const isGroup = settingNames().some((known) => known.startsWith(`${name}.`));
    if (!isGroup) throw unknownSetting(name, SETTINGS_FILE);
    if (!isMapping(value))
      throw new GitsteadError('bad-request', `${SETTINGS_FILE}: ${name} has settings below it`);
    return settingsOfMapping(value, `${name}.`);
  });
}

function textOf(name: string, value: unknown): string {
  if (['string', 'number', 'boolean'].includes(typeof value)) return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(' ');
  throw new GitsteadError('bad-request', `${SETTINGS_FILE}: ${name} has no value that it could take`);
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownSetting(name: string, source: string): GitsteadError {
  return new GitsteadError(
    'bad-request',
    `${source}: there is no setting ${name}; docs/config.md lists them all`,
  );
}

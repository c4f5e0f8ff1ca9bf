// The settings: one table, and the only reader of the environment. Later sources win: defaults, gitstead.yaml in the
// data folder, GITSTEAD_* variables, flags. How values are written is setting-types.ts's, what a setting does is left to the
// rooms; docs/config.md is made of the table.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { GitsteadError } from './errors.ts';
import type { LogLevel } from './log.ts';
import {
  address,
  domain,
  duration,
  durationOrNone,
  file,
  introspection,
  networks,
  oneOf,
  onOrOff,
  origin,
  port,
  type SettingType,
  size,
  sizeOrNone,
  userName,
} from './setting-types.ts';

export { parseDuration, parseSize } from './setting-types.ts';

export const SETTINGS_FILE = 'gitstead.yaml';
const ENVIRONMENT_PREFIX = 'GITSTEAD_';
const DATA_VARIABLE = 'GITSTEAD_DATA';
const DEFAULT_DATA_FOLDER = './data';

export type Setting<T> = { type: SettingType<T>; default: string | undefined; help: string };

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
    help: 'memory for what is kept at hand and for writes on their way, 16MiB or more; the process takes 100 MiB beside it, under load some 250',
  },
  metrics: {
    type: oneOf('local', 'token', 'off'),
    default: 'local',
    help: 'who may read /metrics: whoever asks from this machine and not through a proxy, whoever sends the token of metricsTokenFile, nobody',
  },
  metricsTokenFile: {
    type: file,
    default: undefined,
    help: 'a file with the token by which Prometheus reads /metrics, when metrics is token; others may not read it',
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
    memoryBytes: memoryBudget,
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

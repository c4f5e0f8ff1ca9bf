// How the values of settings are written: a size, a time, an address, a list of networks. Each kind tells what it takes,
// for messages and for docs/config.md, and parses it. Which settings there are is config.ts's.
import { isIP } from 'node:net';
import { resolve } from 'node:path';

/** How a value is written: `what` completes "is not …". */
export type SettingType<T> = { what: string; parse(text: string): T | undefined };

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

export const size: SettingType<number> = { what: 'a size such as 64MiB', parse: parseSize };

export const sizeOrNone: SettingType<number | 'none'> = {
  what: 'a size such as 5GiB, or none',
  parse: (text) => (text === 'none' ? 'none' : parseSize(text)),
};

export const duration: SettingType<number> = {
  what: 'a time such as 30d or 12h',
  parse: (text) => parseDuration(text) || undefined,
};

export const durationOrNone: SettingType<number | 'none'> = {
  what: 'a time such as 30d, or none',
  parse: (text) => (text === 'none' ? 'none' : parseDuration(text) || undefined),
};

export const port: SettingType<number> = {
  what: 'a port number (0 takes a free one)',
  parse: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined),
};

export const address: SettingType<string> = {
  what: 'an address such as 127.0.0.1 or ::',
  parse: (text) => (isIP(text) || text === 'localhost' ? text : undefined),
};

export const origin: SettingType<URL> = {
  what: 'an address of the form https://example.com, without a path',
  parse(text) {
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) return undefined;
    return url.href === `${url.origin}/` && !/[?#]/.test(text) ? url : undefined;
  },
};

/** What is asked there carries tokens and a secret: in clear text only within this machine. */
export const introspection: SettingType<URL> = {
  what: 'an address of the form https://example.com, or http:// with localhost, 127.0.0.1 or [::1]',
  parse(text) {
    const url = URL.parse(text);
    if (!url || url.username || url.password || /[?#]/.test(text)) return undefined;
    const isLocal = url.protocol === 'http:' && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
    return url.protocol === 'https:' || isLocal ? url : undefined;
  },
};

export const file: SettingType<string> = {
  what: 'the path of a file',
  parse: (text) => (text === '' || text.includes('\0') ? undefined : resolve(text)),
};

export const onOrOff: SettingType<boolean> = {
  what: 'on or off',
  parse: (text) => (/^(?:on|true)$/.test(text) ? true : /^(?:off|false)$/.test(text) ? false : undefined),
};

export const domain: SettingType<string> = {
  what: 'a domain such as example.com',
  parse(text) {
    const url = URL.parse(`https://${text}`);
    return url && url.host === text.toLowerCase() ? url.host : undefined;
  },
};

export const networks: SettingType<readonly string[]> = {
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

export const userName: SettingType<string> = {
  what: 'the name of an account',
  parse: (text) => (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(text) ? text : undefined),
};

/** one of a few words */
export function oneOf<const T extends string>(...values: T[]): SettingType<T> {
  return { what: `one of ${values.join(', ')}`, parse: (text) => values.find((value) => value === text) };
}

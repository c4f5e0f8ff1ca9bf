// How pages say sizes, dates, counts and permissions in plain words.
import { ROOT_MODULE } from '../protocol/paths.ts';
import type { Scope } from '../protocol/scopes.ts';

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'];

/** `0 bytes`, `1 byte`, `1.5 KiB`, `200 MiB` */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return formatCount(bytes, 'byte');
  let size = bytes;
  let unit = -1;
  do {
    size /= 1024;
    unit++;
  } while (size >= 1023.5 && unit < UNITS.length - 1);
  return `${size < 9.95 ? Number(size.toFixed(1)) : Math.round(size).toLocaleString('en')} ${UNITS[unit]}`;
}

/** `1 document`, `1,200 documents` */
export function formatCount(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** `3 May 2030`, in UTC: the server does not know the reader's time zone, and a day is exact enough. */
export function formatDay(time: number): string {
  return new Date(time).toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });
}

/** `3 May 2030, 14:05 UTC` */
export function formatMinute(time: number): string {
  return `${formatDay(time)}, ${new Date(time).toISOString().slice(11, 16)} UTC`;
}

/** What a permission allows, as a sentence that begins a line. */
export function describeScope({ module, level }: Scope): string {
  const verb = level === 'rw' ? 'Read and change' : 'Read';
  return module === '*' ? `${verb} everything you store here` : `${verb} your “${module}” data`;
}

/** A module's name in a list: documents outside any folder are kept together under a name of their own. */
export function describeModule(module: string): string {
  return module === ROOT_MODULE ? 'Documents outside any folder' : module;
}

/** Whether a host's name has letters beyond a–z: such a name can look like another one. */
export function isInternational(hostname: string): boolean {
  return hostname.split('.').some((label) => label.startsWith('xn--'));
}

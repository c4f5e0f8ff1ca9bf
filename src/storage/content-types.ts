// The file `.content-types` of a folder: which media type each of its documents has, in as few lines as may be.
//
//     <name>\t<type>\n      an escaped item name: that document
//     *.<ext>\t<type>\n     every document whose name ends so (last dot, not the first character)
//     *\t<type>\n           every other
//
// Lines are sorted by their bytes; an escaped name never holds a `*`. An exact line wins over `*.ext`, that over
// `*`, that over the table below, that over application/octet-stream. A value here is one version of the file and
// never changes: whoever keeps an older one still has it. Its bytes are the file's, so that finding, adding and
// removing a line is a binary search and at most one copy (20 µs for 400 KB), and encoding is free.
import { isUtf8 } from 'node:buffer';
import { inOwnMemory } from '../git/free-memory.ts';
import { DEFAULT_TYPE, isContentType } from '../protocol/content-type.ts';
import { unescapeName } from './item-names.ts';

export const TYPES_FILE = '.content-types';

/** From so many exact lines on, and at each power of two, the file is rewritten with patterns. */
const REWRITE_FROM_LINES = 32;

/** Part of the stored format: a line changed or added here would change the types of documents that are stored. */
const FROZEN_TYPES: ReadonlyMap<string, string> = new Map([
  ['avif', 'image/avif'],
  ['css', 'text/css'],
  ['csv', 'text/csv'],
  ['gif', 'image/gif'],
  ['htm', 'text/html'],
  ['html', 'text/html'],
  ['ics', 'text/calendar'],
  ['jpeg', 'image/jpeg'],
  ['jpg', 'image/jpeg'],
  ['js', 'text/javascript'],
  ['json', 'application/json'],
  ['m4a', 'audio/mp4'],
  ['md', 'text/markdown'],
  ['mjs', 'text/javascript'],
  ['mp3', 'audio/mpeg'],
  ['mp4', 'video/mp4'],
  ['ogg', 'audio/ogg'],
  ['pdf', 'application/pdf'],
  ['png', 'image/png'],
  ['svg', 'image/svg+xml'],
  ['txt', 'text/plain'],
  ['vcf', 'text/vcard'],
  ['wav', 'audio/wav'],
  ['webm', 'video/webm'],
  ['webp', 'image/webp'],
  ['woff2', 'font/woff2'],
  ['xml', 'application/xml'],
  ['zip', 'application/zip'],
]);

/** `*.` and what may follow the last dot of an escaped name. */
const EXTENSION_PATTERN = /^\*\.[^*./\x00-\x1f\x7f-\x9f]{1,253}$/;

/** One version of a folder's types. */
export type FolderTypes = {
  /** the file as it stands in the tree; of a foreign one, what can be understood of it */
  readonly file: Buffer;
  /** `*` and `*.ext` */
  readonly patterns: ReadonlyMap<string, string>;
  readonly exactLines: number;
  /** rewritten in vain at so many exact lines: not tried again before twice as many */
  readonly triedAtLines: number;
};

const EMPTY: FolderTypes = { file: Buffer.alloc(0), patterns: new Map(), exactLines: 0, triedAtLines: 0 };

export function emptyTypes(): FolderTypes {
  return EMPTY;
}

/**
 * Reads a file, also one that somebody pushed: lines that are no name, tab and media type are left out, of several
 * for one name the last one counts, order does not matter. Never throws.
 */
export function parseTypes(file: Uint8Array): FolderTypes {
  const lines = new Map<string, string>();
  for (const line of linesOf(Buffer.from(file.buffer, file.byteOffset, file.byteLength))) {
    const tab = line.indexOf('\t');
    if (tab < 1) continue;
    const name = line.slice(0, tab);
    const type = line.endsWith('\r') ? line.slice(tab + 1, -1) : line.slice(tab + 1);
    if (isContentType(type) && isSubject(name)) lines.set(name, type);
  }
  return fromLines(lines);
}

/** The lines that are UTF-8. */
function* linesOf(file: Buffer): Iterable<string> {
  for (let start = 0, end = 0; start < file.length; start = end + 1) {
    end = file.indexOf(NEWLINE, start);
    if (end < 0) end = file.length;
    const line = file.subarray(start, end);
    if (isUtf8(line)) yield line.toString('utf8');
  }
}

function isSubject(name: string): boolean {
  return name === '*' || EXTENSION_PATTERN.test(name) || unescapeName(name) !== undefined;
}

/** The bytes of the file, canonical; none: the folder has no such file. A view: not to be changed. */
export function encodeTypes(types: FolderTypes): Buffer {
  return types.file;
}

/** The type of the document whose tree entry is `escapedName`. */
export function typeOf(types: FolderTypes, escapedName: string): string {
  return exactType(types, escapedName) ?? patternType(types.patterns, escapedName);
}

/**
 * The types after a PUT. Every other document's stays what it was.
 *
 * @param isFirst the folder holds no other document: then one pattern line (or none) says it all
 * @param documents the escaped names of the folder's documents (with or without this one), asked for only when the
 * exact lines reach a power of two from 32 on: a walk over the folder. Without it the file is never rewritten.
 * @returns the same object when the file stays as it is
 */
export function withType(
  types: FolderTypes,
  escapedName: string,
  type: string,
  isFirst: boolean,
  documents?: () => Iterable<string>,
): FolderTypes {
  if (isFirst) return typesOfOne(types, escapedName, type);
  if (typeOf(types, escapedName) === type) return types;
  const without = withoutName(types, escapedName);
  if (patternType(types.patterns, escapedName) === type) return without;
  const added = withLine(without, escapedName, type);
  const isDue =
    added.exactLines > types.exactLines &&
    added.exactLines >= Math.max(REWRITE_FROM_LINES, 2 * types.triedAtLines) &&
    (added.exactLines & (added.exactLines - 1)) === 0;
  if (!isDue || !documents) return added;
  const rewritten = fromLines(fewestLines(added, escapedName, documents()));
  if (rewritten.exactLines <= added.exactLines / 2) return rewritten;
  const fewer = rewritten.exactLines < added.exactLines ? rewritten : added;
  return { ...fewer, triedAtLines: added.exactLines };
}

/** The types after a DELETE: the document's exact line leaves with it. The same object when it had none. */
export function withoutName(types: FolderTypes, escapedName: string): FolderTypes {
  const line = types.exactLines === 0 ? undefined : findLine(types.file, escapedName);
  if (line?.type === undefined) return types;
  const exactLines = types.exactLines - 1;
  return {
    file: splice(types.file, line.start, line.end, ''),
    patterns: types.patterns,
    exactLines,
    triedAtLines: exactLines < types.triedAtLines / 2 ? 0 : types.triedAtLines,
  };
}

function typesOfOne(types: FolderTypes, name: string, type: string): FolderTypes {
  if (patternType(EMPTY.patterns, name) === type) return types.file.length === 0 ? types : EMPTY;
  const extension = extensionOf(name);
  const only = fromLines(new Map([[extension === undefined ? '*' : `*.${extension}`, type]]));
  return only.file.equals(types.file) ? types : only;
}

function extensionOf(name: string): string | undefined {
  const dot = name.lastIndexOf('.');
  return dot > 0 && dot < name.length - 1 ? name.slice(dot + 1) : undefined;
}

function patternType(patterns: ReadonlyMap<string, string>, name: string): string {
  const extension = extensionOf(name);
  if (extension === undefined) return patterns.get('*') ?? DEFAULT_TYPE;
  return patterns.get(`*.${extension}`) ?? patterns.get('*') ?? FROZEN_TYPES.get(extension) ?? DEFAULT_TYPE;
}

function exactType(types: FolderTypes, name: string): string | undefined {
  return types.exactLines === 0 ? undefined : findLine(types.file, name).type;
}

const NEWLINE = 0x0a;

/** Where the line of `name` is, or would be: then without a type and with `end` at `start`. */
function findLine(file: Buffer, name: string): { start: number; end: number; type?: string } {
  // no name holds a byte below the tab, so comparing `name\t` with lines is comparing names
  const key = Buffer.from(`${name}\t`);
  let low = 0;
  let high = file.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const start = middle === low ? low : file.lastIndexOf(NEWLINE, middle - 1) + 1;
    const order = file.compare(key, 0, key.length, start, Math.min(start + key.length, file.length));
    const end = file.indexOf(NEWLINE, start) + 1;
    if (order === 0) return { start, end, type: file.toString('utf8', start + key.length, end - 1) };
    if (order < 0) low = end;
    else high = start;
  }
  return { start: low, end: low };
}

function withLine(types: FolderTypes, name: string, type: string): FolderTypes {
  const { start, end } = findLine(types.file, name);
  const file = splice(types.file, start, end, `${name}\t${type}\n`);
  return { ...types, file, exactLines: types.exactLines + 1 };
}

function splice(file: Buffer, start: number, end: number, inserted: string): Buffer {
  const insertedBytes = Buffer.byteLength(inserted);
  const spliced = Buffer.allocUnsafeSlow(file.length - (end - start) + insertedBytes);
  file.copy(spliced, 0, 0, start);
  spliced.write(inserted, start);
  file.copy(spliced, start + insertedBytes, end);
  return spliced;
}

function fromLines(lines: ReadonlyMap<string, string>): FolderTypes {
  const encoded = [...lines].map(([name, type]) => Buffer.from(`${name}\t${type}\n`));
  const patterns = new Map([...lines].filter(([name]) => name.startsWith('*')));
  const file = inOwnMemory(Buffer.concat(encoded.sort(Buffer.compare)));
  return { file, patterns, exactLines: lines.size - patterns.size, triedAtLines: 0 };
}

/** The lines that give every document the type it has, with the commonest types as patterns. */
function fewestLines(types: FolderTypes, added: string, documents: Iterable<string>): Map<string, string> {
  const current = new Map<string, string>();
  for (const name of documents) {
    if (name !== TYPES_FILE) current.set(name, typeOf(types, name));
  }
  current.set(added, typeOf(types, added));
  const commonest = mostFrequent(current.values());
  const candidates = [commonest, types.patterns.get('*'), undefined].map((star) => linesWith(current, star));
  return candidates.reduce((best, lines) => (lines.size < best.size ? lines : best));
}

function linesWith(current: ReadonlyMap<string, string>, star: string | undefined): Map<string, string> {
  const lines = new Map<string, string>();
  if (star !== undefined) lines.set('*', star);
  const byExtension = Map.groupBy(current, ([name]) => extensionOf(name));
  for (const [extension, documents] of byExtension) {
    const base = patternType(lines, documents[0]![0]);
    const commonest = extension === undefined ? base : mostFrequent(documents.map(([, type]) => type))!;
    const differ = (type: string) => documents.filter((document) => document[1] !== type);
    const usesPattern = commonest !== base && differ(commonest).length + 1 < differ(base).length;
    if (usesPattern) lines.set(`*.${extension}`, commonest);
    for (const [name, type] of differ(usesPattern ? commonest : base)) lines.set(name, type);
  }
  return lines;
}

/** The most frequent value; of several the first in order, so that equal folders get equal files. */
function mostFrequent(values: Iterable<string>): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let best: string | undefined;
  let most = 0;
  for (const [value, count] of counts) {
    if (count > most || (count === most && value < best!)) [best, most] = [value, count];
  }
  return best;
}

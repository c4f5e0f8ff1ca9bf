// Range requests (RFC 9110, section 14): one range of bytes, or the whole document. Several ranges at once and
// other units are answered with the whole, as the RFC allows.

/** First and last byte, both included. */
export type ByteRange = { readonly start: number; readonly end: number };

const ONE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * What a Range header asks of a document of `size` bytes.
 * @returns undefined: the whole, because the header asks for something that is not served in parts or is malformed
 */
export function parseRange(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = ONE_RANGE.exec(header);
  if (!match) return undefined;
  const [, first, last] = match;
  if (first === '') {
    if (last === '') return undefined;
    const length = Math.min(Number(last), size);
    if (Number(last) === 0) return 'unsatisfiable';
    return size === 0 ? undefined : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? Number.POSITIVE_INFINITY : Number(last);
  if (end < start) return undefined;
  if (start >= size) return 'unsatisfiable';
  return { start, end: Math.min(end, size - 1) };
}

/**
 * Does an If-Range header name the version that stands? Only by its strong ETag: a date with a grain of a second
 * cannot tell two versions apart (RFC 9110, 8.8.2.2), and a tag that a proxy changed may stand for other bytes.
 */
export function ifRangeHolds(header: string, etag: string): boolean {
  return header === `"${etag}"`;
}

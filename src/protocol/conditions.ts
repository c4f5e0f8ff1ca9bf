// Preconditions: If-Match and If-None-Match (draft section 6, RFC 9110 section 13). Tags are bare here; quotes
// and what proxies make of a strong tag are taken off when a header is parsed.
import { GitsteadError } from '../errors.ts';

/** `*`, or bare tags. */
export type TagCondition = '*' | readonly string[];

export type Precondition = { readonly ifMatch?: TagCondition; readonly ifNoneMatch?: TagCondition };

export const NO_PRECONDITION: Precondition = {};

/**
 * One element of a list of tags: a tag in quotes; such a tag that a client took for weak and quoted again
 * (`"W/"x"`); or a tag without quotes.
 */
const LIST_ELEMENT = /[ \t]*(?:"W\/"([^", \t]+)"|(?:W\/)?"([^"]*)"|([^", \t]+))[ \t]*(?:,[, \t]*|$)/y;

/** What compressing proxies append to a tag. Ours end in hexadecimal digits. */
const CODING_SUFFIX = /(?:-{1,2}|;)(?:gzip|br|zstd|deflate)$/;

/** The preconditions of a request. @throws bad-request when a header is no list of tags */
export function parsePrecondition(headers: {
  'if-match'?: string | undefined;
  'if-none-match'?: string | undefined;
}): Precondition {
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (ifMatch === undefined && ifNoneMatch === undefined) return NO_PRECONDITION;
  return {
    ...(ifMatch !== undefined && { ifMatch: parseTags('If-Match', ifMatch) }),
    ...(ifNoneMatch !== undefined && { ifNoneMatch: parseTags('If-None-Match', ifNoneMatch) }),
  };
}

function parseTags(header: string, value: string): TagCondition {
  if (value.trim() === '*') return '*';
  const tags: string[] = [];
  LIST_ELEMENT.lastIndex = 0;
  while (LIST_ELEMENT.lastIndex < value.length) {
    const match = LIST_ELEMENT.exec(value);
    if (!match || match[3] === '*') throw noList(header);
    tags.push((match[1] ?? match[2] ?? match[3]!).replace(CODING_SUFFIX, ''));
  }
  if (tags.length === 0) throw noList(header);
  return tags;
}

function noList(header: string): GitsteadError {
  return new GitsteadError('bad-request', `${header} is neither * nor a list of ETags`);
}

function includes(condition: TagCondition, current: string | undefined): boolean {
  return current !== undefined && (condition === '*' || condition.includes(current));
}

/**
 * Does a PUT or DELETE go ahead?
 * @param current bare ETag; undefined: there is no such document
 */
export function permitsWrite(precondition: Precondition, current: string | undefined): boolean {
  const { ifMatch, ifNoneMatch } = precondition;
  if (ifMatch !== undefined && !includes(ifMatch, current)) return false;
  return ifNoneMatch === undefined || !includes(ifNoneMatch, current);
}

/** What a GET or HEAD of what stands is answered with: itself, 304, or 412. */
export function judgeRead(precondition: Precondition, current: string): 'go' | 'not-modified' | 'failed' {
  const { ifMatch, ifNoneMatch } = precondition;
  if (ifMatch !== undefined && !includes(ifMatch, current)) return 'failed';
  return ifNoneMatch !== undefined && includes(ifNoneMatch, current) ? 'not-modified' : 'go';
}

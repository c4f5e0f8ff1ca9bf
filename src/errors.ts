// The one error class, its closed set of codes, and the one table from code to HTTP status.
// Ordinary answers (404, 304, 409, 412) are values, not errors; what is thrown is a broken expectation.

/** Every way in which a request, a command or the store can fail. */
export const HTTP_STATUS = {
  /** the request's path breaks the draft's rules (section 4): empty, `.`, `..`, `%2F`, `%00`, invalid UTF-8 */
  'bad-path': 400,
  /** a header, a body or a field is malformed */
  'bad-request': 400,
  /** no valid bearer token where one is needed (RFC 6750, section 3.1) */
  'token-needed': 401,
  /** the token is valid, its scopes do not cover the request */
  'out-of-scope': 403,
  /** a form that is outdated, or that no page of ours sent */
  'foreign-form': 403,
  /** the account or page does not exist (never used for documents: those answer by value) */
  'not-found': 404,
  /** the method is not defined for this kind of resource */
  'bad-method': 405,
  /** the body took too long to arrive */
  'body-timeout': 408,
  /** the document is larger than the limit */
  'too-large': 413,
  /** the path is longer than the limit */
  'path-too-long': 414,
  /** a body in a coding that would have to be undone before its bytes are the document's */
  'coded-body': 415,
  /** a Host header that is not ours */
  'wrong-host': 421,
  /** too many requests, or too many guesses */
  'too-many': 429,
  /** a fault of the server; `cause` tells */
  internal: 500,
  /** a stored object cannot be read or does not verify */
  corrupt: 500,
  /** the store is locked, recovering or unreadable: not now, and never a 404 */
  'not-ready': 503,
  /** the account is over its quota */
  'over-quota': 507,
  /** the disk is full */
  'disk-full': 507,
} as const;

export type ErrorCode = keyof typeof HTTP_STATUS;

/**
 * A broken expectation. `message` is one line for people and may be shown to the client, so it holds no
 * secret and no path of this machine; the operator finds the rest in `cause`.
 */
export class GitsteadError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'GitsteadError';
    this.code = code;
  }

  get status(): number {
    return HTTP_STATUS[this.code];
  }
}

/** What passes by itself, or when the operator has helped. */
const NOT_NOW = new Map<unknown, string>([
  ['EMFILE', 'the server has too many files and connections open: try again'],
  ['ENFILE', 'this machine has too many files open: try again'],
  ['EROFS', 'the disk can only be read just now; the old version stands'],
  ['EACCES', 'the server may not read or write its files just now; its log says why'],
  ['EPERM', 'the server may not read or write its files just now; its log says why'],
]);

/** SQLite's own codes: for a full disk, and for a file that is locked by others, or may not be written or opened. */
const SQLITE_FULL = 13;
const SQLITE_NOT_NOW = [5, 8, 14];

/**
 * Any thrown value as a GitsteadError: ENOSPC, EDQUOT and what SQLite says of a full disk become `disk-full`, files
 * that may not be written now, and too many open ones, `not-ready`, everything unknown `internal`. Called once, where a request or a command is answered.
 */
export function asGitsteadError(thrown: unknown): GitsteadError {
  if (thrown instanceof GitsteadError) return thrown;
  const { code, errcode } = (thrown ?? {}) as { code?: unknown; errcode?: unknown };
  if (code === 'ENOSPC' || code === 'EDQUOT' || errcode === SQLITE_FULL) {
    return new GitsteadError('disk-full', 'the disk is full; the old version stands', { cause: thrown });
  }
  const notNow = NOT_NOW.get(code);
  if (typeof errcode === 'number' && SQLITE_NOT_NOW.includes(errcode & 0xff)) {
    return new GitsteadError('not-ready', 'a database cannot be used just now; the log says why', {
      cause: thrown,
    });
  }
  if (notNow !== undefined) return new GitsteadError('not-ready', notNow, { cause: thrown });
  return new GitsteadError('internal', 'the server failed to do this; its log says why', { cause: thrown });
}

// Who may do what (draft, section 9): the bearer token of a request, and whether its scopes cover path and method.
// A token in the query is taken only where the settings say so, and for reading (RFC 6750, section 2.3; threat 4).
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SECRET_LENGTH } from '../db/secrets.ts';
import type { TokenGrant } from '../db/tokens.ts';
import { GitsteadError } from '../errors.ts';
import type { StoragePath } from '../protocol/paths.ts';
import { formatScope, type Scope, scopeFor } from '../protocol/scopes.ts';

/** A promise only when somebody else has to be asked: what is known costs no turn of the event loop. */
export type CheckToken = (token: string) => TokenGrant | undefined | Promise<TokenGrant | undefined>;

export type StorageMethod = 'GET' | 'HEAD' | 'PUT' | 'DELETE';

/** What allows a request: a token and the one of its scopes that covers it. */
export type Access = { grant: TokenGrant; scope: Scope };

/** A request on its way to an answer. */
export type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  /** undefined: a public document is read without a token */
  access: Access | undefined;
  /** the address that the request came from */
  client: string;
};

/** A refusal and the challenge that goes with it (RFC 6750, section 3). */
export type Refusal = { error: GitsteadError; challenge: string };

const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i;
/** What clients write before a token of ours, and all of it. */
const USUAL_BEARER = 'Bearer ';
const USUAL_LENGTH = USUAL_BEARER.length + SECRET_LENGTH;
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
export const REALM = 'realm="remoteStorage"';

/** What a request shows of a token: undefined where there is none, '' where it is no token. */
type Shown = { token: string | undefined; inQuery: boolean };

/**
 * The token that a request carries.
 * @param queryTokens whether GET and HEAD may carry it as `access_token` in the query
 * @returns a refusal when it carries more than one
 */
export function tokenOf(request: IncomingMessage, queryTokens: boolean): Shown | Refusal {
  const header = request.headers.authorization;
  const inHeader = header === undefined ? undefined : bearerIn(header);
  if (!queryTokens) return { token: inHeader, inQuery: false };
  const inQuery = tokensInQuery(request.url ?? '');
  if (inQuery.length === 0) return { token: inHeader, inQuery: false };
  if (inQuery.length > 1 || header !== undefined) return severalTokens();
  if (request.method !== 'GET' && request.method !== 'HEAD') return { token: undefined, inQuery: true };
  return { token: TOKEN.test(inQuery[0]!) ? inQuery[0] : '', inQuery: true };
}

/** '' where there is none. The check of the token says whether what looks like one of ours is one. */
function bearerIn(header: string): string {
  if (header.length === USUAL_LENGTH && header.startsWith(USUAL_BEARER))
    return header.slice(USUAL_BEARER.length);
  return BEARER.exec(header)?.[1] ?? '';
}

function tokensInQuery(target: string): string[] {
  const mark = target.indexOf('?');
  return mark < 0 ? [] : new URLSearchParams(target.slice(mark + 1)).getAll('access_token');
}

/** The access that the request's token gives, or why it gives none. */
export function judgeAccess(
  { token, inQuery }: Shown,
  checkToken: CheckToken,
  path: StoragePath,
  method: StorageMethod,
): Access | Refusal | Promise<Access | Refusal> {
  if (token === undefined) {
    return tokenNeeded(`this needs a bearer token${inQuery ? ' in the header Authorization' : ''}`, '');
  }
  const grant = token === '' ? undefined : checkToken(token);
  if (grant instanceof Promise) return grant.then((known) => judgeGrant(known, path, method));
  return judgeGrant(grant, path, method);
}

function judgeGrant(
  grant: TokenGrant | undefined,
  path: StoragePath,
  method: StorageMethod,
): Access | Refusal {
  if (!grant) return tokenNeeded('the bearer token is not valid: connect again', ', error="invalid_token"');
  if (grant.user !== path.user) return outOfScope('the token is for another account', '');
  const scope = scopeFor(grant.scopes, path, method);
  if (!scope) return outOfScope("the token's permissions do not cover this", neededScope(path, method));
  return { grant, scope };
}

/** RFC 6750, sections 2 and 3.1. */
function severalTokens(): Refusal {
  return {
    error: new GitsteadError('bad-request', 'the request carries more than one token'),
    challenge: `Bearer ${REALM}, error="invalid_request"`,
  };
}

function tokenNeeded(message: string, parameters: string): Refusal {
  return { error: new GitsteadError('token-needed', message), challenge: `Bearer ${REALM}${parameters}` };
}

function outOfScope(message: string, parameters: string): Refusal {
  return {
    error: new GitsteadError('out-of-scope', message),
    challenge: `Bearer ${REALM}, error="insufficient_scope"${parameters}`,
  };
}

/** The scope that would do, where a token can have one: module names that fit no scope are left out. */
function neededScope({ segments }: StoragePath, method: StorageMethod): string {
  const module = segments[0] === 'public' ? segments[1] : segments[0];
  if (module === undefined || !/^[\w.-]+$/.test(module)) return '';
  const level = method === 'PUT' || method === 'DELETE' ? 'rw' : 'r';
  return `, scope="${formatScope({ module, level })}"`;
}

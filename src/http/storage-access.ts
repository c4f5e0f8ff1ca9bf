// Who may do what (draft, section 9): the bearer token of a request, and whether its scopes cover path and method.
// Tokens in the query are not taken (RFC 6750, section 2.3; threat 4).
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TokenGrant } from '../db/tokens.ts';
import { GitsteadError } from '../errors.ts';
import type { StoragePath } from '../protocol/paths.ts';
import { formatScope, type Scope, scopeFor } from '../protocol/scopes.ts';

export type CheckToken = (token: string) => TokenGrant | undefined;

export type StorageMethod = 'GET' | 'HEAD' | 'PUT' | 'DELETE';

/** What allows a request: a token and the one of its scopes that covers it. */
export type Access = { grant: TokenGrant; scope: Scope };

/** A request on its way to an answer. */
export type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  /** undefined: a public document is read without a token */
  access: Access | undefined;
};

/** A refusal and the challenge that goes with it (RFC 6750, section 3). */
export type Refusal = { error: GitsteadError; challenge: string };

const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i;
const REALM = 'realm="remoteStorage"';

/** The access that the request's token gives, or why it gives none. */
export function judgeAccess(
  request: IncomingMessage,
  checkToken: CheckToken,
  path: StoragePath,
  method: StorageMethod,
): Access | Refusal {
  const header = request.headers.authorization;
  if (header === undefined) return tokenNeeded('this needs a bearer token', '');
  const token = BEARER.exec(header)?.[1];
  const grant = token === undefined ? undefined : checkToken(token);
  if (!grant) return tokenNeeded('the bearer token is not valid: connect again', ', error="invalid_token"');
  if (grant.user !== path.user) return outOfScope('the token is for another account', '');
  const scope = scopeFor(grant.scopes, path, method);
  if (!scope) return outOfScope("the token's permissions do not cover this", neededScope(path, method));
  return { grant, scope };
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

// What an app sends to the token endpoint (RFC 6749, sections 4.1.3 and 6), and how a refusal is said (section 5.2).
// `client_id` is ignored, as everywhere. What codes and refresh tokens are good for is the database's.
import { challengeOf } from './pkce.ts';
import { formatScopes, parseScopes } from './scopes.ts';

export type TokenRequest =
  | { kind: 'code'; code: string; redirectUri: string; challenge: string }
  /** `scope`: what the app says that it has, in our order; undefined: it says nothing */
  | { kind: 'refresh'; token: string; scope: string | undefined };

export type TokenError = {
  error: 'invalid_request' | 'invalid_grant' | 'invalid_scope' | 'unsupported_grant_type';
  /** for the app's developer; without quotes and backslashes */
  error_description: string;
};

/** The fields of a form: a list where one was sent more than once. */
export type FormFields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Reads a token request: each field at most once, unknown ones ignored, empty ones as if they were not there. */
export function parseTokenRequest(fields: FormFields): TokenRequest | TokenError {
  const repeated = KNOWN_FIELDS.find((name) => typeof fields[name] === 'object');
  if (repeated !== undefined) return malformed(`${repeated} is given twice`);
  const value = (name: (typeof KNOWN_FIELDS)[number]) => (fields[name] as string | undefined) || undefined;
  const kind = value('grant_type');
  if (kind === undefined) return malformed('grant_type is missing');
  if (kind === 'authorization_code') {
    return parseCode(value('code'), value('redirect_uri'), value('code_verifier'));
  }
  if (kind === 'refresh_token') return parseRefresh(value('refresh_token'), value('scope'));
  return {
    error: 'unsupported_grant_type',
    error_description: 'grant_type is authorization_code or refresh_token',
  };
}

const KNOWN_FIELDS = [
  ...(['grant_type', 'code', 'redirect_uri', 'code_verifier'] as const),
  ...(['refresh_token', 'scope'] as const),
];

function parseCode(
  code: string | undefined,
  redirectUri: string | undefined,
  verifier: string | undefined,
): TokenRequest | TokenError {
  if (code === undefined) return malformed('code is missing');
  if (redirectUri === undefined) return malformed('redirect_uri is missing');
  if (verifier === undefined) return malformed('code_verifier is missing');
  const challenge = challengeOf(verifier);
  if (challenge === undefined) return malformed('code_verifier has 43 to 128 letters, digits and - . _ ~');
  return { kind: 'code', code, redirectUri, challenge };
}

function parseRefresh(token: string | undefined, scope: string | undefined): TokenRequest | TokenError {
  if (token === undefined) return malformed('refresh_token is missing');
  if (scope === undefined) return { kind: 'refresh', token, scope };
  const scopes = parseScopes(scope);
  if (!scopes) return { error: 'invalid_scope', error_description: 'scope cannot be read' };
  return { kind: 'refresh', token, scope: formatScopes(scopes) };
}

function malformed(error_description: string): TokenError {
  return { error: 'invalid_request', error_description };
}

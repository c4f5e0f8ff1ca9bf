// An app's request for access (the draft's section 10; RFC 6749, sections 4.1 and 4.2) and the redirect that answers it.
// Pure: who the user is and whether they agree is decided elsewhere. Until then nothing here leads to a
// redirect: what is wrong with a request is thrown, to be shown on a page of ours.
import { GitsteadError } from '../errors.ts';
import { isChallenge } from './pkce.ts';
import { formatScopes, parseScopes, type Scope } from './scopes.ts';

const MAX_QUERY_LENGTH = 12_288;
const MAX_REDIRECT_LENGTH = 2048;
const MAX_SCOPE_LENGTH = 2048;
const MAX_STATE_LENGTH = 6144;

/** What the app wants back: a token in the fragment, or a code that it redeems with its verifier (RFC 7636). */
export type AnswerKind = { kind: 'token' } | { kind: 'code'; challenge: string };

/** Where an app wants to be sent back to, and thereby who it is: `client_id` is ignored, as section 10 demands. */
export type Redirect = {
  /** as the app wrote it: a code is bound to these very characters */
  written: string;
  /** the address, parsed and written again; what is shown is thus what is gone to */
  href: string;
  /** scheme, host (punycode) and port: the app's identity */
  origin: string;
  /** path of the address, which may tell two apps on one origin apart */
  path: string;
};

export type AuthorizeRequest = {
  answer: AnswerKind;
  redirect: Redirect;
  /** at least one */
  scopes: readonly Scope[];
  /** as it came, still percent-encoded; undefined when none (or an empty one) was sent */
  state: string | undefined;
};

/**
 * Parses the query string of an authorisation request, as it stands in the request line (without `?`).
 * @throws bad-request with a message for the user when anything is missing, repeated, malformed or not allowed
 */
export function parseAuthorizeRequest(rawQuery: string): AuthorizeRequest {
  if (rawQuery.length > MAX_QUERY_LENGTH) throw fault('is too long');
  if (!/^[!"$-~]*$/.test(rawQuery)) throw fault('has characters that no address may have');
  const parameters = readParameters(rawQuery);
  const redirect = parseRedirect(decodedValue(parameters, 'redirect_uri'));
  const answer = parseAnswerKind(parameters);
  if (answer.kind === 'code') refuseTakenNames(redirect);
  return {
    answer,
    redirect,
    scopes: parseScopeParameter(decodedValue(parameters, 'scope')),
    state: parseState(parameters.get('state')),
  };
}

function parseAnswerKind(parameters: Map<string, string>): AnswerKind {
  const responseType = decodedValue(parameters, 'response_type');
  if (responseType === undefined) throw fault('does not say what it wants back (response_type)');
  if (responseType === 'token') return { kind: 'token' };
  if (responseType !== 'code') {
    throw fault('wants an answer of a kind that this server does not give (response_type)');
  }
  const challenge = decodedValue(parameters, 'code_challenge');
  if (challenge === undefined) throw fault('wants a code without proof of who redeems it (code_challenge)');
  if (decodedValue(parameters, 'code_challenge_method') !== 'S256') {
    throw fault('wants to prove who it is in a way that is not safe (code_challenge_method is not S256)');
  }
  if (!isChallenge(challenge)) throw fault('has a proof that cannot be read (code_challenge)');
  return { kind: 'code', challenge };
}

/** What the answer will say in the query must not stand there already: the app could take the wrong one. */
function refuseTakenNames({ href }: Redirect): void {
  for (const name of new URL(href).searchParams.keys()) {
    if (ANSWER_NAMES.has(name)) throw redirectFault(`has a part called ${name}, which the answer needs`);
  }
}

const ANSWER_NAMES = new Set(['code', 'state', 'iss', 'error', 'error_description', 'error_uri']);

/** The values stay as they came. Read by hand, since URLSearchParams would lose how `state` was written. */
function readParameters(rawQuery: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of rawQuery.split('&')) {
    if (pair === '') continue;
    const [rawName = ''] = pair.split('=', 1);
    const name = decodeValue(rawName);
    if (name === undefined || !NAMES.has(name)) continue; // RFC 6749, section 3.1: unknown ones are ignored
    if (parameters.has(name)) throw fault(`says ${name} twice`);
    parameters.set(name, pair.slice(rawName.length + 1));
  }
  return parameters;
}

const NAMES = new Set([
  ...['redirect_uri', 'response_type', 'scope', 'state', 'client_id'],
  ...['code_challenge', 'code_challenge_method'],
]);

/** RFC 6749, section 3.1: a parameter without a value counts as one that was not sent. */
function decodedValue(parameters: Map<string, string>, name: string): string | undefined {
  const raw = parameters.get(name);
  if (raw === undefined || raw === '') return undefined;
  const value = decodeValue(raw);
  if (value === undefined) throw fault(`has a ${name} that cannot be read`);
  return value;
}

/** @returns undefined when the escapes are broken or are not UTF-8 */
function decodeValue(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function parseRedirect(raw: string | undefined): Redirect {
  if (raw === undefined) throw fault('does not say where to go back to (redirect_uri)');
  if (raw.length > MAX_REDIRECT_LENGTH) throw fault('has an address to go back to that is too long');
  // URL would drop or bend these silently
  if (/[\x00-\x20\x7f-\x9f\\]/.test(raw)) throw redirectFault('has characters that no address may have');
  if (!/^https?:\/\//i.test(raw)) throw redirectFault('does not begin with https://');
  if (raw.includes('#')) throw redirectFault('has a # part');
  const url = URL.parse(raw);
  if (!url) throw redirectFault('is not an address');
  if (!isPlainHost(url.hostname)) throw redirectFault('names a host with characters that no host has');
  if (url.username !== '' || url.password !== '') throw redirectFault('holds a user name or a password');
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw redirectFault('is not encrypted: it has to begin with https://');
  }
  return { written: raw, href: url.href, origin: url.origin, path: url.pathname };
}

/**
 * Whether a host is written as hosts are: URL also takes characters that mean something in a Content-Security-Policy or
 * in a list. `hostname` as URL writes it: punycode, an IPv6 address in brackets.
 */
export function isPlainHost(hostname: string): boolean {
  return /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/.test(hostname);
}

/** Hosts that never leave this computer, for which plain http is no risk. `hostname` as URL writes it. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  );
}

function parseScopeParameter(raw: string | undefined): readonly Scope[] {
  if (raw === undefined) throw fault('does not say what it wants access to (scope)');
  if (raw.length > MAX_SCOPE_LENGTH) throw fault('wants more than fits on a page (scope)');
  const scopes = parseScopes(raw);
  if (!scopes) throw fault('says in a way that nobody understands what it wants access to (scope)');
  return scopes;
}

function parseState(raw: string | undefined): string | undefined {
  if (raw === undefined || raw === '') return undefined;
  if (raw.length > MAX_STATE_LENGTH) throw fault('has a state that is too long');
  return raw;
}

/**
 * The address that hands a token to the app (RFC 6749, section 4.2.2).
 * @param token base64url, which needs no escapes
 * @param expiresIn seconds; undefined: it does not expire
 */
export function tokenRedirect(
  request: AuthorizeRequest,
  token: string,
  expiresIn: number | undefined,
): string {
  const scope = formatScopes(request.scopes).split(' ').map(encodeURIComponent).join('%20');
  const life = expiresIn === undefined ? '' : `&expires_in=${expiresIn}`;
  return withFragment(request, `access_token=${token}&token_type=bearer&scope=${scope}${life}`);
}

/**
 * The address that hands a code to the app (RFC 6749, section 4.1.2).
 * @param code base64url
 * @param issuer this server, as its metadata calls it (RFC 9207): apps tell by it which of their servers answered
 */
export function codeRedirect(request: AuthorizeRequest, code: string, issuer: string): string {
  return withQuery(request, `code=${code}`, issuer);
}

/** The address that tells the app that the user said no (RFC 6749, sections 4.1.2.1 and 4.2.2.1). */
export function deniedRedirect(request: AuthorizeRequest, issuer: string): string {
  return request.answer.kind === 'code'
    ? withQuery(request, 'error=access_denied', issuer)
    : withFragment(request, 'error=access_denied');
}

function withQuery({ redirect: { href }, state }: AuthorizeRequest, answer: string, issuer: string): string {
  const between = !href.includes('?') ? '?' : /[?&]$/.test(href) ? '' : '&';
  const more = state === undefined ? '' : `&state=${state}`;
  return `${href}${between}${answer}${more}&iss=${encodeURIComponent(issuer)}`;
}

/** `state` goes back byte for byte, but for `+`: in a query it means a space, in a fragment clients read it as
    a plus, so it is written as `%20`. */
function withFragment({ redirect, state }: AuthorizeRequest, fragment: string): string {
  return `${redirect.href}#${fragment}${state === undefined ? '' : `&state=${state.replaceAll('+', '%20')}`}`;
}

function fault(what: string): GitsteadError {
  return new GitsteadError('bad-request', `The app’s request ${what}.`);
}

function redirectFault(what: string): GitsteadError {
  return new GitsteadError('bad-request', `The address that the app wants to go back to ${what}.`);
}

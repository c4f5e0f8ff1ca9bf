// The check of tokens in a storage process that has no accounts: it asks the accounts process (RFC 7662), and remembers
// a yes and a no for a while. Who cannot be asked has not said no: that is 503, never 401, which would end an app's
// access.
import { z } from 'zod';
import type { CacheMeasures } from '../db/measures.ts';
import { hashSecret, isSecret } from '../db/secrets.ts';
import type { TokenGrant } from '../db/tokens.ts';
import { GitsteadError } from '../errors.ts';
import { parseUserName } from '../protocol/paths.ts';
import { parseScopes } from '../protocol/scopes.ts';
import { INTROSPECT } from './introspect.ts';
import type { ReadSecret } from './secret-file.ts';
import type { CheckToken } from './storage-access.ts';

/** Less than the 10 s that are promised: the accounts process itself hears of a change by others after 100 ms. */
const YES_MS = 9_000;
const NO_MS = 1_000;
const TIMEOUT_MS = 5_000;
/** Memory for what is remembered, half of it for each answer; and what a token takes, with the scopes that most have. */
const DEFAULT_CACHE_BYTES = 4 << 20;
const KNOWN_BYTES = 600;
const REFUSED_BYTES = 250;
/** Questions under way; more are answered with 503 at once. */
const MAX_ASKED = 1_000;
const MAX_ANSWER_BYTES = 65_536;

export type IntrospectionOptions = {
  /** of the accounts process, or of its endpoint */
  url: URL;
  readSecret: ReadSecret;
  /** Unix milliseconds, for the end of a token */
  now: () => number;
  /** milliseconds that only ever go up, for what is remembered */
  elapsed?: () => number;
  /** how long an answer may take, in milliseconds */
  timeoutMs?: number;
  fetch?: typeof fetch;
  /** 4 MiB unless given */
  cacheBytes?: number;
};

export type IntrospectingTokens = { check: CheckToken; measures(): CacheMeasures };

type Yes = { grant: TokenGrant; until: number };

const answer = z.union([
  z.object({ active: z.literal(false) }),
  z.object({
    active: z.literal(true),
    username: z.string(),
    scope: z.string(),
    grant: z.string(),
    app: z.string().optional(),
    exp: z.number().optional(),
    quota: z.number().nonnegative().optional(),
  }),
]);

/**
 * Makes the check: at once for a token that is remembered, else a promise.
 * @returns throws or rejects with not-ready when the accounts process cannot be reached, is too slow, or does not
 * answer as it should
 */
export function openIntrospectingTokens(options: IntrospectionOptions): IntrospectingTokens {
  const { now, elapsed = () => performance.now(), cacheBytes = DEFAULT_CACHE_BYTES } = options;
  const maxYes = Math.floor(cacheBytes / 2 / KNOWN_BYTES);
  const maxNo = Math.floor(cacheBytes / 2 / REFUSED_BYTES);
  let hits = 0;
  let misses = 0;
  const yes = new Map<string, Yes>();
  /** until when; guesses do not drive out the tokens in use */
  const no = new Map<string, number>();
  const asked = new Map<string, Promise<TokenGrant | undefined>>();

  async function ask(token: string, hash: string): Promise<TokenGrant | undefined> {
    // counted from the question, so that an answer that was long on its way is not believed for longer
    const time = elapsed();
    try {
      const grant = await introspect(options, token);
      yes.delete(hash);
      if (grant) keep(yes, hash, { grant, until: time + YES_MS }, maxYes);
      else keep(no, hash, time + NO_MS, maxNo);
      return grant;
    } finally {
      asked.delete(hash);
    }
  }

  function check(token: string): ReturnType<CheckToken> {
    if (!isSecret(token)) return undefined;
    const hash = hashSecret(token);
    const time = elapsed();
    const known = yes.get(hash);
    const isKnown = known !== undefined && known.until > time;
    if (isKnown || (no.get(hash) ?? 0) > time) {
      hits++;
      return isKnown ? unlessEnded(known.grant, now()) : undefined;
    }
    misses++;
    let question = asked.get(hash);
    if (question === undefined) {
      if (asked.size >= MAX_ASKED) return Promise.reject(notReady('too many tokens are asked about at once'));
      question = ask(token, hash);
      asked.set(hash, question);
    }
    return question;
  }

  return {
    check,
    measures: () => ({
      ...{ hits, misses },
      held: yes.size * KNOWN_BYTES + no.size * REFUSED_BYTES,
      limit: cacheBytes,
    }),
  };
}

function unlessEnded(grant: TokenGrant, time: number): TokenGrant | undefined {
  return grant.expiresAt !== undefined && grant.expiresAt <= time ? undefined : grant;
}

/** The oldest goes when there are too many. */
function keep<V>(known: Map<string, V>, hash: string, value: V, max: number): void {
  known.delete(hash);
  if (known.size >= max) known.delete(known.keys().next().value!);
  known.set(hash, value);
}

/** One question. @throws not-ready */
async function introspect(options: IntrospectionOptions, token: string): Promise<TokenGrant | undefined> {
  const { url, readSecret, timeoutMs = TIMEOUT_MS, fetch: send = fetch } = options;
  let status: number;
  let text: string;
  try {
    const response = await send(endpointOf(url), {
      method: 'POST',
      headers: { authorization: `Bearer ${readSecret()}`, accept: 'application/json' },
      body: new URLSearchParams({ token }),
      redirect: 'error', // the secret goes nowhere else
      signal: AbortSignal.timeout(timeoutMs),
    });
    ({ status } = response);
    text = await readText(response);
  } catch (cause) {
    throw notReady('the accounts process cannot be reached', cause);
  }
  if (status === 401) throw notReady('the accounts process does not take the secret of introspectSecretFile');
  if (status !== 200) throw notReady(`the accounts process answered ${status}`);
  return grantOf(text, options.now());
}

function endpointOf(url: URL): URL {
  return url.pathname === '/' ? new URL(INTROSPECT, url) : url;
}

async function readText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new Error('the answer does not end');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** @throws not-ready when the answer is none */
function grantOf(text: string, time: number): TokenGrant | undefined {
  const parsed = answer.safeParse(parseJson(text));
  if (!parsed.success) throw nonsense();
  const said = parsed.data;
  if (!said.active) return undefined;
  const user = parseUserName(said.username);
  const scopes = parseScopes(said.scope);
  if (user === undefined || scopes === undefined) throw nonsense();
  const expiresAt = said.exp === undefined ? undefined : said.exp * 1000;
  const { grant: id, app, quota: quotaBytes } = said;
  return unlessEnded({ id, user, app, scopes, quotaBytes, expiresAt }, time);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function nonsense(): GitsteadError {
  return notReady('the accounts process answered something else than RFC 7662 says');
}

/** Clients read nothing of how the operator's machines are set up; the log does. */
function notReady(why: string, cause?: unknown): GitsteadError {
  return new GitsteadError('not-ready', 'tokens cannot be checked just now', {
    cause: new Error(why, cause === undefined ? undefined : { cause }),
  });
}

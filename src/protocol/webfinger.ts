// WebFinger (RFC 7033) as the draft's section 10 uses it: which person a resource names, and the record of a
// user. Which hosts are ours, and who exists, is asked elsewhere.

/** The draft that this server speaks, as clients find it in the record. */
export const STORAGE_API = 'draft-dejong-remotestorage-26';
export const REMOTESTORAGE_REL = 'http://tools.ietf.org/id/draft-dejong-remotestorage';

const VERSION = 'http://remotestorage.io/spec/version';
const IMPLICIT_GRANT = 'http://tools.ietf.org/html/rfc6749#section-4.2';
const AUTHORIZE = 'http://tools.ietf.org/html/rfc6749#section-3.1';
const TOKEN = 'http://tools.ietf.org/html/rfc6749#section-3.2';
const PKCE = 'http://tools.ietf.org/html/rfc7636';
const QUERY_TOKENS = 'http://tools.ietf.org/html/rfc6750#section-2.3';
const RANGES = 'http://tools.ietf.org/html/rfc7233';

/** A resource that may be one of ours. `host` is in lower case, with its port if one was given. */
export type Resource =
  /** `acct:alice@example.com`; `name` is in lower case and not checked further */
  | { kind: 'account'; name: string; host: string }
  /** `https://example.com/`: the one person who has this host to themselves */
  | { kind: 'host'; host: string };

export type WebfingerLink = { rel: string; href: string; properties: Record<string, string> };
export type WebfingerRecord = { subject: string; links: WebfingerLink[] };

/**
 * Reads the parameters of a lookup from a raw query string. Clients send the resource unencoded as often as
 * encoded, which reads the same.
 * @returns `resource` undefined when it is missing or given twice
 */
export function parseLookup(rawQuery: string): { resource: string | undefined; rels: readonly string[] } {
  const parameters = new URLSearchParams(rawQuery);
  const resources = parameters.getAll('resource');
  return { resource: resources.length === 1 ? resources[0] : undefined, rels: parameters.getAll('rel') };
}

/** @returns undefined for what no account of ours can be called */
export function parseResource(resource: string): Resource | undefined {
  const account = /^(?:acct:)?([^@/:\s]+)@([^@/?#\s]+)$/i.exec(resource);
  if (account) {
    const host = parseHost(account[2]!);
    return host === undefined ? undefined : { kind: 'account', name: account[1]!.toLowerCase(), host };
  }
  const site = /^https?:\/\/([^@/?#\s]+)\/?$/i.exec(resource);
  if (site) {
    const host = parseHost(site[1]!);
    return host === undefined ? undefined : { kind: 'host', host };
  }
  return undefined;
}

/** A host with an optional port, in lower case and punycode; default ports stay, for they are compared as given. */
function parseHost(raw: string): string | undefined {
  const port = /:(\d{1,5})$/.exec(raw)?.[1];
  const name = port === undefined ? raw : raw.slice(0, -port.length - 1);
  const parsed = URL.parse(`https://${name}/`);
  if (parsed?.port !== '') return undefined;
  return port === undefined ? parsed.hostname : `${parsed.hostname}:${port}`;
}

/**
 * The record of one user: exactly one remoteStorage link, announcing only what works: both ways to ask for
 * access, ranges on GET, and tokens in the query where they are taken.
 * @param subject the resource that the record is about, such as `acct:alice@example.com`
 * @param storageRoot without a slash at its end
 */
export function webfingerRecord(about: {
  subject: string;
  storageRoot: string;
  authorizeUrl: string;
  tokenUrl: string;
  queryTokens?: boolean | undefined;
}): WebfingerRecord {
  const { authorizeUrl, tokenUrl, queryTokens } = about;
  return {
    subject: about.subject,
    links: [
      {
        rel: REMOTESTORAGE_REL,
        href: about.storageRoot,
        properties: {
          [VERSION]: STORAGE_API,
          [IMPLICIT_GRANT]: authorizeUrl,
          [AUTHORIZE]: authorizeUrl,
          [TOKEN]: tokenUrl,
          [PKCE]: 'S256',
          [RANGES]: 'GET',
          ...(queryTokens && { [QUERY_TOKENS]: 'true' }),
        },
      },
    ],
  };
}

/** RFC 7033, section 4.3: a lookup may name the link relations that it wants; no name means all. */
export function filterLinks(record: WebfingerRecord, rels: readonly string[]): WebfingerRecord {
  if (rels.length === 0) return record;
  return { ...record, links: record.links.filter(({ rel }) => rels.includes(rel)) };
}

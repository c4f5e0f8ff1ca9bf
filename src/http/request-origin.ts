// By which name and from where a request came (threat 26): the Host header must be a name of ours, and
// forwarded headers count only when a configured proxy sends them. Used by pages and storage alike.
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, type Socket } from 'node:net';
import { GitsteadError } from '../errors.ts';

export type OriginSettings = {
  /** where people find this server, `https://example.com`; undefined: loopback names only */
  publicUrl?: string | undefined;
  /** where storage is served when it has an origin of its own */
  storageUrl?: string | undefined;
  /** the part of accounts' addresses after the @, when it is another host's name */
  addressHost?: string | undefined;
  /** addresses or subnets (`10.0.0.0/8`) whose forwarded headers are believed */
  trustedProxies?: readonly string[] | undefined;
  /** the port that loopback names come with; undefined: the one that the request arrived at */
  port?: number | undefined;
  /** what loopback names may be asked for; unless given everything, or pages where storage has a name of its own */
  loopbackServes?: RequestOrigin['serves'] | undefined;
};

export type RequestOrigin = {
  /** scheme, host and port by which this request asked, `http://localhost:8000`: what browsers send as Origin */
  origin: string;
  /** beginning of every link to this server: the public URL, or `origin` when there is none */
  linkOrigin: string;
  /** beginning of every link to storage */
  storageOrigin: string;
  /** the part of addresses after the @, as this request should see it */
  addressHost: string;
  /** the address that the request came from, behind trusted proxies */
  client: string;
  /** what this name may be asked for. `discovery`: WebFinger only, for a host whose web site stands elsewhere */
  serves: 'all' | 'accounts' | 'storage' | 'discovery';
  /** nobody on a network could read it: it came from this machine, or by https through a trusted proxy */
  isPrivate: boolean;
};

/** What stays the same while a connection lasts, and what its last Host header meant. */
type Connection = {
  sender: string;
  behindProxy: boolean;
  host: string | undefined;
  judged: RequestOrigin | undefined;
};

export type JudgeOrigin = (request: IncomingMessage) => RequestOrigin;

/**
 * Makes the judge of requests.
 * @param warn called once, when an unknown sender uses forwarded headers
 * @returns throws wrong-host for a name that is not ours
 */
export function originJudge(settings: OriginSettings, warn: (message: string) => void): JudgeOrigin {
  const isTrusted = trustedProxies(settings.trustedProxies ?? []);
  const names = configuredNames(settings);
  const loopbackServes = settings.loopbackServes ?? (hasOwnStorage(settings) ? 'accounts' : 'all');
  let hasWarned = false;

  const connections = new WeakMap<Socket, Connection>();

  function connectionOf({ socket }: IncomingMessage): Connection {
    let connection = connections.get(socket);
    if (!connection) {
      const sender = plainAddress(socket.remoteAddress ?? '');
      connection = { sender, behindProxy: isTrusted(sender), host: undefined, judged: undefined };
      connections.set(socket, connection);
    }
    return connection;
  }

  function judge(request: IncomingMessage, host: string, client: string, byHttps: boolean): RequestOrigin {
    const known = names.get(host);
    const port = settings.port ?? request.socket.localPort;
    if (!known && !isLoopbackHost(host, port)) throw wrongHost(host);
    const origin = known?.origin ?? `http://${host}`;
    const linkOrigin = settings.publicUrl === undefined ? origin : new URL(settings.publicUrl).origin;
    return {
      origin,
      linkOrigin,
      storageOrigin: settings.storageUrl === undefined ? linkOrigin : new URL(settings.storageUrl).origin,
      addressHost: settings.addressHost ?? new URL(linkOrigin).host,
      client,
      serves: known?.serves ?? loopbackServes,
      isPrivate: isLoopbackAddress(client) || (byHttps && origin.startsWith('https:')),
    };
  }

  return (request) => {
    const connection = connectionOf(request);
    const { sender, behindProxy } = connection;
    const host = request.headers.host ?? '';
    if (behindProxy) {
      const asked = forwarded(request, 'x-forwarded-host') || host;
      const byHttps = (forwarded(request, 'x-forwarded-proto') || 'https') === 'https';
      return judge(request, asked.toLowerCase(), clientBehindProxies(request, isTrusted), byHttps);
    }
    if (!connection.judged || connection.host !== host) {
      if (!hasWarned && isForwarded(request)) {
        hasWarned = true;
        warn(`forwarded headers from ${sender} are ignored: it is not among the trusted proxies`);
      }
      connection.judged = judge(request, host.toLowerCase(), sender, false);
      connection.host = host;
    }
    return connection.judged;
  };
}

/** Each Host header that the settings name, with the origin that it stands for. */
function configuredNames(settings: OriginSettings) {
  const { publicUrl, storageUrl, addressHost } = settings;
  const names = new Map<string, Pick<RequestOrigin, 'origin' | 'serves'>>();
  if (addressHost !== undefined) {
    names.set(addressHost, { origin: `https://${addressHost}`, serves: 'discovery' });
  }
  const isApart = hasOwnStorage(settings);
  if (isApart) addName(names, storageUrl!, 'storage');
  if (publicUrl !== undefined) addName(names, publicUrl, isApart ? 'accounts' : 'all');
  return names;
}

/** Draft, section 14: storage under an origin of its own. */
function hasOwnStorage({ publicUrl, storageUrl }: OriginSettings): boolean {
  if (storageUrl === undefined) return false;
  return publicUrl === undefined || new URL(storageUrl).origin !== new URL(publicUrl).origin;
}

/** A default port may be written out in a Host header. */
function addName(
  names: Map<string, Pick<RequestOrigin, 'origin' | 'serves'>>,
  url: string,
  serves: RequestOrigin['serves'],
): void {
  const { origin, host, port, protocol } = new URL(url);
  names.set(host, { origin, serves });
  if (port === '') names.set(`${host}:${protocol === 'https:' ? 443 : 80}`, { origin, serves });
}

/** localhost, 127.0.0.1 and [::1] with our port: the same server, whatever else is configured. */
export function isLoopbackHost(host: string, port: number | undefined): boolean {
  const [, given] = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?$/.exec(host) ?? [undefined, null];
  return given !== null && Number(given ?? 80) === port;
}

/** @param address as a socket tells it */
export function isLoopbackAddress(address: string): boolean {
  const plain = plainAddress(address);
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

function wrongHost(host: string): GitsteadError {
  return new GitsteadError(
    'wrong-host',
    `This server does not go by the name “${host.slice(0, 100)}”. If it should, start it with --public-url.`,
  );
}

function isForwarded({ headers }: IncomingMessage): boolean {
  return 'x-forwarded-for' in headers || 'x-forwarded-host' in headers || 'forwarded' in headers;
}

/** The last value: what the nearest proxy wrote. */
function forwarded(request: IncomingMessage, name: string): string | undefined {
  return String(request.headers[name] ?? '')
    .split(',')
    .at(-1)
    ?.trim();
}

/** The last address of X-Forwarded-For that is not a proxy of ours: what stands before it anyone can invent. */
function clientBehindProxies(request: IncomingMessage, isTrusted: (address: string) => boolean): string {
  const chain = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((address) => plainAddress(address.trim()))
    .filter((address) => isIP(address) !== 0);
  return chain.findLast((address) => !isTrusted(address)) ?? plainAddress(request.socket.remoteAddress ?? '');
}

function trustedProxies(list: readonly string[]): (address: string) => boolean {
  const proxies = new BlockList();
  for (const entry of list) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) proxies.addAddress(address, family);
    else proxies.addSubnet(address, Number(bits), family);
  }
  return (address) => isIP(address) !== 0 && proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** IPv4 addresses that arrive on an IPv6 socket, as IPv4. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

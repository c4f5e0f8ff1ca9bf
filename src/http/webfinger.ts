// Discovery (the draft's section 10, RFC 7033): from an address to the storage and the page that grants access.
// Always answered directly, never by a redirect, and always with CORS: apps ask from their own origin.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Users } from '../db/users.ts';
import { parseUserName, STORAGE_PREFIX, type UserName } from '../protocol/paths.ts';
import {
  filterLinks,
  parseLookup,
  parseResource,
  type WebfingerRecord,
  webfingerRecord,
} from '../protocol/webfinger.ts';
import { isLoopbackHost, type RequestOrigin } from './request-origin.ts';

/** Clients try the last two when the first fails (and would get an answer of a kind that they cannot read). */
const PATHS = ['/.well-known/webfinger', '/.well-known/host-meta.json', '/.well-known/host-meta'];

export function registerWebfinger(
  app: FastifyInstance,
  {
    users,
    singleUser,
    publicUrl,
    queryTokens,
  }: {
    users: Users;
    singleUser?: string | undefined;
    publicUrl?: string | undefined;
    queryTokens?: boolean | undefined;
  },
): void {
  for (const path of PATHS) {
    app.options(path, { config: { isMachine: true } }, async (_request, reply) =>
      withCors(reply)
        .header('access-control-allow-methods', 'GET, HEAD')
        .header('access-control-allow-headers', '*')
        .code(204)
        .send(),
    );
    app.get(path, { config: { isMachine: true } }, async (request, reply) => {
      const url = request.raw.url ?? '';
      const { resource, rels } = parseLookup(url.slice(path.length + 1));
      if (resource === undefined)
        return refuse(reply, 400, 'a resource is needed, once: ?resource=acct:NAME@HOST');
      const user = await userOf(resource, request);
      if (user === undefined) return refuse(reply, 404, 'there is no such account here');
      return (
        withCors(reply)
          .type('application/jrd+json')
          .header('cache-control', 'no-cache')
          // as bytes: to a text fastify would add a charset, which this type has not
          .send(Buffer.from(JSON.stringify(filterLinks(recordOf(user, resource, request.origin), rels))))
      );
    });
  }

  function recordOf(user: UserName, resource: string, origin: RequestOrigin): WebfingerRecord {
    return webfingerRecord({
      subject: resource,
      storageRoot: `${origin.storageOrigin}${STORAGE_PREFIX}${user}`,
      authorizeUrl: `${origin.linkOrigin}/oauth/${user}/authorize`,
      tokenUrl: `${origin.linkOrigin}/oauth/token`,
      queryTokens,
    });
  }

  async function userOf(resource: string, request: FastifyRequest): Promise<UserName | undefined> {
    const parsed = parseResource(resource);
    if (!parsed || !isOurs(parsed.host, request)) return undefined;
    const name = parsed.kind === 'account' ? parsed.name : await onlyUser();
    if (name === undefined || parseUserName(name) === undefined) return undefined;
    return (await users.find(name))?.name;
  }

  /** A host stands for a person when it has one: by the settings, or because there is only one account. */
  async function onlyUser(): Promise<string | undefined> {
    if (singleUser !== undefined) return singleUser;
    const all = await users.list();
    return all.length === 1 ? all[0]!.name : undefined;
  }

  /** The host of accounts' addresses, the public URL's host with or without its port, and loopback names. */
  function isOurs(host: string, { origin, raw }: FastifyRequest): boolean {
    const ours = [origin.addressHost, new URL(origin.linkOrigin).host];
    if (publicUrl !== undefined) ours.push(new URL(publicUrl).host);
    const bare = host.replace(/:\d+$/, '');
    if (ours.some((name) => name === host || name.replace(/:\d+$/, '') === host)) return true;
    if (ours.includes(bare) && host === `${bare}:443`) return true;
    return isLoopbackHost(host, portOf(origin) ?? raw.socket.localPort) || isLoopbackHost(host, 80);
  }
}

function portOf({ origin }: RequestOrigin): number | undefined {
  const { port } = new URL(origin);
  return port === '' ? undefined : Number(port);
}

function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return withCors(reply)
    .code(status)
    .type('application/json')
    .header('cache-control', 'no-store')
    .send(JSON.stringify({ error: message }));
}

function withCors(reply: FastifyReply): FastifyReply {
  return reply.header('access-control-allow-origin', '*');
}

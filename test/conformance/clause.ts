// What a row of the conformance table is, and what it is given: a folder of its own on the server under test,
// tokens, and few words for requests and expectations.
import assert from 'node:assert/strict';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Asked, Client, Reply } from './client.ts';

export type Clause = {
  /** where it is asked for: `draft 4`, `RFC 9110 14.2`, `interop`, `threat 8` */
  section: string;
  /** in our own words; together with the section, the test's name */
  requirement: string;
  /** the standards leave it open, and this is what Gitstead does: other servers may do otherwise */
  isChoice?: boolean;
  /** tokens that the row cannot do without */
  needs?: readonly (keyof OptionalTokens)[];
  run(server: Server): Promise<void>;
};

type OptionalTokens = {
  /** `*:rw` */
  rootRw?: string | undefined;
  /** `*:r` */
  rootR?: string | undefined;
  /** `rw` for a module that is not ours */
  otherModule?: string | undefined;
  /** `*:rw` of another account */
  otherUser?: string | undefined;
};

export type Tokens = OptionalTokens & {
  /** `<module>:rw` */
  rw: string;
  /** `<module>:r` */
  r: string;
};

export type Target = {
  client: Client;
  /** path of the user's root, without a slash at its end: `/storage/alice` */
  root: string;
  /** `host:port` */
  host: string;
  module: string;
  tokens: Tokens;
};

/**
 * A server as a row sees it. Paths that begin with a slash count from the user's root, others from the row's own
 * folder; both are raw, percent-encoded. Without a `token` the request carries the module's `rw` one, with
 * `token: ''` none.
 */
export type Server = Target & {
  /** the row's own folder: `/<module>/<unique>/` */
  folder: string;
  send(method: string, path: string, asked?: Asked): Promise<Reply>;
  get(path: string, headers?: OutgoingHttpHeaders, token?: string): Promise<Reply>;
  head(path: string, headers?: OutgoingHttpHeaders, token?: string): Promise<Reply>;
  /** as text/plain, unless the headers tell otherwise */
  put(path: string, body: Asked['body'], headers?: OutgoingHttpHeaders, token?: string): Promise<Reply>;
  delete(path: string, headers?: OutgoingHttpHeaders, token?: string): Promise<Reply>;
  /** The items of a folder. */
  list(path: string, token?: string): Promise<Record<string, Item>>;
  /** A PUT that must succeed. @returns the ETag, with its quotes */
  store(path: string, body?: string | Buffer, type?: string, token?: string): Promise<string>;
  /** The ETag of what must be there, with its quotes. */
  tag(path: string, token?: string): Promise<string>;
};

export type Item = {
  ETag: string;
  'Content-Type'?: string;
  'Content-Length'?: number;
  'Last-Modified'?: string;
};

let rows = 0;

export function openRow(target: Target): Server {
  const unique = `row-${process.pid}-${Date.now().toString(36)}-${rows++}`;
  const folder = `/${target.module}/${unique}/`;
  const server: Server = {
    ...target,
    folder,
    send(method, path, { token = target.tokens.rw, ...asked } = {}) {
      const whole = path.startsWith('/') ? path : folder + path;
      return target.client.send(method, target.root + whole, {
        ...asked,
        token: token === '' ? undefined : token,
      });
    },
    get: (path, headers = {}, token) => server.send('GET', path, { headers, token }),
    head: (path, headers = {}, token) => server.send('HEAD', path, { headers, token }),
    put: (path, body, headers = {}, token) =>
      server.send('PUT', path, { body, headers: { 'Content-Type': 'text/plain', ...headers }, token }),
    delete: (path, headers = {}, token) => server.send('DELETE', path, { headers, token }),
    async list(path, token) {
      const reply = await server.get(path, {}, token);
      assert.equal(reply.status, 200, `GET ${path}: ${reply.text}`);
      return (JSON.parse(reply.text) as { items: Record<string, Item> }).items;
    },
    async store(path, body = 'x', type = 'text/plain', token) {
      const reply = await server.put(path, body, { 'Content-Type': type }, token);
      assert.ok([200, 201].includes(reply.status), `PUT ${path} → ${reply.status} ${reply.text}`);
      return reply.headers.etag!;
    },
    async tag(path, token) {
      const reply = await server.head(path, {}, token);
      assert.equal(reply.status, 200, `HEAD ${path}`);
      return reply.headers.etag!;
    },
  };
  return server;
}

/** Deletes everything below a folder. */
export async function clear(server: Server, folder: string, token?: string): Promise<void> {
  const items = await server.list(folder, token);
  for (const name of Object.keys(items)) {
    const path = folder + encode(name);
    if (name.endsWith('/')) await clear(server, path, token);
    else await server.delete(path, {}, token);
  }
}

/** A name as remotestorage.js sends it; the slash of a folder stays. */
export function encode(name: string): string {
  const encoded = (part: string) => encodeURIComponent(part).replace(/'/g, '%27');
  return name.endsWith('/') ? `${encoded(name.slice(0, -1))}/` : encoded(name);
}

const STRONG = /^"[!#-~\x80-\xff]+"$/;

/** A status, and a strong ETag with it. */
export function expectVersion(reply: Reply, ...statuses: number[]): string {
  expectStatus(reply, ...statuses);
  assert.match(reply.headers.etag ?? '', STRONG, 'a strong ETag');
  return reply.headers.etag!;
}

export function expectStatus(reply: Reply, ...statuses: number[]): void {
  const isExpected = statuses.includes(reply.status);
  assert.ok(
    isExpected,
    `expected ${statuses.join(' or ')}, got ${reply.status}: ${reply.text.slice(0, 200)}`,
  );
}

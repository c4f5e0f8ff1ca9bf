// `/oauth/introspect` (RFC 7662): a storage process of ours asks what a token allows. Who asks knows a secret that both
// sides read from a file; the question holds a token, so it comes by https or from this machine. Without the
// setting the endpoint stands there too, and nobody knows the secret.
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { TokenGrant, Tokens } from '../db/tokens.ts';
import { formatScopes } from '../protocol/scopes.ts';
import { knowsSecret, type ReadSecret } from './secret-file.ts';

export const INTROSPECT = '/oauth/introspect';

export type IntrospectOptions = {
  tokens: Tokens;
  /** undefined: nobody may ask */
  readSecret: ReadSecret | undefined;
  /** the host of authors' addresses in commits */
  authorHost: string;
  /** for accounts without a quota of their own; undefined: no limit */
  defaultQuotaBytes: number | undefined;
};

export function registerIntrospect(app: FastifyInstance, options: IntrospectOptions): void {
  app.post(INTROSPECT, { config: { isMachine: true } }, async (request, reply) => {
    if (!request.origin.isPrivate) {
      return send(reply, 403, refusal('access_denied', 'ask by https, or from this machine'));
    }
    const { readSecret } = options;
    if (readSecret === undefined || !knowsSecret(request.headers.authorization, readSecret)) {
      reply.header('www-authenticate', 'Bearer realm="introspection"');
      return send(reply, 401, refusal('invalid_client', 'the secret of this server is needed'));
    }
    const { token } = (request.body ?? {}) as Record<string, unknown>;
    if (typeof token !== 'string' || token === '') {
      return send(reply, 400, refusal('invalid_request', 'token is missing, or given twice'));
    }
    const grant = options.tokens.check(token);
    return send(reply, 200, grant ? describe(grant, options) : { active: false });
  });
}

/**
 * RFC 7662, section 2.2, and what a commit says of its author. JSON leaves out what is undefined.
 * `exp`: Unix seconds; `app`: the app's origin; `grant`: its id; `quota`: bytes.
 */
function describe(grant: TokenGrant, { authorHost, defaultQuotaBytes }: IntrospectOptions) {
  const { user, app, id, scopes, expiresAt, quotaBytes } = grant;
  return {
    active: true,
    sub: user,
    username: user,
    scope: formatScopes(scopes),
    exp: expiresAt === undefined ? undefined : Math.floor(expiresAt / 1000),
    app,
    grant: id,
    name: user,
    email: `${user}@${authorHost}`,
    quota: quotaBytes ?? defaultQuotaBytes,
  };
}

/** Words as RFC 6749 has them, section 5.2. */
function refusal(error: string, error_description: string) {
  return { error, error_description };
}

function send(reply: FastifyReply, status: number, body: object): FastifyReply {
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/json')
    .send(JSON.stringify(body));
}

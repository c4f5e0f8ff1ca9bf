// OAuth for programs: apps redeem codes and refresh tokens (RFC 6749, section 3.2), give tokens back (RFC 7009), and read what
// this server can do (RFC 8414). No cookie is looked at, so any origin may ask.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Audit } from '../db/audit.ts';
import type { CodeFlow, Given, Refused } from '../db/code-flow.ts';
import type { Grants } from '../db/grants.ts';
import type { Log } from '../log.ts';
import { formatScopes } from '../protocol/scopes.ts';
import { type FormFields, parseTokenRequest, type TokenError } from '../protocol/token-request.ts';
import { sourceOf } from './audit-source.ts';
import { INTROSPECT } from './introspect.ts';

const TOKEN = '/oauth/token';
const REVOKE = '/oauth/revoke';
const METADATA = '/.well-known/oauth-authorization-server';
const MACHINE = { config: { isMachine: true } } as const;

export function registerTokenEndpoints(
  app: FastifyInstance,
  {
    grants,
    codeFlow,
    audit,
    log,
    hasIntrospection,
  }: { grants: Grants; codeFlow: CodeFlow; audit: Audit; log: Log; hasIntrospection: boolean },
): void {
  for (const [path, methods] of [
    [TOKEN, 'POST'],
    [REVOKE, 'POST'],
    [METADATA, 'GET, HEAD'],
  ] as const) {
    app.options(path, MACHINE, async (_request, reply) => answerPreflight(reply, methods));
  }

  app.post(TOKEN, MACHINE, async (request, reply) => {
    const asked = parseTokenRequest(fieldsOf(request));
    if ('error' in asked) return refuse(reply, asked);
    const outcome =
      asked.kind === 'code'
        ? await codeFlow.redeem(asked.code, asked)
        : await codeFlow.refresh(asked.token, asked.scope);
    if ('refused' in outcome) {
      if (outcome.refused === 'reused') {
        const { user, app } = outcome;
        const kind = asked.kind === 'code' ? 'code-reused' : 'refresh-reused';
        await audit.record({ kind, user, app, ...sourceOf(request) });
      }
      return refuse(reply, refusalOf(outcome, asked.kind, log));
    }
    return sendJson(reply, 200, answerOf(outcome));
  });

  app.post(REVOKE, MACHINE, async (request, reply) => {
    const { token } = fieldsOf(request);
    if (typeof token !== 'string' || token === '') {
      const error_description = 'token is missing, or given twice';
      return refuse(reply, { error: 'invalid_request', error_description });
    }
    // a token that is unknown, or none of ours, is as good as revoked (RFC 7009, section 2.2)
    const revoked = await grants.revokeToken(token);
    if (revoked) {
      const { user, app, id } = revoked;
      log.info({ user, app, grant: id }, 'an app gave back its access');
      const detail = 'the app gave it back';
      await audit.record({ kind: 'app-revoked', user, app, detail, ...sourceOf(request) });
    }
    return sendJson(reply, 200, {});
  });

  app.get(METADATA, MACHINE, async (request, reply) =>
    sendJson(reply, 200, metadataOf(request.origin.linkOrigin, hasIntrospection)),
  );
}

/** RFC 8414. Names what works, and nothing else. */
export function metadataOf(issuer: string, hasIntrospection: boolean): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: issuer + TOKEN,
    revocation_endpoint: issuer + REVOKE,
    response_types_supported: ['token', 'code'],
    response_modes_supported: ['query', 'fragment'],
    grant_types_supported: ['implicit', 'authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    authorization_response_iss_parameter_supported: true,
    ...(hasIntrospection && {
      introspection_endpoint: issuer + INTROSPECT,
      introspection_endpoint_auth_methods_supported: ['Bearer'],
    }),
  };
}

/** RFC 6749, section 5.1. */
function answerOf({ accessToken, expiresIn, refreshToken, scopes }: Given): Record<string, unknown> {
  return {
    access_token: accessToken,
    token_type: 'bearer',
    expires_in: expiresIn,
    refresh_token: refreshToken,
    scope: formatScopes(scopes),
  };
}

function refusalOf(outcome: Refused, kind: 'code' | 'refresh', log: Log): TokenError {
  const what = kind === 'code' ? 'code' : 'refresh token';
  if (outcome.refused === 'other-scope') {
    return { error: 'invalid_scope', error_description: 'scope is not what the user allowed' };
  }
  if (outcome.refused === 'reused') {
    const { user, app } = outcome;
    log.warn({ user, app }, `a ${what} came a second time: the access that it gave is ended`);
  }
  const error_description = `this ${what} is not good (any more), or not for this request: ask the user again`;
  return { error: 'invalid_grant', error_description };
}

function fieldsOf(request: FastifyRequest): FormFields {
  return (request.body ?? {}) as FormFields;
}

function refuse(reply: FastifyReply, error: TokenError): FastifyReply {
  return sendJson(reply, 400, error);
}

function sendJson(reply: FastifyReply, status: number, body: object): FastifyReply {
  return reply
    .code(status)
    .header('access-control-allow-origin', '*')
    .header('cache-control', 'no-store')
    .type('application/json')
    .send(JSON.stringify(body));
}

function answerPreflight(reply: FastifyReply, methods: string): FastifyReply {
  return reply
    .code(204)
    .header('access-control-allow-origin', '*')
    .header('access-control-allow-methods', methods)
    .header('access-control-allow-headers', '*, Authorization')
    .header('access-control-max-age', '7200')
    .send();
}

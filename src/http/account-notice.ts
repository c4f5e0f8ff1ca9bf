// What a form did, carried to the page that comes next: in the query, sealed with the session's key, so that nobody can
// send a link to a page that says what was never done.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AccountPath, Done } from '../ui/account-layout.ts';
import type { Forms } from './forms.ts';
import { redirectWithin } from './page-headers.ts';

/** Leads to `path`, which then says what was done. */
export function redirectWhenDone(
  request: FastifyRequest,
  reply: FastifyReply,
  forms: Forms,
  path: AccountPath,
  done: Done,
): FastifyReply {
  const text = formatDone(done);
  const query = new URLSearchParams({ done: text, seal: forms.token(request, reply, purposeOf(text)) });
  return redirectWithin(reply, `${path}?${query}`);
}

/** What was done before this page was asked for; undefined: nothing, or the query is not from a form of this session. */
export function doneBefore(request: FastifyRequest, reply: FastifyReply, forms: Forms): Done | undefined {
  const { done, seal } = request.query as Record<string, unknown>;
  if (typeof done !== 'string' || typeof seal !== 'string') return undefined;
  if (seal !== forms.token(request, reply, purposeOf(done))) return undefined;
  return parseDone(done);
}

/** Good for nothing but showing the words. */
function purposeOf(text: string): string {
  return `say that it was done: ${text}`;
}

function formatDone(done: Done): string {
  return done.kind === 'app-revoked' ? `${done.kind} ${done.app}` : done.kind;
}

function parseDone(text: string): Done | undefined {
  switch (text) {
    case 'token-revoked':
    case 'session-ended':
    case 'others-ended':
      return { kind: text };
  }
  const app = /^app-revoked (https?:\/\/\S+)$/.exec(text)?.[1];
  return app !== undefined && URL.parse(app)?.origin === app ? { kind: 'app-revoked', app } : undefined;
}

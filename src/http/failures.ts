// What is answered when something goes wrong on the pages' side: our own error page, or JSON with CORS for
// programs. Faults of the server are logged with their cause; addresses are not, for they may hold secrets.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { asGitsteadError, type ErrorCode, GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import { errorPage } from '../ui/error-page.ts';
import { COMMON_HEADERS, sendPage } from './page-headers.ts';

const HEADINGS: Partial<Record<ErrorCode, string>> = {
  'not-found': 'Not here',
  'bad-request': 'This does not work',
  'bad-method': 'This does not work',
  'foreign-form': 'Please try again',
  'too-many': 'Too many attempts',
  'wrong-host': 'Another name',
  'not-ready': 'Not now',
};

export function answerFailure(
  log: Log,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = fromFastify(thrown) ?? asGitsteadError(thrown);
  if (error.status >= 500) {
    log.error(
      { err: error.cause ?? error, method: request.method, route: request.routeOptions?.url },
      error.message,
    );
  }
  reply.headers(COMMON_HEADERS);
  if (error.code === 'not-ready') reply.header('retry-after', '5');
  if (isForPrograms(request)) {
    return reply
      .code(error.status)
      .header('access-control-allow-origin', '*')
      .header('cache-control', 'no-store')
      .type('application/json')
      .send(JSON.stringify({ error: error.message }));
  }
  const heading = HEADINGS[error.code] ?? 'Something went wrong';
  return sendPage(reply, errorPage({ heading, message: sentence(error.message) }), { status: error.status });
}

export function notFound(): GitsteadError {
  return new GitsteadError('not-found', 'There is nothing at this address.');
}

/** fastify's own refusals: bodies that are too long or of another kind, addresses that cannot be read. */
function fromFastify(thrown: unknown): GitsteadError | undefined {
  const { statusCode, code } = thrown as Partial<FastifyError>;
  if (typeof code !== 'string' || !code.startsWith('FST_') || statusCode === undefined || statusCode >= 500)
    return undefined;
  if (statusCode === 413) return new GitsteadError('too-large', 'The form is too long.', { cause: thrown });
  if (statusCode === 404) return notFound();
  return new GitsteadError('bad-request', 'The request cannot be read.', { cause: thrown });
}

function isForPrograms(request: FastifyRequest): boolean {
  return (
    request.routeOptions?.config?.isMachine === true ||
    /^\/(?:\.well-known|api|oauth\/(?:token|revoke|introspect))(?:[/?]|$)/.test(request.raw.url ?? '')
  );
}

/** Messages for the command line begin small and have no full stop. */
function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

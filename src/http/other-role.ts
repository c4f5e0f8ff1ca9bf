// What a process with one role answers when it is asked for what the other one serves: 421 with CORS, in words that say
// where to ask. Never 404 for storage: clients would delete their copies. And `/health` of a process without pages.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import { pathOfTarget } from '../protocol/paths.ts';
import { answerOptions, CORS_HEADERS } from './cors.ts';
import type { Handle } from './listener.ts';
import type { JudgeOrigin, RequestOrigin } from './request-origin.ts';
import { noStorageHere } from './storage.ts';
import { answerError } from './storage-answers.ts';

export type OtherRoleOptions = { judgeOrigin: JudgeOrigin; log: Log };

/** For the role `accounts`: everything below /storage/. */
export function storageElsewhere({ judgeOrigin, log }: OtherRoleOptions): Handle {
  return refuseAll(log, (request) => noStorageHere(judgeOrigin(request)));
}

/** For the role `storage`: everything else. @param isReady false: `/health` answers 503 */
export function pagesElsewhere({ judgeOrigin, log }: OtherRoleOptions, isReady: () => boolean): Handle {
  const refuse = refuseAll(log, (request) => noPagesHere(judgeOrigin(request)));
  return (request, response) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isRead && pathOfTarget(request.url ?? '') === '/health') answerHealth(request, response, isReady());
    else refuse(request, response);
  };
}

function refuseAll(log: Log, refusalOf: (request: IncomingMessage) => GitsteadError): Handle {
  return (request, response) => {
    if (request.method === 'OPTIONS') return answerOptions(request, response);
    let error: unknown;
    try {
      error = refusalOf(request);
    } catch (thrown) {
      error = thrown; // not even a name of ours
    }
    answerError(log, request, response, error);
  };
}

function noPagesHere({ origin, linkOrigin }: RequestOrigin): GitsteadError {
  const where = linkOrigin === origin ? '' : `: they are at ${linkOrigin}`;
  return new GitsteadError('wrong-host', `there is only storage at this address, no pages${where}`);
}

function answerHealth(request: IncomingMessage, response: ServerResponse, isReady: boolean): void {
  const body = Buffer.from(JSON.stringify({ status: isReady ? 'ok' : 'not ready' }));
  const type = ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', String(body.length)];
  response.writeHead(isReady ? 200 : 503, [...CORS_HEADERS, 'Cache-Control', 'no-store', ...type]);
  response.end(request.method === 'HEAD' ? undefined : body);
}

// The storage's handler: requests below /storage/, on bare node:http because this protocol's paths and headers
// must arrive as they were sent. Parse, authorise, ask, answer: what each method does stands in storage-read.ts
// and storage-write.ts.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type DocumentPath, type FolderPath, parseStoragePath, pathOfTarget } from '../protocol/paths.ts';
import type { Storage } from '../storage/types.ts';
import { answerOptions } from './cors.ts';
import { openDownloadSlots } from './download-slots.ts';
import { openGuessBudget } from './guess-budget.ts';
import type { RequestMeasures } from './request-measures.ts';
import type { JudgeOrigin, RequestOrigin } from './request-origin.ts';
import {
  type Access,
  type CheckToken,
  type Exchange,
  judgeAccess,
  type Refusal,
  type StorageMethod,
  tokenOf,
} from './storage-access.ts';
import { answerBadMethod, answerError, keepPrivate } from './storage-answers.ts';
import { readDocument, readFolder } from './storage-read.ts';
import { deleteDocument, putDocument } from './storage-write.ts';
import { openUploadSlots, type UploadLimits } from './upload-slots.ts';
import { whenKnown } from './when-known.ts';

export type StorageHandlerOptions = {
  storage: Storage;
  /** asked on every request that carries a token; at best it answers at once */
  checkToken: CheckToken;
  /** whether GET and HEAD may carry their token in the query; not unless given */
  queryTokens?: boolean | undefined;
  log: Log;
  /** which names are ours, and where a request comes from (threat 26) */
  judgeOrigin: JudgeOrigin;
  /** Unix milliseconds */
  now: () => number;
  limits: {
    /** the largest document, in bytes */
    documentBytes: number;
    /** how long an upload or a download may stand still, in milliseconds; 60,000 unless given */
    silenceMs?: number | undefined;
    /** 128 for an account and 512 in all unless given */
    uploads?: UploadLimits | undefined;
    /** long documents that are read at once; 512 unless given */
    downloads?: number | undefined;
    /** public documents that do not exist, for a network in a quarter of an hour; 300 unless given */
    missesPerNetwork?: number | undefined;
  };
  /** is told of each answer */
  measures?: RequestMeasures | undefined;
};

const SILENCE_MS = 60_000;
const UPLOADS: UploadLimits = { perUser: 128, total: 512 };
const DOWNLOADS = 512;

export type StorageHandler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Makes the handler for everything below /storage/. The server that it is attached to must also pass it the event
 * `checkContinue`, and set `requestTimeout` to 0: uploads may take hours, and silence is judged here.
 */
export function storageHandler(options: StorageHandlerOptions): StorageHandler {
  const { storage, checkToken, queryTokens = false, log, judgeOrigin, now, limits, measures } = options;
  const silenceMs = limits.silenceMs ?? SILENCE_MS;
  const guesses = openGuessBudget(now, limits.missesPerNetwork);
  const downloads = openDownloadSlots(limits.downloads ?? DOWNLOADS);
  const reading = { storage, log, now, silenceMs, downloads };
  const slots = openUploadSlots(limits.uploads ?? UPLOADS);
  const writing = { storage, log, now, silenceMs, documentBytes: limits.documentBytes, slots };
  if (measures) measures.uploads = slots.count;

  /** Answers; a promise only where something has to be waited for. */
  function handle(request: IncomingMessage, response: ServerResponse): unknown {
    if (request.method === 'OPTIONS') return answerOptions(request, response);
    const origin = judgeOrigin(request);
    if (origin.serves !== 'all' && origin.serves !== 'storage') throw noStorageHere(origin);
    const path = parseStoragePath(pathOfTarget(request.url ?? ''));
    const method = methodFor(request, path);
    if (method === undefined) return answerBadMethod(request, response, path);

    const shown = tokenOf(request, queryTokens);
    if ('error' in shown) return refuse(request, response, shown);
    if (shown.inQuery) keepPrivate(response);
    const isOpen = path.isPublic && path.kind === 'document' && (method === 'GET' || method === 'HEAD');
    const judge = () => judgeAccess(shown, checkToken, path, method);
    return whenKnown(orWithout(judge(), isOpen), (access) => {
      if ('scope' in access) {
        const exchange = { request, response, access, client: origin.client };
        if (path.kind === 'folder') return readFolder(reading, exchange, path);
        if (method === 'PUT') return putDocument(writing, exchange, path, judge);
        if (method === 'DELETE') return deleteDocument(writing, exchange, path, judge);
        return readDocument(reading, exchange, path);
      }
      if (!isOpen) return refuse(request, response, access);
      return readPublic({ request, response, access: undefined, client: origin.client }, path);
    });
  }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const begun = performance.now();
    const note = () => measures?.noteStorage(request, response, begun);
    const fail = (error: unknown) => {
      answerError(log, request, response, error);
      note();
    };
    let answering: unknown;
    try {
      answering = handle(request, response);
    } catch (error) {
      fail(error);
      return;
    }
    if (answering instanceof Promise) answering.then(note, fail);
    else note();
  }

  function refuse(request: IncomingMessage, response: ServerResponse, { error, challenge }: Refusal): void {
    answerError(log, request, response, error, ['WWW-Authenticate', challenge]);
  }

  /** Draft, section 9: a document under /public/ is read without a token. */
  function readPublic(exchange: Exchange, path: DocumentPath): unknown {
    const { client } = exchange;
    const wait = guesses.isQuiet ? undefined : guesses.blockedFor(client);
    if (wait !== undefined) {
      const error = new GitsteadError('too-many', 'too many requests for documents that do not exist');
      return answerError(log, exchange.request, exchange.response, error, ['Retry-After', String(wait)]);
    }
    return whenKnown(readDocument(reading, exchange, path), (exists) => {
      if (!exists) guesses.noteMiss(client);
    });
  }

  const connections = new WeakMap<Socket, { newest: ServerResponse }>();

  return (request, response) => {
    const connection = connections.get(request.socket);
    if (!connection) {
      connections.set(request.socket, { newest: response });
      serve(request, response);
      return;
    }
    const previous = connection.newest;
    connection.newest = response;
    // a client may send the next request before the last answer: a GET after a PUT must then see what was put
    if (previous.closed) serve(request, response);
    else previous.once('close', () => serve(request, response));
  };
}

function methodFor(request: IncomingMessage, path: DocumentPath | FolderPath): StorageMethod | undefined {
  const { method } = request;
  if (method === 'GET' || method === 'HEAD') return method;
  return path.kind === 'document' && (method === 'PUT' || method === 'DELETE') ? method : undefined;
}

/** A document that is open to all waits for nobody who has to be asked about the token that came along. */
function orWithout(
  judged: Access | Refusal | Promise<Access | Refusal>,
  isOpen: boolean,
): Access | Refusal | Promise<Access | Refusal> {
  if (!isOpen || !(judged instanceof Promise)) return judged;
  judged.catch(() => {});
  return {
    error: new GitsteadError('not-ready', 'it is not known yet what the token allows'),
    challenge: '',
  };
}

/** 421 and not 404, which would make clients delete their copies. */
export function noStorageHere({ storageOrigin }: RequestOrigin): GitsteadError {
  return new GitsteadError('wrong-host', `there is no storage at this address: it is at ${storageOrigin}`);
}

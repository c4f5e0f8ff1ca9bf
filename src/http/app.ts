// All pages in one fastify instance. The composition root gives it every request that is not for storage; it
// opens no port of its own.
import type { IncomingMessage, ServerResponse } from 'node:http';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import { type FastifyInstance, fastify } from 'fastify';
import type { Accounts } from '../db/open-accounts.ts';
import { makeSecret, type RandomBytes } from '../db/secrets.ts';
import type { Log } from '../log.ts';
import { registerAccount, type StoredAmounts } from './account.ts';
import { registerActivity } from './activity.ts';
import { registerAssets } from './assets.ts';
import { registerAuthorize } from './authorize.ts';
import { answerFailure, notFound } from './failures.ts';
import { openForms } from './forms.ts';
import { openGrantsFile } from './grants-file.ts';
import { registerHealth } from './health.ts';
import { registerIntrospect } from './introspect.ts';
import { registerLogin } from './login.ts';
import { COMMON_HEADERS } from './page-headers.ts';
import { OTHER_ROUTE, type RequestMeasures } from './request-measures.ts';
import { type OriginSettings, originJudge } from './request-origin.ts';
import type { ReadSecret } from './secret-file.ts';
import { firstAccountPath, registerSignup } from './signup.ts';
import { openThrottle } from './throttle.ts';
import { registerTokenEndpoints } from './token-endpoints.ts';
import { registerVisitor } from './visitor.ts';
import { registerWebfinger } from './webfinger.ts';

const MAX_FORM_BYTES = 65_536;

export type PagesSettings = OriginSettings & {
  /** the account that `https://host/` stands for; undefined: the only one, if there is only one */
  singleUser?: string | undefined;
  /** for accounts without a quota of their own; undefined: no limit */
  defaultQuotaBytes?: number | undefined;
  /** how long tokens of the implicit grant last, in milliseconds; undefined: until they are revoked */
  tokenLifeMs?: number | undefined;
  /** absolute path of the file of grants; undefined: there is none */
  grantsFile?: string | undefined;
  /** whether the storage takes tokens in the query of a GET */
  queryTokens?: boolean | undefined;
  /** by what another process may ask about tokens; undefined: nobody may */
  readIntrospectSecret?: ReadSecret | undefined;
  /** the host of authors' addresses in commits, without a port; localhost unless given */
  authorHost?: string | undefined;
};

export type PagesOptions = {
  accounts: Accounts;
  /** undefined: another process has it */
  storage: StoredAmounts | undefined;
  log: Log;
  config: PagesSettings;
  randomBytes: RandomBytes;
  /** Unix milliseconds */
  now: () => number;
  /** false: `/health` answers 503 */
  isReady?: () => boolean;
  /** is told of each answer */
  requests?: RequestMeasures | undefined;
};

export interface Pages {
  readonly app: FastifyInstance;
  /** Answers one request of a node:http server. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Path and query of the one-time link for the first account; undefined when there was an account already.
      For the terminal only, never for a log. */
  readonly firstAccountPath: string | undefined;
  close(): Promise<void>;
}

/** Makes the pages, ready to handle requests. */
export async function buildPages(options: PagesOptions): Promise<Pages> {
  const { accounts, storage, log, config, randomBytes, now, isReady = () => true, requests } = options;
  const { users, sessions, grants, tokens, codeFlow, approvals, audit } = accounts;
  const app = fastify({
    logger: false,
    bodyLimit: MAX_FORM_BYTES,
    frameworkErrors: (error, request, reply) => void answerFailure(log, error, request, reply),
    routerOptions: { maxParamLength: 128 },
  });
  app.setErrorHandler((error, request, reply) => answerFailure(log, error, request, reply));
  app.setNotFoundHandler((request, reply) => answerFailure(log, notFound(), request, reply));
  await app.register(cookie);
  await app.register(formbody, { bodyLimit: MAX_FORM_BYTES });
  app.removeContentTypeParser(['application/json', 'text/plain']);
  registerVisitor(
    app,
    originJudge(config, (message) => log.warn(message)),
    sessions,
  );
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(COMMON_HEADERS);
  });
  app.addHook('onResponse', async ({ method, routeOptions }, reply) => {
    requests?.note(routeOptions.url ?? OTHER_ROUTE, method, reply.statusCode, reply.elapsedTime);
  });

  const grantsFile =
    config.grantsFile === undefined
      ? undefined
      : await openGrantsFile({ path: config.grantsFile, table: accounts.listedGrants, audit, log });
  app.addHook('onClose', async () => grantsFile?.close());
  const forms = openForms(randomBytes);
  const firstSecret = (await users.count()) === 0 ? makeSecret(randomBytes) : undefined;
  registerAssets(app);
  registerHealth(app, { users, isReady });
  registerWebfinger(app, { users, ...config });
  registerAuthorize(app, {
    ...{ users, grants, tokens, codeFlow, approvals, audit, grantsFile, forms, log, now },
    tokenLifeMs: config.tokenLifeMs,
  });
  const hasIntrospection = config.readIntrospectSecret !== undefined;
  registerTokenEndpoints(app, { grants, codeFlow, audit, log, hasIntrospection });
  registerIntrospect(app, {
    tokens,
    readSecret: config.readIntrospectSecret,
    authorHost: config.authorHost ?? 'localhost',
    defaultQuotaBytes: config.defaultQuotaBytes,
  });
  registerLogin(app, { users, sessions, audit, forms, throttle: openThrottle(), log });
  registerSignup(app, { users, sessions, audit, forms, firstSecret });
  registerAccount(app, {
    ...{ users, sessions, grants, audit, storage, forms, log },
    defaultQuotaBytes: config.defaultQuotaBytes,
  });
  registerActivity(app, { users, audit, forms });
  await app.ready();
  return {
    app,
    handle: (request, response) => app.routing(request, response),
    firstAccountPath: firstSecret === undefined ? undefined : firstAccountPath(firstSecret),
    close: () => app.close(),
  };
}

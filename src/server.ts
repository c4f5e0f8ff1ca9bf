// The composition root: opens every room in order, listens, and closes them in reverse. What the rooms do is theirs.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Config, storeSettings } from './config.ts';
import { type Accounts, openAccounts } from './db/open-accounts.ts';
import type { TokenGrant } from './db/tokens.ts';
import { GitsteadError } from './errors.ts';
import { buildPages, type Pages } from './http/app.ts';
import { openControl } from './http/control.ts';
import { type IntrospectingTokens, openIntrospectingTokens } from './http/introspecting-tokens.ts';
import { type Handle, listen } from './http/listener.ts';
import { type MeasureSources, openMetrics } from './http/metrics.ts';
import { type MetricsReaders, metricsDoor } from './http/metrics-door.ts';
import { type OtherRoleOptions, pagesElsewhere, storageElsewhere } from './http/other-role.ts';
import { counted, OTHER_ROUTE, openRequestMeasures, type RequestMeasures } from './http/request-measures.ts';
import { originJudge } from './http/request-origin.ts';
import { openSecretFile, type ReadSecret } from './http/secret-file.ts';
import { storageHandler } from './http/storage.ts';
import type { CheckToken } from './http/storage-access.ts';
import type { Log } from './log.ts';
import { answerCommand } from './storage/commands.ts';
import { claimDataFolder, partsOf, shareDataFolder } from './storage/data-folder.ts';
import { sharesOf } from './storage/memory-budget.ts';
import { openStore, type Store } from './storage/open-store.ts';
import { recentWritesIn } from './storage/recent-writes.ts';

export interface RunningServer extends AsyncDisposable {
  readonly port: number;
  /** where people find it: the public URL, or its name on this machine */
  readonly url: string;
  /** the part of accounts' addresses after the @ */
  readonly addressHost: string;
  readonly accounts: Accounts;
  /** the one-time link, a secret; undefined when there is an account */
  readonly firstAccountUrl: string | undefined;
  /** Finishes the requests under way, writes what is pending, frees the data folder. */
  close(): Promise<void>;
}

/**
 * Starts a server on `config.dataFolder`.
 * @throws GitsteadError, in one line for the operator, when it cannot; nothing stays open then
 */
export async function startServer(config: Config, log: Log, now = Date.now): Promise<RunningServer> {
  const secretFile = checkRole(config);
  const readSecret = secretFile === undefined ? undefined : openSecretFile(secretFile, log);
  const readers = metricsReaders(config, log);
  const parts = partsOf(config.dataFolder);
  await using opening = new AsyncDisposableStack();
  if (config.role === 'accounts') await shareDataFolder(config.dataFolder);
  else opening.use(await claimDataFolder(config.dataFolder));
  rmSync(parts.backupMark, { force: true });
  const accounts = opening.use(await openAccounts(parts.accounts, now, accountsSettings(config, log)));
  const store =
    config.role === 'accounts' ? undefined : opening.use(await openStore(storeSettings(config), log, now));
  let isReady = false;
  const requests = openRequestMeasures();
  const role = { requests, config, log, now, accounts, readSecret, isReady: () => isReady };
  const pages = config.role === 'storage' ? undefined : await openPages(role, store);
  if (pages) opening.defer(() => pages.close());
  if (store) {
    const control = await openControlSocket(config, store, accounts, log);
    opening.defer(() => control.close());
  }
  const other: OtherRoleOptions = {
    judgeOrigin: originJudge(namesIn(config), (message) => log.warn(message)),
    log,
  };
  const elsewhere = (handle: Handle) => counted(requests, OTHER_ROUTE, handle);
  const tokens = openTokens(role);
  const door = { readers, write: openMetrics(measureSources(role, store, tokens)), requests, log };
  const listener = await listen({
    host: config.host,
    port: config.port,
    pages: metricsDoor(door, pages ? pages.handle : elsewhere(pagesElsewhere(other, role.isReady))),
    storage: store ? openStorageHandler(role, store, tokens) : elsewhere(storageElsewhere(other)),
  });
  opening.defer(() => listener.close());
  opening.defer(() => {
    isReady = false;
  });
  isReady = true;
  return running(config, opening.move(), { accounts, port: listener.port, link: pages?.firstAccountPath });
}

/** What every part of a process with a role is made of. */
type RoleOptions = {
  config: Config;
  log: Log;
  now: () => number;
  accounts: Accounts;
  readSecret: ReadSecret | undefined;
  isReady: () => boolean;
  requests: RequestMeasures;
};

/**
 * Settings that make sense only together.
 * @returns the file with the secret, if there is one
 * @throws bad-request
 */
function checkRole(config: Config) {
  const { role, introspect, introspectSecretFile, publicUrl, storageUrl, addressHost } = config;
  if (introspect !== undefined && role !== 'storage') {
    throw new GitsteadError('bad-request', 'introspect is for a process with --role storage');
  }
  if (introspect !== undefined && introspectSecretFile === undefined) {
    throw new GitsteadError(
      'bad-request',
      'introspect needs a secret: give its file with --introspect-secret-file',
    );
  }
  if (role === 'accounts' && publicUrl === undefined && storageUrl === undefined) {
    throw new GitsteadError(
      'bad-request',
      'a process with --role accounts must know where storage is: give its address with --storage-url',
    );
  }
  const isApart = storageUrl !== undefined && storageUrl.origin !== publicUrl?.origin;
  if (isApart && [publicUrl?.host, addressHost].includes(storageUrl.host)) {
    throw new GitsteadError(
      'bad-request',
      `storageUrl names ${storageUrl.host}, which then could serve storage only: give storage a host of its own`,
    );
  }
  return introspectSecretFile;
}

/** Who may read the metrics. @throws bad-request */
function metricsReaders({ metrics, metricsTokenFile }: Config, log: Log): MetricsReaders {
  if ((metrics === 'token') !== (metricsTokenFile !== undefined)) {
    throw new GitsteadError(
      'bad-request',
      'metrics is token, and metricsTokenFile names its file: both or neither',
    );
  }
  if (metrics !== 'token') return { kind: metrics };
  return { kind: metrics, readSecret: openSecretFile(metricsTokenFile!, log, 'metricsTokenFile') };
}

/** Who says what a token allows: the accounts here, or those of another process. */
function openTokens({ config, accounts, readSecret, now }: RoleOptions): IntrospectingTokens {
  const { introspect: url, memoryBudget } = config;
  if (url === undefined || readSecret === undefined) return accounts.tokens;
  return openIntrospectingTokens({ url, readSecret, now, cacheBytes: sharesOf(memoryBudget).tokens });
}

function measureSources(
  { requests }: RoleOptions,
  store: Store | undefined,
  tokens: IntrospectingTokens,
): MeasureSources {
  return {
    requests,
    tokens: tokens.measures,
    store: store && (() => ({ storage: store.storage.measures(), index: store.index.measures() })),
  };
}

/** The rooms as they are seen from outside: where they are found, and how they end. */
function running(
  config: Config,
  rooms: AsyncDisposableStack,
  { accounts, port, link }: { accounts: Accounts; port: number; link: string | undefined },
): RunningServer {
  const named = config.role === 'storage' ? (config.storageUrl ?? config.publicUrl) : config.publicUrl;
  const url = named?.origin ?? `http://localhost:${port}`;
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= rooms.disposeAsync());
  return {
    port,
    url,
    accounts,
    addressHost: config.addressHost ?? new URL(url).host,
    firstAccountUrl: link === undefined ? undefined : url + link,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The names that this process goes by, and who may say by which one it was asked. */
function namesIn({ role, publicUrl, storageUrl, addressHost, trustedProxies }: Config) {
  return {
    publicUrl: publicUrl?.origin,
    storageUrl: storageUrl?.origin,
    addressHost,
    trustedProxies,
    loopbackServes: role === 'storage' ? ('storage' as const) : undefined,
  };
}

function accountsSettings(config: Config, log: Log) {
  return {
    sessionIdleMs: config.sessionIdle,
    codeLives: { tokenMs: config['auth.codeTokenLife'], refreshIdleMs: config['auth.refreshIdle'] },
    tokenBytes: sharesOf(config.memoryBudget).tokens,
    auditFailed: (error: unknown) => log.warn({ err: error }, 'the audit trail could not be written'),
  };
}

function openPages(role: RoleOptions, store: Store | undefined): Promise<Pages> {
  const { config, accounts, log, now, readSecret, isReady, requests } = role;
  const given = <T>(value: T | 'none') => (value === 'none' ? undefined : value);
  return buildPages({
    ...{ accounts, log, now, isReady, randomBytes, requests },
    storage: store && { ...store.storage, recentWrites: recentWritesIn(store.storage) },
    config: {
      ...namesIn(config),
      singleUser: config.singleUser,
      defaultQuotaBytes: given(config.quota),
      tokenLifeMs: given(config['auth.tokenLife']),
      grantsFile: config['auth.grantsFile'] && resolve(config.dataFolder, config['auth.grantsFile']),
      queryTokens: config['auth.queryTokens'],
      readIntrospectSecret: readSecret,
      authorHost: storeSettings(config).host,
    },
  });
}

function openControlSocket(config: Config, { storage, index }: Store, accounts: Accounts, log: Log) {
  const { control, repositories } = partsOf(config.dataFolder);
  const owned = { storage, index, accounts, repositoriesFolder: repositories };
  return openControl(
    control,
    (request, report, signal) => answerCommand(owned, request, report, signal),
    log,
  );
}

function openStorageHandler(
  { config, log, now, requests }: RoleOptions,
  { storage }: Store,
  { check }: IntrospectingTokens,
): Handle {
  return storageHandler({
    storage,
    checkToken: withDefaultQuota(check, config.quota),
    queryTokens: config['auth.queryTokens'],
    judgeOrigin: originJudge(namesIn(config), (message) => log.warn(message)),
    log,
    now,
    limits: { documentBytes: config.documentLimit },
    measures: requests,
  });
}

/** An account without a quota of its own has the one that the settings tell. */
function withDefaultQuota(check: CheckToken, quota: number | 'none'): CheckToken {
  if (quota === 'none') return check;
  const bounded = (grant: TokenGrant | undefined) =>
    grant && { ...grant, quotaBytes: grant.quotaBytes ?? quota };
  return (token) => {
    const grant = check(token);
    return grant instanceof Promise ? grant.then(bounded) : bounded(grant);
  };
}

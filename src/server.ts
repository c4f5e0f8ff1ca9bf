// The composition root: opens every room in order, listens, and closes them in reverse. What the rooms do is theirs.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Config, storeSettings } from './config.ts';
import { type Accounts, openAccounts } from './db/open-accounts.ts';
import type { TokenGrant, Tokens } from './db/tokens.ts';
import { buildPages, type PagesSettings } from './http/app.ts';
import { openControl } from './http/control.ts';
import { listen } from './http/listener.ts';
import { originJudge } from './http/request-origin.ts';
import { storageHandler } from './http/storage.ts';
import type { Log } from './log.ts';
import { answerCommand } from './storage/commands.ts';
import { claimDataFolder, partsOf } from './storage/data-folder.ts';
import { openStore } from './storage/open-store.ts';
import type { Storage } from './storage/types.ts';

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
  const parts = partsOf(config.dataFolder);
  await using opening = new AsyncDisposableStack();
  opening.use(await claimDataFolder(config.dataFolder));
  rmSync(parts.backupMark, { force: true });
  const accounts = opening.use(
    await openAccounts(parts.accounts, now, {
      sessionIdleMs: config.sessionIdle,
      codeLives: { tokenMs: config['auth.codeTokenLife'], refreshIdleMs: config['auth.refreshIdle'] },
      auditFailed: (error) => log.warn({ err: error }, 'the audit trail could not be written'),
    }),
  );
  const { storage, index } = opening.use(await openStore(storeSettings(config), log, now));
  let isReady = false;
  const pages = await buildPages({
    accounts,
    storage,
    log,
    config: pagesSettings(config),
    randomBytes,
    now,
    isReady: () => isReady,
  });
  opening.defer(() => pages.close());

  const owned = { storage, index, accounts, repositoriesFolder: parts.repositories };
  const control = await openControl(
    parts.control,
    (request, report, signal) => answerCommand(owned, request, report, signal),
    log,
  );
  opening.defer(() => control.close());
  const listener = await listen({
    host: config.host,
    port: config.port,
    pages: pages.handle,
    storage: openStorageHandler(config, storage, accounts.tokens, log, now),
  });
  opening.defer(() => listener.close());
  opening.defer(() => {
    isReady = false;
  });
  isReady = true;
  return running(config, opening.move(), { accounts, port: listener.port, link: pages.firstAccountPath });
}

/** The rooms as they are seen from outside: where they are found, and how they end. */
function running(
  config: Config,
  rooms: AsyncDisposableStack,
  { accounts, port, link }: { accounts: Accounts; port: number; link: string | undefined },
): RunningServer {
  const url = config.publicUrl?.origin ?? `http://localhost:${port}`;
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

/** The names that this server goes by, and who may say by which one it was asked. */
function namesIn({ publicUrl, addressHost, trustedProxies }: Config) {
  return { publicUrl: publicUrl?.origin, addressHost, trustedProxies };
}

function pagesSettings(config: Config): PagesSettings {
  const given = <T>(value: T | 'none') => (value === 'none' ? undefined : value);
  return {
    ...namesIn(config),
    singleUser: config.singleUser,
    defaultQuotaBytes: given(config.quota),
    tokenLifeMs: given(config['auth.tokenLife']),
    grantsFile: config['auth.grantsFile'] && resolve(config.dataFolder, config['auth.grantsFile']),
  };
}

function openStorageHandler(config: Config, storage: Storage, tokens: Tokens, log: Log, now: () => number) {
  return storageHandler({
    storage,
    checkToken: withDefaultQuota(tokens, config.quota),
    judgeOrigin: originJudge(namesIn(config), (message) => log.warn(message)),
    log,
    now,
    limits: { documentBytes: config.documentLimit },
  });
}

/** An account without a quota of its own has the one that the settings tell. */
function withDefaultQuota(tokens: Tokens, quota: number | 'none'): (token: string) => TokenGrant | undefined {
  if (quota === 'none') return tokens.check;
  return (token) => {
    const grant = tokens.check(token);
    return grant && { ...grant, quotaBytes: grant.quotaBytes ?? quota };
  };
}

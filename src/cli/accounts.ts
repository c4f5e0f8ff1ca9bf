// accounts.db for the commands that need no running server: several processes may have it open at once.
import { type Accounts, openAccounts } from '../db/open-accounts.ts';
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import { checkDataFolder, partsOf } from '../storage/data-folder.ts';
import { printError } from './terminal.ts';

/** @throws not-ready when `dataFolder` is no data folder of this version */
export async function withAccounts<T>(
  dataFolder: string,
  use: (accounts: Accounts) => Promise<T>,
): Promise<T> {
  checkDataFolder(dataFolder);
  await using accounts = await openAccounts(partsOf(dataFolder).accounts, Date.now, {
    auditFailed: tellOfAudit,
  });
  return await use(accounts);
}

function tellOfAudit(error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  printError(`this was done, but the audit trail could not be written (${reason})`);
}

export function noSuchUser(name: UserName): GitsteadError {
  return new GitsteadError('not-found', `there is no account named ${name}`);
}

// Accounts and tokens of a Gitstead that is measured, as `user add` and `token create` make them, but in one process: starting
// a command for each of 64 takes longer than many a suite.
import { randomBytes } from 'node:crypto';
import { openAccounts } from '../../src/db/open-accounts.ts';
import { parseUserName } from '../../src/protocol/paths.ts';
import { checkDataFolder, partsOf } from '../../src/storage/data-folder.ts';

/**
 * Makes accounts that may read and write everywhere in their storage; a server has made the data folder, and may run on it.
 * @returns of each a header's value: `Bearer …`
 */
export async function createAccounts(dataFolder: string, names: readonly string[]): Promise<string[]> {
  checkDataFolder(dataFolder);
  await using accounts = await openAccounts(partsOf(dataFolder).accounts, Date.now);
  const { users, tokens } = accounts;
  const scopes = [{ module: '*', level: 'rw' as const }];
  const authorizations: string[] = [];
  for (const name of names) {
    const user = parseUserName(name)!;
    await users.create({ name: user, password: randomBytes(18).toString('base64url'), isAdmin: false });
    const { token } = await tokens.create({ user, app: undefined, scopes, kind: 'command-line' }, undefined);
    authorizations.push(`Bearer ${token}`);
  }
  return authorizations;
}

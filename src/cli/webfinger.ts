// `gitstead webfinger NAME`: the record to publish where the domain of an account's address is served by another host.
import { Argument, Command } from 'commander';
import { loadConfig } from '../config.ts';
import { GitsteadError } from '../errors.ts';
import { STORAGE_PREFIX, type UserName } from '../protocol/paths.ts';
import { webfingerRecord } from '../protocol/webfinger.ts';
import { noSuchUser, withAccounts } from './accounts.ts';
import { addDataOption, addExample, dataFolderIn, userNameArgument } from './arguments.ts';
import { printJson } from './terminal.ts';

export function webfingerCommand(): Command {
  const command = addDataOption(new Command('webfinger'))
    .description('print the WebFinger record of an account, to publish on another host')
    .addArgument(new Argument('<name>', 'name of the account').argParser(userNameArgument))
    .action(async (user: UserName, options: { data?: string }) => {
      const folder = dataFolderIn(options);
      if (!(await withAccounts(folder, ({ users }) => users.find(user)))) throw noSuchUser(user);
      const { publicUrl, storageUrl, addressHost, 'auth.queryTokens': queryTokens } = loadConfig(folder);
      if (!publicUrl) {
        throw new GitsteadError(
          'bad-request',
          'the record needs the address of this server: set publicUrl in gitstead.yaml',
        );
      }
      printJson(
        webfingerRecord({
          subject: `acct:${user}@${addressHost ?? publicUrl.host}`,
          storageRoot: `${(storageUrl ?? publicUrl).origin}${STORAGE_PREFIX}${user}`,
          authorizeUrl: `${publicUrl.origin}/oauth/${user}/authorize`,
          tokenUrl: `${publicUrl.origin}/oauth/token`,
          queryTokens,
        }),
      );
    });
  return addExample(command, 'gitstead webfinger alice > public_html/.well-known/webfinger');
}

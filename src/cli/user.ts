// `gitstead user …`: accounts, also while the server runs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import { checkDataFolder, partsOf } from '../storage/data-folder.ts';
import { noSuchUser, withAccounts } from './accounts.ts';
import {
  addDataOption,
  addExample,
  addJsonOption,
  dataFolderIn,
  quotaArgument,
  userNameArgument,
} from './arguments.ts';
import { withOwner } from './owner.ts';
import {
  askNewPassword,
  confirm,
  formatBytes,
  formatTime,
  isoTime,
  print,
  printJson,
  printTable,
  readPasswordFromInput,
} from './terminal.ts';

type DataOption = { data?: string };
type PasswordOptions = DataOption & { passwordStdin?: true };

const name = () => new Argument('<name>', 'name of the account').argParser(userNameArgument);

export function userCommand(): Command {
  const command = new Command('user').description('accounts: add, list, password, remove, quota');
  return [addCommand(), listCommand(), passwordCommand(), removeCommand(), quotaCommand()].reduce(
    (all, one) => all.addCommand(one),
    command,
  );
}

function withPasswordOption(command: Command): Command {
  return command.option('--password-stdin', 'take the password from the first line of standard input');
}

function addCommand(): Command {
  const command = addDataOption(withPasswordOption(new Command('add')))
    .description('make an account; asks for its password')
    .addArgument(name())
    .option('--admin', 'it may administer the server')
    .action(async (user: UserName, options: PasswordOptions & { admin?: true }) => {
      await withAccounts(dataFolderIn(options), async ({ users, audit }) => {
        if (await users.find(user))
          throw new GitsteadError('bad-request', `there is an account named ${user} already`);
        const password = await newPassword(command, user, options);
        await users.create({ name: user, password, isAdmin: options.admin === true });
        await audit.record({ kind: 'account-made', user });
      });
    });
  return addExample(
    command,
    'gitstead user add alice',
    'echo "$PASSWORD" | gitstead user add alice --password-stdin',
  );
}

function listCommand(): Command {
  const command = addJsonOption(addDataOption(new Command('list')))
    .description('list the accounts')
    .action(async (options: DataOption & { json?: true }) => {
      const users = await withAccounts(dataFolderIn(options), (accounts) => accounts.users.list());
      if (options.json) {
        printJson(
          users.map((user) => ({
            name: user.name,
            admin: user.isAdmin,
            quota: user.quotaBytes ?? null,
            created: isoTime(user.createdAt),
          })),
        );
        return;
      }
      printTable(
        ['NAME', 'CREATED', 'QUOTA', ''],
        users.map((user) => [
          user.name,
          formatTime(user.createdAt),
          user.quotaBytes === undefined ? 'none' : formatBytes(user.quotaBytes),
          user.isAdmin ? 'administrator' : '',
        ]),
      );
    });
  return addExample(command, 'gitstead user list --json');
}

function passwordCommand(): Command {
  const command = addDataOption(withPasswordOption(new Command('password')))
    .description('give an account another password; its browsers are signed out, its apps stay connected')
    .addArgument(name())
    .action(async (user: UserName, options: PasswordOptions) => {
      await withAccounts(dataFolderIn(options), async ({ users, audit }) => {
        if (!(await users.find(user))) throw noSuchUser(user);
        const password = await newPassword(command, user, options);
        if (!(await users.setPassword(user, password))) throw noSuchUser(user);
        await audit.record({ kind: 'password-changed', user });
      });
    });
  return addExample(command, 'gitstead user password alice');
}

function removeCommand(): Command {
  const command = addDataOption(new Command('remove'))
    .description('remove an account with all its documents and their history')
    .addArgument(name())
    .option('--yes', 'do not ask')
    .action(async (user: UserName, options: DataOption & { yes?: true }) => {
      const folder = dataFolderIn(options);
      checkDataFolder(folder);
      const hasDocuments = existsSync(join(partsOf(folder).repositories, user));
      const account = await withAccounts(folder, ({ users }) => users.find(user));
      if (!account && !hasDocuments) throw noSuchUser(user);
      const question = `Remove ${user}, with all documents and their history?`;
      if (!options.yes && !(await confirm(question))) {
        print('nothing was removed');
        return;
      }
      const { existed } = await withOwner(folder, (ask) => ask({ command: 'remove-user', user }));
      if (!existed) return;
      await withAccounts(folder, ({ audit }) => audit.record({ kind: 'account-removed', user }));
    });
  return addExample(command, 'gitstead user remove alice');
}

function quotaCommand(): Command {
  const command = addDataOption(new Command('quota'))
    .description('set how much an account may store')
    .addArgument(name())
    .addArgument(new Argument('<size>', 'a size such as 5GiB, or none').argParser(quotaArgument))
    .action(async (user: UserName, quota: { bytes: number | undefined }, options: DataOption) => {
      await withAccounts(dataFolderIn(options), async ({ users }) => {
        if (!(await users.setQuota(user, quota.bytes))) throw noSuchUser(user);
      });
    });
  return addExample(command, 'gitstead user quota alice 5GiB');
}

async function newPassword(command: Command, user: UserName, options: PasswordOptions): Promise<string> {
  if (options.passwordStdin) return readPasswordFromInput();
  if (process.stdin.isTTY) return askNewPassword(user);
  return command.error('error: there is no terminal to ask for the password: give it with --password-stdin', {
    exitCode: 2,
  });
}

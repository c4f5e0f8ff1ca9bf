// `gitstead check [NAME]`: whether repositories are sound and the index tells the truth.
import { Argument, Command } from 'commander';
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import { noSuchUser, withAccounts } from './accounts.ts';
import { addDataOption, addExample, addJsonOption, dataFolderIn, userNameArgument } from './arguments.ts';
import { moduleTitle } from './module-title.ts';
import { withOwner } from './owner.ts';
import { counted, print, printJson, progressBar } from './terminal.ts';

export function checkCommand(): Command {
  const command = addJsonOption(addDataOption(new Command('check')))
    .description('check every repository with git fsck, and the index against what the repositories hold')
    .addArgument(new Argument('[name]', 'only those of this account').argParser(userNameArgument))
    .action(async (user: UserName | undefined, options: { data?: string; json?: true }) => {
      const folder = dataFolderIn(options);
      if (user !== undefined && !(await withAccounts(folder, ({ users }) => users.find(user))))
        throw noSuchUser(user);
      const report = await withOwner(folder, async (ask) => {
        using bar = progressBar('repositories');
        return await ask({ command: 'check', user }, bar.report);
      });
      if (options.json) printJson(report);
      else {
        for (const { user: owner, module, what } of report.faults)
          print(`${owner}/${moduleTitle(module)}: ${what}`);
      }
      const looked = `${counted(report.repositories, 'repository', 'repositories')} with ${counted(report.documents, 'document')}`;
      if (report.faults.length > 0) {
        throw new GitsteadError('corrupt', `${counted(report.faults.length, 'fault')} in ${looked}`);
      }
      if (!options.json) print(`${looked}: all is well`);
    });
  return addExample(command, 'gitstead check', 'gitstead check alice');
}

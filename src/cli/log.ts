// `gitstead log NAME MODULE [PATH]`: what happened to documents, newest first.

import { existsSync } from 'node:fs';
import { Argument, Command, Option } from 'commander';
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import { plainJson } from '../protocol/plain-text.ts';
import { partsOf } from '../storage/data-folder.ts';
import { type HistoryEntry, readHistory } from '../storage/history.ts';
import { repositoryFolder } from '../storage/repository-folders.ts';
import { noSuchUser, withAccounts } from './accounts.ts';
import {
  addDataOption,
  addExample,
  addJsonOption,
  countArgument,
  dataFolderIn,
  moduleArgument,
  userNameArgument,
} from './arguments.ts';
import { moduleTitle } from './module-title.ts';
import { withOwner } from './owner.ts';
import { formatTime, isoTime, print } from './terminal.ts';

type LogOptions = { data?: string; json?: true; limit?: number };

export function logCommand(): Command {
  const command = addJsonOption(addDataOption(new Command('log')))
    .description('show what happened to documents, newest first')
    .addArgument(new Argument('<name>', 'name of the account').argParser(userNameArgument))
    .addArgument(
      new Argument('<module>', 'first folder of the path, such as notes').argParser(moduleArgument),
    )
    .argument('[path]', 'only this document, or this folder and what is below it')
    .addOption(new Option('-n, --limit <count>', 'stop after so many').argParser(countArgument))
    .action(async (user: UserName, module: string, path: string | undefined, options: LogOptions) => {
      const folder = dataFolderIn(options);
      if (!(await withAccounts(folder, ({ users }) => users.find(user)))) throw noSuchUser(user);
      await withOwner(folder, (ask) => ask({ command: 'drain', user, module }));
      const repository = repositoryFolder(partsOf(folder).repositories, user, module);
      if (!existsSync(repository)) {
        throw new GitsteadError('not-found', `${user} has no module named ${moduleTitle(module)}`);
      }
      const entries = readHistory(repository, path).take(options.limit ?? Number.POSITIVE_INFINITY);
      if (options.json) printAsJson(entries);
      else for (const entry of entries) print(asLine(entry));
    });
  return addExample(command, 'gitstead log alice notes', 'gitstead log alice notes todo.txt --json');
}

/** One array, written as it is read: a history may be long. */
function printAsJson(entries: Iterable<HistoryEntry>): void {
  let before = '[';
  for (const { commit, time, app, grant, kind, path } of entries) {
    const entry = {
      commit,
      time: isoTime(time * 1000),
      app: app ?? null,
      grant: grant ?? null,
      kind,
      path,
    };
    process.stdout.write(`${before}\n  ${plainJson(entry)}`);
    before = ',';
  }
  process.stdout.write(before === '[' ? '[]\n' : '\n]\n');
}

function asLine({ commit, time, app, grant, kind, path }: HistoryEntry): string {
  const by = [app, grant && `(${grant})`].filter((part) => part !== undefined).join(' ');
  const line = `${commit.slice(0, 10)}  ${formatTime(time * 1000)}  ${kind.padEnd(6)}  ${path}`;
  return by === '' ? line : `${line}  ${by}`;
}

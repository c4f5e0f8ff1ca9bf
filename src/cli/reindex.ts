// `gitstead reindex`: the index made anew from the repositories.
import { Command } from 'commander';
import { addDataOption, addExample, dataFolderIn } from './arguments.ts';
import { withOwner } from './owner.ts';
import { counted, print } from './terminal.ts';

export function reindexCommand(): Command {
  const command = addDataOption(new Command('reindex'))
    .description('read every repository anew into the index')
    .action(async (options: { data?: string }) => {
      const report = await withOwner(dataFolderIn(options), (ask) => ask({ command: 'reindex' }));
      print(
        `read ${counted(report.documents, 'document')} in ${counted(report.repositories, 'repository', 'repositories')}`,
      );
    });
  return addExample(command, 'gitstead reindex');
}

// `gitstead backup DIR`: a copy on which a server can be started, taken while the server runs.
import { resolve } from 'node:path';
import { Command } from 'commander';
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import { backUp } from '../storage/backup.ts';
import { addDataOption, addExample, dataFolderIn } from './arguments.ts';
import { moduleTitle } from './module-title.ts';
import { withOwner } from './owner.ts';
import { counted, formatBytes, print, progressBar } from './terminal.ts';

export function backupCommand(): Command {
  const command = addDataOption(new Command('backup'))
    .description('copy the data folder, also while the server runs; the next run copies only what changed')
    .argument('<dir>', 'a new or empty folder, or that of an earlier backup')
    .action(async (directory: string, options: { data?: string }) => {
      const folder = dataFolderIn(options);
      const report = await withOwner(folder, async (ask) => {
        using bar = progressBar('repositories');
        return await backUp({
          from: folder,
          to: resolve(directory),
          drain: async (user, module) =>
            void (await ask({ command: 'drain', user: user as UserName, module })),
          report: bar.report,
        });
      });
      for (const { user, module, what } of report.faults) print(`${user}/${moduleTitle(module)}: ${what}`);
      if (report.faults.length > 0) {
        const many = counted(report.faults.length, 'repository was', 'repositories were');
        throw new GitsteadError('corrupt', `${many} not copied; gitstead check tells more`);
      }
      const files = counted(report.copiedFiles, 'file');
      print(
        `${counted(report.repositories, 'repository', 'repositories')} in ${directory}; copied ${files} (${formatBytes(report.copiedBytes)})`,
      );
    });
  return addExample(
    command,
    'gitstead backup /mnt/backups/gitstead',
    'gitstead serve --data /mnt/backups/gitstead',
  );
}

// Makes the pages of docs/ that are derived from the code: `npm run docs`. docs.test.ts holds them to it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { gitsteadProgram } from '../src/cli/program.ts';
import { flagOf, SETTINGS, settingNames, variableOf } from '../src/config.ts';

export const DOCS = join(import.meta.dirname, '../docs');

/** The generated pages, by file name. */
export function generatedPages(): Record<string, string> {
  return { 'config.md': configPage(), 'commands.md': commandsPage() };
}

function configPage(): string {
  const sections = settingNames().map((name) => {
    const { help, default: value, type } = SETTINGS[name];
    return [
      `## ${name}`,
      '',
      `${sentence(help)} The value is ${type.what}.`,
      '',
      value === undefined || value === '' ? 'Default: not set.' : `Default: \`${value}\`.`,
      `As a variable \`${variableOf(name)}\`, as a flag \`--${flagOf(name)}\`.`,
    ].join('\n');
  });
  return `<!-- made by \`npm run docs\` from src/config.ts: change that, not this -->
# Settings

\`\`\`yaml
# data/gitstead.yaml
publicUrl: https://rs.example.com
trustedProxies: 127.0.0.1
quota: 5GiB
log:
  level: warn
\`\`\`

A setting may stand in four places; a later one wins: its default, the file \`gitstead.yaml\` in the data folder, a variable of
the environment, a flag of \`serve\`. An unknown or malformed setting stops the start with a line that names it. Sizes are written
\`64MiB\`, times \`30d\`, \`12h\` or \`10s\`. Settings are read when the server starts.

Where the data folder is cannot stand in the data folder: it is \`--data DIR\`, or \`GITSTEAD_DATA\`, or \`./data\`.

${sections.join('\n\n')}
`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function commandsPage(): string {
  const sections = leaves(gitsteadProgram()).map((command) => {
    const [first = '', ...rest] = helpOf(command).trimEnd().split('\n');
    return `## ${nameOf(command)}\n\n\`\`\`\n${[first, ...rest].join('\n')}\n\`\`\``;
  });
  return `<!-- made by \`npm run docs\` from src/cli/: change that, not this -->
# Commands

\`\`\`
npx gitstead user add alice
npx gitstead token create alice 'notes:rw'
\`\`\`

All of them work while the server runs. They end with 0 when it is done, with 2 when they were not understood, and with 1 and
one line of reason otherwise.

${sections.join('\n\n')}
`;
}

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function nameOf(command: Command): string {
  return command.parent?.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

function helpOf(command: Command): string {
  let text = '';
  const writeOut = (part: string) => {
    text += part;
  };
  command
    .configureOutput({ writeOut, getOutHelpWidth: () => 100, getOutHasColors: () => false })
    .outputHelp();
  return text;
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(generatedPages())) writeFileSync(join(DOCS, name), text);
}

// The command line as a whole: which commands there are, and what becomes of their failures. Exit code 0: done; 2: bad
// usage; 1: anything else, told in one line on stderr.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { asGitsteadError, GitsteadError } from '../errors.ts';
import { auditCommand } from './audit.ts';
import { backupCommand } from './backup.ts';
import { checkCommand } from './check.ts';
import { grantCommand } from './grant.ts';
import { logCommand } from './log.ts';
import { reindexCommand } from './reindex.ts';
import { serveCommand } from './serve.ts';
import { printError } from './terminal.ts';
import { tokenCommand } from './token.ts';
import { userCommand } from './user.ts';
import { webfingerCommand } from './webfinger.ts';

const FAILED = 1;
const BAD_USAGE = 2;

export function gitsteadProgram(): Command {
  const program = new Command('gitstead')
    .description('a remoteStorage server whose storage is git')
    .version(version(), '--version', 'print the version')
    .addHelpText(
      'after',
      '\nExample:\n  gitstead serve --data ./data\n\ngitstead COMMAND --help tells more.',
    );
  for (const command of [
    serveCommand(),
    userCommand(),
    tokenCommand(),
    grantCommand(),
    logCommand(),
    auditCommand(),
    checkCommand(),
    reindexCommand(),
    backupCommand(),
    webfingerCommand(),
  ]) {
    program.addCommand(command);
  }
  prepare(program);
  return program;
}

/** Commands throw instead of ending the process, and have a `--help` only. */
function prepare(command: Command): void {
  command
    .exitOverride()
    .helpOption('--help', 'show this help')
    .helpCommand(false)
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: (command-argument value )?/, 'gitstead: ')),
    });
  for (const below of command.commands) prepare(below);
}

/**
 * Runs one command.
 * @param words the command line after the program's name
 * @returns the exit code
 */
export async function run(words: readonly string[]): Promise<number> {
  process.stdout.on('error', endWithReader);
  try {
    await gitsteadProgram().parseAsync(words, { from: 'user' });
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : BAD_USAGE;
    printError(describe(thrown));
    return FAILED;
  }
}

/** One line: what failed, and what is known of the reason. */
function describe(thrown: unknown): string {
  const error = asGitsteadError(thrown);
  const isKnown = thrown instanceof GitsteadError;
  const reason = error.cause instanceof Error ? error.cause.message : undefined;
  const text = isKnown ? error.message : (reason ?? String(thrown));
  const isNews = reason !== undefined && reason !== text;
  const detail = isKnown && isNews && error.status >= 500 ? ` (${reason})` : '';
  return (text + detail).replaceAll(/\s*\n\s*/g, ' ');
}

/** `gitstead log … | head`: who reads has read enough. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

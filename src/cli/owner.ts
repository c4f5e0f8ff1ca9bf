// Who does a command's work on the repositories: the running server, asked over its control socket, or this process,
// which takes the folder's lock for as long as it needs.
import { type Config, loadConfig, storeSettings } from '../config.ts';
import { openAccounts } from '../db/open-accounts.ts';
import { GitsteadError } from '../errors.ts';
import { openLog } from '../log.ts';
import { answerCommand, type Owned } from '../storage/commands.ts';
import type { ControlCommand, ControlRequest, ControlResult, Progress } from '../storage/control-socket.ts';
import { checkDataFolder, claimDataFolder, partsOf } from '../storage/data-folder.ts';
import { openStore } from '../storage/open-store.ts';
import { askServer } from './control-client.ts';
import { printError } from './terminal.ts';

/** Asks a question; the same one works whoever answers. */
export type Ask = <C extends ControlCommand>(
  request: Extract<ControlRequest, { command: C }>,
  report?: (progress: Progress) => void,
) => Promise<ControlResult<C>>;

/**
 * Runs `use` with somebody who answers: the server, or this process with the store open.
 * @throws not-ready when a server starts, stops, or is killed meanwhile
 */
export async function withOwner<T>(
  dataFolder: string,
  use: (ask: Ask) => Promise<T>,
  readConfig = () => loadConfig(dataFolder),
): Promise<T> {
  checkDataFolder(dataFolder);
  const { control } = partsOf(dataFolder);
  if (!(await askServer(control, { command: 'ping' }))) {
    return withOwnStore(readConfig(), use);
  }
  return use(async (request, report) => {
    const reply = await askServer(control, request, report);
    if (!reply) throw new GitsteadError('not-ready', 'the server stopped meanwhile; try again');
    return reply.result as never;
  });
}

/** What a server would log, in a line for a person: which repository, and what is the matter. */
const plainLines = {
  write(line: string): void {
    const { repository, msg } = JSON.parse(line) as { repository?: string; msg: string };
    printError(`${repository === undefined ? '' : `${repository}: `}${msg}`);
  },
};

async function withOwnStore<T>(config: Config, use: (ask: Ask) => Promise<T>): Promise<T> {
  const { dataFolder } = config;
  using _lock = await claimDataFolder(dataFolder);
  const parts = partsOf(dataFolder);
  await using accounts = await openAccounts(parts.accounts, Date.now);
  await using store = await openStore(storeSettings(config), openLog('warn', plainLines), Date.now);
  const owned: Owned = { ...store, accounts, repositoriesFolder: parts.repositories };
  const { signal } = new AbortController();
  return await use(
    async (request, report = () => {}) => (await answerCommand(owned, request, report, signal)) as never,
  );
}

// `gitstead serve`: the server in the foreground, until a signal. What the first start tells about the first account
// goes to the terminal only, never to the log.
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type Config,
  flagOf,
  type GivenSettings,
  loadConfig,
  SETTINGS,
  type SettingName,
  settingNames,
} from '../config.ts';
import { asGitsteadError } from '../errors.ts';
import { type Log, openLog } from '../log.ts';
import type { RunningServer } from '../server.ts';
import { addDataOption, addExample, dataFolderIn } from './arguments.ts';
import { print } from './terminal.ts';

/** npm hands on a Ctrl-C that the terminal has sent to all of us already: the same signal twice, this close, is one. */
const SAME_SIGNAL_MS = 500;
/** When all is closed nothing should be left to wait for; if something is, it is not waited for. */
const LINGER_MS = 1000;
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

export function serveCommand(): Command {
  const command = addDataOption(new Command('serve')).description('run the server in the foreground');
  for (const name of settingNames()) {
    const { help, default: value } = SETTINGS[name];
    const note = value === undefined || value === '' ? '' : ` (default: ${value})`;
    command.addOption(new Option(`--${flagOf(name)} <value>`, help + note).argParser(wellFormed(name)));
  }
  command.action(async (options: Record<string, string | undefined>) => {
    const config = loadConfig(dataFolderIn(options), settingsIn(options));
    const log = openLog(config['log.level']);
    // the other commands need nothing of the server, and start in half the time without it
    const { startServer } = await import('../server.ts');
    const stopped = untilSignal(log);
    const server = await startServer(config, log);
    greet(server, config);
    await stopped;
    await server.close();
    setTimeout(() => process.exit(0), LINGER_MS).unref();
  });
  return addExample(command, 'gitstead serve --data /srv/gitstead --public-url https://rs.example.com');
}

/** Leaves the text as it is, for loadConfig; a malformed one is bad usage. */
function wellFormed(name: SettingName): (text: string) => string {
  const { type } = SETTINGS[name];
  return (text) => {
    if (type.parse(text.trim()) !== undefined) return text;
    throw new InvalidArgumentError(`It is not ${type.what}.`);
  };
}

/** commander calls the value of --log-level logLevel */
function settingsIn(options: Record<string, string | undefined>): GivenSettings {
  const camel = (flag: string) => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(settingNames().map((name) => [name, options[camel(flagOf(name))]]));
}

function greet({ url, addressHost, firstAccountUrl }: RunningServer, config: Config): void {
  print(`Gitstead serves ${url}`);
  if (config.role !== 'all') print(`role: ${config.role}`);
  if (config.role !== 'storage' && config.storageUrl) print(`storage: ${config.storageUrl.origin}`);
  print(`data folder: ${config.dataFolder}`);
  if (config.role !== 'storage') print(`your address: NAME@${addressHost}`);
  if (config.publicUrl === undefined && !LOOPBACK.includes(config.host)) {
    print('other computers are answered only by the name that --public-url gives: it is not set');
  }
  if (firstAccountUrl !== undefined) {
    print('');
    print('There is no account yet. Create the first one here; the link works once:');
    print(`  ${firstAccountUrl}`);
    print('');
  }
}

/** Resolves at the first signal, also one that comes while the server is starting; a second one ends the process. */
function untilSignal(log: Log): Promise<void> {
  process.on('uncaughtException', (thrown) => {
    log.fatal({ err: thrown }, asGitsteadError(thrown).message);
    process.exit(1);
  });
  return new Promise((resolve) => {
    let first: { signal: string; time: number } | undefined;
    const stop = (signal: string) => {
      const time = performance.now();
      if (first?.signal === signal && time - first.time < SAME_SIGNAL_MS) return;
      if (first !== undefined) process.exit(1);
      first = { signal, time };
      log.info('stopping: requests under way are finished');
      resolve();
    };
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
  });
}

// A real server on a free port and a temporary data folder: in this process (openTestServer) or in one of its own, which
// may be killed (spawnTestServer). When it is closed, stock git checks every repository and the index is compared with
// what they hold; a fault fails the test.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { withOwner } from '../src/cli/owner.ts';
import { flagOf, type GivenSettings, loadConfig, settingNames } from '../src/config.ts';
import { type Accounts, openAccounts } from '../src/db/open-accounts.ts';
import { openLog } from '../src/log.ts';
import { parseUserName, type UserName } from '../src/protocol/paths.ts';
import { parseScopes } from '../src/protocol/scopes.ts';
import { type RunningServer, startServer } from '../src/server.ts';
import { partsOf } from '../src/storage/data-folder.ts';
import { environmentWithoutSettings } from './cli/gitstead.ts';

export type TestServerOptions = {
  /** as they would be written: `{ documentLimit: '1MiB' }` */
  settings?: GivenSettings;
  /** an existing one is kept when the server closes; undefined: a new temporary one, which goes then */
  dataFolder?: string;
  /** false: whoever breaks repositories on purpose does not want them checked */
  checkAtEnd?: boolean;
};

export interface TestServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly baseUrl: string;
  readonly port: number;
  readonly dataFolder: string;
  /** of the user's root, without a slash at its end */
  storageUrl(user: string): string;
  createUser(name: string, password?: string): Promise<{ name: UserName; password: string }>;
  /** @param scopes `notes:rw contacts:r` */
  createToken(user: string, scopes: string, app?: string): Promise<string>;
  /** Stops the server, and starts it again on the same port and folder. */
  restart(): Promise<void>;
  /** @throws AssertionError when a repository or the index is not as it should be */
  close(): Promise<void>;
}

export interface SpawnedServer extends TestServer {
  readonly process: ChildProcess;
  /** Sends the signal and waits until the process has ended. @returns its exit code, or the signal */
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
  /** Starts it again after it has ended. */
  start(): Promise<void>;
}

const PASSWORD = 'correct horse battery';

export async function openTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const folder = temporaryFolder(options);
  let server = await start('0');

  function start(port: string): Promise<RunningServer> {
    const settings = { 'log.level': 'silent', ...options.settings, port };
    const config = loadConfig(folder.path, settings, {});
    return startServer(config, openLog(config['log.level']));
  }

  return {
    ...facts(folder.path, server.port),
    ...accountMakers((use) => use(server.accounts)),
    async restart() {
      const { port } = server;
      await server.close();
      server = await start(String(port));
    },
    ...end(async () => {
      await server.close();
      await finish(folder, options);
    }),
  };
}

export async function spawnTestServer(options: TestServerOptions = {}): Promise<SpawnedServer> {
  const folder = temporaryFolder(options);
  let child = await launch('0');

  async function launch(
    port: string,
  ): Promise<{ process: ChildProcess; port: number; exit: Promise<unknown[]> }> {
    const settings: GivenSettings = { 'log.level': 'warn', ...options.settings, port };
    const flags = settingNames().flatMap((name) => {
      const text = settings[name];
      return text === undefined ? [] : [`--${flagOf(name)}`, text];
    });
    const main = join(import.meta.dirname, '../src/main.ts');
    const started = spawn(process.execPath, [main, 'serve', '--data', folder.path, ...flags], {
      env: environmentWithoutSettings(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(started, 'exit');
    const url = await Promise.race([greeting(started), exit.then(() => undefined)]);
    assert.ok(url, 'the server starts');
    assert.equal((await fetch(`${url}/health`)).status, 200);
    return { process: started, port: Number(new URL(url).port), exit };
  }

  async function kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    child.process.kill(signal);
    const [code, by] = (await child.exit) as [number | null, NodeJS.Signals | null];
    return by ?? code!;
  }

  const start = async () => {
    child = await launch(String(child.port));
  };

  const isRunning = () => child.process.exitCode === null && child.process.signalCode === null;
  return {
    ...facts(folder.path, child.port),
    ...accountMakers(async (use) => {
      await using accounts = await openAccounts(partsOf(folder.path).accounts, Date.now);
      return await use(accounts);
    }),
    get process() {
      return child.process;
    },
    kill,
    start,
    async restart() {
      assert.equal(await kill('SIGTERM'), 0);
      await start();
    },
    ...end(async () => {
      if (isRunning()) assert.equal(await kill('SIGTERM'), 0, 'SIGTERM ends the server with exit code 0');
      await finish(folder, options);
    }),
  };
}

/** The address that a starting server prints. */
function greeting(started: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    createInterface({ input: started.stdout! }).on('line', (line) => {
      const url = /^Gitstead serves (http:\/\/localhost:\d+)$/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
}

type Folder = { path: string; isOurs: boolean };

function temporaryFolder({ dataFolder }: TestServerOptions): Folder {
  if (dataFolder !== undefined) return { path: dataFolder, isOurs: false };
  return { path: join(mkdtempSync(join(tmpdir(), 'gitstead-test-')), 'data'), isOurs: true };
}

function facts(dataFolder: string, port: number) {
  const baseUrl = `http://127.0.0.1:${port}`;
  return { dataFolder, port, baseUrl, storageUrl: (user: string) => `${baseUrl}/storage/${user}` };
}

function accountMakers(withAccounts: <T>(use: (accounts: Accounts) => Promise<T>) => Promise<T>) {
  return {
    async createUser(name: string, password = PASSWORD) {
      const user = nameOf(name);
      await withAccounts(({ users }) => users.create({ name: user, password, isAdmin: false }));
      return { name: user, password };
    },
    async createToken(user: string, scopes: string, app?: string) {
      const parsed = parseScopes(scopes);
      assert.ok(parsed, `${scopes} are scopes`);
      const kind = 'command-line' as const;
      const { token } = await withAccounts(({ tokens }) =>
        tokens.create({ user: nameOf(user), app, scopes: parsed, kind }, undefined),
      );
      return token;
    },
  };
}

function nameOf(name: string): UserName {
  const user = parseUserName(name);
  assert.ok(user, `${name} is a user name`);
  return user;
}

function end(close: () => Promise<void>) {
  let closing: Promise<void> | undefined;
  const once = () => (closing ??= close());
  return { close: once, [Symbol.asyncDispose]: once };
}

/** The folder as a stopped (or killed) server left it: opened, checked, and taken away. */
async function finish(folder: Folder, { checkAtEnd = true }: TestServerOptions): Promise<void> {
  try {
    if (!checkAtEnd || !existsSync(partsOf(folder.path).format)) return;
    const { faults } = await withOwner(
      folder.path,
      (ask) => ask({ command: 'check' }),
      () => loadConfig(folder.path, {}, {}),
    );
    assert.deepEqual(faults, [], 'git fsck passes everywhere, and the index equals the trees');
  } finally {
    if (folder.isOurs) rmSync(join(folder.path, '..'), { recursive: true, force: true });
  }
}

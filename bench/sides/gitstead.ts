// Gitstead as a user starts it: bin/gitstead.js on an empty data folder with default settings (so with
// fsync), accounts and tokens from its command line. The build is brought up to date first.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { runLoad } from '../load-job.ts';
import { mustRun, run, startServer, stop, temporaryFolder } from '../processes.ts';
import { folderPath, freePort, type Side, untilReady, userName, WRITERS } from './side.ts';

const root = join(import.meta.dirname, '../..');
const entry = join(root, 'bin/gitstead.js');
const COMMAND_LIMIT_MS = 30_000;
/** Commands that make accounts run this many at a time. */
const AT_ONCE = 2;

/** Compiles src/ into dist/, which bin/gitstead.js runs. A type error is told and does not stop the run. */
export async function buildGitstead(): Promise<void> {
  const compiler = join(root, 'node_modules/.bin/tsc');
  const finished = await run(compiler, ['-p', 'tsconfig.build.json'], { cwd: root, limitMs: 120_000 });
  if (finished.code !== 0) console.error(`the build reports: ${finished.stdout.trim().split('\n')[0]}`);
}

/** @param nodeFlags for a profile: put before the program's name */
export async function startGitstead(nodeFlags: string[] = []): Promise<Side> {
  const folder = temporaryFolder('gitstead');
  const data = join(folder, 'data');
  const port = await freePort();
  const serve = ['serve', '--data', data, '--host', '127.0.0.1', '--port', String(port)];
  const start = async () => {
    const started = startServer([...nodeFlags, entry, ...serve], {
      cwd: folder,
      logFile: join(folder, 'output.log'),
    });
    await untilReady(started, port, '/health');
    return started;
  };
  const authorizations: string[] = [];
  const side: Side = {
    name: 'gitstead',
    port,
    process: await start(),
    target: (user, module) => ({ folder: folderPath(user, module), authorization: authorizations[user]! }),
    fill: async (users, module, documents) => {
      const targets = users.map((user) => side.target(user, module));
      await runLoad({ kind: 'fill', port, targets, documents, connections: WRITERS });
    },
    restart: async () => {
      await stop(side.process);
      side.process = await start();
    },
  };
  await createAccounts(data, folder, authorizations);
  return side;
}

async function createAccounts(data: string, cwd: string, authorizations: string[]): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < WRITERS) {
      const user = next;
      next += 1;
      authorizations[user] = `Bearer ${await createAccount(data, cwd, userName(user))}`;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function createAccount(data: string, cwd: string, name: string): Promise<string> {
  const command = (args: string[], input = '') =>
    mustRun(process.execPath, [entry, ...args, '--data', data], { cwd, input, limitMs: COMMAND_LIMIT_MS });
  const password = randomBytes(18).toString('base64url');
  await command(['user', 'add', name, '--password-stdin'], `${password}\n`);
  return (await command(['token', 'create', name, '*:rw'])).trim();
}

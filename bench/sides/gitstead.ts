// Gitstead as a user starts it: bin/gitstead.js on an empty data folder with default settings (so with
// fsync). The build is brought up to date first.
import { join } from 'node:path';
import { runLoad } from '../load-job.ts';
import { run, startServer, stop, temporaryFolder } from '../processes.ts';
import { createAccounts } from './gitstead-accounts.ts';
import { folderPath, freePort, type Side, untilReady, userName, WRITERS } from './side.ts';

const root = join(import.meta.dirname, '../..');
const entry = join(root, 'bin/gitstead.js');
/** Turns of many documents are quick. */
const FILL_CONNECTIONS = 128;

let built: Promise<void> | undefined;

/** Compiles src/ into dist/, which bin/gitstead.js runs, once in a run. A type error is told and does not stop the run. */
export function buildGitstead(): Promise<void> {
  built ??= build();
  return built;
}

async function build(): Promise<void> {
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
  let authorizations: string[] = [];
  const side: Side = {
    name: 'gitstead',
    port,
    process: await start(),
    target: (user, module) => ({ folder: folderPath(user, module), authorization: authorizations[user]! }),
    fill: async (users, module, documents) => {
      const targets = users.map((user) => side.target(user, module));
      await runLoad({ kind: 'fill', port, targets, documents, connections: FILL_CONNECTIONS });
    },
    restart: async () => {
      await stop(side.process);
      side.process = await start();
    },
  };
  authorizations = await createAccounts(
    data,
    Array.from({ length: WRITERS }, (_, user) => userName(user)),
  );
  return side;
}

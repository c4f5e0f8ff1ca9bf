// The peer: armadietto from npm, the classic server that its package starts, with the configuration that its
// package shows as the example. Accounts come from its sign-up form, tokens from its OAuth form.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DOCUMENT_BYTES, DOCUMENT_TYPE, documentName, makeDocument } from '../documents.ts';
import { runLoad } from '../load-job.ts';
import { mustRun, startServer, stop, temporaryFolder } from '../processes.ts';
import { folderPath, freePort, type Side, untilReady, userName, WRITERS } from './side.ts';

const PASSWORD = 'bench-on-loopback';
const APP = 'http://bench.example';
/** Above this many documents folders are laid down as files: through HTTP it would take minutes. */
const FILL_BY_HTTP_UP_TO = 200;

const bench = join(import.meta.dirname, '..');
const entry = join(bench, 'node_modules/armadietto/bin/armadietto.js');

/** Installs the peer into bench/node_modules, as bench/package-lock.json names it, unless it is there. */
export async function installArmadietto(): Promise<void> {
  if (existsSync(entry)) return;
  console.error('installing armadietto into bench/node_modules (npm ci)');
  await mustRun('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: bench,
    limitMs: 180_000,
  });
}

export async function startArmadietto(): Promise<Side> {
  await installArmadietto();
  const folder = temporaryFolder('armadietto');
  const storage = join(folder, 'storage');
  const logs = join(folder, 'logs');
  mkdirSync(storage);
  mkdirSync(logs);
  const port = await freePort();
  const configuration = join(folder, 'conf.json');
  writeFileSync(configuration, JSON.stringify(configure(storage, logs, port)));
  const start = async () => {
    const started = startServer([entry, '-c', configuration], {
      cwd: folder,
      logFile: join(folder, 'output.log'),
    });
    await untilReady(started, port, '/');
    return started;
  };
  const side: Side = {
    name: 'armadietto',
    port,
    process: await start(),
    target: (user, module) => ({ folder: folderPath(user, module), authorization: authorizations[user]! }),
    fill: async (users, module, count) => {
      const byHttp = count * users.length <= FILL_BY_HTTP_UP_TO;
      if (!byHttp) for (const user of users) layDown(storage, user, module, count);
      const documents = byHttp ? count : 1; // one PUT makes the parents' records of a folder laid down
      const targets = users.map((user) => side.target(user, module));
      await runLoad({ kind: 'fill', port, targets, documents, connections: users.length });
    },
    restart: async () => {
      await stop(side.process);
      side.process = await start();
    },
  };
  const authorizations: string[] = [];
  for (let user = 0; user < WRITERS; user += 1) {
    await signUp(port, userName(user));
    authorizations.push(`Bearer ${await authorise(port, userName(user))}`);
  }
  return side;
}

/** The example of armadietto's package (bin/conf.monolithic.json), on loopback and in our folder. */
function configure(storage: string, logs: string, port: number): unknown {
  return {
    allow_signup: true,
    storage_path: storage,
    cache_views: true,
    http: { host: '127.0.0.1', port },
    https: { enable: false, force: false },
    logging: { log_dir: logs, stdout: ['info'], log_files: ['error'] },
    basePath: '',
  };
}

async function post(port: number, path: string, fields: Record<string, string>): Promise<Response> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    body: new URLSearchParams(fields),
    redirect: 'manual',
  });
  await answer.arrayBuffer();
  return answer;
}

async function signUp(port: number, username: string): Promise<void> {
  const fields = { username, email: `${username}@bench.example`, password: PASSWORD };
  const answer = await post(port, '/signup', fields);
  if (answer.status !== 201) throw new Error(`sign-up of ${username} answered ${answer.status}`);
}

async function authorise(port: number, username: string): Promise<string> {
  const answer = await post(port, '/oauth', {
    username,
    password: PASSWORD,
    client_id: APP,
    redirect_uri: `${APP}/`,
    response_type: 'token',
    scope: '*:rw',
    allow: 'Allow',
  });
  const fragment = (answer.headers.get('location') ?? '').split('#')[1] ?? '';
  const token = new URLSearchParams(fragment).get('access_token');
  if (!token) throw new Error(`authorisation of ${username} answered ${answer.status} without a token`);
  return token;
}

/** The files that armadietto would have made of `count` PUTs into a folder: each document, and `.~meta`. */
function layDown(storage: string, user: number, module: string, count: number): void {
  const name = userName(user);
  const folder = join(storage, name.slice(0, 2), name, 'storage', module, 'docs');
  mkdirSync(folder, { recursive: true });
  const version = String(Date.now());
  const items: Record<string, unknown> = {};
  for (let i = 0; i < count; i += 1) {
    writeFileSync(join(folder, documentName(i)), makeDocument());
    items[documentName(i)] = {
      ETag: version,
      'Content-Type': DOCUMENT_TYPE,
      'Content-Length': DOCUMENT_BYTES,
    };
  }
  writeFileSync(join(folder, '.~meta'), JSON.stringify({ items, ETag: version }, null, 2));
}

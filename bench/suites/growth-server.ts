// Gitstead as the suites about growth, git, starts and background work need it: few users, a data folder that can be looked
// into, an end by SIGTERM or SIGKILL, and a start whose time is taken. Loads come from a process of its own.
import { join } from 'node:path';
import {
  type Generator,
  generate,
  type LoadResult,
  type LoopJob,
  openGenerator,
  type Target,
} from '../load-job.ts';
import { readProcessorMs } from '../machine.ts';
import { type Started, startServer, stop, temporaryFolder } from '../processes.ts';
import type { Measured } from '../results.ts';
import { createAccounts } from '../sides/gitstead-accounts.ts';
import { folderPath, freePort, userName } from '../sides/side.ts';
import { untilAnswers } from './waiting.ts';

const entry = join(import.meta.dirname, '../../bin/gitstead.js');

export type GrowthServer = {
  /** all that it has, to be removed with `removeFolder` */
  folder: string;
  data: string;
  port: number;
  process: Started;
  /** stays for all loads, over starts and ends of the server */
  generator: Generator;
  target(module: string, user?: number): Target;
  /** the repository on disk */
  repository(module: string, user?: number): string;
  /** @returns ms from the spawn to the first 200 of `/health` */
  start(): Promise<number>;
  stop(): Promise<void>;
  /** `kill -9` */
  kill(): Promise<void>;
};

/** Starts a server on an empty data folder, with `users` accounts that may all write everywhere in their storage. */
export async function openGrowthServer(name: string, users = 1): Promise<GrowthServer> {
  const folder = temporaryFolder(name);
  const data = join(folder, 'data');
  const port = await freePort();
  let authorizations: string[] = [];
  const serve = ['serve', '--data', data, '--host', '127.0.0.1', '--port', String(port)];
  const spawnIt = () => startServer([entry, ...serve], { cwd: folder, logFile: join(folder, 'output.log') });
  const server: GrowthServer = {
    folder,
    data,
    port,
    process: spawnIt(),
    generator: openGenerator(),
    target: (module, user = 0) => ({
      folder: folderPath(user, module),
      authorization: authorizations[user]!,
    }),
    repository: (module, user = 0) => join(data, 'repos', userName(user), `${module}.git`),
    async start() {
      const begin = performance.now();
      server.process = spawnIt();
      await untilAnswers(server, '/health');
      return performance.now() - begin;
    },
    stop: () => stop(server.process),
    async kill() {
      server.process.child.kill('SIGKILL');
      await server.process.ended;
    },
  };
  await untilAnswers(server, '/health');
  authorizations = await createAccounts(
    data,
    Array.from({ length: users }, (_, user) => userName(user)),
  );
  return server;
}

/** The ETag of a document of the module's folder, or of the folder itself, as it stands in the header. */
export async function tagOf(server: GrowthServer, module: string, name = ''): Promise<string> {
  const { folder, authorization } = server.target(module);
  const headers = { authorization };
  const answer = await fetch(`http://127.0.0.1:${server.port}${folder}${name}`, { headers });
  await answer.arrayBuffer();
  const tag = answer.headers.get('etag');
  if (answer.status !== 200 || tag === null) throw new Error(`GET of ${folder}${name} was ${answer.status}`);
  return tag;
}

export type Loop = Pick<LoopJob, 'method' | 'targets' | 'documents' | 'warmupSeconds' | 'seconds'> & {
  ifNoneMatch?: string;
};

/** One closed loop against the server, as a round in requests per second. */
export async function measureLoop(server: GrowthServer, loop: Loop): Promise<Measured> {
  const expect = loop.method === 'PUT' ? [200, 201] : [loop.ifNoneMatch === undefined ? 200 : 304];
  const before = readProcessorMs(server.process.pid);
  const result = await generate(server.generator, { kind: 'loop', port: server.port, expect, ...loop });
  const after = readProcessorMs(server.process.pid);
  const used = before === undefined || after === undefined ? undefined : after - before;
  const processor = used === undefined ? {} : { processorMs: used / result.sent };
  return { ...roundOf(result), seconds: loop.seconds, ...processor };
}

function roundOf({ rate, p50Ms, p99Ms, latencies, generatorLoad, errors, firstError }: LoadResult): Measured {
  return {
    ...{ value: rate, p50Ms, p99Ms, latencies, generatorLoad },
    ...(errors > 0 ? { errors } : {}),
    ...(firstError === undefined ? {} : { firstError }),
  };
}

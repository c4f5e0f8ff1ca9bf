// What the harness needs of a server that is measured, whoever wrote it.
import { createServer } from 'node:net';
import type { Target } from '../load-job.ts';
import type { Started } from '../processes.ts';

export type SideName = 'gitstead' | 'armadietto' | 'bare' | 'nginx';

/** A server that runs on loopback, with `WRITERS` users who may all write everywhere in their storage. */
export type Side = {
  name: SideName;
  port: number;
  process: Started;
  /** the folder `<module>/docs/` of the user with this number */
  target: (user: number, module: string) => Target;
  /** writes documents 0 … count-1 into that folder of each user, by whatever way is quick */
  fill: (users: number[], module: string, count: number) => Promise<void>;
  /** ends the process and starts it anew on the same data */
  restart: () => Promise<void>;
};

export const WRITERS = 32;
export const MODULES = { small: 'bench', folder: 'folder', large: 'large' } as const;

export function userName(user: number): string {
  return `user${String(user).padStart(2, '0')}`;
}

/** The storage path that all sides have in common. */
export function folderPath(user: number, module: string): string {
  return `/storage/${userName(user)}/${module}/docs/`;
}

/** A port of loopback that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Asks until the server answers `path` with 200; throws its last words when it ends or 30 s pass. */
export async function untilReady(started: Started, port: number, path: string): Promise<void> {
  let ended = false;
  started.ended.then(() => {
    ended = true;
  });
  const limit = performance.now() + 30_000;
  while (performance.now() < limit && !ended) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`did not start: ${started.lastWords()}`);
}

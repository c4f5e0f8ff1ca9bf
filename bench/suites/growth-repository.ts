// Repositories that are laid down by stock git while no server runs: as many documents as wanted in one commit, which
// 100,000 PUTs would take minutes for. And histories, which are made by real PUTs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { documentName, makeDocument } from '../documents.ts';
import { generate } from '../load-job.ts';
import { mustRun, track } from '../processes.ts';
import { type GrowthServer, measureLoop } from './growth-server.ts';

const LIMIT_MS = 120_000;
export const HISTORY_WRITERS = 32;
/** Turns of many documents are quick: for what is made and not measured. */
export const MANY_WRITERS = 128;
const MIN_PART_SECONDS = 0.3;
const PROBE_SECONDS = 1;
/** A server becomes quicker while it is written to: what is left is estimated anew so often. */
const MAX_PART_SECONDS = 4;

/** Puts `documents` into each of the folders, as the only commit of main. The repository exists, with whatever in it. */
export async function layDown(
  repository: string,
  folders: readonly string[],
  documents: number,
): Promise<void> {
  const blobs = await importBlobs(repository, folders.length * documents);
  const git = async (args: string[], input = '') =>
    (await mustRun('git', ['-C', repository, ...IDENTITY, ...args], { input, limitMs: LIMIT_MS })).trim();
  let root = '';
  for (const [position, folder] of folders.entries()) {
    const part = blobs.slice(position * documents, (position + 1) * documents);
    const lines = part.map((blob, index) => `100644 blob ${blob}\t${documentName(index)}\n`);
    root += `040000 tree ${await git(['mktree'], lines.join(''))}\t${folder}\n`;
  }
  const commit = await git(['commit-tree', await git(['mktree'], root), '-m', 'laid down']);
  await git(['update-ref', 'refs/heads/main', commit]);
}

const IDENTITY = ['-c', 'user.name=Bench', '-c', 'user.email=bench@localhost'];

/** Different documents as one pack. @returns their object ids */
async function importBlobs(repository: string, count: number): Promise<string[]> {
  const marks = join(repository, 'bench-marks');
  const flags = ['-c', 'fastimport.unpackLimit=1', '-C', repository, 'fast-import', '--quiet'];
  const child = spawn('git', [...flags, `--export-marks=${marks}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = track(child);
  child.stdin.on('error', () => {}); // its exit code tells
  for (let index = 0; index < count && child.exitCode === null; index += 1) {
    const document = makeDocument();
    const isRoomy = child.stdin.write(`blob\nmark :${index + 1}\ndata ${document.length}\n${document}\n`);
    if (!isRoomy) await Promise.race([once(child.stdin, 'drain'), ended]);
  }
  child.stdin.end();
  await ended;
  if (child.exitCode !== 0) throw new Error(`git fast-import ended with ${child.exitCode}`);
  const lines = readFileSync(marks, 'latin1').trim().split('\n');
  rmSync(marks);
  const blobs: string[] = [];
  for (const line of lines) {
    const [mark, oid] = line.split(' ') as [string, string];
    blobs[Number(mark.slice(1)) - 1] = oid;
  }
  return blobs;
}

/** One PUT each: the repositories are there. */
export async function makeModules(
  server: GrowthServer,
  modules: readonly string[],
  documents = 1,
): Promise<void> {
  const targets = modules.map((module) => server.target(module));
  const fill = { port: server.port, targets, documents, connections: HISTORY_WRITERS };
  await generate(server.generator, { kind: 'fill', ...fill });
}

/**
 * PUTs by some writers over the module's first `documents` until it has at least so many commits.
 * @returns commits per second, over all of it
 */
export async function makeHistory(
  server: GrowthServer,
  module: string,
  documents: number,
  commits: number,
  writers = HISTORY_WRITERS,
): Promise<number> {
  const targets = Array.from({ length: writers }, () => server.target(module));
  let seconds = PROBE_SECONDS;
  let made = 0;
  let took = 0;
  while (made < commits) {
    const loop = { method: 'PUT', targets, documents, warmupSeconds: 0, seconds } as const;
    const { value } = await measureLoop(server, loop);
    made += value * seconds;
    took += seconds;
    seconds = Math.max(MIN_PART_SECONDS, Math.min(MAX_PART_SECONDS, (commits - made) / (made / took)));
  }
  return made / took;
}

// Rows of folders: what a PUT, a GET and a 304 cost in folders of 10 to 100,000 documents, and what more connections
// bring. All sizes take turns within each round, reads first.
import { documentName } from '../documents.ts';
import { addRound, type Round, type RowResult } from '../results.ts';
import { type Plan, wants } from '../suite.ts';
import { layDown, makeModules } from './growth-repository.ts';
import { type GrowthServer, measureLoop, tagOf } from './growth-server.ts';
import { untilAnswers, untilIdle } from './waiting.ts';

export const SIZES = [10, 100, 10_000, 100_000] as const;
export const CONNECTIONS = [1, 2, 4, 8, 16, 32, 64] as const;
const SIDE = 'gitstead';
/** Reads ask for one of so many, in a folder of any size: then the folder is all that differs. */
const ASKED_FOR = 10;
const READERS = 8;
/** of the plan's seconds: short rounds are enough for many requests, and there are many rows */
const READ_SHARE = 0.2;
const WRITE_SHARE = 0.3;
/** A PUT in a large folder takes so long that a short round would hold few. */
const LARGE_WRITE_SHARE = 0.6;
const LARGE = 10_000;
/** There are many of these rows, and they are read as one curve. */
const MOST_CONNECTION_ROUNDS = 2;

type FolderRow = { result: RowResult; measure(server: GrowthServer, plan: Plan): Promise<Round> };

/** Rows in the order in which they are measured within a round. */
export function folderRows(): FolderRow[] {
  return [
    ...SIZES.map((size) => readRow(`growth-get-${size}`, `GET 200 B, ${words(size)}`, size, ASKED_FOR)),
    ...SIZES.filter((size) => size > 100).map((size) =>
      readRow(`growth-get-any-${size}`, `GET 200 B, any document, ${words(size)}`, size, size),
    ),
    ...SIZES.map((size) => unchangedRow(`growth-304-${size}`, size, 1)),
    ...SIZES.map((size) => unchangedRow(`growth-304-folder-${size}`, size, 0)),
    ...CONNECTIONS.map((count) => connectionsRow('GET', count)),
    ...CONNECTIONS.map((count) => connectionsRow('PUT', count)),
    ...SIZES.map(writeRow),
  ];
}

function words(size: number): string {
  return `folder of ${size.toLocaleString('en-US')}`;
}

export function rowOf(id: string, title: string): RowResult {
  return { id, title, unit: '/s', better: 'more', cells: {} };
}

export function times(plan: Plan, share: number): { warmupSeconds: number; seconds: number } {
  return { warmupSeconds: plan.warmupSeconds * share, seconds: plan.seconds * share };
}

function moduleOf(size: number): string {
  return `size-${size}`;
}

function readRow(id: string, title: string, size: number, documents: number): FolderRow {
  return {
    result: rowOf(id, title),
    measure: (server, plan) => read(server, plan, moduleOf(size), documents),
  };
}

export function read(
  server: GrowthServer,
  plan: Plan,
  module: string,
  documents = ASKED_FOR,
): Promise<Round> {
  const targets = Array.from({ length: READERS }, () => server.target(module));
  return measureLoop(server, { method: 'GET', targets, documents, ...times(plan, READ_SHARE) });
}

function unchangedRow(id: string, size: number, documents: 0 | 1): FolderRow {
  const what = documents === 0 ? 'folder' : 'document';
  return {
    result: rowOf(id, `304 of a ${what}, ${words(size)}`),
    measure: (server, plan) => readUnchanged(server, plan, moduleOf(size), documents),
  };
}

/** @param documents 1: the first document is asked for, 0: the folder */
export async function readUnchanged(
  server: GrowthServer,
  plan: Plan,
  module: string,
  documents: 0 | 1,
): Promise<Round> {
  const ifNoneMatch = await tagOf(server, module, documents === 0 ? '' : documentName(0));
  const targets = Array.from({ length: READERS }, () => server.target(module));
  return measureLoop(server, { method: 'GET', targets, documents, ifNoneMatch, ...times(plan, READ_SHARE) });
}

function writeRow(size: number): FolderRow {
  return {
    result: rowOf(`growth-put-${size}`, `PUT 200 B, 1 writer, ${words(size)}`),
    measure: (server, plan) =>
      write(server, plan, moduleOf(size), size, size > LARGE ? LARGE_WRITE_SHARE : WRITE_SHARE),
  };
}

/** Waits before and not after: what is left to be done is part of no other row. */
export async function write(
  server: GrowthServer,
  plan: Plan,
  module: string,
  documents: number,
  share = WRITE_SHARE,
  writers = 1,
): Promise<Round> {
  await untilIdle(server);
  const targets = Array.from({ length: writers }, () => server.target(module));
  return measureLoop(server, { method: 'PUT', targets, documents, ...times(plan, share) });
}

function connectionsRow(method: 'GET' | 'PUT', count: number): FolderRow {
  const title = `${method} 200 B, ${count} ${count === 1 ? 'connection' : 'connections'}`;
  const targetsOf = (server: GrowthServer) =>
    Array.from({ length: count }, () => server.target(moduleOf(100)));
  return {
    result: rowOf(`growth-concurrency-${method.toLowerCase()}-${count}`, title),
    measure: (server, plan) =>
      method === 'PUT'
        ? write(server, plan, moduleOf(100), 100, READ_SHARE, count)
        : measureLoop(server, {
            ...{ method, targets: targetsOf(server), documents: 100 },
            ...times(plan, READ_SHARE),
          }),
  };
}

/** Lays the folders down while the server stands still, and waits until it has read them in. */
export async function layFoldersDown(server: GrowthServer): Promise<void> {
  await makeModules(server, SIZES.map(moduleOf));
  await server.stop();
  for (const size of SIZES) await layDown(server.repository(moduleOf(size)), ['docs'], size);
  await server.start();
  for (const size of SIZES) {
    const { folder, authorization } = server.target(moduleOf(size));
    const isWhole = (body: string) => body.includes(documentName(size - 1));
    await untilAnswers(server, folder, isWhole, authorization);
  }
}

export async function measureFolders(server: GrowthServer, plan: Plan): Promise<RowResult[]> {
  const rows = folderRows().filter(({ result }) => wants(plan, result.id));
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const { result, measure } of rows) {
      if (round >= MOST_CONNECTION_ROUNDS && result.id.startsWith('growth-concurrency')) continue;
      await addRound(result, SIDE, () => measure(server, plan));
    }
  }
  return rows.map(({ result }) => result);
}

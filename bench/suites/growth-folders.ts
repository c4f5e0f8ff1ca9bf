// Rows of folders: what a PUT, a GET and a 304 cost in folders of 10 to 100,000 documents, and what more connections
// bring. Reads come first.
import { documentName } from '../documents.ts';
import type { RowResult } from '../results.ts';
import type { Plan } from '../suite.ts';
import { layDown, makeModules } from './growth-repository.ts';
import { type GrowthGroup, type GrowthRow, measureGroups } from './growth-rows.ts';
import type { GrowthServer } from './growth-server.ts';
import { untilAnswers } from './waiting.ts';

export const SIZES = [10, 100, 10_000, 100_000] as const;
export const CONNECTIONS = [1, 2, 4, 8, 16, 32, 64] as const;
/** Reads ask for one of so many, in a folder of any size: then the folder is all that differs. */
export const ASKED_FOR = 10;
export const READERS = 8;
/** Numbers of connections are read as one curve, and no goal speaks of them. */
const CONNECTIONS_SHARE = 0.5;

const words = (size: number) => `folder of ${size.toLocaleString('en-US')}`;
const moduleOf = (size: number) => `size-${size}`;

const BY_SIZE: readonly GrowthGroup[] = [
  [
    ...SIZES.map((size) => readRow(`growth-get-${size}`, `GET 200 B, ${words(size)}`, size, ASKED_FOR)),
    ...SIZES.filter((size) => size > 100).map((size) =>
      readRow(`growth-get-any-${size}`, `GET 200 B, any document, ${words(size)}`, size, size),
    ),
  ],
  SIZES.map((size) => unchangedRow(`growth-304-${size}`, `304 of a document, ${words(size)}`, size, 1)),
  SIZES.map((size) => unchangedRow(`growth-304-folder-${size}`, `304 of a folder, ${words(size)}`, size, 0)),
].map((rows) => ({ reads: true, rows }));
const BY_CONNECTIONS: readonly GrowthGroup[] = (['GET', 'PUT'] as const).map((method) => ({
  reads: method === 'GET',
  rows: CONNECTIONS.map((count) => connectionsRow(method, count)),
}));
const WRITES: GrowthGroup = {
  reads: false,
  rows: SIZES.map((size) => ({
    id: `growth-put-${size}`,
    title: `PUT 200 B, 1 writer, ${words(size)}`,
    load: () => ({ method: 'PUT', module: moduleOf(size), documents: size, connections: 1 }),
  })),
};

export const folderRowIds = (): string[] =>
  [...BY_SIZE, ...BY_CONNECTIONS, WRITES].flatMap(({ rows }) => rows.map(({ id }) => id));

function readRow(id: string, title: string, size: number, documents: number): GrowthRow {
  return {
    ...{ id, title },
    load: () => ({ method: 'GET', module: moduleOf(size), documents, connections: READERS }),
  };
}

/** @param documents 1: the first document is asked for, 0: the folder */
function unchangedRow(id: string, title: string, size: number, documents: 0 | 1): GrowthRow {
  const load = { method: 'GET', module: moduleOf(size), documents, connections: READERS } as const;
  return { id, title, load: () => ({ ...load, unchanged: true }) };
}

function connectionsRow(method: 'GET' | 'PUT', connections: number): GrowthRow {
  return {
    id: `growth-concurrency-${method.toLowerCase()}-${connections}`,
    title: `${method} 200 B, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
    load: () => ({ method, module: moduleOf(100), documents: 100, connections }),
  };
}

/** Lays the folders down while the server stands still, and waits until it has read them in. */
export async function layFoldersDown(server: GrowthServer): Promise<void> {
  await makeModules(server, SIZES.map(moduleOf));
  await server.stop();
  await Promise.all(SIZES.map((size) => layDown(server.repository(moduleOf(size)), ['docs'], size)));
  await server.start();
  for (const size of SIZES) {
    const { folder, authorization } = server.target(moduleOf(size));
    const isWhole = (body: string) => body.includes(documentName(size - 1));
    await untilAnswers(server, folder, isWhole, authorization);
  }
}

export async function measureFolders(server: GrowthServer, plan: Plan): Promise<RowResult[]> {
  const fewer = { ...plan, slices: Math.ceil(plan.slices * CONNECTIONS_SHARE) };
  return [
    ...(await measureGroups(server, plan, BY_SIZE)),
    ...(await measureGroups(server, fewer, BY_CONNECTIONS)),
    ...(await measureGroups(server, plan, [WRITES])),
  ];
}

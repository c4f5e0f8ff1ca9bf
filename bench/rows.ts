// The HTTP rows: what each asks of a server, and the goals of this release. How they are run stands in rounds.ts.
import { Connection, headerOf } from './http-connection.ts';
import type { LoopJob, Target } from './load-job.ts';
import { MODULES, type Side, type SideName, WRITERS } from './sides/side.ts';

export const SMALL_FOLDER = 100;
export const LARGE_FOLDER = 10_000;
const READERS = 8;
const MIB = 2 ** 20;

/** At least so many times the other side's rate. */
export type Goals = Partial<Record<Exclude<SideName, 'gitstead'>, number>>;

export type LoopRow = {
  kind: 'loop';
  id: string;
  title: string;
  goals: Goals;
  /** documents of the folder that `git fast-import` is measured with in the same rounds */
  fastImport?: number;
  job: (side: Side) => Promise<Omit<LoopJob, 'kind' | 'warmupSeconds' | 'seconds'>>;
};

export type TransferRow = {
  kind: 'transfer';
  id: string;
  title: string;
  method: 'GET' | 'PUT';
  /** the server's resident memory may grow by less than this */
  growthGoalBytes: number;
};

export type Row = LoopRow | TransferRow;

const WRITTEN = [200, 201, 204];

function puts(side: Side, targets: Target[], documents: number) {
  return { port: side.port, method: 'PUT' as const, targets, documents, expect: WRITTEN };
}

function reads(side: Side, target: Target, documents: number) {
  const targets = Array.from({ length: READERS }, () => target);
  return { port: side.port, method: 'GET' as const, targets, documents, expect: [200] };
}

/** The read job turned into one that is answered 304: asks for the current tag first. */
async function unchanged(side: Side, target: Target) {
  const connection = await Connection.open(side.port);
  const answer = await connection.request(
    `GET ${target.folder} HTTP/1.1\r\nHost: 127.0.0.1:${side.port}\r\nAuthorization: ${target.authorization}\r\n\r\n`,
  );
  connection.close();
  const tag = headerOf(answer, 'etag');
  if (answer.status !== 200 || !tag)
    throw new Error(`GET answered ${answer.status}, ETag ${tag ?? 'absent'}`);
  return { ...reads(side, target, 0), ifNoneMatch: tag, expect: [304] };
}

export const ROWS: readonly Row[] = [
  {
    kind: 'loop',
    id: 'http-put-1',
    title: 'PUT 200 B, 1 writer',
    goals: { armadietto: 6 },
    fastImport: SMALL_FOLDER,
    job: async (side) => puts(side, [side.target(0, MODULES.small)], SMALL_FOLDER),
  },
  {
    kind: 'loop',
    id: 'http-put-32',
    title: 'PUT 200 B, 32 writers, one folder',
    goals: { armadietto: 20 },
    fastImport: SMALL_FOLDER,
    job: async (side) => {
      const targets = Array.from({ length: WRITERS }, () => side.target(0, MODULES.small));
      return puts(side, targets, SMALL_FOLDER);
    },
  },
  {
    kind: 'loop',
    id: 'http-put-32-users',
    title: 'PUT 200 B, 32 users, one writer each',
    goals: { armadietto: 15 },
    job: async (side) => {
      const targets = Array.from({ length: WRITERS }, (_, user) => side.target(user, MODULES.small));
      return puts(side, targets, SMALL_FOLDER);
    },
  },
  {
    kind: 'loop',
    id: 'http-put-10000',
    title: 'PUT 200 B, folder of 10,000, 1 writer',
    goals: { armadietto: 20 },
    fastImport: LARGE_FOLDER,
    job: async (side) => puts(side, [side.target(0, MODULES.folder)], LARGE_FOLDER),
  },
  {
    kind: 'loop',
    id: 'http-get',
    title: 'GET 200 B, 8 connections',
    goals: { armadietto: 5, bare: 0.4 },
    job: async (side) => reads(side, side.target(0, MODULES.small), SMALL_FOLDER),
  },
  {
    kind: 'loop',
    id: 'http-list-10000',
    title: 'listing of 10,000, 8 connections',
    goals: { armadietto: 8 },
    job: async (side) => reads(side, side.target(0, MODULES.folder), 0),
  },
  {
    kind: 'loop',
    id: 'http-list-304',
    title: '304 on that listing',
    goals: { bare: 0.4 },
    job: async (side) => unchanged(side, side.target(0, MODULES.folder)),
  },
  {
    kind: 'loop',
    id: 'http-get-304',
    title: '304 on a document',
    goals: {},
    job: async (side) => {
      const { folder, authorization } = side.target(0, MODULES.small);
      return unchanged(side, { folder: `${folder}doc-000000.json`, authorization });
    },
  },
  {
    kind: 'transfer',
    id: 'http-put-100mib',
    title: '100 MiB PUT',
    method: 'PUT',
    growthGoalBytes: 64 * MIB,
  },
  {
    kind: 'transfer',
    id: 'http-get-100mib',
    title: '100 MiB GET',
    method: 'GET',
    growthGoalBytes: 64 * MIB,
  },
];

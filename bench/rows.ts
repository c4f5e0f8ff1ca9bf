// The HTTP rows: what each asks of a server, and of which servers. How they are run stands in rounds.ts, what they are
// asked to reach in http-goals.ts.
import { Connection, headerOf } from './http-connection.ts';
import type { LoopJob, Target } from './load-job.ts';
import { MODULES, type Side, type SideName, WRITERS } from './sides/side.ts';

export const SMALL_FOLDER = 100;
export const LARGE_FOLDER = 10_000;
const READERS = 8;
type Job = Omit<LoopJob, 'kind' | 'warmupSeconds' | 'seconds'>;

export type Row = {
  id: string;
  title: string;
  sides: readonly SideName[];
  /** beside the servers: appends to a file, each synced (append.ts) */
  append?: boolean;
  /**
   * An open loop instead of a closed one: of all sides at half of the rate that Gitstead reached in a closed loop just before.
   * A rate from minutes before may be more than the same machine can answer now, and then its queue would be measured.
   */
  open?: boolean;
  /** Rows next to each other with the same word are compared with each other, and take turns. */
  beside?: string;
  /** GETs: in more and shorter slices, see turns.ts */
  reads?: true;
  /** One client makes few requests in a slice: slices are longer by this factor. */
  longer?: number;
  /** users whose small folder it writes; 1 if absent */
  users?: number;
  /** needs the folder of 10,000 */
  largeFolder?: boolean;
  job: (side: Side) => Promise<Job>;
};

const WRITTEN = [200, 201, 204];

function puts(side: Side, targets: Target[], documents: number): Job {
  return { port: side.port, method: 'PUT', targets, documents, expect: WRITTEN };
}

function reads(side: Side, target: Target, documents: number, connections = READERS): Job {
  const targets = Array.from({ length: connections }, () => target);
  return { port: side.port, method: 'GET', targets, documents, expect: [200] };
}

/** The read job turned into one that is answered 304: asks for the current tag first. */
async function unchanged(side: Side, target: Target): Promise<Job> {
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

async function oneFolder(side: Side): Promise<Job> {
  const targets = Array.from({ length: WRITERS }, () => side.target(0, MODULES.small));
  return puts(side, targets, SMALL_FOLDER);
}

export const ROWS: readonly Row[] = [
  {
    id: 'http-put-1',
    title: 'PUT 200 B, 1 writer',
    sides: ['gitstead', 'armadietto', 'bare'],
    append: true,
    longer: 2,
    job: async (side) => puts(side, [side.target(0, MODULES.small)], SMALL_FOLDER),
  },
  {
    id: 'http-put-32',
    title: 'PUT 200 B, 32 writers, one folder',
    beside: '32 writers',
    sides: ['gitstead', 'armadietto', 'bare'],
    job: oneFolder,
  },
  {
    id: 'http-put-32-users',
    title: 'PUT 200 B, 32 users, one writer each',
    beside: '32 writers',
    sides: ['gitstead', 'armadietto', 'bare'],
    users: WRITERS,
    job: async (side) => {
      const targets = Array.from({ length: WRITERS }, (_, user) => side.target(user, MODULES.small));
      return puts(side, targets, SMALL_FOLDER);
    },
  },
  {
    id: 'http-put-10000',
    title: 'PUT 200 B, folder of 10,000, 1 writer',
    sides: ['gitstead', 'armadietto'],
    largeFolder: true,
    job: async (side) => puts(side, [side.target(0, MODULES.folder)], LARGE_FOLDER),
  },
  {
    id: 'http-get',
    title: 'GET 200 B, 8 connections',
    sides: ['gitstead', 'armadietto', 'bare', 'nginx'],
    beside: 'reads',
    reads: true,
    job: async (side) => reads(side, side.target(0, MODULES.small), SMALL_FOLDER),
  },
  {
    id: 'http-get-304',
    title: '304 on a document',
    sides: ['gitstead', 'bare'],
    beside: 'reads',
    reads: true,
    job: async (side) => {
      const { folder, authorization } = side.target(0, MODULES.small);
      return unchanged(side, { folder: `${folder}doc-000000.json`, authorization });
    },
  },
  {
    id: 'http-list-100',
    title: 'listing of 100, 8 connections',
    sides: ['gitstead', 'bare', 'nginx'],
    beside: 'reads',
    reads: true,
    job: async (side) => reads(side, side.target(0, MODULES.small), 0),
  },
  {
    id: 'http-list-10000',
    title: 'listing of 10,000, 8 connections',
    sides: ['gitstead', 'armadietto', 'bare'],
    largeFolder: true,
    beside: 'reads',
    reads: true,
    job: async (side) => reads(side, side.target(0, MODULES.folder), 0),
  },
  {
    id: 'http-list-304',
    title: '304 on that listing',
    sides: ['gitstead', 'bare'],
    largeFolder: true,
    beside: 'reads',
    reads: true,
    job: async (side) => unchanged(side, side.target(0, MODULES.folder)),
  },
  {
    id: 'http-open-put',
    title: 'PUT at half of its rate, 32 connections: p99 from the due time',
    sides: ['gitstead', 'bare'],
    open: true,
    job: oneFolder,
  },
  {
    id: 'http-open-get',
    title: 'GET at half of its rate, 32 connections: p99 from the due time',
    sides: ['gitstead', 'bare'],
    open: true,
    reads: true,
    job: async (side) => reads(side, side.target(0, MODULES.small), SMALL_FOLDER, WRITERS),
  },
];

// The clients of the soak, a process of its own: 20 users' worth of mixed requests at a pace that the server can keep up for
// hours, and now and then a document of a MiB. Reads a job from stdin; prints a line of JSON for every period.
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { DOCUMENT_BYTES, DOCUMENT_TYPE, documentName, makeDocument, pickBelow } from './documents.ts';
import { Connection, headerOf } from './http-connection.ts';
import type { Target } from './load-job.ts';
import { quantile } from './statistics.ts';

export type SoakJob = {
  port: number;
  /** one for each user */
  targets: Target[];
  connections: number;
  seconds: number;
  periodSeconds: number;
};

export type SoakPeriod = {
  requests: number;
  p99Ms: number;
  /** answered otherwise than a well-behaved client expects, or not at all */
  errors: number;
  firstError?: string;
};

/** Each connection keeps so many documents of its own in each folder; what goes beyond is deleted. */
const DOCUMENTS_EACH = 50;
const PAUSE_MS = 6;
/** The load outlasts its last period, which is told in full. */
const BEYOND_MS = 500;
const LARGE_BYTES = (1 << 20) + 1;
const LARGE_EVERY_MS = 2000;
const LARGE_NAMES = 3;
/** of a hundred requests; the rest are DELETEs, as many as new documents */
const SHARES = { create: 10, overwrite: 25, read: 30, unchanged: 15, list: 10 };

type Owned = { target: Target; names: string[]; tags: Map<string, string> };
type Tally = { latencies: number[]; errors: number; firstError: string | undefined };
type Request = { method: string; path: string; more?: string; body?: string; expect: number[] };

let tally: Tally = { latencies: [], errors: 0, firstError: undefined };

const job = JSON.parse(await text(process.stdin)) as SoakJob;
const until = performance.now() + job.seconds * 1000 + BEYOND_MS;
const report = setInterval(tell, job.periodSeconds * 1000);
await Promise.all([...Array.from({ length: job.connections }, (_, seed) => drive(seed)), driveLarge()]);
clearInterval(report);

function tell(): void {
  const { latencies, errors, firstError } = tally;
  tally = { latencies: [], errors: 0, firstError: undefined };
  if (latencies.length === 0 && errors === 0) return;
  latencies.sort((a, b) => a - b);
  const period: SoakPeriod = {
    ...{ requests: latencies.length, p99Ms: quantile(latencies, 0.99), errors },
    ...(firstError === undefined ? {} : { firstError }),
  };
  process.stdout.write(`${JSON.stringify(period)}\n`);
}

async function drive(seed: number): Promise<void> {
  const pick = pickBelow(1 << 20, seed);
  const owned = job.targets.map((target): Owned => ({ target, names: [], tags: new Map() }));
  let connection: Connection | undefined;
  for (let count = 0; performance.now() < until; count += 1) {
    const user = owned[pick() % owned.length]!;
    connection ??= await Connection.open(job.port);
    const request = next(user, `${seed}-${documentName(count)}`, pick);
    if (!(await send(connection, user, request))) {
      connection.close();
      connection = undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  connection?.close();
}

/** What comes next for this user, by chance. */
function next(user: Owned, fresh: string, pick: () => number): Request {
  const { names } = user;
  const { folder } = user.target;
  let chance = pick() % 100;
  const falls = (share: number) => {
    const isIn = chance < share;
    chance -= share;
    return isIn;
  };
  if (names.length === 0 || falls(SHARES.create)) {
    if (names.length < DOCUMENTS_EACH) {
      names.push(fresh);
      return put(folder + fresh, [201]);
    }
    chance = 100;
  }
  const path = folder + names[pick() % names.length]!;
  if (falls(SHARES.overwrite)) return put(path, [200]);
  if (falls(SHARES.read)) return { method: 'GET', path, expect: [200] };
  if (falls(SHARES.unchanged)) {
    const tag = user.tags.get(path);
    return { method: 'GET', path, more: tag ? `If-None-Match: ${tag}\r\n` : '', expect: [tag ? 304 : 200] };
  }
  if (falls(SHARES.list)) return { method: 'GET', path: folder, expect: [200] };
  return { method: 'DELETE', path: folder + names.shift()!, expect: [200] };
}

function put(path: string, expect: number[]): Request {
  const more = `Content-Type: ${DOCUMENT_TYPE}\r\nContent-Length: ${DOCUMENT_BYTES}\r\n`;
  return { method: 'PUT', path, more, body: makeDocument(), expect };
}

function textOf({ target }: Pick<Owned, 'target'>, { method, path, more = '', body = '' }: Request): string {
  const host = `Host: 127.0.0.1:${job.port}\r\n`;
  return `${method} ${path} HTTP/1.1\r\n${host}Authorization: ${target.authorization}\r\n${more}\r\n${body}`;
}

/** @returns false when the connection is of no use any more */
async function send(connection: Connection, user: Owned, request: Request): Promise<boolean> {
  const start = performance.now();
  try {
    const answer = await connection.request(textOf(user, request));
    tally.latencies.push(performance.now() - start);
    if (!request.expect.includes(answer.status)) note(`${request.method} answered ${answer.status}`);
    const tag = headerOf(answer, 'etag');
    if (request.method === 'DELETE') user.tags.delete(request.path);
    else if (tag && request.path !== user.target.folder) user.tags.set(request.path, tag);
    return true;
  } catch (error) {
    note((error as Error).message);
    return false;
  }
}

function note(message: string): void {
  tally.errors += 1;
  tally.firstError ??= message;
}

/** A MiB and a byte, which goes past the memory into a pack of its own; not part of the p99. */
async function driveLarge(): Promise<void> {
  const body = randomBytes(LARGE_BYTES);
  for (let count = 0; performance.now() < until; count += 1) {
    const { folder, authorization } = job.targets[count % job.targets.length]!;
    body.writeUInt32BE(count);
    const url = `http://127.0.0.1:${job.port}${folder}large-${count % LARGE_NAMES}`;
    const headers = { authorization, 'content-type': 'application/octet-stream' };
    try {
      const answer = await fetch(url, { method: 'PUT', headers, body });
      await answer.arrayBuffer();
      if (!answer.ok) note(`PUT of a MiB answered ${answer.status}`);
      const read = await fetch(url, { headers: { authorization } });
      const { byteLength } = await read.arrayBuffer();
      if (byteLength !== LARGE_BYTES) note(`GET of a MiB brought ${byteLength} bytes`);
    } catch (error) {
      note((error as Error).message);
    }
    await new Promise((resolve) => setTimeout(resolve, LARGE_EVERY_MS));
  }
}

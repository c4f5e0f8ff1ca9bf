// `git fast-import` fed the same documents. As one stream, with one pack and one sync at the end of each slice: the best that
// stock git does with commits, and nothing is acknowledged on the way. Or with a checkpoint (pack, sync, ref) that
// is waited for after each commit: what one writer gets who wants each commit to be safe before the next.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { documentPathParts, makeDocument, makeLargeDocument, pickBelow } from './documents.ts';
import type { Shape } from './engine-workloads.ts';
import { mustRun, removeFolder, temporaryFolder, track } from './processes.ts';
import type { Round } from './results.ts';

export type ImportWay = 'stream' | 'checkpoints';

/** Commits between two progress marks, and how many marks may be outstanding: bounds what is still unread at the end. */
const PACE = {
  stream: { markEvery: 20, markEverySlow: 1, unreadMarks: 4, before: '' },
  checkpoints: { markEvery: 1, markEverySlow: 1, unreadMarks: 0, before: 'checkpoint\n' },
};
/** A commit in a folder of so many takes it 10 ms. */
const MANY_DOCUMENTS = 10_000;

export type FastImport = {
  /** Commits for about so long; the clock stops when all of them are in a pack that was synced, and main is moved. */
  measure(seconds: number): Promise<Round>;
  close(): Promise<void>;
};

/** One process and one repository, which holds as many documents as `shape` says: one at a time is committed anew. */
export function openFastImport(shape: Shape, way: ImportWay = 'stream'): FastImport {
  const folder = temporaryFolder('fast-import');
  let feed: Promise<Feed> | undefined;
  return {
    async measure(seconds) {
      feed ??= startFeed(join(folder, 'r.git'), shape);
      return commitFor(await feed, shape, seconds, way);
    },
    async close() {
      await feed?.then(({ end }) => end()).catch(() => {}); // told by the round that failed
      removeFolder(folder);
    },
  };
}

type Feed = {
  write(parts: readonly Part[]): void;
  /** @throws Error the process's own words, if it has ended */
  marksReach(count: number): Promise<void>;
  pick: () => number;
  /** written so far */
  marks: number;
  end(): Promise<void>;
};

async function startFeed(repository: string, shape: Shape): Promise<Feed> {
  await mustRun('git', ['init', '-q', '--bare', '-b', 'main', repository], { limitMs: 10_000 });
  const flags = ['-c', 'fastimport.unpackLimit=1', '-C', repository, 'fast-import'];
  const child = spawn('git', flags, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = track(child);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  child.stdin.on('error', () => {}); // its exit code tells
  const reach = countMarks(child.stdout, ended);
  const feed: Feed = {
    write: (parts) => writeParts(child.stdin, parts),
    async marksReach(count) {
      await reach(count);
      if (child.exitCode !== null) throw new Error(`git fast-import: ${complaint.trim().split('\n')[0]}`);
    },
    pick: pickBelow(shape.documents, process.pid),
    marks: 1,
    end() {
      child.stdin.end();
      return ended;
    },
  };
  feed.write([...fillCommit(shape), 'progress filled\n']);
  await feed.marksReach(1);
  return feed;
}

async function commitFor(feed: Feed, shape: Shape, seconds: number, way: ImportWay): Promise<Round> {
  const { unreadMarks, before } = PACE[way];
  const isSlow = shape.isLarge || shape.documents >= MANY_DOCUMENTS;
  const markEvery = isSlow ? PACE[way].markEverySlow : PACE[way].markEvery;
  const start = performance.now();
  let commits = 0;
  while (performance.now() - start < seconds * 1000) {
    const batch: Part[] = [];
    for (let i = 0; i < markEvery; i += 1) batch.push(...commitOf(feed.pick(), shape));
    feed.marks += 1;
    feed.write([...batch, `${before}progress ${feed.marks}\n`]);
    commits += markEvery;
    await feed.marksReach(feed.marks - unreadMarks);
  }
  feed.marks += 1;
  feed.write([`checkpoint\nprogress ${feed.marks}\n`]);
  await feed.marksReach(feed.marks);
  return { value: commits / ((performance.now() - start) / 1000), seconds };
}

/** A function that waits until so many progress lines were printed, or the process has ended. */
function countMarks(stdout: Readable, ended: Promise<void>): (count: number) => Promise<void> {
  let marks = 0;
  let wake = () => {};
  stdout.on('data', (chunk: Buffer) => {
    marks += chunk.toString().split('\n').length - 1;
    wake();
  });
  ended.then(() => {
    marks = Number.POSITIVE_INFINITY;
    wake();
  });
  return async (count) => {
    while (marks < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}

function commitHead(subject: string): string {
  const time = Math.floor(Date.now() / 1000);
  const committer = `committer Bench <bench@localhost> ${time} +0000\n`;
  return `commit refs/heads/main\n${committer}data ${subject.length}\n${subject}\n`;
}

type Part = string | Buffer;

/** Neighbouring texts go in one write. */
function writeParts(stdin: Writable, parts: readonly Part[]): void {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    stdin.write(text);
    stdin.write(part);
    text = '';
  }
  stdin.write(text);
}

function change(index: number, { isLarge, isDeep }: Shape): Part[] {
  const body = isLarge ? makeLargeDocument() : makeDocument();
  const path = documentPathParts(index, isDeep ?? false).join('/');
  return [`M 100644 inline ${path}\ndata ${body.length}\n`, body, '\n'];
}

function fillCommit(shape: Shape): Part[] {
  const indices = Array.from({ length: shape.documents }, (_, index) => index);
  return [commitHead('fill'), ...indices.flatMap((index) => change(index, shape))];
}

function commitOf(index: number, shape: Shape): Part[] {
  return [commitHead(`PUT docs/${index}`), ...change(index, shape)];
}

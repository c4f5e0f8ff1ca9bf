// `git fast-import` fed the same documents. As one stream, with one pack and one sync at its end: the best that
// stock git does with commits, and nothing is acknowledged on the way. Or with a checkpoint (pack, sync, ref) that
// is waited for after each commit: what one writer gets who wants each commit to be safe before the next.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { documentPathParts, makeDocument, makeLargeDocument, pickBelow } from './documents.ts';
import type { Shape } from './engine-workloads.ts';
import { mustRun, removeFolder, temporaryFolder, track } from './processes.ts';

export type ImportWay = 'stream' | 'checkpoints';

/** Commits between two progress marks, and how many marks may be outstanding: bounds what is still unread. */
const PACE = {
  stream: { markEvery: 20, markEveryLarge: 1, unreadMarks: 4, before: '' },
  checkpoints: { markEvery: 1, markEveryLarge: 1, unreadMarks: 0, before: 'checkpoint\n' },
};

/** A round whose value is commits per second. */
export type ImportResult = { commits: number; seconds: number; value: number };

/**
 * Commits one document at a time into a repository that already holds as many as `shape` says, for about `seconds`. The clock
 * runs from the first commit after the folder is filled to the end of the process, with its sync of the pack.
 */
export async function measureFastImport(
  shape: Shape,
  seconds: number,
  way: ImportWay = 'stream',
): Promise<ImportResult> {
  const folder = temporaryFolder('fast-import');
  try {
    const repository = join(folder, 'r.git');
    await mustRun('git', ['init', '-q', '--bare', '-b', 'main', repository], { limitMs: 10_000 });
    return await feed(repository, shape, seconds, way);
  } finally {
    removeFolder(folder);
  }
}

async function feed(
  repository: string,
  shape: Shape,
  seconds: number,
  way: ImportWay,
): Promise<ImportResult> {
  const flags = ['-c', 'fastimport.unpackLimit=1', '-C', repository, 'fast-import'];
  const child = spawn('git', flags, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = track(child);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  child.stdin.on('error', () => {}); // its exit code tells
  const marksReach = countMarks(child.stdout, ended);
  writeParts(child.stdin, [...fillCommit(shape), 'progress filled\n']);
  await marksReach(1);
  const start = performance.now();
  const pick = pickBelow(shape.documents, process.pid);
  const { unreadMarks, before } = PACE[way];
  const markEvery = shape.isLarge ? PACE[way].markEveryLarge : PACE[way].markEvery;
  let commits = 0;
  for (let marks = 1; performance.now() - start < seconds * 1000; marks += 1) {
    const batch: Part[] = [];
    for (let i = 0; i < markEvery; i += 1) batch.push(...commitOf(pick(), shape));
    writeParts(child.stdin, [...batch, `${before}progress ${marks}\n`]);
    commits += markEvery;
    await marksReach(1 + marks - unreadMarks);
  }
  child.stdin.end();
  await ended;
  const took = (performance.now() - start) / 1000;
  if (child.exitCode !== 0) throw new Error(`git fast-import: ${complaint.trim().split('\n')[0]}`);
  return { commits, seconds: took, value: commits / took };
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

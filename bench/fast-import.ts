// `git fast-import` fed the same documents: one stream, no checkpoint, one pack and one sync at its end. The best
// that stock git does with commits, and it acknowledges nothing on the way.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { DOCUMENT_BYTES, documentName, makeDocument, pickBelow } from './documents.ts';
import { mustRun, removeFolder, temporaryFolder, track } from './processes.ts';

/** Commits between two progress marks, and how many marks may be outstanding: bounds what is still unread. */
const MARK_EVERY = 20;
const MAX_UNREAD_MARKS = 4;

export type ImportResult = { commits: number; seconds: number; rate: number };

/**
 * Commits one document at a time into a folder that already holds `documents`, for about `seconds`. The clock
 * runs from the first commit after the folder is filled to the end of the process, with its sync of the pack.
 */
export async function measureFastImport(documents: number, seconds: number): Promise<ImportResult> {
  const folder = temporaryFolder('fast-import');
  try {
    const repository = join(folder, 'r.git');
    await mustRun('git', ['init', '-q', '--bare', '-b', 'main', repository], { limitMs: 10_000 });
    return await feed(repository, documents, seconds);
  } finally {
    removeFolder(folder);
  }
}

async function feed(repository: string, documents: number, seconds: number): Promise<ImportResult> {
  const flags = ['-c', 'fastimport.unpackLimit=1', '-C', repository, 'fast-import'];
  const child = spawn('git', flags, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = track(child);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  child.stdin.on('error', () => {}); // its exit code tells
  let marksRead = 0;
  let wake = () => {};
  child.stdout.on('data', (chunk: Buffer) => {
    marksRead += chunk.toString().split('\n').length - 1;
    wake();
  });
  ended.then(() => {
    marksRead = Number.POSITIVE_INFINITY;
    wake();
  });
  const marksReach = async (count: number) => {
    while (marksRead < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  child.stdin.write(`${fillCommit(documents)}progress filled\n`);
  await marksReach(1);
  const start = performance.now();
  const pick = pickBelow(documents, process.pid);
  let commits = 0;
  for (let marks = 1; performance.now() - start < seconds * 1000; marks += 1) {
    for (let i = 0; i < MARK_EVERY; i += 1) child.stdin.write(commitOf(pick()));
    child.stdin.write(`progress ${marks}\n`);
    commits += MARK_EVERY;
    await marksReach(1 + marks - MAX_UNREAD_MARKS);
  }
  child.stdin.end();
  await ended;
  const took = (performance.now() - start) / 1000;
  if (child.exitCode !== 0) throw new Error(`git fast-import: ${complaint.trim().split('\n')[0]}`);
  return { commits, seconds: took, rate: commits / took };
}

function commitHead(subject: string): string {
  const time = Math.floor(Date.now() / 1000);
  const committer = `committer Bench <bench@localhost> ${time} +0000\n`;
  return `commit refs/heads/main\n${committer}data ${subject.length}\n${subject}\n`;
}

function change(index: number): string {
  return `M 100644 inline docs/${documentName(index)}\ndata ${DOCUMENT_BYTES}\n${makeDocument()}\n`;
}

function fillCommit(documents: number): string {
  return commitHead('fill') + Array.from({ length: documents }, (_, index) => change(index)).join('');
}

function commitOf(index: number): string {
  return commitHead(`PUT docs/${documentName(index)}`) + change(index);
}

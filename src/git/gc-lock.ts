// The file by which a running `git gc` says that it is one. It lists the packs, and opens them when it needs them: one that
// goes in between ends it ("unable to add recent objects"). So whoever takes packs away waits for it.
import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Whether a gc is at work in the repository. One that was killed leaves its file: it is told by its process, which runs no
 * more, or where that is another machine's, by its age.
 * @param patienceMs an older file is of no interest, whoever wrote it
 */
export function gcIsAtWork(gitDir: string, patienceMs: number): boolean {
  const path = `${gitDir}/gc.pid`;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats || Date.now() - stats.mtimeMs >= patienceMs) return false;
  try {
    const [pid, host] = readFileSync(path, 'utf8').trim().split(' ');
    return host !== hostname() || runs(Number(pid));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function runs(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

// The mark that stands in the journal's folder while a process has the store open. Found at the start, it tells of a crash;
// and as it tells its own inode, also whether the folder is a copy of one that a process had open: what a copy has of
// locks belongs to nobody.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'running';

export interface RunningMark {
  /** the last process did not close the store */
  wasKilled: boolean;
  /** the folder has been copied since */
  isCopy: boolean;
  /** takes it away when the journal was left empty */
  remove(): void;
}

export function setRunningMark(journalFolder: string): RunningMark {
  const path = join(journalFolder, NAME);
  const text = readText(path);
  const before = inodeOf(path);
  if (text === undefined) writeFileSync(path, '', { mode: 0o600 });
  const inode = inodeOf(path)!;
  if (text !== inode) writeInode(path, inode);
  return {
    wasKilled: text !== undefined,
    isCopy: text !== undefined && text !== '' && text !== before,
    remove() {
      // what could not be settled stays in the journal, and the next start has to clear up
      if (readdirSync(journalFolder).every((name) => name === NAME)) rmSync(path, { force: true });
    },
  };
}

/** Only copies are not known as such without it: a full disk keeps nobody from opening the store. */
function writeInode(path: string, inode: string): void {
  try {
    writeFileSync(path, inode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function inodeOf(path: string): string | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino.toString();
}

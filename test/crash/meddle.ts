// A program that ignores git's lock on main: writes over the branch as a careless script would, while the store has
// commits pending. What it commits is a document of its own.
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The document that it writes, and its content. */
export const MEDDLED = { key: 'alice/notes/meddled.txt', text: 'from elsewhere\n' };

/** Commits on top of main as it stands on disk, and puts the result there without a lock. */
export function moveMainAside(dataFolder: string): void {
  const gitDir = join(dataFolder, 'repos/alice/notes.git');
  const git = (args: string[], input?: string) =>
    execFileSync('git', ['--git-dir', gitDir, ...args], {
      input: input ?? '',
      env: { ...process.env, ...PERSON },
      encoding: 'utf8',
    }).trim();
  const parent = readFileSync(join(gitDir, 'refs/heads/main'), 'utf8').trim();
  const blob = git(['hash-object', '-w', '--stdin'], MEDDLED.text);
  const entries = git(['ls-tree', parent]).split('\n');
  const kept = entries.filter((line) => line !== '' && !line.endsWith('\tmeddled.txt'));
  const tree = git(['mktree'], `${[...kept, `100644 blob ${blob}\tmeddled.txt`].join('\n')}\n`);
  const commit = git(['commit-tree', tree, '-p', parent, '-m', 'a careless script']);
  const aside = join(gitDir, 'refs/heads/aside');
  writeFileSync(aside, `${commit}\n`);
  renameSync(aside, join(gitDir, 'refs/heads/main'));
  // a power cut is not to take what was the script's to sync
  for (const oid of [blob, tree, commit]) {
    sync(join(gitDir, 'objects', oid.slice(0, 2), oid.slice(2)));
    sync(join(gitDir, 'objects', oid.slice(0, 2)));
  }
  for (const path of ['objects', 'refs/heads/main', 'refs/heads']) sync(join(gitDir, path));
}

function sync(path: string): void {
  if (!existsSync(path)) return; // it stood in a pack already
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

const PERSON = {
  GIT_AUTHOR_NAME: 'Script',
  GIT_AUTHOR_EMAIL: 'script@example.org',
  GIT_COMMITTER_NAME: 'Script',
  GIT_COMMITTER_EMAIL: 'script@example.org',
};

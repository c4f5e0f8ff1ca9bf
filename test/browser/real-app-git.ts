// What stock git finds in one user's repositories while the server runs: the judge of the real-app test.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export type Commit = { hash: string; subject: string; author: string; trailers: string[] };

export type Git = ReturnType<typeof openGit>;

/**
 * @param userFolder holds `<module>.git`
 * @param waitFor tries again, within bounds, until nothing is thrown: a commit comes to the ref milliseconds after the answer
 */
export function openGit(userFolder: string, waitFor: <T>(condition: () => T) => Promise<T>) {
  function run(module: string, ...words: string[]): Buffer {
    const folder = join(userFolder, `${module}.git`);
    const { status, stdout, stderr } = spawnSync('git', ['-C', folder, ...words], { timeout: 10_000 });
    assert.equal(status, 0, `git ${words.join(' ')}: ${stderr}`);
    return stdout;
  }
  const lines = (module: string, ...words: string[]): string[] =>
    run(module, ...words)
      .toString()
      .split('\n')
      .filter((line) => line !== '');

  function head(module: string): Commit {
    const format = '--format=%H%x00%s%x00%an%x00%(trailers)';
    const text = run(module, 'log', '-1', format, 'main').toString().trim();
    const [hash = '', subject = '', author = '', trailers = ''] = text.split('\0');
    return { hash, subject, author, trailers: trailers.split('\n') };
  }
  const blob = (module: string, name: string) => run(module, 'cat-file', 'blob', name);
  /** the text of a note as the app writes it */
  const note = (name: string): string => JSON.parse(blob('notes', name).toString()).text;

  return {
    blob,
    note,
    /** Waits until the newest commit has this subject. */
    newest: (module: string, subject: string): Promise<Commit> =>
      waitFor(() => {
        const commit = head(module);
        assert.equal(commit.subject, subject);
        return commit;
      }),
    /** The texts that a note had, the oldest first. */
    versionsOf: (path: string): string[] =>
      lines('notes', 'log', '--reverse', '--format=%H', 'main', '--', path).map((hash) =>
        note(`${hash}:${path}`),
      ),
    /** The type on the line for `name` in the list of types of `folder`. */
    typeLine: (module: string, folder: string, name: string): string | undefined =>
      blob(module, `main:${folder}.content-types`)
        .toString()
        .split('\n')
        .map((line) => line.split('\t'))
        .find(([item]) => item === name)?.[1],
    names: (module: string, commit: string): string[] => lines(module, 'ls-tree', '--name-only', commit),
    count: (module: string): number => lines(module, 'rev-list', 'main').length,
    check(): void {
      assert.deepEqual(lines('notes', 'fsck', '--strict', '--no-dangling'), []);
    },
  };
}

// Commits by somebody else, made in a repository of the store by stock git (fast-import, one process however many): any
// mode, any bytes as a name, merges too. What a working tree could not hold can still be pushed.
import type { Oid } from '../src/git/object-id.ts';
import { runGit } from '../src/git/process.ts';
import { MAIN, readRef } from '../src/git/refs.ts';

export type ForeignChange = {
  /** as it stands in the tree: entry names joined by '/' */
  path: string | Buffer;
  /** undefined: the path, or all below it, goes */
  body: string | Buffer | undefined;
  /** `100644` when left out; `160000`: `body` is the commit's id */
  mode?: '100644' | '100755' | '120000' | '160000';
};

export type ForeignCommit = {
  /** Unix seconds */
  time: number;
  changes: readonly ForeignChange[];
  message?: string;
  committer?: string;
  /** the commit before, by its position in the list; the one before in the list (or main) when left out; null: none */
  parent?: number | 'main' | null;
  /** second parent */
  merges?: number | 'main';
};

/**
 * Makes the commits and moves main (or `ref`) to the last one, as a push would: under git's lock.
 * @returns the last one's id
 * @throws when git refuses
 */
export async function importCommits(
  folder: string,
  commits: readonly ForeignCommit[],
  ref: string = MAIN,
): Promise<Oid> {
  const stream = describeCommits(folder, commits, ref);
  const { code, stderr } = await runGit(folder, ['fast-import', '--quiet', '--force'], { input: stream });
  if (code !== 0) throw new Error(`git fast-import: ${stderr}`);
  return readRef(folder, ref)!;
}

function describeCommits(folder: string, commits: readonly ForeignCommit[], ref: string): Buffer {
  const head = readRef(folder, MAIN);
  const parts: Buffer[] = [];
  const say = (line: string) => parts.push(Buffer.from(`${line}\n`));
  const name = (parent: number | 'main') => (parent === 'main' ? head : `:${parent + 1}`);
  for (const [position, commit] of commits.entries()) {
    say(`commit ${ref}`);
    say(`mark :${position + 1}`);
    say(`committer ${commit.committer ?? 'Bob'} <bob@example.net> ${commit.time} +0000`);
    sayData(parts, Buffer.from(commit.message ?? 'Edit by hand\n'));
    const parent = commit.parent === undefined ? (position === 0 ? 'main' : position - 1) : commit.parent;
    const from = parent === null ? undefined : name(parent);
    if (from !== undefined) say(`from ${from}`);
    else if (position > 0) say(`from ${'0'.repeat(40)}`);
    if (commit.merges !== undefined) say(`merge ${name(commit.merges)}`);
    for (const { path, body, mode = '100644' } of commit.changes) {
      if (body === undefined) say(`D ${quoted(path)}`);
      else if (mode === '160000') say(`M ${mode} ${body} ${quoted(path)}`);
      else {
        say(`M ${mode} inline ${quoted(path)}`);
        sayData(parts, Buffer.from(body));
      }
    }
    say('');
  }
  say('done');
  return Buffer.concat(parts);
}

function sayData(parts: Buffer[], data: Buffer): void {
  parts.push(Buffer.from(`data ${data.length}\n`), data, Buffer.from('\n'));
}

/** A path as fast-import reads it: in quotes, unusual bytes in octal. */
function quoted(path: string | Buffer): string {
  let text = '';
  for (const byte of Buffer.from(path)) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    text += isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return `"${text}"`;
}

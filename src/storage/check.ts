// Whether the repositories are sound and the index tells the truth about them. Stock git is the judge: fsck of every
// object, and what `git ls-tree` finds at the commit that the index says it equals. Mends nothing: that is reindex's work.
import type { Index } from '../db/open-index.ts';
import type { Oid } from '../git/object-id.ts';
import { runGit, streamGit } from '../git/process.ts';
import type { UserName } from '../protocol/paths.ts';
import { documentPath, ROOT_MODULE } from '../protocol/paths.ts';
import { emptyTypes, type FolderTypes, parseTypes, TYPES_FILE, typeOf } from './content-types.ts';
import type { Progress } from './control-socket.ts';
import { unescapeName } from './item-names.ts';
import { listRepositoryFolders } from './repository-folders.ts';
import { documentTag } from './turn.ts';
import type { Storage } from './types.ts';

export type CheckReport = { repositories: number; documents: number; faults: Fault[] };
/** `what` is one line for people. */
export type Fault = { user: string; module: string; what: string };

export type CheckOptions = {
  index: Index;
  storage: Storage;
  repositoriesFolder: string;
  /** undefined: everybody's */
  user?: UserName | undefined;
  report?: ((progress: Progress) => void) | undefined;
  signal?: AbortSignal | undefined;
};

/** A gc or a merge of packs beside a running fsck can make it look for a pack that went. */
const FSCK_ATTEMPTS = 3;
const MAX_FAULTS_PER_REPOSITORY = 20;

export async function check(options: CheckOptions): Promise<CheckReport> {
  const { index, repositoriesFolder, user, report, signal } = options;
  const found = [...listRepositoryFolders(repositoriesFolder)].filter(
    (repository) => user === undefined || repository.user === user,
  );
  const faults: Fault[] = [];
  let documents = 0;
  for (const [done, { user: owner, module, folder }] of found.entries()) {
    report?.({ done, total: found.length });
    signal?.throwIfAborted();
    const result = await checkOne(options, owner as UserName, module, folder);
    documents += result.documents;
    for (const what of result.faults.slice(0, MAX_FAULTS_PER_REPOSITORY)) {
      faults.push({ user: owner, module, what });
    }
  }
  for (const row of index.repositories.listAll()) {
    if (row.head === null || (user !== undefined && row.user !== user)) continue;
    if (found.some((repository) => repository.user === row.user && repository.module === row.module))
      continue;
    faults.push({
      user: row.user,
      module: row.module,
      what: 'the index knows it, but the repository is gone',
    });
  }
  report?.({ done: found.length, total: found.length });
  return { repositories: found.length, documents, faults };
}

async function checkOne(
  { index, storage }: CheckOptions,
  user: UserName,
  module: string,
  folder: string,
): Promise<{ documents: number; faults: string[] }> {
  try {
    await storage.drain(user, module);
    // looking for any document in it reads in what the index does not have yet
    await storage.document(documentPath(user, module === ROOT_MODULE ? ['any'] : [module, 'any']));
    const faults = await fsck(folder);
    const indexed = readIndex(index, user, module);
    if (indexed.head === null) return { documents: 0, faults };
    const stored = await readTree(folder, indexed.head);
    return { documents: indexed.documents.size, faults: [...faults, ...differences(indexed, stored)] };
  } catch (error) {
    return { documents: 0, faults: [(error as Error).message] };
  }
}

/** What `git fsck --strict` complains about, a line each. */
export async function fsck(gitDir: string): Promise<string[]> {
  for (let attempt = 1; ; attempt++) {
    const { code, stdout, stderr } = await runGit(gitDir, [
      'fsck',
      '--strict',
      '--no-progress',
      '--no-dangling',
    ]);
    if (code === 0) return [];
    if (attempt < FSCK_ATTEMPTS) continue;
    const lines = `${stderr}\n${stdout.toString()}`.split('\n').filter((line) => line.trim() !== '');
    return lines.length > 0 ? lines.map((line) => `git fsck: ${line}`) : [`git fsck ended with code ${code}`];
  }
}

/** Folders by path ('' is the repository's root), documents by path; their values as text, to be compared. */
type State = { folders: Map<string, string>; documents: Map<string, string> };

function readIndex(index: Index, user: string, module: string): State & { head: string | null } {
  return index.snapshot(() => {
    const folders = new Map<string, string>();
    const documents = new Map<string, string>();
    const row = index.repositories.find(user, module);
    if (!row) return { head: null, folders, documents };
    for (const folder of index.folders.listAll(row.id)) {
      folders.set(folder.path, folder.tree);
      for (const { name, etag, type, size } of index.documents.list(folder.id)) {
        documents.set(joined(folder.path, name), describe(etag, type, size));
      }
    }
    return { head: row.head, folders, documents };
  });
}

function describe(etag: string, type: string, size: number): string {
  return `${etag} ${type} ${size}`;
}

function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

type Line = { mode: string; oid: Oid; size: number; path: string };

async function readTree(gitDir: string, head: string): Promise<State> {
  const root = (await runGit(gitDir, ['rev-parse', `${head}^{tree}`])).stdout.toString().trim();
  const lines: Line[] = [];
  for await (const line of entriesOf(streamGit(gitDir, ['ls-tree', '-r', '-t', '-z', '--long', root]))) {
    const match = /^(\d+) \w+ ([0-9a-f]{40}) +(\d+|-)\t(.*)$/s.exec(line);
    if (match) lines.push({ mode: match[1]!, oid: match[2] as Oid, size: Number(match[3]), path: match[4]! });
  }
  const types = await readTypes(gitDir, lines);
  const folders = new Map<string, string>();
  const documents = new Map<string, string>();
  const trees = new Map([['', root]]);
  for (const { mode, oid, path } of lines) if (mode === '040000') trees.set(path, oid);
  for (const { mode, oid, size, path } of lines) {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    const folder = path.slice(0, Math.max(slash, 0));
    const decoded = path.split('/').map(unescapeName);
    if (!mode.startsWith('100') || name === TYPES_FILE || decoded.includes(undefined)) continue;
    const type = typeOf(types.get(folder) ?? emptyTypes(), name);
    documents.set(decoded.join('/'), describe(documentTag(oid, type), type, size));
    for (let at = decoded.length - 1, raw = path; at >= 0; at--) {
      raw = raw.slice(0, Math.max(raw.lastIndexOf('/'), 0));
      folders.set(decoded.slice(0, at).join('/'), trees.get(raw)!);
    }
  }
  return { folders, documents };
}

/** The content types of each folder, by its raw path. */
async function readTypes(gitDir: string, lines: readonly Line[]): Promise<Map<string, FolderTypes>> {
  const files = lines.filter(({ path }) => path === TYPES_FILE || path.endsWith(`/${TYPES_FILE}`));
  const input = Buffer.from([...new Set(files.map(({ oid }) => `${oid}\n`))].join(''));
  const { stdout } = await runGit(gitDir, ['cat-file', '--batch'], { input });
  const blobs = new Map<string, FolderTypes>();
  // `<id> blob <size>`, a line end, the bytes, a line end
  for (let at = 0; at < stdout.length; ) {
    const lineEnd = stdout.indexOf(10, at);
    const [oid, , size] = stdout.toString('latin1', at, lineEnd).split(' ');
    const end = lineEnd + 1 + Number(size);
    blobs.set(oid!, parseTypes(stdout.subarray(lineEnd + 1, end)));
    at = end + 1;
  }
  return new Map(
    files.map(({ oid, path }) => [path.slice(0, -TYPES_FILE.length - 1), blobs.get(oid) ?? emptyTypes()]),
  );
}

async function* entriesOf(output: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of output) {
    rest = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(0); end !== -1; end = rest.indexOf(0, start)) {
      yield rest.toString('utf8', start, end);
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
}

function differences(indexed: State, stored: State): string[] {
  return [
    ...compare('the folder', indexed.folders, stored.folders),
    ...compare('the document', indexed.documents, stored.documents),
  ];
}

function compare(what: string, indexed: Map<string, string>, stored: Map<string, string>): string[] {
  const faults: string[] = [];
  for (const [path, value] of stored) {
    const known = indexed.get(path);
    if (known === undefined) faults.push(`${what} “${path}” is missing from the index`);
    else if (known !== value) faults.push(`the index has ${what} “${path}” as ${known}, and it is ${value}`);
  }
  for (const path of indexed.keys()) {
    if (!stored.has(path)) faults.push(`the index has ${what} “${path}”, which is not there`);
  }
  return faults;
}

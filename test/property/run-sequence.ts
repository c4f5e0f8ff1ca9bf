// Plays a sequence of requests against the storage and the model side by side: after each request answers and folder tags
// are compared, after the sequence everything that can be asked. Tags are held to more than the present: within one
// sequence a tag that was seen once must never stand for anything else.
import assert from 'node:assert/strict';
import { NO_PRECONDITION, type Precondition } from '../../src/protocol/conditions.ts';
import { documentPath, folderPath, type UserName } from '../../src/protocol/paths.ts';
import { escapeName, escapeRepositoryName } from '../../src/storage/item-names.ts';
import type { Storage, WriteResult } from '../../src/storage/types.ts';
import { bytesOf, chunksOf, itemsOf } from '../open-test-store.ts';
import { bodyOf, type ConditionSpec, type Request, type TagSource, type WriteSpec } from './requests.ts';
import {
  type Expected,
  emptyModel,
  folders,
  foldersOf,
  items,
  type Model,
  type ModelWrite,
  stateBelow,
  tagOf,
  write as writeModel,
} from './storage-model.ts';

const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

export type Player = {
  storage: Storage;
  user: UserName;
  model: Model;
  /** every tag that a document had, by path */
  earlier: Map<string, string[]>;
  /** what each folder's tags stood for */
  meanings: Map<string, string>;
};

export function newPlayer(storage: Storage, user: UserName): Player {
  return { storage, user, model: emptyModel(), earlier: new Map(), meanings: new Map() };
}

export async function playSequence(player: Player, requests: readonly Request[]): Promise<void> {
  for (const request of requests) await playRequest(player, request);
  await checkEverything(player);
}

async function playRequest(player: Player, request: Request): Promise<void> {
  switch (request.kind) {
    case 'write':
      return playWrites(player, [request.write]);
    case 'batch':
      return playWrites(player, request.writes);
    case 'undo':
      return playUndo(player, request);
    case 'clear':
      return playClear(player, request.half);
    case 'read':
      return playRead(player, request);
  }
}

/** A request with its path and tags filled in. */
type Prepared = ModelWrite & { chunked: boolean };

/** Writes sent at once (where there are several, on different documents none of which lies below another). */
async function playWrites(player: Player, specs: readonly WriteSpec[]): Promise<void> {
  const prepared: Prepared[] = [];
  for (const spec of specs) {
    const one = prepare(player, spec);
    if (prepared.every((other) => areApart(one.path, other.path))) prepared.push(one);
  }
  const before = await folderTags(player);
  const states = folderStates(player);
  const answers = await Promise.all(
    prepared.map((one) => answerOf(player, one).catch((error: { code?: string }) => error)),
  );
  for (const [position, one] of prepared.entries()) {
    const answer = answers[position]!;
    if (isUnstorable(one.path)) {
      assert.equal(describe(answer), 'bad-path', one.path);
      continue;
    }
    noteTags(player, one.path);
    const expected = writeModel(player.model, one);
    assert.deepEqual(describe(answer), expected, `${one.put ? 'PUT' : 'DELETE'} ${JSON.stringify(one.path)}`);
    noteDate(player, one.path, answer as WriteResult, expected);
  }
  await checkTags(player, before, states);
}

function areApart(a: string, b: string): boolean {
  return a !== b && !a.startsWith(`${b}/`) && !b.startsWith(`${a}/`);
}

function prepare(player: Player, spec: WriteSpec): Prepared {
  const path = pathOf(player, spec.path, spec.pick);
  const put = spec.put && { body: bodyOf(spec.put.body), type: spec.put.type };
  const { ifMatch, ifNoneMatch } = spec.precondition;
  const precondition: Precondition = {
    ...(ifMatch !== undefined && { ifMatch: conditionOf(player, path, ifMatch) }),
    ...(ifNoneMatch !== undefined && { ifNoneMatch: conditionOf(player, path, ifNoneMatch) }),
  };
  return { path, put, precondition, chunked: spec.chunked };
}

/** The path, or the one of a document that stands. */
function pathOf({ model }: Player, path: readonly string[], pick: number | undefined): string {
  const standing = [...model.documents.keys()];
  if (pick === undefined || standing.length === 0) return path.join('/');
  return standing[pick % standing.length]!;
}

function conditionOf(player: Player, path: string, spec: ConditionSpec): '*' | string[] {
  return spec === '*' ? '*' : spec.map((source) => tagFrom(player, path, source));
}

function tagFrom({ model, earlier }: Player, path: string, source: TagSource): string {
  const document = model.documents.get(path);
  const another = [...model.documents.values()].at(-1);
  const nonsense = 'no such tag';
  if (source === 'current') return document ? tagOf(document) : nonsense;
  if (source === 'earlier') return earlier.get(path)?.[0] ?? nonsense;
  return source === 'another' && another ? tagOf(another) : nonsense;
}

function answerOf(
  { storage, user }: Player,
  { path, put, precondition, chunked }: Prepared,
): Promise<WriteResult> {
  const target = documentPath(user, path.split('/'));
  const author = { user, app: 'https://app.example', grant: '*:rw' };
  if (!put) return storage.delete(target, { precondition, author });
  const { body, type } = put;
  const half = body.length >> 1;
  return storage.put(target, {
    type,
    body: chunksOf(body.subarray(0, half), body.subarray(half)),
    length: chunked ? undefined : body.length,
    precondition,
    author,
    quotaBytes: undefined,
  });
}

/** The answer without its date, or the code of what was thrown. */
function describe(answer: WriteResult | { code?: string }): Expected | string {
  if (!('kind' in answer)) return answer.code ?? String(answer);
  const { lastModified: _, ...rest } = answer as Extract<WriteResult, { kind: 'created' }>;
  return rest as Expected;
}

function noteTags({ model, earlier }: Player, path: string): void {
  const document = model.documents.get(path);
  if (document) earlier.set(path, [...(earlier.get(path) ?? []), tagOf(document)]);
}

function noteDate({ model }: Player, path: string, answer: WriteResult, expected: Expected): void {
  if (expected.kind !== 'created' && expected.kind !== 'updated') return;
  const { lastModified } = answer as Extract<WriteResult, { kind: 'created' }>;
  assert.ok(!Number.isNaN(Date.parse(lastModified)), lastModified);
  model.documents.get(path)!.lastModified = lastModified;
}

/** True for names whose escaped form git's tree or the disk cannot hold: 400. */
function isUnstorable(path: string): boolean {
  const segments = path.split('/');
  try {
    for (const name of segments.length > 1 ? segments.slice(1) : segments) escapeName(name);
    if (segments.length > 1) escapeRepositoryName(segments[0]!);
    return false;
  } catch {
    return true;
  }
}

async function folderTags(player: Player): Promise<Map<string, string>> {
  const tags = new Map<string, string>();
  for (const folder of folders(player.model)) tags.set(folder, await folderTag(player, folder));
  return tags;
}

async function folderTag({ storage, user }: Player, folder: string): Promise<string> {
  return storage.folderTag(folderPath(user, folder === '' ? [] : folder.split('/')));
}

function folderStates({ model }: Player): Map<string, string> {
  return new Map([...folders(model)].map((folder) => [folder, stateBelow(model, folder)]));
}

/** A folder's tag changes exactly when something below it did, and never comes to mean something else. */
async function checkTags(
  player: Player,
  before: ReadonlyMap<string, string>,
  statesBefore: ReadonlyMap<string, string>,
): Promise<void> {
  const now = folders(player.model);
  for (const folder of new Set([...before.keys(), ...now])) {
    const tag = await folderTag(player, folder);
    const state = stateBelow(player.model, folder);
    if (state === '') assert.equal(tag, EMPTY_TREE, `the empty folder ${JSON.stringify(folder)}`);
    const isSame = state === (statesBefore.get(folder) ?? '');
    assert.equal(tag === (before.get(folder) ?? EMPTY_TREE), isSame, `the tag of ${JSON.stringify(folder)}`);
    // the root's tree and a module's are told apart by the folder's name
    const key = `${folder}\0${tag}`;
    assert.equal(
      player.meanings.get(key) ?? state,
      state,
      `a tag of ${JSON.stringify(folder)} was used again`,
    );
    player.meanings.set(key, state);
  }
}

/** A → B → A: whoever compares tags must see the same as before. */
async function playUndo(player: Player, request: Extract<Request, { kind: 'undo' }>): Promise<void> {
  const { model } = player;
  const picked = pathOf(player, ['a'], request.pick);
  const path = request.beside === undefined ? picked : joined(foldersOf(picked).at(-1) ?? '', request.beside);
  if (isUnstorable(path)) return;
  const before = model.documents.get(path);
  const tags = await folderTags(player);
  const changed = { body: bodyOf(request.put.body), type: request.put.type };
  for (const put of [changed, before && { body: before.body, type: before.type }]) {
    const one: Prepared = { path, put, precondition: NO_PRECONDITION, chunked: false };
    const answer = await answerOf(player, one);
    const expected = writeModel(model, one);
    assert.deepEqual(describe(answer), expected, path);
    noteDate(player, path, answer, expected);
  }
  assert.deepEqual(await folderTags(player), tags, `after A, B, A of ${JSON.stringify(path)}`);
}

async function playClear(player: Player, half: boolean): Promise<void> {
  const specs = [...player.model.documents.keys()].map((path) => ({
    path: path.split('/'),
    pick: undefined,
    precondition: {},
    put: undefined,
    chunked: false,
  }));
  await playWrites(player, half ? specs.filter((_, position) => position % 2 === 0) : specs);
}

async function playRead(player: Player, request: Extract<Request, { kind: 'read' }>): Promise<void> {
  const path = pathOf(player, request.path, request.pick);
  const expected = player.model.documents.get(path);
  const target = documentPath(player.user, path.split('/'));
  if (isUnstorable(path)) {
    // 404 or 400: a folder's name is needed to look for its repository
    const found = await bytesOf(player.storage, target).catch(({ code }: { code: string }) => code);
    assert.ok(found === undefined || found === 'bad-path', path);
    return;
  }
  if (!expected || expected.body.length === 0) {
    assert.deepEqual(await bytesOf(player.storage, target), expected?.body);
    return;
  }
  const { length } = expected.body;
  const [start, end] = [request.from % length, request.to % length].sort((a, b) => a - b) as [number, number];
  const part = await bytesOf(player.storage, target, { start, end });
  assert.deepEqual(part, expected.body.subarray(start, end + 1), `bytes ${start} to ${end}`);
}

/** Everything that a client can see, against the model. */
export async function checkEverything(player: Player): Promise<void> {
  const { storage, user, model } = player;
  for (const folder of folders(model)) await checkListing(player, folder);
  for (const [path, document] of model.documents) {
    const target = documentPath(user, path.split('/'));
    const info = await storage.document(target);
    const { body, type, lastModified } = document;
    const wanted = { etag: tagOf(document), type, size: body.length, lastModified };
    assert.deepEqual({ ...info, blob: undefined }, { ...wanted, blob: undefined }, path);
    assert.deepEqual(await bytesOf(storage, target), body, path);
    for (const folder of foldersOf(path)) {
      assert.equal(await storage.document(documentPath(user, folder.split('/'))), undefined, folder);
    }
  }
  const bytes = [...model.documents.values()].reduce((sum, { body }) => sum + body.length, 0);
  assert.deepEqual({ ...storage.usage(user) }, { bytes, documents: model.documents.size });
}

async function checkListing(player: Player, folder: string): Promise<void> {
  const { storage, user, model } = player;
  const path = folderPath(user, folder === '' ? [] : folder.split('/'));
  const { etag } = await storage.listing(path);
  assert.equal(etag, await storage.folderTag(path));
  const listed = await itemsOf(storage, path);
  const wanted: [string, object][] = [];
  for (const [name, document] of items(model, folder)) {
    if (!document) {
      wanted.push([name, { ETag: await folderTag(player, joined(folder, name.slice(0, -1))) }]);
      continue;
    }
    wanted.push([
      name,
      {
        ETag: tagOf(document),
        'Content-Type': document.type,
        'Content-Length': document.body.length,
        'Last-Modified': document.lastModified,
      },
    ]);
  }
  const byName = (a: [string, object], b: [string, object]) => (a[0] < b[0] ? -1 : 1);
  assert.deepEqual(
    Object.entries(listed).sort(byName),
    wanted.sort(byName),
    `the items of ${JSON.stringify(folder)}`,
  );
}

function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

// Holds the code to the table of rooms in ARCHITECTURE.md: who may import whom, and where SQL, settings,
// durability and child processes may stand.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');

const ROOMS: Record<string, readonly string[]> = {
  protocol: [],
  git: [],
  db: ['protocol'],
  storage: ['protocol', 'git', 'db'],
  sync: ['protocol', 'git', 'db', 'storage'],
  ui: ['protocol'],
  http: ['protocol', 'db', 'storage', 'sync', 'ui'],
  cli: ['protocol', 'db', 'storage', 'sync'],
};
/** Files directly in src/: the entry and the composition root see everything, the others are seen by all. */
const SEEN_BY_ALL = ['errors.ts', 'log.ts'];
const SEES_ALL = ['main.ts', 'server.ts'];
/** A part of another file, and seen by that one alone. */
const PARTS: Record<string, string> = { 'setting-types.ts': 'config.ts' };
const MAX_FILE_LINES = 400;

type Source = { path: string; room: string; text: string };

const sources: Source[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map((path) => ({
    path,
    room: path.includes('/') ? path.slice(0, path.indexOf('/')) : '',
    text: readFileSync(join(src, path), 'utf8'),
  }));

function importsOf(source: Source): string[] {
  return [...source.text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    relative(src, resolve(dirname(join(src, source.path)), match[1]!)),
  );
}

function placesOf(pattern: RegExp): string[] {
  return sources.filter((source) => pattern.test(source.text)).map((source) => source.path);
}

test('there are sources to judge', () => {
  assert.ok(sources.length > 10, `only ${sources.length} sources found`);
});

test('every room imports only the rooms below it', () => {
  const wrong: string[] = [];
  for (const source of sources) {
    if (SEES_ALL.includes(source.path)) continue;
    for (const target of importsOf(source)) {
      if (SEEN_BY_ALL.includes(target) || PARTS[target] === source.path) continue;
      const targetRoom = target.includes('/') ? target.slice(0, target.indexOf('/')) : '';
      const allowed =
        source.room === ''
          ? !SEEN_BY_ALL.includes(source.path) && SEEN_BY_ALL.includes(target)
          : targetRoom === source.room || (ROOMS[source.room] ?? []).includes(targetRoom);
      // the command line reads settings and starts the server: that is its work
      const entry = source.room === 'cli' && ['config.ts', 'server.ts'].includes(target);
      if (!allowed && !entry) wrong.push(`${source.path} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('errors.ts and log.ts import nothing of ours', () => {
  for (const source of sources.filter(({ path }) => SEEN_BY_ALL.includes(path))) {
    assert.deepEqual(importsOf(source), [], source.path);
  }
});

test('SQL stands in db/ only', () => {
  const places = placesOf(/\.prepare\(|\bnode:sqlite\b|\bkysely\b/);
  assert.deepEqual(
    places.filter((path) => !path.startsWith('db/')),
    [],
  );
});

test('process.env is read in config.ts only', () => {
  assert.deepEqual(
    placesOf(/process\.env/).filter((path) => path !== 'config.ts'),
    [],
  );
});

test('fsync and rename stand in git/durable.ts and storage/journal.ts only', () => {
  const allowed = ['git/durable.ts', 'storage/journal.ts'];
  assert.deepEqual(
    placesOf(/\b(fsync|fdatasync|rename)(Sync)?\(/).filter((path) => !allowed.includes(path)),
    [],
  );
});

test('child processes are started in git/process.ts only', () => {
  assert.deepEqual(
    placesOf(/node:child_process/).filter((path) => path !== 'git/process.ts'),
    [],
  );
});

test('no file is longer than the cap', () => {
  const long = sources
    .filter(({ text }) => text.split('\n').length > MAX_FILE_LINES + 1)
    .map(({ path }) => path);
  assert.deepEqual(long, []);
});

test('no room is a drawer for odds and ends', () => {
  const drawers = sources.filter(({ path }) =>
    /(^|\/)(utils?|helpers?|common|core|misc)(\.ts|\/)/.test(path),
  );
  assert.deepEqual(
    drawers.map(({ path }) => path),
    [],
  );
});

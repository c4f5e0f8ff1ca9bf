// Every dependency has its reason in docs/decisions/0003-dependencies.md and is used; none but `node` runs a script when it
// is installed (threat 32).
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

type Manifest = {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  scripts: Record<string, string>;
  allowScripts: Record<string, boolean>;
};
type Lock = { packages: Record<string, { hasInstallScript?: boolean; dev?: boolean }> };

const manifest = JSON.parse(read('package.json')) as Manifest;
const { packages } = JSON.parse(read('package-lock.json')) as Lock;
const page = read('docs/decisions/0003-dependencies.md');

/** Programs, and types: nothing imports them. Each with the file in which its use can be seen. */
const TOOLS: Record<string, { file: string; use: RegExp }> = {
  '@biomejs/biome': { file: 'package.json', use: /"biome check/ },
  '@types/node': { file: 'tsconfig.json', use: /"types": \["node"\]/ },
  node: { file: 'bin/gitstead.js', use: /resolve\('node\/package\.json'\)/ },
  typescript: { file: 'package.json', use: /"tsc -p/ },
};

const sources = ['src', 'test', 'bin'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.[jt]s$/.test(path))
    .map((path) => ({ path: `${folder}/${path}`, text: read(join(folder, path)) })),
);

/** Named in quotes where modules are named: an import, or (for files that a browser loads) a path to resolve. */
function isNamedIn(text: string, name: string): boolean {
  return text.includes(`'${name}'`) || text.includes(`'${name}/`);
}

test('the page about dependencies names each of them, and nothing else', () => {
  const told = [...page.matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
  );
  const wanted = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  assert.deepEqual(told.toSorted(), wanted.toSorted());
});

test('every dependency is used: what the program needs by src/, the rest by tests or as a tool', () => {
  const importedBySource = (name: string) =>
    sources.some(
      ({ path, text }) => path.startsWith('src/') && !path.endsWith('.test.ts') && isNamedIn(text, name),
    );
  const unused = Object.keys(manifest.dependencies).filter((name) => !importedBySource(name));
  for (const name of Object.keys(manifest.devDependencies)) {
    const tool = TOOLS[name];
    const isUsed = tool
      ? tool.use.test(read(tool.file))
      : sources.some(({ path, text }) => path !== 'test/dependencies.test.ts' && isNamedIn(text, name));
    if (!isUsed) unused.push(name);
  }
  assert.deepEqual(unused, []);
});

test('the program imports no package that it does not declare', () => {
  const declared = Object.keys(manifest.dependencies);
  const undeclared = sources.flatMap(({ path, text }) => {
    if (!path.startsWith('src/') || path.endsWith('.test.ts')) return [];
    const names = [...text.matchAll(/^(?:import|\} from|.* from) '([^'.][^']*)';$/gm)];
    return names
      .map(([, name]) => name!)
      .filter(
        (name) =>
          !name.startsWith('node:') &&
          !declared.some((known) => name === known || name.startsWith(`${known}/`)),
      )
      .map((name) => `${path} imports ${name}`);
  });
  assert.deepEqual(undeclared, []);
});

test('threat 32: only the package `node` has an install script, and only it is allowed one', () => {
  const withScripts = Object.entries(packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path);
  assert.deepEqual(withScripts, ['node_modules/node']);
  assert.deepEqual(manifest.allowScripts, { node: true });
});

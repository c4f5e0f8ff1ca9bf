// The whole test suite, and what it needs: git and Chromium. Where this may install them (root on Debian)
// it does; where it may not, it says what is missing. With CI=true nothing is skipped.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A test that hangs fails after this, instead of holding up everything. */
const MAX_TEST_MS = 900_000;
/** A test file that does not end, whatever its tests say, ends the run. */
const MAX_RUN_MS = 2_700_000;
/** Hundreds of processes start in a run, from the same sources: compiled once, they start in half the time. */
const compileCache = join(import.meta.dirname, '../node_modules/.cache/compiled');

const needs = [
  { name: 'git', path: '/usr/bin/git' },
  { name: 'chromium', path: '/usr/bin/chromium' },
];

const missing = needs.filter(({ path }) => !existsSync(path));
if (missing.length > 0) install(missing.map(({ name }) => name));

const result = spawnSync(
  process.execPath,
  [
    '--test',
    '--test-reporter=spec',
    '--test-concurrency=2',
    `--test-timeout=${MAX_TEST_MS}`,
    'src/**/*.test.ts',
    'test/**/*.test.ts',
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', timeout: MAX_RUN_MS, env: { NODE_COMPILE_CACHE: compileCache, ...process.env } },
);
process.exit(result.status ?? 1);

function install(names: string[]): void {
  const debianRoot = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (debianRoot) {
    console.log(`installing what the tests need from Debian: ${names.join(', ')}`);
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-q'], { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
    spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: environment,
    });
  }
  const stillMissing = needs.filter(({ path }) => !existsSync(path));
  if (stillMissing.length === 0) return;
  console.error(`the tests need: ${stillMissing.map(({ name, path }) => `${name} (${path})`).join(', ')}`);
  process.exit(1);
}

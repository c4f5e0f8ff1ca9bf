// The whole test suite, and what it needs: git and Chromium. Where this may install them (root on Debian)
// it does; where it may not, it says what is missing. With CI=true nothing is skipped.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

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
    'src/**/*.test.ts',
    'test/**/*.test.ts',
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit' },
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

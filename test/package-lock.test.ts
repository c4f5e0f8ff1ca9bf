// What `npm ci` needs of the lock file: it refuses one that lacks an entry for an optional package of another platform,
// and `npm install` leaves those out when it runs where a registry lacks them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

type Locked = { version?: string; optionalDependencies?: Record<string, string> };

const lock = JSON.parse(readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>;
};

test('every optional package that the lock file names has an entry of its own', () => {
  const missing = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter((name) => lock.packages[`node_modules/${name}`] === undefined),
  );
  assert.deepEqual(missing, []);
});

test('every package is locked to a version', () => {
  const loose = Object.entries(lock.packages).filter(
    ([, { version }]) => !/^\d+\.\d+\.\d+/.test(version ?? ''),
  );
  assert.deepEqual(
    loose.map(([path]) => path),
    [],
  );
});

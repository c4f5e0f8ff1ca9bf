// An account of some months for pictures of its pages: apps of many kinds, a token from the terminal, browsers here and there.
import type { StoredAmounts } from '../../src/http/account.ts';
import { parseScopes } from '../../src/protocol/scopes.ts';
import { ALICE, type TestPages } from '../open-test-pages.ts';

const DAY_MS = 86_400_000;
const LONG_HOST = 'https://a-rather-long-name-of-an-app.with-many-parts.of-its-host.example.org:8443';

const APPS = [
  { app: LONG_HOST, path: '/some/where/deep/in/the/site/index.html', scopes: 'bookmarks:r contacts:r' },
  { app: 'http://localhost:3000', path: '/', scopes: 'my-own-experiments:rw' },
  { app: 'https://xn--e1awd7f.example', path: '/', scopes: 'pictures:r' },
  { app: 'https://files.example', path: '/browser/', scopes: '*:rw' },
  { app: 'https://notes.example', path: '/app/', scopes: 'notes:r' },
  { app: 'https://notes.example', path: '/app/', scopes: 'notes:rw contacts:r' },
];

const WRITES = {
  'https://files.example': [
    ['PUT', 'pictures/2029/a summer that was rather long/IMG_20290712_184502_edited-final.jpg', 3],
    ['DELETE', 'notes/drafts/old', 90],
  ],
  'https://notes.example': [
    ['PUT', 'notes/shopping.md', 0.02],
    ['PUT', 'public/notes/recipe-for-bread.md', 2],
    ['DELETE', 'notes/drafts/letter', 5],
  ],
} as const;

/** What the apps changed before `now`, in days. */
export function recentWritesUntil(now: number): StoredAmounts['recentWrites'] {
  const byApp = Object.entries(WRITES).map(
    ([app, writes]) =>
      [app, writes.map(([kind, path, days]) => ({ kind, path, time: now - days * DAY_MS }))] as const,
  );
  return async () => ({ byApp: new Map(byApp), unreadable: [] });
}

/** Grants and sessions of alice, made on the days before the time that the clock has. */
export async function connectEverything({ accounts, clock }: TestPages): Promise<void> {
  const now = clock.time;
  const { tokens, sessions } = accounts;
  for (const [index, { app, path, scopes }] of APPS.entries()) {
    clock.time = now - (APPS.length - index) * 19 * DAY_MS;
    const allowed = { user: ALICE, app, redirect: app + path, scopes: parseScopes(scopes)! };
    const { token } = await tokens.create({ ...allowed, kind: 'implicit' }, undefined);
    clock.time += 11 * DAY_MS;
    // the apps that changed something were used then
    if (index > 2) clock.time = now - (APPS.length - 1 - index) * DAY_MS;
    if (index !== 1) tokens.check(token);
  }
  clock.time = now - 3 * DAY_MS;
  const allowed = { user: ALICE, app: undefined, scopes: parseScopes('pictures:r')! };
  await tokens.create({ ...allowed, kind: 'command-line' }, now + 27 * DAY_MS);
  await sessions.create(ALICE, 'Safari on iOS');
  clock.time = now - DAY_MS;
  await sessions.create(ALICE, 'Edge on Windows');
  clock.time = now;
}

// The file of grants over time: lines come and go, editors save by rename or in place, the file is away for a while, the
// server is started anew. The clock is moved by hand, and the file is looked at by hand.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openAccounts } from '../db/open-accounts.ts';
import { openLog } from '../log.ts';
import { type Asker, grantHash } from '../protocol/grants-file.ts';
import type { UserName } from '../protocol/paths.ts';
import { formatScopes, parseScopes } from '../protocol/scopes.ts';
import { type GrantsFile, LOOK_EVERY_MS, openGrantsFile, SETTLE_MS } from './grants-file.ts';

const ALICE = 'alice' as UserName;
const APP = 'https://notes.example';
const ASKER: Asker = { user: ALICE, app: APP, redirect: `${APP}/app/` };
const HASH = grantHash(ASKER);

type LogLine = { level: number; msg: string; line?: number };
const [INFO, WARN, ERROR] = [30, 40, 50];

async function openWorld(content?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-grants-file-'));
  const path = join(folder, '.auth');
  const clock = { time: Date.UTC(2030, 0, 1), elapsed: 0 };
  const accounts = await openAccounts(join(folder, 'accounts.db'), () => clock.time);
  await accounts.users.create({ name: ALICE, password: 'correct horse', isAdmin: false });
  const lines: LogLine[] = [];
  const log = openLog('debug', { write: (line) => void lines.push(JSON.parse(line)) });
  const { listedGrants: table, audit } = accounts;
  const open = () => openGrantsFile({ path, table, audit, log, elapsed: () => clock.elapsed });
  if (content !== undefined) writeFileSync(path, content);
  let file: GrantsFile = await open();

  async function settle(): Promise<void> {
    await file.look();
    clock.elapsed += SETTLE_MS;
    await file.look();
  }

  return {
    ...{ accounts, clock, path, settle },
    look: () => file.look(),
    close: () => file.close(),
    logged: (level: number) => lines.filter((line) => line.level === level).map(({ msg }) => msg),
    write: (text: string | Uint8Array) => writeFileSync(path, text),
    async missing(scopes: string): Promise<string[]> {
      return [...(await file.missingLines(ASKER, parseScopes(scopes)!))];
    },
    /** Opens it again, as a server does that is started anew. */
    async restart(): Promise<void> {
      await file.close();
      file = await open();
    },
    async allow(scopes: string, asker: Partial<Asker> = {}): Promise<string> {
      const grant = { ...ASKER, ...asker, scopes: parseScopes(scopes)!, kind: 'implicit' as const };
      return (await accounts.tokens.create(grant, undefined)).token;
    },
    async granted(): Promise<string[]> {
      return (await accounts.grants.list()).map(({ scopes }) => formatScopes(scopes)).sort();
    },
    async [Symbol.asyncDispose]() {
      await file.close();
      await accounts.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test('a scope without a line is missing, with the exact line to add; added, it is there at once', async () => {
  await using world = await openWorld('# nothing yet\n');
  assert.deepEqual(await world.missing('notes:rw *:r'), [`${HASH} notes rw`, `${HASH} root r`]);
  world.write(`${HASH} notes rw\n`);
  assert.deepEqual(await world.missing('notes:rw *:r'), [`${HASH} root r`]);
  world.write(`${HASH} notes rw\n${HASH} root r\n`);
  assert.deepEqual(await world.missing('notes:rw *:r'), []);
});

test('lines for another user, app or address do not count', async () => {
  const others: Partial<Asker>[] = [
    { user: 'bob' as UserName },
    { app: 'https://other.example' },
    { redirect: `${APP}/other/` },
    { redirect: `${APP}/app` },
  ];
  const hashes = others.map((other) => grantHash({ ...ASKER, ...other }));
  await using world = await openWorld(hashes.map((hash) => `${hash} root rw\n`).join(''));
  assert.deepEqual(await world.missing('notes:r'), [`${HASH} notes r`]);
});

test('a malformed line is logged with its number, once', async () => {
  await using world = await openWorld(`${HASH} notes rw\n${HASH} notes\n${'0'.repeat(32)} notes rw\n`);
  await world.settle();
  const [permissions, md5, ...others] = world.logged(WARN);
  assert.match(permissions!, /line 2 has no permissions: r or rw; it grants nothing/);
  assert.match(md5!, /line 3 begins with an MD5 hash/);
  assert.deepEqual(others, []);
  assert.deepEqual(await world.missing('notes:rw'), []);
});

describe('a line that is removed', () => {
  test('ends what it gave, and only that', async () => {
    const other = { redirect: `${APP}/other/` };
    const otherHash = grantHash({ ...ASKER, ...other });
    await using world = await openWorld(`${HASH} notes rw\n${HASH} contacts r\n${otherHash} notes rw\n`);
    const { check } = world.accounts.tokens;
    const ended = await world.allow('notes:rw');
    const both = await world.allow('notes:r contacts:r');
    const kept = await world.allow('contacts:r');
    const elsewhere = await world.allow('notes:rw', other);
    await world.settle();
    world.write(`${HASH} contacts r\n${otherHash} notes rw\n`);
    await world.settle();
    assert.equal(check(ended), undefined);
    assert.equal(check(both), undefined);
    assert.ok(check(kept));
    assert.ok(check(elsewhere));
    const [event] = await world.accounts.audit.list({ limit: 1 });
    assert.deepEqual([event?.kind, event?.user, event?.app], ['app-revoked', 'alice', APP]);
    assert.equal(world.logged(INFO).filter((message) => /access ended/.test(message)).length, 2);
  });

  test('ends what it gave also when it is only made smaller, or malformed', async () => {
    for (const left of [`${HASH} notes r`, `${HASH} notes`, `#${HASH} notes rw`, `${HASH} contacts rw`]) {
      await using world = await openWorld(`${HASH} notes rw\n`);
      const token = await world.allow('notes:rw');
      world.write(left);
      await world.settle();
      assert.equal(world.accounts.tokens.check(token), undefined, left);
    }
  });

  test('ends nothing that other lines cover, also of everything', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const token = await world.allow('notes:rw');
    world.write(`${HASH} root rw\n`);
    await world.settle();
    assert.ok(world.accounts.tokens.check(token));
  });

  test('ends nothing from the command line, and nothing that no line ever covered', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const { tokens } = world.accounts;
    const grant = { ...ASKER, scopes: parseScopes('notes:rw')!, kind: 'command-line' as const };
    const commandLine = await tokens.create(grant, undefined);
    const before = await world.allow('contacts:rw');
    world.write('');
    await world.settle();
    assert.ok(tokens.check(commandLine.token));
    assert.ok(tokens.check(before));
  });

  test('ends access by codes: the refresh token, and a code that is not redeemed yet', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const { codeFlow } = world.accounts;
    const proof = { redirectUri: `${APP}/app/`, challenge: 'c'.repeat(43) };
    const allowed = { ...ASKER, ...proof, scopes: parseScopes('notes:rw')! };
    const given = await codeFlow.redeem(await codeFlow.createCode(allowed), proof);
    assert.ok('refreshToken' in given);
    const code = await codeFlow.createCode(allowed);
    world.write('');
    await world.settle();
    assert.equal(world.accounts.tokens.check(given.accessToken), undefined);
    assert.deepEqual(await codeFlow.refresh(given.refreshToken), { refused: 'unknown' });
    assert.deepEqual(await codeFlow.redeem(code, proof), { refused: 'unknown' });
  });

  test('gives nothing new at once, and is believed gone only when the file had a second to be written', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const token = await world.allow('notes:rw');
    await world.settle();
    world.write(''); // an editor that writes in place
    assert.deepEqual(await world.missing('notes:rw'), [`${HASH} notes rw`]);
    world.clock.elapsed += SETTLE_MS - 1;
    await world.look();
    assert.ok(world.accounts.tokens.check(token));
    world.write(`${HASH} notes rw\n${HASH} contacts r\n`);
    await world.settle();
    assert.ok(world.accounts.tokens.check(token));
    assert.deepEqual(await world.missing('notes:rw contacts:r'), []);
  });

  test('ends also what it gave in the second before', async () => {
    await using world = await openWorld('');
    world.write(`${HASH} notes rw\n`);
    assert.deepEqual(await world.missing('notes:rw'), []);
    const token = await world.allow('notes:rw');
    world.write('');
    await world.settle();
    assert.equal(world.accounts.tokens.check(token), undefined);
  });

  test('is missed also when it went while the server was stopped', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const token = await world.allow('notes:rw');
    await world.settle();
    await world.restart();
    await world.settle();
    assert.ok(world.accounts.tokens.check(token), 'a restart alone ends nothing');
    world.write('');
    await world.restart();
    await world.settle();
    assert.equal(world.accounts.tokens.check(token), undefined);
  });
});

describe('a line that went in the second before the file went', () => {
  test('gives nothing after a restart, and what it gave ends', async () => {
    await using world = await openWorld(`${HASH} notes rw\n${HASH} contacts r\n`);
    const ended = await world.allow('notes:rw');
    const kept = await world.allow('contacts:r');
    await world.settle();
    world.write(`${HASH} notes r\n${HASH} contacts r\n`);
    assert.deepEqual(await world.missing('notes:rw'), [`${HASH} notes rw`]);
    rmSync(world.path);
    await world.restart();
    assert.deepEqual(await world.missing('notes:rw contacts:r'), [`${HASH} notes rw`]);
    assert.ok(world.accounts.tokens.check(ended), 'not before the settle time');
    await world.settle();
    assert.equal(world.accounts.tokens.check(ended), undefined);
    assert.ok(world.accounts.tokens.check(kept));
    assert.deepEqual(await world.missing('notes:r contacts:r'), []);
  });

  test('ends what it gave also without a restart, a second after the file went', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const token = await world.allow('notes:rw');
    await world.settle();
    world.write('');
    await world.look();
    world.clock.elapsed += SETTLE_MS - 1;
    rmSync(world.path);
    await world.look();
    world.clock.elapsed += SETTLE_MS - 1;
    await world.look();
    assert.ok(world.accounts.tokens.check(token));
    world.clock.elapsed += 1;
    await world.look();
    assert.equal(world.accounts.tokens.check(token), undefined);
  });

  test('waits while the file is there and cannot be read', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const token = await world.allow('notes:rw');
    await world.settle();
    world.write(''); // the first step of saving as UTF-16
    await world.look();
    world.write(Buffer.from(`${HASH} notes rw\n`, 'utf16le'));
    await world.settle();
    await world.restart();
    await world.settle();
    assert.deepEqual(await world.missing('notes:rw'), [`${HASH} notes rw`]);
    world.write(''); // the first step of saving it better
    await world.look();
    assert.ok(world.accounts.tokens.check(token));
    world.write(`${HASH} notes rw\n`);
    await world.settle();
    assert.ok(world.accounts.tokens.check(token));
    assert.deepEqual(await world.missing('notes:rw'), []);
  });
});

test('a clock that is set ends nothing early, and nothing late', async () => {
  await using world = await openWorld(`${HASH} notes rw\n`);
  for (const jump of [86_400_000, -172_800_000]) {
    const token = await world.allow('notes:rw');
    await world.settle();
    world.write('');
    await world.look();
    world.clock.time += jump;
    await world.look();
    assert.ok(world.accounts.tokens.check(token), String(jump));
    await world.settle();
    assert.equal(world.accounts.tokens.check(token), undefined, String(jump));
    world.write(`${HASH} notes rw\n`);
    await world.look();
  }
});

describe('a file that is away', () => {
  test('while an editor saves by rename ends nothing, and the new one counts', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const token = await world.allow('notes:rw');
    await world.settle();
    renameSync(world.path, `${world.path}~`);
    await world.settle();
    assert.deepEqual(await world.missing('notes:rw'), []);
    writeFileSync(`${world.path}.new`, `${HASH} notes rw\n${HASH} contacts r\n`);
    renameSync(`${world.path}.new`, world.path);
    await world.settle();
    assert.deepEqual(await world.missing('notes:rw contacts:r'), []);
    assert.ok(world.accounts.tokens.check(token));
  });

  test('keeps what it said last, is told once as an error, and ends nothing', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const token = await world.allow('notes:rw');
    await world.settle();
    rmSync(world.path);
    for (let times = 0; times < 3; times++) await world.settle();
    assert.deepEqual(await world.missing('notes:rw contacts:r'), [`${HASH} contacts r`]);
    assert.ok(world.accounts.tokens.check(token));
    const [error, ...others] = world.logged(ERROR);
    assert.match(error!, /cannot be read: it is missing; what it said last stands, and nothing is revoked/);
    assert.deepEqual(others, []);
    world.write(`${HASH} notes rw\n`);
    await world.settle();
    assert.ok(world.logged(INFO).includes('the file of grants can be read again'));
    rmSync(world.path);
    await world.settle();
    assert.equal(world.logged(ERROR).length, 2, 'told again when it goes again');
  });

  test('or that is a folder, or far too long, is as good as away', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const token = await world.allow('notes:rw');
    await world.settle();
    world.write('# long\n'.repeat(200_000));
    await world.settle();
    rmSync(world.path);
    mkdirSync(world.path);
    await world.settle();
    assert.deepEqual(
      world.logged(ERROR).map((message) => /cannot be read: ([^;]*);/.exec(message)?.[1]),
      ['it is longer than 1 MiB', 'it is no file'],
    );
    assert.deepEqual(await world.missing('notes:rw'), []);
    assert.ok(world.accounts.tokens.check(token));
  });

  test('or that is no text in UTF-8 is as good as away, and told as an error', async () => {
    const line = `${HASH} notes rw\n`;
    const broken: Record<string, Uint8Array> = {
      'UTF-16': Buffer.from(line, 'utf16le'),
      'UTF-16 with a mark': Buffer.from(`\ufeff${line}`, 'utf16le'),
      'UTF-16 with a mark, big end first': Buffer.from(`\ufeff${line}`, 'utf16le').swap16(),
      'zeros after a crash': Buffer.alloc(line.length),
      'a NUL in a comment': Buffer.from('# a\0b\n'),
      noise: Buffer.from([0x9f, 0xff, 0x0a, 0xc3]),
    };
    for (const [name, bytes] of Object.entries(broken)) {
      await using world = await openWorld(line);
      const token = await world.allow('notes:rw');
      await world.settle();
      world.write(bytes);
      for (let times = 0; times < 2; times++) await world.settle();
      assert.ok(world.accounts.tokens.check(token), name);
      assert.deepEqual(await world.missing('notes:rw'), [], name);
      assert.match(
        world.logged(ERROR).join(),
        /^[^,]* cannot be read: it is no text in UTF-8;[^,]*, and/,
        name,
      );
      assert.equal(world.logged(ERROR).length, 1, name);
      world.write('# none\n');
      await world.settle();
      assert.equal(world.accounts.tokens.check(token), undefined, name);
    }
  });

  test('or cannot be read for what the system says, too', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    await world.settle();
    rmSync(world.path);
    symlinkSync(world.path, world.path);
    await world.settle();
    assert.match(world.logged(ERROR)[0]!, /ELOOP/);
    assert.deepEqual(await world.missing('notes:rw'), []);
  });

  test('from the beginning gives nothing and ends nothing', async () => {
    await using world = await openWorld();
    const token = await world.allow('notes:rw');
    await world.settle();
    assert.deepEqual(await world.missing('notes:rw'), [`${HASH} notes rw`]);
    assert.ok(world.accounts.tokens.check(token));
    assert.equal(world.logged(ERROR).length, 1);
  });

  test('keeps what it said last also over a restart', async () => {
    await using world = await openWorld(`${HASH} notes rw\n`);
    const token = await world.allow('notes:rw');
    rmSync(world.path);
    await world.restart();
    await world.settle();
    assert.deepEqual(await world.missing('notes:rw'), []);
    assert.ok(world.accounts.tokens.check(token));
  });
});

test('the file is looked at once a second without being asked for', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  await using world = await openWorld(`${HASH} notes rw\n`);
  await world.settle();
  world.write(`${HASH} notes rw\n${HASH} contacts r\n`);
  context.mock.timers.tick(LOOK_EVERY_MS);
  await world.close();
  const reads = () => world.logged(INFO).filter((message) => /was read/.test(message)).length;
  assert.equal(reads(), 2);
});

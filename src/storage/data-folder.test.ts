import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openAccounts } from '../db/open-accounts.ts';
import { parseUserName } from '../protocol/paths.ts';
import { checkDataFolder, claimDataFolder, type Migration, partsOf, shareDataFolder } from './data-folder.ts';

const temporary = mkdtempSync(join(tmpdir(), 'gitstead-folder-'));
after(() => rmSync(temporary, { recursive: true, force: true }));
let count = 0;
const newPath = () => join(temporary, String(count++), 'data');

function made(files: Record<string, string>): string {
  const folder = newPath();
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

test('a missing folder is made for its owner alone, with a format file', async () => {
  const folder = newPath();
  using _lock = await claimDataFolder(folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(readFileSync(join(folder, 'format'), 'utf8'), '1\n');
  assert.equal(statSync(join(folder, 'format')).mode & 0o777, 0o600);
  checkDataFolder(folder);
});

test('an empty folder and one with settings alone become data folders', async () => {
  const folder = made({ 'gitstead.yaml': 'port: 8001\n' });
  using _lock = await claimDataFolder(folder);
  assert.ok(existsSync(join(folder, 'format')));
});

test('a folder with other things in it is refused and left alone', async () => {
  const folder = made({ 'thesis.txt': 'dear' });
  await assert.rejects(claimDataFolder(folder), {
    code: 'not-ready',
    message: /holds thesis\.txt but no format/,
  });
  assert.deepEqual(readdirSync(folder), ['thesis.txt']);
  assert.throws(() => checkDataFolder(folder), { message: /is not a Gitstead data folder/ });
  assert.throws(() => checkDataFolder(newPath()), { message: /is not a Gitstead data folder/ });
});

test('a file in the place of the folder is named', async () => {
  const folder = made({ file: '' });
  await assert.rejects(claimDataFolder(join(folder, 'file')), { message: /a file stands in its place/ });
  await assert.rejects(claimDataFolder(join(folder, 'file', 'data')), {
    message: /a file stands in its place/,
  });
});

test('a second claim is refused until the first one ends, in one process as well', async () => {
  const folder = newPath();
  const first = await claimDataFolder(folder);
  await assert.rejects(claimDataFolder(folder), { message: /is in use by another Gitstead process/ });
  first.release();
  first.release();
  using _second = await claimDataFolder(folder);
});

test('a claim ends with its process, also on kill -9', async () => {
  const folder = newPath();
  const module = new URL('./data-folder.ts', import.meta.url).href;
  const script = `
    const { claimDataFolder } = await import(${JSON.stringify(module)});
    globalThis.lock = await claimDataFolder(${JSON.stringify(folder)});
    console.log('claimed');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  try {
    await once(child.stdout, 'data');
    await assert.rejects(claimDataFolder(folder), { message: /is in use by another Gitstead process/ });
  } finally {
    child.kill('SIGKILL');
    await exit;
  }
  using _lock = await claimDataFolder(folder);
});

test('a process that owns nothing makes a folder or takes it as it is, beside its owner', async () => {
  const folder = newPath();
  await shareDataFolder(folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  checkDataFolder(folder);
  using _lock = await claimDataFolder(folder);
  await shareDataFolder(folder);
  await assert.rejects(shareDataFolder(made({ 'thesis.txt': '' })), { message: /holds thesis\.txt/ });
  await assert.rejects(shareDataFolder(made({ format: '2\n' })), { message: /newer Gitstead/ });
});

test('a process that owns nothing brings an older layout up to date, but not under its owner', async () => {
  const folder = newPath();
  const ran: number[] = [];
  const migrations = [{ to: 2, run: async () => void ran.push(2) }];
  {
    using _lock = await claimDataFolder(folder);
    await assert.rejects(shareDataFolder(folder, migrations), { message: /in use by another/ });
  }
  await shareDataFolder(folder, migrations);
  assert.deepEqual(ran, [2]);
  (await claimDataFolder(folder, migrations)).release();
});

test('a newer or damaged format is refused in one line', async () => {
  const newer = made({ format: '2\n' });
  await assert.rejects(claimDataFolder(newer), { message: /written by a newer Gitstead.*is 2.*knows 1/ });
  assert.throws(() => checkDataFolder(newer), { message: /newer Gitstead/ });
  const damaged = made({ format: 'two' });
  await assert.rejects(claimDataFolder(damaged), { message: /format is damaged/ });
});

test('an older layout is brought up to date step by step, after a copy of the accounts', async () => {
  const folder = newPath();
  (await claimDataFolder(folder)).release();
  const accounts = await openAccounts(partsOf(folder).accounts, Date.now);
  await accounts.users.create({ name: parseUserName('ann')!, password: 'correct horse', isAdmin: true });
  await accounts.close();
  const ran: number[] = [];
  const step = (to: number): Migration => ({ to, run: async () => void ran.push(to) });
  const migrations = [step(2), step(3)];
  assert.throws(() => checkDataFolder(folder, migrations), { message: /start the server once/ });
  (await claimDataFolder(folder, migrations)).release();
  assert.deepEqual(ran, [2, 3]);
  assert.equal(readFileSync(join(folder, 'format'), 'utf8'), '3\n');
  const copy = await openAccounts(`${partsOf(folder).accounts}.before-format-2`, Date.now);
  assert.equal(await copy.users.count(), 1);
  await copy.close();
  (await claimDataFolder(folder, migrations)).release();
  assert.deepEqual(ran, [2, 3]);
});

test('a step that fails leaves the folder at the format it had, and unlocked', async () => {
  const folder = newPath();
  (await claimDataFolder(folder)).release();
  const failing = [
    {
      to: 2,
      run: async () => {
        throw new Error('no room');
      },
    },
  ];
  await assert.rejects(claimDataFolder(folder, failing), { message: 'no room' });
  assert.equal(readFileSync(join(folder, 'format'), 'utf8'), '1\n');
  (await claimDataFolder(folder)).release();
});

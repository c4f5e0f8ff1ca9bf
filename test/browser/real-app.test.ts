// A real app on two devices: remoteStorage.js, in both versions that people use, against a server in a process of
// its own. After every stage stock git finds what the app did, as commits.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { openAccounts } from '../../src/db/open-accounts.ts';
import { partsOf } from '../../src/storage/data-folder.ts';
import { type SpawnedServer, spawnTestServer } from '../open-test-server.ts';
import { type Device, openDevice, type ServedApp, serveApp } from './real-app-device.ts';
import { type Git, openGit } from './real-app-git.ts';

const VERSIONS = { '2.0.0-beta.10': 'remotestoragejs', '1.2.3': 'remotestoragejs-1' };
const DRAWING = { name: 'a view.sketch', path: 'files/a view.sketch', bytes: randomBytes(70_000) };

type World = {
  server: SpawnedServer;
  app: ServedApp;
  first: Device;
  second: Device;
  git: Git;
  /** what the person types into the app */
  address: string;
  password: string;
};

describe('two devices share notes', { concurrency: 2 }, () => {
  for (const [version, library] of Object.entries(VERSIONS)) {
    test(`through remoteStorage.js ${version}`, { timeout: 120_000 }, async (t) => {
      await using server = await spawnTestServer();
      await shareNotes(t, server, library);
    });
  }

  test('with accounts and storage in two processes, each at an origin of its own', {
    timeout: 120_000,
  }, async (t) => {
    await using storage = await spawnTestServer({ settings: { role: 'storage' } });
    await using accounts = await spawnTestServer({
      settings: { role: 'accounts', storageUrl: `http://localhost:${storage.port}` },
      dataFolder: storage.dataFolder,
      checkAtEnd: false,
    });
    await shareNotes(t, storage, VERSIONS['2.0.0-beta.10'], accounts.port);
  });
});

/** @param port of the accounts, if not the server's own */
async function shareNotes(
  t: TestContext,
  server: SpawnedServer,
  library: string,
  port = server.port,
): Promise<void> {
  await using app = await serveApp(library);
  await using first = await openDevice(app);
  await using second = await openDevice(app);
  const { password } = await server.createUser('alice');
  const address = `alice@localhost:${port}`;
  const world = { server, app, first, second, git: gitOf(t, server), address, password };

  await denyTellsTheApp(world);
  await aNoteTravels(world);
  await aFileTravels(world);
  await aReloadKeepsTheSession(world);
  await aConflictLosesNothing(world);
  await aKilledServerIsWaitedFor(world);
  await deletionsTravel(world);
  await publishedPagesAreForAll(world);
  await disconnectingDeletesNothing(world);
  await aRevokedAppIsTold(world);
  for (const { scriptErrors } of [first, second]) assert.deepEqual(scriptErrors, []);
}

async function denyTellsTheApp({ server, app, first, address, password }: World): Promise<void> {
  await first.connect(address);
  await signIn(first, password);
  await first.page.getByRole('button', { name: 'Deny' }).click();
  await first.page.waitForURL(`${app.url}**`);
  await first.hasTrouble('Authorization failed: access denied');
  assert.deepEqual(await tokensOf(server), []);
}

async function aNoteTravels({ server, app, first, second, git, address, password }: World): Promise<void> {
  await first.connect(address);
  await first.page.getByRole('button', { name: 'Allow' }).click();
  await first.hasStatus(`connected to ${address}`);
  await first.sends('PUT', 'notes/plan', 201, () => first.write('plan', 'walk'));
  const { author, trailers } = await git.newest('notes', 'PUT plan');
  assert.equal(author, 'alice');
  assert.deepEqual(trailers, [`App: ${app.origin}`, 'Grant: notes:rw']);
  assert.equal(git.note('main:plan'), 'walk');
  assert.equal(git.typeLine('notes', '', '*'), 'application/json; charset=UTF-8');

  await second.connect(address);
  await signIn(second, password);
  await second.page.getByText('you allowed the same').waitFor();
  await second.page.getByRole('button', { name: 'Allow' }).click();
  await second.shows('plan', 'walk');
  assert.equal((await tokensOf(server)).length, 2);
}

async function aFileTravels({ first, second, git }: World): Promise<void> {
  const { name, path, bytes } = DRAWING;
  await second.sends('PUT', `notes/${path}`, 201, () => second.attach(name, bytes));
  await git.newest('notes', `PUT ${path}`);
  assert.deepEqual(git.blob('notes', `main:${path}`), bytes);
  assert.equal(git.typeLine('notes', 'files/', '*.sketch'), 'image/x-sketch; charset=binary');
  const sum = createHash('sha256').update(bytes).digest('hex');
  await first.shows(path, `image/x-sketch, ${bytes.length} bytes, ${sum}`);
}

async function aReloadKeepsTheSession({ server, first, second, git, address }: World): Promise<void> {
  await first.page.reload();
  await first.hasStatus(`connected to ${address}`);
  await first.showsOnly([DRAWING.path, 'plan']);
  await first.sends('PUT', 'notes/plan', 200, () => first.write('plan', 'swim'));
  await git.newest('notes', 'PUT plan');
  assert.equal(git.note('main:plan'), 'swim');
  await second.shows('plan', 'swim');
  assert.equal((await tokensOf(server)).length, 2);
}

/** The first device writes without a network what the second changes, too: the remote version stands, and the
    app keeps the other as a copy. */
async function aConflictLosesNothing({ first, second, git }: World): Promise<void> {
  await first.context.setOffline(true);
  await first.write('plan', 'ride');
  await first.hasStatus('offline');
  await first.write('list', 'bread');
  await first.shows('plan', 'ride');
  await second.sends('PUT', 'notes/plan', 200, () => second.write('plan', 'row'));
  await git.newest('notes', 'PUT plan');

  await first.sends('PUT', 'notes/plan (copy)', 201, () => first.context.setOffline(false));
  await first.hasTrouble('plan was changed elsewhere too');
  for (const device of [first, second]) {
    await device.showsOnly([DRAWING.path, 'list', 'plan', 'plan (copy)']);
    await device.shows('plan', 'row');
    await device.shows('plan (copy)', 'ride');
    await device.shows('list', 'bread');
  }
  assert.deepEqual(git.versionsOf('plan'), ['walk', 'swim', 'row']);
  assert.deepEqual(git.versionsOf('plan (copy)'), ['ride']);
  assert.deepEqual(git.versionsOf('list'), ['bread']);
}

async function aKilledServerIsWaitedFor({ server, first, second, git, address }: World): Promise<void> {
  assert.equal(await server.kill('SIGKILL'), 'SIGKILL');
  await second.write('list', 'bread, milk');
  await second.hasStatus('offline');
  git.check();
  await second.sends('PUT', 'notes/list', 200, server.start);
  await second.hasStatus(`connected to ${address}`);
  await first.shows('list', 'bread, milk');
  assert.deepEqual(git.versionsOf('list'), ['bread', 'bread, milk']);
}

async function deletionsTravel({ first, second, git }: World): Promise<void> {
  await second.sends('DELETE', 'notes/list', 200, () => second.remove('list'));
  await git.newest('notes', 'DELETE list');
  await second.sends('DELETE', `notes/${DRAWING.path}`, 200, () => second.remove(DRAWING.path));
  const { hash } = await git.newest('notes', `DELETE ${DRAWING.path}`);
  for (const device of [first, second]) await device.showsOnly(['plan', 'plan (copy)']);
  assert.deepEqual(git.names('notes', hash), ['.content-types', 'plan', 'plan (copy)']);
  assert.deepEqual(git.blob('notes', `${hash}~1:${DRAWING.path}`), DRAWING.bytes, 'history has it');
}

async function publishedPagesAreForAll({ server, first, git }: World): Promise<void> {
  const page = '<h1>Hello</h1>';
  await first.sends('PUT', 'public/notes/hello.html', 201, () => first.publish('hello.html', page));
  const answer = await fetch(`${server.storageUrl('alice')}/public/notes/hello.html`);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'text/html');
  assert.equal(await answer.text(), page);
  await git.newest('public', 'PUT notes/hello.html');
  assert.equal(git.blob('public', 'main:notes/hello.html').toString(), page);
}

async function disconnectingDeletesNothing({ first, second, git, address }: World): Promise<void> {
  const before = git.count('notes');
  await first.page.getByRole('button', { name: 'Disconnect' }).click();
  await first.hasStatus('not connected');
  await first.showsOnly([]);
  await first.connect(address);
  await first.page.getByRole('button', { name: 'Allow' }).click();
  await first.showsOnly(['plan', 'plan (copy)']);
  await second.sends('PUT', 'notes/plan', 200, () => second.write('plan', 'rest'));
  await first.shows('plan', 'rest');
  await git.newest('notes', 'PUT plan');
  assert.equal(git.count('notes'), before + 1);
  git.check();
}

async function aRevokedAppIsTold({ server, first, second, git }: World): Promise<void> {
  await using accounts = await openAccounts(partsOf(server.dataFolder).accounts, Date.now);
  for (const { id } of await accounts.grants.list('alice')) await accounts.grants.revoke(id);
  await first.hasTrouble('App authorization expired or revoked.');
  await second.sends('PUT', 'notes/plan', 401, () => second.write('plan', 'steal'));
  assert.equal(git.note('main:plan'), 'rest');
}

/** On the sign-in page, whose name is filled in. */
async function signIn({ page }: Device, password: string): Promise<void> {
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function tokensOf({ dataFolder }: SpawnedServer) {
  await using accounts = await openAccounts(partsOf(dataFolder).accounts, Date.now);
  return await accounts.grants.list('alice');
}

function gitOf(t: TestContext, { dataFolder }: SpawnedServer): Git {
  const waitFor = <T>(condition: () => T) => t.waitFor(condition, { interval: 20, timeout: 5000 });
  return openGit(`${partsOf(dataFolder).repositories}/alice`, waitFor);
}

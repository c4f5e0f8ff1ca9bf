// A real app on two devices: remoteStorage.js, in both versions that people use, against a server in a process of
// its own. After every stage stock git finds what the app did, as commits.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { partsOf } from '../../src/storage/data-folder.ts';
import { type SpawnedServer, spawnTestServer } from '../open-test-server.ts';
import { type Device, openDevice, serveApp } from './real-app-device.ts';

const VERSIONS = { '2.0.0-beta.10': 'remotestoragejs', '1.2.3': 'remotestoragejs-1' };
const NOTES_TYPE = 'application/json; charset=UTF-8';

for (const [version, library] of Object.entries(VERSIONS)) {
  test(`two devices share notes through remoteStorage.js ${version}`, { timeout: 60_000 }, async (t) => {
    await using server = await spawnTestServer();
    await using app = await serveApp(library);
    await using first = await openDevice(app);
    await using second = await openDevice(app);
    const { password } = await server.createUser('alice');
    const address = `alice@localhost:${server.port}`;
    const git = readGit(t, server);

    await first.connect(address);
    await signIn(first, password);
    await first.page.getByRole('button', { name: 'Deny' }).click();
    await first.page.waitForURL(`${app.url}**`);
    await first.hasTrouble('Authorization failed: access denied');

    await first.connect(address);
    await first.page.getByRole('button', { name: 'Allow' }).click();
    await first.hasStatus(`connected to ${address}`);
    await first.sends('PUT', 'notes/plan', 201, () => first.write('plan', 'walk'));
    const commit = await git.head('notes', 'PUT plan');
    assert.equal(commit.author, 'alice');
    assert.deepEqual(commit.trailers, [`App: ${app.origin}`, 'Grant: notes:rw']);
    assert.equal(JSON.parse(git.file('notes', 'plan').toString()).text, 'walk');
    assert.equal(git.typeOf('notes', '', '*'), NOTES_TYPE);

    await second.connect(address);
    await signIn(second, password);
    await second.page.getByText('you allowed the same').waitFor();
    await second.page.getByRole('button', { name: 'Allow' }).click();
    await second.shows('plan', 'walk');

    const drawing = randomBytes(70_000);
    await second.sends('PUT', 'notes/files/a view.sketch', 201, () =>
      second.attach('a view.sketch', drawing),
    );
    await git.head('notes', 'PUT files/a view.sketch');
    assert.deepEqual(git.file('notes', 'files/a view.sketch'), drawing);
    assert.equal(git.typeOf('notes', 'files/', '*.sketch'), 'image/x-sketch; charset=binary');
    const sum = createHash('sha256').update(drawing).digest('hex');
    await first.shows('files/a view.sketch', `image/x-sketch, 70000 bytes, ${sum}`);

    await first.page.reload();
    await first.hasStatus(`connected to ${address}`);
    await first.showsOnly(['files/a view.sketch', 'plan']);
    await second.sends('PUT', 'notes/plan', 200, () => second.write('plan', 'swim'));
    await first.shows('plan', 'swim');

    git.check();
    for (const { scriptErrors } of [first, second]) assert.deepEqual(scriptErrors, []);
  });
}

/** On the sign-in page, whose name is filled in. */
async function signIn({ page }: Device, password: string): Promise<void> {
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

type Commit = { subject: string; author: string; trailers: string[] };

/** What stock git finds in alice's repositories. */
function readGit(t: TestContext, { dataFolder }: SpawnedServer) {
  const run = (module: string, ...words: string[]): Buffer =>
    execFileSync('git', ['-C', join(partsOf(dataFolder).repositories, 'alice', `${module}.git`), ...words]);
  const newest = (module: string): Commit => {
    const [subject = '', author = '', trailers = ''] = run(
      module,
      'log',
      '-1',
      '--format=%s%x00%an%x00%(trailers)',
      'main',
    )
      .toString()
      .trim()
      .split('\0');
    return { subject, author, trailers: trailers.trim().split('\n') };
  };
  return {
    newest,
    /** Waits until the newest commit is this one; it comes to the ref within milliseconds of the answer. */
    head: (module: string, subject: string): Promise<Commit> =>
      t.waitFor(
        () => {
          const commit = newest(module);
          assert.equal(commit.subject, subject);
          return commit;
        },
        { interval: 20, timeout: 2000 },
      ),
    file: (module: string, path: string) => run(module, 'cat-file', 'blob', `main:${path}`),
    /** of the line for `name` in the folder's list of types */
    typeOf: (module: string, folder: string, name: string) =>
      run(module, 'cat-file', 'blob', `main:${folder}.content-types`)
        .toString()
        .split('\n')
        .map((line) => line.split('\t'))
        .find(([item]) => item === name)?.[1],
    subjects: (module: string) =>
      run(module, 'log', '--reverse', '--format=%s', 'main').toString().trim().split('\n'),
    check() {
      for (const module of ['notes']) assert.equal(run(module, 'fsck', '--strict').toString(), '');
    },
  };
}

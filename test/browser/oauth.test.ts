// OAuth as apps use it, in a real browser against a server in a process of its own: the page in docs/oauth.md, a consent page in a
// window that the app opened, and the connect widget of remoteStorage.js with both of its versions.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import { openAccounts } from '../../src/db/open-accounts.ts';
import { partsOf } from '../../src/storage/data-folder.ts';
import { type SpawnedServer, spawnTestServer } from '../open-test-server.ts';
import { openChromium } from './open-browser.ts';

const read = (path: string) => readFileSync(path, 'utf8');
const resolve = createRequire(import.meta.url).resolve;

/** Pages of an app, by path, on an origin of their own. */
async function serveApp(pages: Record<string, string>): Promise<AsyncDisposable & { origin: string }> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]!;
    const page = pages[path];
    if (page === undefined) return response.writeHead(404).end();
    const type = path.endsWith('.js') ? 'text/javascript' : 'text/html';
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(page);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function signIn(page: Page, password: string): Promise<void> {
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function grantsOf({ dataFolder }: SpawnedServer) {
  await using accounts = await openAccounts(partsOf(dataFolder).accounts, Date.now);
  return await accounts.grants.list('alice');
}

/** The first example of a language in a page of the documentation. */
function exampleIn(path: string, language: string): string {
  const text = read(join(import.meta.dirname, '../..', path));
  return (
    new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? assert.fail(`${path} has none`)
  );
}

describe('apps ask for access', { concurrency: 2 }, () => {
  test('the page in docs/oauth.md connects by a code, writes, renews and leaves', async () => {
    await using server = await spawnTestServer();
    await using app = await serveApp({ '/notes/': exampleIn('docs/oauth.md', 'html') });
    await using context = await openChromium();
    const { password } = await server.createUser('alice');
    const page = await context.newPage();
    const says = (text: string) => page.locator('output').getByText(text, { exact: true }).waitFor();
    const connect = async () => {
      await page.goto(`${app.origin}/notes/`);
      await page.getByLabel('Your address').fill(`alice@localhost:${server.port}`);
      await page.getByRole('button', { name: 'Connect' }).click();
    };
    await connect();
    await signIn(page, password);
    await page.getByRole('button', { name: 'Deny' }).click();
    await says('access_denied');
    await connect();
    await page.getByRole('button', { name: 'Allow' }).click();
    await says('connected');
    assert.equal(page.url(), `${app.origin}/notes/`, 'nothing secret stays in the address');
    await page.getByRole('button', { name: 'Write a note' }).click();
    await says('written');
    await page.getByRole('button', { name: 'Renew access' }).click();
    await says('renewed');
    const [grant, ...others] = await grantsOf(server);
    assert.deepEqual([grant?.kind, grant?.app, others], ['code', app.origin, []]);
    await page.getByRole('button', { name: 'Give access back' }).click();
    await says('given back');
    await page.getByRole('button', { name: 'Write a note' }).click();
    await says('refused: 401');
    await page.getByRole('button', { name: 'Renew access' }).click();
    await says('invalid_grant');
    assert.deepEqual(await grantsOf(server), []);
  });

  test('a consent page in a window that the app opened hands the token back to it', async () => {
    await using server = await spawnTestServer();
    const { password } = await server.createUser('alice');
    const opener = `<!DOCTYPE html><title>App</title><button>Connect</button><output></output><script>
      addEventListener('message', ({ origin, data }) => {
        if (origin === location.origin) document.querySelector('output').textContent = data;
      });
      document.querySelector('button').addEventListener('click', () => {
        const redirect = encodeURIComponent(location.origin + '/back');
        open('http://localhost:${server.port}/oauth/alice/authorize?response_type=token&scope=notes%3Ar&redirect_uri=' + redirect, 'consent', 'width=500,height=700');
      });
    </script>`;
    const back = `<!DOCTYPE html><title>Back</title><script>
      opener.postMessage(location.hash.slice(1), location.origin);
      close();
    </script>`;
    await using app = await serveApp({ '/': opener, '/back': back });
    await using context = await openChromium();
    const page = await context.newPage();
    await page.goto(app.origin);
    const [popup] = await Promise.all([
      context.waitForEvent('page'),
      page.getByRole('button', { name: 'Connect' }).click(),
    ]);
    await signIn(popup, password);
    const closed = popup.waitForEvent('close');
    await popup.getByRole('button', { name: 'Allow' }).click();
    await closed;
    await page.locator('output').getByText('access_token=').waitFor();
    const token = new URLSearchParams((await page.locator('output').textContent()) ?? '').get('access_token');
    const headers = { Authorization: `Bearer ${token}` };
    assert.equal((await fetch(`${server.storageUrl('alice')}/notes/`, { headers })).status, 200);
  });

  for (const [version, library] of Object.entries({
    '2.0.0-beta.10': 'remotestoragejs',
    '1.2.3': 'remotestoragejs-1',
  })) {
    test(`the widget connects, and says when its access was revoked: remoteStorage.js ${version}`, async () => {
      await using server = await spawnTestServer();
      const { password } = await server.createUser('alice');
      const address = `alice@localhost:${server.port}`;
      await using app = await serveApp({
        '/': `<!DOCTYPE html><html lang="en"><title>App</title><script src="rs.js"></script><script src="widget.js"></script><body><script>
          const remoteStorage = new RemoteStorage();
          remoteStorage.access.claim('notes', 'rw');
          remoteStorage.caching.enable('/notes/');
          remoteStorage.setSyncInterval(2000);
          new Widget(remoteStorage, { leaveOpen: true }).attach();
        </script>`,
        '/rs.js': read(resolve(`${library}/release/remotestorage.js`)),
        '/widget.js': read(resolve('remotestorage-widget/build/widget.js')),
      });
      await using context = await openChromium();
      const page = await context.newPage();
      await page.goto(app.origin);
      await page.locator('.rs-box-initial').click();
      await page.locator('input[name=rs-user-address]').fill(address);
      await page.locator('.rs-connect').click();
      await signIn(page, password);
      await page.getByRole('button', { name: 'Allow' }).click();
      await page.locator('.rs-box-connected .rs-user').getByText(address).waitFor();
      const [grant] = await grantsOf(server);
      assert.deepEqual([grant?.kind, grant?.app], ['implicit', app.origin]);
      {
        await using accounts = await openAccounts(partsOf(server.dataFolder).accounts, Date.now);
        await accounts.grants.revoke(grant!.id);
      }
      await page
        .locator('.rs-error-message')
        .getByText(/expired or revoked/i)
        .waitFor();
    });
  }
});

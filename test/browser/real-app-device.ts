// The pieces of the real-app test: the app's pages served from a port of their own, and a device, which is a
// browser with an empty profile that shows the app. What the test says about them stands in real-app.test.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { BrowserContext, Page, Response } from 'playwright-core';
import { openChromium } from './open-browser.ts';

export type ServedApp = AsyncDisposable & {
  /** the app's page, `http://localhost:PORT/app/` */
  url: string;
  /** `http://localhost:PORT` */
  origin: string;
};

/** @param library a package that has release/remotestorage.js */
export async function serveApp(library: string): Promise<ServedApp> {
  const release = createRequire(import.meta.url).resolve(`${library}/release/remotestorage.js`);
  const files: Record<string, { type: string; body: Buffer }> = {
    '/app/': { type: 'text/html', body: readFileSync(join(import.meta.dirname, 'real-app.html')) },
    '/app/real-app-page.js': {
      type: 'text/javascript',
      body: readFileSync(join(import.meta.dirname, 'real-app-page.js')),
    },
    '/app/remotestorage.js': { type: 'text/javascript', body: readFileSync(release) },
  };
  const server = createServer((request, response) => {
    const file = files[request.url ?? ''];
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': `${file.type}; charset=utf-8` }).end(file.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}/app/`,
    origin,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type Device = AsyncDisposable & {
  readonly page: Page;
  readonly context: BrowserContext;
  /** what scripts on its pages threw */
  readonly scriptErrors: string[];
  /** Types the address and goes on to the page of the server that it leads to. */
  connect(address: string): Promise<void>;
  /** Saves a note without waiting for anything. */
  write(name: string, text: string): Promise<void>;
  remove(name: string): Promise<void>;
  publish(name: string, markup: string): Promise<void>;
  /** Acts, and waits until the server has answered this request for `path` (within the user's root) with `status`. */
  sends(method: 'PUT' | 'DELETE', path: string, status: number, act: () => Promise<void>): Promise<void>;
  /** Waits until the app shows this item with this description. */
  shows(name: string, description: string): Promise<void>;
  /** Waits until the app shows exactly these items. */
  showsOnly(names: readonly string[]): Promise<void>;
  hasStatus(status: string): Promise<void>;
  /** Waits until the app shows this trouble. */
  hasTrouble(text: string): Promise<void>;
  /** Attaches a drawing, without waiting for anything. */
  attach(name: string, bytes: Buffer): Promise<void>;
};

export async function openDevice({ url }: ServedApp): Promise<Device> {
  const context = await openChromium();
  const page = await context.newPage();
  const scriptErrors: string[] = [];
  page.on('pageerror', (error) => {
    // version 2 leaves this one uncaught when the network goes
    if (String(error) !== 'TypeError: Failed to fetch') scriptErrors.push(String(error));
  });
  await page.goto(url);

  async function fill(form: string, fields: Record<string, string>): Promise<void> {
    for (const [name, value] of Object.entries(fields)) {
      await page.locator(`#${form} [name=${name}]`).fill(value);
    }
    await page.locator(`#${form} button`).click();
  }

  return {
    page,
    context,
    scriptErrors,
    connect: (address) => fill('connect', { address }),
    write: (name, text) => fill('note', { name, text }),
    publish: (name, text) => fill('published', { name, text }),
    remove: (name) =>
      page
        .getByRole('listitem')
        .filter({ hasText: `${name}: ` })
        .getByRole('button', { name: 'Delete' })
        .click(),
    async sends(method, path, status, act) {
      const isIt = (response: Response) =>
        response.request().method() === method && decodeURIComponent(response.url()).endsWith(`/${path}`);
      const [response] = await Promise.all([page.waitForResponse(isIt), act()]);
      assert.equal(response.status(), status, `${method} ${path}`);
    },
    shows: (name, description) =>
      page
        .getByRole('listitem')
        .filter({ hasText: `${name}: ${description}` })
        .waitFor(),
    async showsOnly(names) {
      const shown = `[...document.querySelectorAll('#items > li')].map((row) => row.textContent.split(':')[0])`;
      await page
        .waitForFunction(`${shown}.join('|') === ${JSON.stringify(names.join('|'))}`)
        .catch(async () => assert.deepEqual(await page.evaluate(shown), names));
    },
    hasStatus: (status) => page.locator('#status').getByText(status, { exact: true }).waitFor(),
    hasTrouble: (text) => page.locator('#troubles').getByText(text).first().waitFor(),
    attach: (name, buffer) =>
      page.locator('#attach').setInputFiles({ name, mimeType: 'image/x-sketch', buffer }),
    [Symbol.asyncDispose]: () => context[Symbol.asyncDispose](),
  };
}

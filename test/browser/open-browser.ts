// A real Chromium over pages that are served on a port of their own, with a fresh profile; gone after the test.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';
import { openTestPages, type TestPages, type TestPagesOptions } from '../open-test-pages.ts';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

export type ServedPages = TestPages & {
  /** `http://localhost:PORT` */
  url: string;
  /** `http://localhost:PORT`, another origin: an app that shows the fragment which it was sent back with */
  appUrl: string;
};

/** Pages and a pretended app, each on a port of its own. */
export async function servePages(options: TestPagesOptions = {}): Promise<ServedPages> {
  const world = await openTestPages({ config: {}, ...options });
  const server = createServer((request, response) => world.pages.handle(request, response));
  const app = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!DOCTYPE html><html lang="en"><title>Notes</title><h1>Notes</h1></html>');
  });
  const url = await listen(server);
  const appUrl = await listen(app);
  return {
    ...world,
    url,
    appUrl,
    async [Symbol.asyncDispose]() {
      for (const each of [server, app]) {
        each.closeAllConnections();
        await new Promise((resolve) => each.close(resolve));
      }
      await world[Symbol.asyncDispose]();
    },
  };
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

/** Chromium with an empty profile. */
export async function openChromium(
  options: BrowserContextOptions = {},
): Promise<BrowserContext & AsyncDisposable> {
  const profile = mkdtempSync(join(tmpdir(), 'gitstead-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: ARGUMENTS,
    headless: true,
    ...options,
  });
  context.setDefaultTimeout(20_000);
  const close = async (): Promise<void> => {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return Object.assign(context, { [Symbol.asyncDispose]: close });
}

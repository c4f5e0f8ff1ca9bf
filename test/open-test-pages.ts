// Pages over a real accounts.db in a temporary folder, and a browser of sorts (a cookie jar that sends forms as a
// browser would) for tests without sockets.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Accounts, openAccounts } from '../src/db/open-accounts.ts';
import type { StoredAmounts } from '../src/http/account.ts';
import { buildPages, type Pages, type PagesSettings } from '../src/http/app.ts';
import { openLog } from '../src/log.ts';
import type { UserName } from '../src/protocol/paths.ts';

export const PASSWORD = 'correct horse';
export const ALICE = 'alice' as UserName;

export type TestPages = AsyncDisposable & {
  pages: Pages;
  accounts: Accounts;
  clock: { time: number };
  /** where accounts.db is, alone in its folder */
  file: string;
  /** everything that was logged */
  log(): string;
};

export type TestPagesOptions = {
  /** accounts to make, each with PASSWORD; alice when nothing is said */
  users?: readonly string[];
  config?: PagesSettings;
  /** what is not given stores nothing; `elsewhere`: another process has it */
  storage?: Partial<StoredAmounts> | 'elsewhere';
};

const NOTHING_STORED: StoredAmounts = {
  usage: () => ({ bytes: 0, documents: 0 }),
  modules: () => [],
  recentWrites: async () => ({ byApp: new Map(), unreadable: [] }),
};

export async function openTestPages({
  users = ['alice'],
  config = { port: 8000 },
  storage = {},
}: TestPagesOptions = {}): Promise<TestPages> {
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-pages-'));
  const clock = { time: Date.UTC(2030, 0, 1) };
  const lines: string[] = [];
  const log = openLog('debug', { write: (line) => void lines.push(line) });
  const file = join(folder, 'accounts.db');
  const accounts = await openAccounts(file, () => clock.time, {
    auditFailed: (error) => log.warn({ err: error }, 'the audit trail could not be written'),
  });
  for (const name of users) {
    await accounts.users.create({ name: name as UserName, password: PASSWORD, isAdmin: false });
  }
  const pages = await buildPages({
    accounts,
    storage: storage === 'elsewhere' ? undefined : { ...NOTHING_STORED, ...storage },
    log,
    config,
    randomBytes,
    now: () => clock.time,
  });
  return {
    pages,
    accounts,
    clock,
    file,
    log: () => lines.join(''),
    async [Symbol.asyncDispose]() {
      await pages.close();
      await accounts.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type Answer = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  location: string;
};

export type Browser = {
  readonly jar: Map<string, string>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** Sends a form to `path` with exactly these fields. */
  post(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  /** Fills in the form of the page at `path` and sends it. */
  submit(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  signIn(name?: string, password?: string): Promise<Answer>;
};

/** @param origin by which the browser asks */
export function openBrowser(
  { pages }: TestPages,
  origin = 'http://localhost:8000',
  address = '127.0.0.1',
): Browser {
  const jar = new Map<string, string>();
  const { host } = new URL(origin);

  async function send(
    method: 'GET' | 'POST',
    url: string,
    headers: Record<string, string>,
    payload?: string,
  ) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await pages.app.inject({
      method,
      url,
      remoteAddress: address,
      headers: { host, ...(cookie === '' ? {} : { cookie }), ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    for (const { name, value, maxAge, expires } of response.cookies) {
      if (maxAge === 0 || (expires && expires.getTime() <= 0)) jar.delete(name);
      else jar.set(name, value);
    }
    return {
      status: response.statusCode,
      headers: response.headers as Answer['headers'],
      body: response.body,
      location: String(response.headers.location ?? ''),
    };
  }

  const browser: Browser = {
    jar,
    get: (path, headers = {}) => send('GET', path, headers),
    post: (path, fields, headers = {}) =>
      send(
        'POST',
        path,
        {
          origin,
          'sec-fetch-site': 'same-origin',
          'content-type': 'application/x-www-form-urlencoded',
          ...headers,
        },
        new URLSearchParams(fields).toString(),
      ),
    async submit(path, fields, headers) {
      const { body } = await browser.get(path);
      const action = /<form method="post"(?: action="([^"]*)")?/.exec(body)?.[1] ?? path;
      return browser.post(action, { ...hiddenFields(body), ...fields }, headers);
    },
    signIn: (username = 'alice', password = PASSWORD) => browser.submit('/login', { username, password }),
  };
  return browser;
}

/** The hidden fields of a page's first form. */
export function hiddenFields(page: string): Record<string, string> {
  const form = /<form [\s\S]*?<\/form>/.exec(page)?.[0] ?? '';
  return Object.fromEntries(
    [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map((match) => [
      match[1]!,
      unescapeMarkup(match[2]!),
    ]),
  );
}

function unescapeMarkup(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => MARKUP[name]!);
}

const MARKUP: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

/** Path and query of an authorisation request, for alice if nothing else is said; null: no account in the path.
    Values are encoded here; undefined leaves one out. */
export function authorizePath(
  parameters: Record<string, string | undefined> = {},
  user: string | null = 'alice',
): string {
  const all = {
    redirect_uri: 'https://notes.example/app/',
    scope: 'notes:rw',
    client_id: 'https://notes.example',
    response_type: 'token',
    ...parameters,
  };
  const query = Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value!)}`)
    .join('&');
  return `/oauth/${user === null ? '' : `${user}/`}authorize?${query}`;
}

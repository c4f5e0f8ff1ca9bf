// The storage's handler on two ports, over one store: on one every token is checked as in the server, on the other a grant is
// taken for granted. Started as a process by token-check.ts: node token-check-server.ts FOLDER. Tells ports and token in a line.
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openAccounts } from '../src/db/open-accounts.ts';
import { originJudge } from '../src/http/request-origin.ts';
import { storageHandler } from '../src/http/storage.ts';
import type { CheckToken } from '../src/http/storage-access.ts';
import { openLog } from '../src/log.ts';
import { parseUserName } from '../src/protocol/paths.ts';
import { parseScopes } from '../src/protocol/scopes.ts';
import { openStore } from '../src/storage/open-store.ts';
import { userName } from './sides/side.ts';

const folder = process.argv[2]!;
const log = openLog('warn');
const user = parseUserName(userName(0))!;
mkdirSync(folder, { recursive: true, mode: 0o700 });
const accounts = await openAccounts(join(folder, 'accounts.db'), Date.now);
await accounts.users.create({ name: user, password: 'of no use here', isAdmin: false });
const scopes = parseScopes('*:rw')!;
const { token } = await accounts.tokens.create(
  { user, app: undefined, scopes, kind: 'command-line' },
  undefined,
);
const grant = accounts.tokens.check(token)!;
const limits = { documentLimitBytes: 1 << 30, memoryBytes: 96 << 20 };
const { storage } = await openStore({ dataFolder: folder, host: 'localhost', ...limits }, log, Date.now);

async function listen(checkToken: CheckToken): Promise<number> {
  const judgeOrigin = originJudge({}, () => {});
  const handle = storageHandler({
    storage,
    checkToken,
    log,
    judgeOrigin,
    now: Date.now,
    limits: { documentBytes: 1 << 30 },
  });
  const server = createServer({ keepAliveTimeout: 60_000 }, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const ports = { checked: await listen(accounts.tokens.check), unchecked: await listen(() => grant) };
console.log(JSON.stringify({ ...ports, token }));

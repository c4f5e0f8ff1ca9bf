// The storage's handler over the storage that is a Map, on a free port: for tests of what HTTP does, with limits,
// clocks and faults as a test likes them.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TokenGrant } from '../src/db/tokens.ts';
import { answerExpectation, answerParserError } from '../src/http/connection-errors.ts';
import { type OriginSettings, originJudge } from '../src/http/request-origin.ts';
import { type StorageHandlerOptions, storageHandler } from '../src/http/storage.ts';
import type { CheckToken } from '../src/http/storage-access.ts';
import { openLog } from '../src/log.ts';
import { parseUserName } from '../src/protocol/paths.ts';
import { parseScopes } from '../src/protocol/scopes.ts';
import { type MemoryStorage, openMemoryStorage } from './memory-storage.ts';

export type MemoryServerOptions = {
  limits?: Partial<StorageHandlerOptions['limits']>;
  now?: () => number;
  streamAboveBytes?: number;
  /** names and proxies */
  origins?: OriginSettings;
  queryTokens?: boolean;
  /** asked instead of the tokens that are made here */
  checkToken?: CheckToken;
  maxHeaderSize?: number;
};

export interface MemoryServer extends AsyncDisposable {
  readonly port: number;
  readonly baseUrl: string;
  readonly storage: MemoryStorage;
  /** everything that was logged */
  readonly logged: string[];
  /** @param scopes `notes:rw contacts:r` */
  createToken(user: string, scopes: string, grant?: Partial<TokenGrant>): string;
  close(): Promise<void>;
}

export async function openMemoryServer(options: MemoryServerOptions = {}): Promise<MemoryServer> {
  const { now = Date.now, limits, maxHeaderSize = 65_536 } = options;
  const documentBytes = limits?.documentBytes ?? 64 << 20;
  const streams =
    options.streamAboveBytes === undefined ? {} : { streamAboveBytes: options.streamAboveBytes };
  const storage = openMemoryStorage({ documentBytes, now, ...streams });
  const tokens = new Map<string, TokenGrant>();
  const logged: string[] = [];
  const handle = storageHandler({
    storage,
    checkToken: options.checkToken ?? ((token) => tokens.get(token)),
    queryTokens: options.queryTokens,
    log: openLog('debug', { write: (line) => void logged.push(line) }),
    judgeOrigin: originJudge(options.origins ?? {}, () => {}),
    now,
    limits: { ...limits, documentBytes },
  });
  const server = createServer({ maxHeaderSize, requestTimeout: 0, optimizeEmptyRequests: true }, handle);
  server.on('checkContinue', handle);
  server.on('checkExpectation', answerExpectation);
  server.on('clientError', answerParserError);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  async function close(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  return {
    port,
    baseUrl: `http://127.0.0.1:${port}`,
    storage,
    logged,
    createToken(name, scopes, grant = {}) {
      const token = `token-${tokens.size}-${name}`;
      const user = parseUserName(name)!;
      const parsed = parseScopes(scopes)!;
      tokens.set(token, {
        id: token,
        user,
        app: 'https://app.example',
        scopes: parsed,
        quotaBytes: undefined,
        ...grant,
      });
      return token;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

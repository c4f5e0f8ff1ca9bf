// The table against a whole server, and against the handler over the storage that is a Map: what fails in both is
// HTTP's fault, what fails in the first alone is the engine's.
import { after, before, describe, test } from 'node:test';
import { openMemoryServer } from '../open-memory-server.ts';
import { openTestServer } from '../open-test-server.ts';
import { openRow, type Target, type Tokens } from './clause.ts';
import { CLAUSES, titleOf } from './clauses.ts';
import { openClient } from './client.ts';

const MODULE = 'conformance';
const SCOPES: Record<keyof Tokens, [user: string, scopes: string]> = {
  rw: ['alice', `${MODULE}:rw`],
  r: ['alice', `${MODULE}:r`],
  rootRw: ['alice', '*:rw'],
  rootR: ['alice', '*:r'],
  otherModule: ['alice', 'elsewhere:rw'],
  otherUser: ['bob', '*:rw'],
};

type Opened = {
  baseUrl: string;
  createToken(user: string, scopes: string): string | Promise<string>;
  close(): Promise<void>;
};

async function openWholeServer(): Promise<Opened> {
  const server = await openTestServer();
  await server.createUser('alice');
  await server.createUser('bob');
  return server;
}

for (const [name, open] of [
  ['a server', openWholeServer],
  ['the handler over a Map', openMemoryServer],
] as const) {
  describe(`conformance of ${name}`, () => {
    let server: Opened;
    let target: Target;

    before(async () => {
      server = await open();
      const tokens: Partial<Tokens> = {};
      for (const [key, [user, scopes]] of Object.entries(SCOPES)) {
        tokens[key as keyof Tokens] = await server.createToken(user, scopes);
      }
      const client = openClient(server.baseUrl);
      const { host } = new URL(server.baseUrl);
      target = { client, host, module: MODULE, root: '/storage/alice', tokens: tokens as Tokens };
    });

    after(async () => {
      target.client.close();
      await server.close();
    });

    for (const clause of CLAUSES) test(titleOf(clause), () => clause.run(openRow(target)));
  });
}

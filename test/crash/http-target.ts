// A running server as the target of the crash tests' writers: what its clients were told counts.
import type { SpawnedServer } from '../open-test-server.ts';
import { COUNTER, type Target } from './workload.ts';

/** @param tokens a token for everything, by user */
export function httpTarget(server: SpawnedServer, tokens: ReadonlyMap<string, string>): Target {
  function ask(
    key: string,
    method: string,
    headers: Record<string, string> = {},
    body?: Buffer,
  ): Promise<Response> {
    const [user, ...segments] = key.split('/');
    const path = segments.map(encodeURIComponent).join('/');
    return fetch(`${server.storageUrl(user!)}/${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens.get(user!)}`, ...headers },
      ...(body && { body: new Uint8Array(body) }),
    });
  }

  return {
    async write(key, state) {
      const answer = state
        ? await ask(key, 'PUT', { 'content-type': state.type }, state.bytes)
        : await ask(key, 'DELETE');
      const expected = state ? [200, 201] : [200, 404];
      if (!expected.includes(answer.status)) throw new Error(`${key} was answered with ${answer.status}`);
    },
    async readCount() {
      const answer = await ask(COUNTER, 'GET');
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw new Error(`the counter was answered with ${answer.status}`);
      return { value: Number(await answer.text()), etag: answer.headers.get('etag')! };
    },
    async count(etag, value) {
      const condition = etag === undefined ? { 'if-none-match': '*' } : { 'if-match': etag };
      const headers = { 'content-type': 'text/plain', ...condition };
      const { status } = await ask(COUNTER, 'PUT', headers, Buffer.from(String(value)));
      if (![200, 201, 412].includes(status)) throw new Error(`the counter was answered with ${status}`);
      return status !== 412;
    },
  };
}

// Sends requests exactly as a row writes them: paths are not normalised, headers not added, and what comes back
// is looked at as it arrived. Every answer is held to the draft's section 7: without CORS it fails.
import assert from 'node:assert/strict';
import { Agent, request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';
import { connect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';

/** A server that says nothing for so long says nothing. */
const ANSWER_MS = 15_000;

export type Reply = { status: number; headers: IncomingHttpHeaders; body: Buffer; text: string };

export type Asked = {
  token?: string | undefined;
  headers?: OutgoingHttpHeaders;
  /** several: sent chunked */
  body?: string | Buffer | readonly (string | Buffer)[] | undefined;
};

export interface Client {
  /** @param target the raw request target */
  send(method: string, target: string, asked?: Asked): Promise<Reply>;
  /**
   * Sends bytes over a connection of its own, and gives back all that is answered until the server closes it, or until
   * the answers match `end`.
   */
  exchange(bytes: string, end?: RegExp): Promise<string>;
  close(): void;
}

/** @param baseUrl scheme, host and port */
export function openClient(baseUrl: string): Client {
  const { protocol, hostname, port, host } = new URL(baseUrl);
  const isTls = protocol === 'https:';
  const agent = isTls ? new TlsAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
  const request = isTls ? httpsRequest : httpRequest;
  const address = { host: hostname, port: Number(port || (isTls ? 443 : 80)) };

  return {
    send(method, target, { token, headers = {}, body } = {}) {
      return new Promise<Reply>((resolve, reject) => {
        const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
        const length =
          body === undefined || isParts(body) ? {} : { 'Content-Length': Buffer.byteLength(body) };
        const asked = request({
          ...address,
          method,
          path: target,
          agent,
          setDefaultHeaders: false,
          headers: {
            Host: host,
            ...length,
            ...(isParts(body) && { 'Transfer-Encoding': 'chunked' }),
            ...authorization,
            ...headers,
          },
        });
        asked.on('error', reject);
        asked.setTimeout(ANSWER_MS, () => asked.destroy(new Error(`${method} ${target}: no answer`)));
        asked.on('response', (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const bytes = Buffer.concat(chunks);
            const reply = {
              status: response.statusCode!,
              headers: response.headers,
              body: bytes,
              text: bytes.toString(),
            };
            try {
              checkEveryAnswer(`${method} ${target} → ${reply.status}`, reply);
              resolve(reply);
            } catch (error) {
              reject(error);
            }
          });
        });
        // as bytes: node sends headers together with a text in UTF-8, and on their own in Latin-1
        if (isParts(body)) for (const part of body) asked.write(Buffer.from(part));
        else if (body !== undefined) asked.write(Buffer.from(body));
        asked.end();
      });
    },

    exchange(bytes, end) {
      return new Promise((resolve, reject) => {
        const socket = isTls ? tlsConnect({ ...address, servername: hostname }) : connect(address);
        let answers = '';
        socket.setEncoding('latin1');
        socket.on('data', (text: string) => {
          answers += text;
          if (end?.test(answers)) socket.destroy();
        });
        socket.on('error', reject);
        socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('the connection is not closed')));
        socket.on('close', () => resolve(answers));
        socket.write(bytes, 'latin1');
      });
    },

    close: () => agent.destroy(),
  };
}

function isParts(body: Asked['body']): body is readonly (string | Buffer)[] {
  return Array.isArray(body);
}

function checkEveryAnswer(what: string, { headers }: Reply): void {
  assert.ok(headers['access-control-allow-origin'], `${what} carries Access-Control-Allow-Origin`);
  assert.equal(headers['access-control-allow-credentials'], undefined, `${what} allows no credentials`);
  assert.equal(headers['content-encoding'], undefined, `${what} is not compressed`);
}

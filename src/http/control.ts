// The server's side of the control socket: answers the commands that work on the repositories which this process owns.
// The words of the talk are storage/control-socket.ts's; what is done is the storage's.
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { asGitsteadError, GitsteadError } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  type ControlReply,
  type ControlRequest,
  formatControlLine,
  linesOf,
  type Progress,
  parseControlRequest,
  shortSocketPath,
} from '../storage/control-socket.ts';

/** Does what is asked. The signal ends when the command goes away before its answer, or the server stops. */
export type AnswerControl = (
  request: ControlRequest,
  report: (progress: Progress) => void,
  signal: AbortSignal,
) => Promise<unknown>;

export interface ControlServer {
  /** Takes no more commands, tells those under way to end, and waits until they have. */
  close(): Promise<void>;
}

/**
 * Listens on the socket at `path`. The caller holds the folder's lock, so a socket that stands there is a leftover.
 * @throws not-ready when the socket cannot be made
 */
export async function openControl(path: string, answer: AnswerControl, log: Log): Promise<ControlServer> {
  const talks = new Set<Promise<void>>();
  /** connected, and has not asked yet */
  const silent = new Set<Socket>();
  const stopping = new AbortController();
  const server = createServer((socket) => {
    silent.add(socket);
    const asked = () => silent.delete(socket);
    const talk = serve(socket, answer, log, asked, stopping.signal).finally(() => {
      silent.delete(socket);
      talks.delete(talk);
    });
    talks.add(talk);
  });
  rmSync(path, { force: true });
  try {
    using short = shortSocketPath(path);
    await listen(server, short.path);
    chmodSync(path, 0o600);
  } catch (cause) {
    server.close();
    throw new GitsteadError('not-ready', 'the control socket cannot be made in the data folder', { cause });
  }
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve));
    stopping.abort(new GitsteadError('not-ready', 'the server is stopping; try again'));
    for (const socket of silent) socket.destroy();
    await Promise.all(talks);
    await closed;
    rmSync(path, { force: true });
  }
  return { close: () => (closing ??= close()) };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** @param asked called once the request has come */
async function serve(
  socket: Socket,
  answer: AnswerControl,
  log: Log,
  asked: () => void,
  stopping: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  socket.on('close', () => gone.abort());
  socket.on('error', () => gone.abort());
  const send = (reply: ControlReply) => {
    if (socket.writable) socket.write(formatControlLine(reply));
  };
  try {
    const { value: line } = await linesOf(socket.iterator({ destroyOnReturn: false })).next();
    asked();
    if (line !== undefined) {
      const request = parseControlRequest(line);
      if (!request) throw new GitsteadError('bad-request', 'the running server does not know this command');
      const result = await answer(
        request,
        (progress) => send({ progress }),
        AbortSignal.any([gone.signal, stopping]),
      );
      send({ result: result ?? null });
    }
  } catch (thrown) {
    const error = asGitsteadError(thrown);
    if (error.code === 'internal' && !gone.signal.aborted) log.error({ err: thrown }, 'a command failed');
    send({ failure: { code: error.code, message: error.message } });
  }
  socket.end();
  socket.unref();
}

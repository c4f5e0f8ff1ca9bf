// A command's side of the control socket: asks the server that owns the data folder. The words of the talk are
// storage/control-socket.ts's.
import { connect, type Socket } from 'node:net';
import { GitsteadError } from '../errors.ts';
import {
  type ControlCommand,
  type ControlRequest,
  type ControlResult,
  formatControlLine,
  linesOf,
  type Progress,
  parseControlReply,
  parseControlResult,
  shortSocketPath,
} from '../storage/control-socket.ts';

/**
 * Asks the running server.
 * @returns undefined when no server runs on this folder
 * @throws what the server answers as a failure; not-ready when it stops before it has answered
 */
export async function askServer<C extends ControlCommand>(
  socketPath: string,
  request: Extract<ControlRequest, { command: C }>,
  report: (progress: Progress) => void = () => {},
): Promise<{ result: ControlResult<C> } | undefined> {
  using short = shortSocketPath(socketPath);
  const socket = await connected(short.path);
  if (!socket) return undefined;
  try {
    socket.write(formatControlLine(request));
    for await (const line of linesOf(socket)) {
      const reply = parseControlReply(line);
      if (!reply) throw otherVersion();
      if ('failure' in reply) throw new GitsteadError(reply.failure.code, reply.failure.message);
      if ('progress' in reply) report(reply.progress);
      else return { result: resultOf(request.command, reply.result) };
    }
  } catch (error) {
    if (error instanceof GitsteadError) throw error;
    throw new GitsteadError('not-ready', 'the talk with the running server broke off', { cause: error });
  } finally {
    socket.destroy();
  }
  throw new GitsteadError('not-ready', 'the running server stopped before it had answered');
}

function resultOf<C extends ControlCommand>(command: C, given: unknown): ControlResult<C> {
  const result = parseControlResult(command, given);
  if (result === undefined) throw otherVersion();
  return result;
}

function otherVersion(): GitsteadError {
  return new GitsteadError('not-ready', 'the running server is of another version than this command');
}

/** undefined: nobody listens there */
function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else reject(new GitsteadError('not-ready', 'the running server cannot be reached', { cause: error }));
    });
  });
}

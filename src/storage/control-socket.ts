// The talk between a command and the server that owns the data folder: one request, as a line of JSON, on the folder's
// Unix socket; lines of progress; one last line. Only its owner may connect (the socket's mode is 0600). Serving it is
// http/control.ts's work, asking is cli/control-client.ts's.
//
//   → {"command":"check","user":"alice"}
//   ← {"progress":{"done":3,"total":12}}
//   ← {"result":{…}}     or     {"failure":{"code":"not-ready","message":"…"}}
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { HTTP_STATUS } from '../errors.ts';
import { parseUserName } from '../protocol/paths.ts';

/** The address of a Unix socket holds 104 bytes on macOS and 108 on Linux, with a NUL at its end. */
const MAX_SOCKET_PATH_BYTES = 103;
export const MAX_LINE_BYTES = 16 << 20;

const user = z.string().transform((name, context) => {
  const parsed = parseUserName(name);
  if (parsed === undefined) context.addIssue({ code: 'custom', message: 'no user name' });
  return parsed!;
});

const controlRequest = z.discriminatedUnion('command', [
  z.strictObject({ command: z.literal('ping') }),
  /** pending commits become packs and refs */
  z.strictObject({ command: z.literal('drain'), user: user.optional(), module: z.string().optional() }),
  z.strictObject({ command: z.literal('check'), user: user.optional() }),
  z.strictObject({ command: z.literal('reindex') }),
  z.strictObject({ command: z.literal('remove-user'), user }),
]);
export type ControlRequest = z.infer<typeof controlRequest>;

const count = z.number();
const fault = z.object({ user: z.string(), module: z.string(), what: z.string() });
/** What comes back for each command. */
const CONTROL_RESULTS = {
  ping: z.object({ pid: count }),
  drain: z.null(),
  check: z.object({ repositories: count, documents: count, faults: z.array(fault) }),
  reindex: z.object({ repositories: count, documents: count }),
  /** false: there was no such account */
  'remove-user': z.object({ existed: z.boolean() }),
};
export type ControlCommand = ControlRequest['command'];
export type ControlResult<C extends ControlCommand> = z.infer<(typeof CONTROL_RESULTS)[C]>;

const progress = z.strictObject({ done: z.number(), total: z.number() });
/** Steps done of all steps, as far as they are known. */
export type Progress = z.infer<typeof progress>;

const controlReply = z.union([
  z.strictObject({ progress }),
  z.strictObject({ result: z.unknown() }),
  z.strictObject({
    failure: z.strictObject({
      code: z.enum(Object.keys(HTTP_STATUS) as [keyof typeof HTTP_STATUS]),
      message: z.string(),
    }),
  }),
]);
export type ControlReply = z.infer<typeof controlReply>;

/** @returns undefined when the line is no request of this version */
export function parseControlRequest(line: string): ControlRequest | undefined {
  return controlRequest.safeParse(jsonOf(line)).data;
}

/** @returns undefined when the line is no reply of this version */
export function parseControlReply(line: string): ControlReply | undefined {
  return controlReply.safeParse(jsonOf(line)).data;
}

/** @returns undefined when it is no result of this version */
export function parseControlResult<C extends ControlCommand>(
  command: C,
  result: unknown,
): ControlResult<C> | undefined {
  return CONTROL_RESULTS[command].safeParse(result).data as ControlResult<C> | undefined;
}

export function formatControlLine(message: ControlRequest | ControlReply): string {
  return `${JSON.stringify(message)}\n`;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The lines of a stream, without their ends; what follows the last one is left out. Throws at an endless line. */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    if (rest.length > MAX_LINE_BYTES) throw new RangeError('a line without an end');
    yield* lines;
  }
}

/**
 * A path to the socket that is short enough to bind or connect: the socket's own, or one by way of a link to its
 * folder, in a private folder of its own that `dispose` takes away (the socket stays reachable).
 */
export function shortSocketPath(path: string): { path: string } & Disposable {
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return { path, [Symbol.dispose]: () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'gitstead-'));
  symlinkSync(dirname(path), join(folder, 'd'));
  return {
    path: join(folder, 'd', basename(path)),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

// The thread that writes large bodies: it is handed their parts, and answers with each part's memory and, at the end, with
// what the pack is called by. Two SHA-1, two more checksums and the disk are too much for the thread that answers requests.
import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { BLOCK_BYTES, BlobPack, type PackedBlob, writeFully } from './blob-pack.ts';

export const PART_BYTES = 4 * BLOCK_BYTES;

/** `body`: which one; several are on their way at once. */
export type SpoolOrder =
  /** `size` in bytes; without it the body is written to `raw` until it has ended, and only then made a pack */
  | { kind: 'begin'; body: number; pack: string; size: number }
  | { kind: 'begin'; body: number; pack: string; raw: string }
  /** the first `length` bytes of the memory, which is handed over */
  | { kind: 'part'; body: number; memory: ArrayBuffer; length: number }
  | { kind: 'end'; body: number }
  | { kind: 'give-up'; body: number };

export type SpoolNews =
  | { kind: 'taken'; body: number; memory: ArrayBuffer }
  | { kind: 'done'; body: number; blob: PackedBlob }
  /** nothing of it is open any more */
  | { kind: 'given-up'; body: number }
  | { kind: 'failed'; body: number; message: string; code: string | undefined };

/** One body on its way. */
interface Intake {
  add(part: Buffer): Promise<void> | void;
  end(): Promise<PackedBlob>;
  close(): Promise<void> | void;
}

/** Orders of one body are carried out one after the other. */
type Body = { intake: Intake | undefined; last: Promise<void> };

const port = parentPort!;
const bodies = new Map<number, Body>();

port.on('message', (order: SpoolOrder) => {
  let body = bodies.get(order.body);
  if (!body) {
    if (order.kind !== 'begin') return; // it has failed
    body = { intake: undefined, last: Promise.resolve() };
    bodies.set(order.body, body);
  }
  const { last } = body;
  body.last = last.then(() => carryOut(body, order));
});

async function carryOut(body: Body, order: SpoolOrder): Promise<void> {
  if (bodies.get(order.body) !== body) return;
  try {
    await obey(body, order);
  } catch (error) {
    bodies.delete(order.body);
    await body.intake?.close();
    const { message, code } = error as NodeJS.ErrnoException;
    say({ kind: 'failed', body: order.body, message, code });
  }
}

async function obey(body: Body, order: SpoolOrder): Promise<void> {
  switch (order.kind) {
    case 'begin':
      body.intake = 'size' in order ? packing(order.pack, order.size) : gathering(order.raw, order.pack);
      return;
    case 'part': {
      await body.intake!.add(Buffer.from(order.memory, 0, order.length));
      const { memory } = order;
      port.postMessage({ kind: 'taken', body: order.body, memory } satisfies SpoolNews, [memory]);
      return;
    }
    case 'end': {
      const blob = await body.intake!.end();
      bodies.delete(order.body);
      say({ kind: 'done', body: order.body, blob });
      return;
    }
    case 'give-up':
      bodies.delete(order.body);
      await body.intake?.close();
      say({ kind: 'given-up', body: order.body });
  }
}

function say(news: SpoolNews): void {
  port.postMessage(news);
}

function packing(path: string, size: number): Intake {
  const pack = new BlobPack(path, size);
  return { add: (part) => pack.add(part), end: () => pack.finish(), close: () => pack.close() };
}

/** git's header of a blob begins with its size: a body whose size nobody knows is written down, and read again. */
function gathering(raw: string, packPath: string): Intake {
  const descriptor = openSync(raw, 'wx+', 0o600);
  let size = 0;
  let pack: BlobPack | undefined;
  return {
    add(part) {
      writeFully(descriptor, part);
      size += part.length;
    },
    async end() {
      pack = new BlobPack(packPath, size);
      const part = Buffer.allocUnsafeSlow(PART_BYTES);
      let at = 0;
      do {
        const length = readFully(descriptor, part, Math.min(PART_BYTES, size - at), at);
        await pack.add(part.subarray(0, length));
        at += length;
        await nextTurn(); // others' parts
      } while (at < size);
      const blob = await pack.finish();
      pack = undefined;
      closeSync(descriptor);
      return blob;
    },
    async close() {
      closeSync(descriptor);
      await pack?.close();
    },
  };
}

function readFully(descriptor: number, target: Buffer, length: number, from: number): number {
  for (let at = 0; at < length; ) {
    const bytes = readSync(descriptor, target, at, length - at, from + at);
    if (bytes === 0) throw new Error('a body that was written down is shorter when it is read again');
    at += bytes;
  }
  return length;
}

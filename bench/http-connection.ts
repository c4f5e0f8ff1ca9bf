// One keep-alive connection that speaks just enough HTTP/1.1: one request at a time, and an answer with a
// length, in chunks or without a body. Made to cost as little as possible beside the server it measures.
import { connect, type Socket } from 'node:net';

export type Answer = {
  status: number;
  /** the answer's head as sent: status line and headers */
  head: string;
  bodyBytes: number;
  /** only when it was asked for */
  body: Buffer | undefined;
};

type Waiting = { resolve: (answer: Answer) => void; reject: (error: Error) => void; keepBody: boolean };

export class Connection {
  readonly #socket: Socket;
  #waiting: Waiting | undefined;
  /** bytes that do not make a whole head (or a whole chunk size) yet */
  #rest: Buffer | undefined;
  #head: string | undefined;
  #chunked = false;
  /** bytes of the body, or of the current chunk with its line end, that are still to come */
  #left = 0;
  #bodyBytes = 0;
  #kept: Buffer[] = [];

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** Sends a whole request (ASCII) and waits for its answer. */
  request(text: string, keepBody = false): Promise<Answer> {
    const answer = this.answer(keepBody);
    this.#socket.write(text, 'latin1');
    return answer;
  }

  /** Sends a part of a request; resolves when the socket takes more. */
  send(part: string | Buffer): Promise<void> {
    if (this.#socket.destroyed) return Promise.reject(new Error('the server closed the connection'));
    const ready = typeof part === 'string' ? this.#socket.write(part, 'latin1') : this.#socket.write(part);
    if (ready) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const closed = () => reject(new Error('the server closed the connection'));
      this.#socket.once('close', closed);
      this.#socket.once('drain', () => {
        this.#socket.off('close', closed);
        resolve();
      });
    });
  }

  /** The answer to the request that is being sent. */
  answer(keepBody = false): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject, keepBody };
      if (this.#socket.destroyed) this.#fail(new Error('the server closed the connection'));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** As far as this end knows. */
  get isOpen(): boolean {
    return !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  #take(received: Buffer): void {
    let chunk = this.#rest ? Buffer.concat([this.#rest, received]) : received;
    this.#rest = undefined;
    if (this.#head === undefined) {
      const end = chunk.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = chunk;
        return;
      }
      this.#startBody(chunk.toString('latin1', 0, end + 2));
      chunk = chunk.subarray(end + 4);
    }
    if (this.#chunked) this.#takeChunks(chunk);
    else this.#takeLength(chunk);
  }

  #startBody(head: string): void {
    this.#head = head;
    this.#bodyBytes = 0;
    this.#kept = [];
    const status = Number(head.slice(9, 12));
    const bodiless = status === 304 || status === 204;
    this.#chunked = !bodiless && /\r\ntransfer-encoding: *chunked/i.test(head);
    this.#left = bodiless || this.#chunked ? 0 : Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  }

  #takeLength(chunk: Buffer): void {
    this.#takeBody(chunk.subarray(0, this.#left));
    this.#left -= Math.min(chunk.length, this.#left);
    if (this.#left === 0) this.#finish();
  }

  #takeChunks(received: Buffer): void {
    let chunk = received;
    for (;;) {
      if (this.#left > 0) {
        const body = Math.min(chunk.length, Math.max(0, this.#left - 2)); // the last two are the line end
        this.#takeBody(chunk.subarray(0, body));
        const passed = Math.min(chunk.length, this.#left);
        this.#left -= passed;
        chunk = chunk.subarray(passed);
        if (this.#left > 0) return;
      }
      const line = chunk.indexOf('\r\n');
      if (line < 0) {
        this.#rest = chunk;
        return;
      }
      const size = Number.parseInt(chunk.toString('latin1', 0, line), 16);
      if (size === 0) {
        if (chunk.length < line + 4) this.#rest = chunk;
        else this.#finish();
        return;
      }
      this.#left = size + 2;
      chunk = chunk.subarray(line + 2);
    }
  }

  #takeBody(part: Buffer): void {
    this.#bodyBytes += part.length;
    if (this.#waiting?.keepBody && part.length > 0) this.#kept.push(part);
  }

  #finish(): void {
    const head = this.#head ?? '';
    const waiting = this.#waiting;
    this.#head = undefined;
    this.#waiting = undefined;
    const body = waiting?.keepBody ? Buffer.concat(this.#kept) : undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), head, bodyBytes: this.#bodyBytes, body });
  }
}

/** A header of an answer, or undefined. */
export function headerOf(answer: Answer, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}: *([^\\r]*)\\r`, 'i').exec(answer.head)?.[1];
}

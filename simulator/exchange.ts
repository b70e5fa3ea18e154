import type { Socket } from 'node:net';
import { setTimeout as delay, setImmediate as nextLoopTurn } from 'node:timers/promises';
import type { Answer } from './correct-answer.ts';
import type { LineLog, LogEntry } from './log.ts';

/** How an answer is sent. */
export interface Sending {
  framing: 'content-length' | 'chunked';
  connectionClose?: boolean;
  /** Sends the body evenly over this time. */
  slowMs?: number;
  /** Stops after this many bytes of the body. */
  stop?: { afterBytes: number; ending: 'reset' | 'fin' | 'hold' };
  /** Extra bytes that are sent after the answer. */
  trailing?: Buffer;
}

/** These bytes are written separately at the end, so that the end is recorded when they are handed to the kernel. */
const tailBytes = 256;

/** One request on one connection, from its first byte to the last byte of its answer. */
export class Exchange {
  readonly entry: LogEntry;
  readonly #socket: Socket;
  readonly #log: LineLog;
  readonly #closing = new AbortController();

  constructor(socket: Socket, log: LineLog, entry: LogEntry) {
    this.#socket = socket;
    this.#log = log;
    this.entry = entry;
  }

  /** Aborts when either side closes the connection. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Ends the exchange because the client has closed the connection, or it broke. */
  abandon(): void {
    if (this.closed.aborted) return;
    if (this.entry.endedAt === undefined && this.entry.outcome === 'in-flight') this.entry.outcome = 'client-closed';
    this.#log.end(this.entry);
    this.#closing.abort();
  }

  /** Waits for this time, or until the connection is closed. */
  async wait(durationMs: number): Promise<void> {
    if (durationMs > 0) await delay(durationMs, undefined, { signal: this.closed }).catch(() => undefined);
  }

  /**
   * Keeps the connection open and sends nothing more, until the client closes it, or a reset after `holdMs` (0: never).
   */
  async hold(outcome: string, holdMs: number): Promise<void> {
    this.entry.outcome = outcome;
    if (holdMs > 0) {
      await this.wait(holdMs);
      await this.reset(outcome);
    } else if (!this.closed.aborted) {
      await new Promise<void>((resolve) => this.closed.addEventListener('abort', () => resolve(), { once: true }));
    }
  }

  /** Closes with RST. */
  async reset(outcome: string): Promise<void> {
    await pollAllSockets();
    if (this.closed.aborted) return;
    this.entry.outcome = outcome;
    resetNow(this.#socket);
    this.#log.end(this.entry);
    this.#closing.abort();
  }

  /** Sends an answer. @returns whether it was sent as planned; false if the client closed the connection */
  async send(answer: Answer, sending: Sending, holdMs: number): Promise<boolean> {
    const { body, status, headers, outcome } = answer;
    const isChunked = sending.framing === 'chunked' || body.sizeBytes === undefined;
    this.entry.status = status;
    let held: Buffer = Buffer.from(
      head(status, headers, status === 304 ? 'none' : isChunked ? 'chunked' : (body.sizeBytes ?? 0), sending),
    );
    let bodyBytes = 0;
    for await (const piece of paced(body, sending.slowMs)) {
      const left = (sending.stop?.afterBytes ?? Number.POSITIVE_INFINITY) - bodyBytes;
      const part = piece.length > left ? piece.subarray(0, left) : piece;
      bodyBytes += part.length;
      if (!(await this.#write(held))) return false;
      held = isChunked ? framed(part) : part;
      if (sending.slowMs !== undefined) await this.wait((sending.slowMs * part.length) / (body.sizeBytes ?? 1e6));
      if (bodyBytes === sending.stop?.afterBytes) break;
    }
    if (sending.stop !== undefined) return this.#breakOff(held, sending.stop.ending, outcome, holdMs);
    if (isChunked && status !== 304) held = Buffer.concat([held, Buffer.from('0\r\n\r\n')]);
    if (sending.trailing !== undefined) held = Buffer.concat([held, sending.trailing]);
    return this.#writeLast(held, outcome, sending.connectionClose ?? false);
  }

  async #breakOff(held: Buffer, ending: 'reset' | 'fin' | 'hold', outcome: string, holdMs: number): Promise<boolean> {
    if (!(await this.#write(held))) return false;
    if (ending === 'hold') await this.hold(outcome, holdMs);
    else if (ending === 'reset') await this.reset(outcome);
    else await this.#fin(outcome);
    return true;
  }

  async #writeLast(bytes: Buffer, outcome: string, connectionClose: boolean): Promise<boolean> {
    const at = Math.max(0, bytes.length - tailBytes);
    if (at > 0 && !(await this.#write(bytes.subarray(0, at)))) return false;
    await pollAllSockets();
    if (this.closed.aborted) return false;
    const tail = bytes.subarray(at);
    this.#log.markEnding(this.entry);
    const isSent = await new Promise<boolean>((resolve) => {
      this.#socket.write(tail, (error) => {
        if (!error && this.entry.endedAt === undefined) {
          this.entry.bytesSent += tail.length;
          this.entry.outcome = outcome;
          this.entry.isWhole = true;
          this.#log.end(this.entry);
        }
        resolve(!error);
      });
    });
    if (isSent && connectionClose) this.#socket.end();
    return isSent;
  }

  async #fin(outcome: string): Promise<void> {
    await pollAllSockets();
    if (this.closed.aborted) return;
    this.entry.outcome = outcome;
    await new Promise<void>((resolve) => {
      this.#socket.end(() => {
        this.#log.end(this.entry); // in the same turn of the event loop as the FIN, before the client can react
        resolve();
      });
    });
  }

  async #write(bytes: Buffer): Promise<boolean> {
    if (this.closed.aborted || this.#socket.destroyed) return false;
    return await new Promise((resolve) => {
      this.#socket.write(bytes, (error) => {
        if (!error) this.entry.bytesSent += bytes.length;
        resolve(!error && !this.closed.aborted);
      });
    });
  }
}

/** Sends only RST. `resetAndDestroy` would first send the buffered data and a FIN. */
export function resetNow(socket: Socket): void {
  Object.assign(socket, { resetAndClosing: true });
  socket.destroy();
}

/**
 * Lets the event loop poll every socket again. So bytes that another connection sent before now are recorded before
 * an answer ends. Otherwise, a busy event loop would hide an overlap.
 */
export async function pollAllSockets(): Promise<void> {
  await nextLoopTurn();
  await nextLoopTurn();
}

const reasons: Record<number, string> = {
  200: 'OK',
  206: 'Partial Content',
  304: 'Not Modified',
  404: 'Not Found',
  410: 'Gone',
};

function head(
  status: number,
  headers: Record<string, string>,
  length: number | 'chunked' | 'none',
  { connectionClose }: Sending,
): string {
  const lines = [`HTTP/1.1 ${status} ${reasons[status] ?? 'Status'}`, `Date: ${new Date().toUTCString()}`];
  for (const [name, value] of Object.entries(headers)) if (value !== '') lines.push(`${name}: ${value}`);
  if (length === 'chunked') lines.push('Transfer-Encoding: chunked');
  else if (length !== 'none') lines.push(`Content-Length: ${length}`);
  if (connectionClose) lines.push('Connection: close');
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const framed = (bytes: Buffer): Buffer =>
  bytes.length === 0
    ? bytes
    : Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

const pieceBytes = 64 * 1024;

/** Yields the body in pieces of at most 64 KiB. A slow body has at least ten pieces. */
async function* paced(body: Answer['body'], slowMs: number | undefined): AsyncGenerator<Buffer> {
  const tenth = slowMs === undefined ? pieceBytes : Math.max(1, Math.ceil((body.sizeBytes ?? pieceBytes * 10) / 10));
  const size = Math.min(pieceBytes, tenth);
  for await (const chunk of body.chunks()) {
    for (let at = 0; at < chunk.length; at += size) yield chunk.subarray(at, at + size);
  }
}

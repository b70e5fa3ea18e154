import { Readable } from 'node:stream';
import { type Dispatcher, errors } from 'undici';
import { type Clock, systemClock } from '../../core/clock.ts';
import type { LineFault } from '../../core/domain/line.ts';
import { type OpenConnection, openInsurerConnection } from './insurer-connection.ts';
import { type LineContext, LineError, LineWithheld } from './line-error.ts';
import type { SendPermit } from './send-permit.ts';

export interface ExchangeOptions {
  /** scheme, host and port of the insurer */
  readonly origin: string;
  readonly permit: Pick<SendPermit, 'maySend' | 'begin' | 'leaseNumber'>;
  /** no byte for so long, ms, and the exchange has failed (LINE_STALL_MS) */
  readonly stallMs: number;
  readonly clock?: Clock;
  readonly openConnection?: OpenConnection;
}

export interface ExchangeRequest {
  readonly operation: LineContext['operation'];
  /** path and query, percent-encoded. Holds a KVNR: goes nowhere but to the insurer */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** An answer whose headers are here and whose body is coming. */
export interface ExchangeAnswer {
  readonly status: number;
  /** names in lower case; a header that came twice is joined with `, ` */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The body as it comes, not decoded, with backpressure: while nobody reads, nothing is taken from the insurer. Ends
   * only when the answer is whole as HTTP frames it; fails with LineError otherwise.
   */
  readonly body: Readable;
  /** orders all requests over this line: `{leaseNumber, 15 digits}-{number within the process, 9 digits}`, as of the sending */
  readonly order: string;
}

export interface Exchange {
  /**
   * One request and its answer. Settles only when the socket is idle and clean, or closed; a body that `read` leaves
   * unread is cut. Not to be called while another one is under way: `queue` sees to that.
   * @param read takes the answer in; what it returns or throws is what the exchange returns or throws
   * @throws LineError when the line fails; LineWithheld when the right to send was not there, or ended; the signal's
   *   reason when that aborts
   */
  perform<T>(request: ExchangeRequest, read: (answer: ExchangeAnswer) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Closes the socket, also an idle one. */
  close(): Promise<void>;
}

/** A connection that is not there after so long will not come; a stall deadline shorter than it goes for it too. */
const connectMsMax = 10_000;
/** The stall clock looks so often within stallMs: a frozen process counts one look only, not the time it was frozen. */
const looksPerStall = 20;
/** So much of a body waits in memory for its reader. */
const bodyBufferBytes = 256 * 1024;

/**
 * The one way to the insurer: HTTP/1.1 over one connection, no pipelining, no redirect, no retry (docs/explanation/the-line.md, "The exchange").
 * undici frames and parses; what it must not decide is decided here: when a request may be written, when an answer has
 * stalled, and when the socket is free again.
 */
export function openExchange({
  origin,
  permit,
  stallMs,
  clock = systemClock,
  openConnection = openInsurerConnection,
}: ExchangeOptions): Exchange {
  let sent = 0;
  const connection = openConnection(origin, Math.min(connectMsMax, stallMs));

  /** Resolves when no socket is open. */
  async function closeSocket(reason?: Error): Promise<void> {
    const open = connection.socket;
    if (open === undefined || open.closed) return;
    const closed = new Promise<void>((resolve) => open.once('close', () => resolve()));
    if (!open.destroyed) open.destroy(reason);
    await closed;
  }

  async function perform<T>(
    request: ExchangeRequest,
    read: (answer: ExchangeAnswer) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    signal.throwIfAborted();
    const { operation } = request;
    /** why we ended it ourselves: goes before whatever undici makes of the closed socket */
    let abortReason: unknown;
    let whole = false;
    let madeNoSense = false;
    let end: ((how: { wasAborted: boolean }) => void) | undefined;
    let endStallClock = (): void => {};

    async function abort(reason: unknown): Promise<void> {
      abortReason ??= reason;
      await closeSocket(new Error('cut')); // a plain error: undici takes up a request again after some of its own
    }
    const onAbort = (): void => void abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });

    let body: Readable | undefined;
    const answered = new Promise<ExchangeAnswer>((resolve, reject) => {
      let order = '';
      const failed = (error: Error): void => {
        const reason =
          abortReason ?? asLineError(error, operation, { sent: end !== undefined, answering: body !== undefined });
        madeNoSense = reason instanceof LineError && reason.fault === 'contract';
        reject(reason); // without effect once answered
        body?.destroy(reason instanceof Error ? reason : new Error('aborted', { cause: reason }));
      };
      const handler: Dispatcher.DispatchHandler = {
        // Called right before the request is written, in the same tick, on a new socket and on an idle one.
        onRequestStart(controller) {
          if (end !== undefined) abortReason ??= new LineError('reset', { operation }); // never a second time
          if (!permit.maySend()) abortReason ??= new LineWithheld(false);
          if (signal.aborted) abortReason ??= signal.reason;
          if (abortReason !== undefined) return controller.abort(new Error('not sent'));
          end = permit.begin(() => abort(new LineWithheld(true)));
          if (abortReason !== undefined) return controller.abort(new Error('cut')); // begin has looked at the clock again
          order = `${String(permit.leaseNumber).padStart(15, '0')}-${String(++sent).padStart(9, '0')}`;
          endStallClock = startStallClock();
        },
        onResponseStart(controller, status, headers) {
          if (status < 200) return;
          body = new Readable({ highWaterMark: bodyBufferBytes, read: () => controller.resume() });
          body.on('error', () => {}); // told through `answered` or to whoever reads
          resolve({ status, headers: plainHeaders(headers), body, order });
        },
        onResponseData(controller, chunk) {
          if (body !== undefined && !body.push(chunk)) controller.pause();
        },
        onResponseEnd() {
          whole = true;
          body?.push(null);
        },
        onResponseError: (_controller, error) => failed(error),
      };
      connection.dispatch({ path: request.path, method: 'GET', headers: { ...request.headers } }, handler);
    });

    /** Counts looks at which no byte had come while we were ready to take one. */
    function startStallClock(): () => void {
      let seen = connection.socket?.bytesRead ?? 0;
      let silentLooks = 0;
      return clock.every(stallMs / looksPerStall, () => {
        const bytesRead = connection.socket?.bytesRead ?? 0;
        if (whole) return;
        const heldByUs = body !== undefined && body.readableLength >= bodyBufferBytes;
        silentLooks = bytesRead !== seen || heldByUs ? 0 : silentLooks + 1;
        seen = bytesRead;
        if (silentLooks > looksPerStall) void abort(new LineError('stalled', { operation }));
      });
    }

    try {
      return await read(await answered);
    } catch (error) {
      throw error instanceof LineError ? error : (abortReason ?? error);
    } finally {
      signal.removeEventListener('abort', onAbort);
      endStallClock();
      const { socket } = connection;
      // The insurer knows of the closes that it made; of ours it learns by and by (LINE_MIN_GAP_MS).
      const wasAborted = !whole && (abortReason !== undefined || madeNoSense || socket?.destroyed === false);
      if (!whole || socket?.destroyed) await closeSocket(new Error('not read on'));
      end?.({ wasAborted });
    }
  }

  return {
    perform,
    async close() {
      await connection.destroy();
      await closeSocket();
    },
  };
}

/**
 * What undici and the socket say, in our words. Before the request was written: refused. Headers or chunks that are no
 * HTTP: contract. A body that ends too early: cut-short. All else that closes the socket: reset.
 */
function asLineError(
  error: Error,
  operation: LineContext['operation'],
  { sent, answering }: { sent: boolean; answering: boolean },
): Error {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  if (code === 'UND_ERR_DESTROYED') return error; // closed by us for good
  const fault = (): LineFault => {
    if (!sent) return 'refused';
    if (code === 'UND_ERR_HEADERS_OVERFLOW') return 'contract';
    if (error instanceof errors.HTTPParserError && 'data' in error && error.data) return 'contract'; // without bytes that do not fit: an early end
    if (answering && code !== 'ECONNRESET') return 'cut-short';
    return 'reset';
  };
  return new LineError(fault(), { operation, problem: code }); // no cause: undici's quotes what the insurer sent
}

const plainHeaders = (headers: Record<string, string | string[] | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );

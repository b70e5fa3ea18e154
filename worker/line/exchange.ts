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
  readonly permit: Pick<SendPermit, 'isOpen' | 'maySend' | 'begin' | 'guard' | 'leaseNumber'>;
  /** time in ms without a byte after which the exchange fails (LINE_STALL_MS) */
  readonly stallMs: number;
  readonly clock?: Clock;
  readonly openConnection?: OpenConnection;
}

export interface ExchangeRequest {
  readonly operation: LineContext['operation'];
  /** path and query, percent-encoded. Contains a KVNR, so it must not go anywhere but to the insurer. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** GET by default. A POST must be a question, too: each request may be repeated */
  readonly method?: 'GET' | 'POST';
  readonly body?: string;
}

/** An answer whose headers have arrived; its body may still be arriving. */
export interface ExchangeAnswer {
  readonly status: number;
  /** names in lower case; repeated headers are joined with `, ` */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The body as it arrives, not decoded, with backpressure: without a reader, nothing is read from the socket. Ends only if
   * the answer is complete by HTTP framing; fails with LineError otherwise. A body that declares no end is complete if the
   * connection was closed in order: its reader must see by itself whether anything is missing.
   */
  readonly body: Readable;
  /** orders all requests on this line by the time of sending: `{leaseNumber, 15 digits}-{number within the process, 9 digits}` */
  readonly fetchOrder: string;
}

export interface Exchange {
  /**
   * Performs one request and its answer. Settles only once the socket is idle and clean, or closed. If `read` does not read
   * the whole body, the socket is closed. Must not be called while another exchange is in flight; the queue ensures that.
   * @param read reads the answer; its result or error becomes the result or error of the exchange
   * @throws LineError if the line fails; LineWithheld if the permit was missing or has ended; the signal's reason when the
   *   signal aborts
   */
  perform<T>(request: ExchangeRequest, read: (answer: ExchangeAnswer) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Closes the socket, also an idle one. */
  close(): Promise<void>;
}

/** Time limit for connecting, in ms; `stallMs`, if that is shorter. */
const connectMsMax = 10_000;
/** Checks of the stall clock within stallMs. After a freeze, the process counts one check, not the time of the freeze. */
const checksPerStall = 20;
/** Maximum part of a body that waits in memory for its reader. */
const bodyBufferBytes = 256 * 1024;

/**
 * Opens the only way to the insurer: HTTP/1.1 over one connection, without pipelining, redirects or retries
 * (docs/explanation/the-line.md, "The exchange"). undici frames and parses. This file decides when a request may be written,
 * when an answer has stalled, and when the socket is free again.
 */
export function openExchange({
  origin,
  permit,
  stallMs,
  clock = systemClock,
  openConnection = openInsurerConnection,
}: ExchangeOptions): Exchange {
  let sentCount = 0;
  const connection = openConnection(origin, Math.min(connectMsMax, stallMs), () => permit.isOpen());

  /** Closes the socket. Resolves once none is open. */
  async function closeSocket(reason?: Error): Promise<void> {
    const open = connection.socket;
    if (open === undefined || open.closed) return;
    const closed = new Promise<void>((resolve) => open.once('close', () => resolve()));
    if (!open.destroyed) open.destroy(reason);
    await closed;
  }

  permit.guard({
    get isClosed() {
      return connection.socket === undefined || connection.socket.closed;
    },
    close: () => closeSocket(new LineWithheld(false)), // a request that waits for the connection queues again
  });

  async function perform<T>(
    request: ExchangeRequest,
    read: (answer: ExchangeAnswer) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    signal.throwIfAborted();
    const { operation } = request;
    /** why we closed the socket; takes precedence over the error that undici derives from the close */
    let abortReason: unknown;
    let isComplete = false;
    let isInvalidHttp = false;
    let endsWithConnection = false;
    /** ends the exchange in the permit; undefined until the request is written */
    let endExchange: ((how: { wasAborted: boolean }) => void) | undefined;
    let stopStallClock = (): void => {};

    async function abort(reason: unknown): Promise<void> {
      abortReason ??= reason;
      await closeSocket(new Error('aborted by us')); // a plain error: after some errors of its own, undici repeats the request
    }
    const onAbort = (): void => void abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });

    let body: Readable | undefined;
    const answerStarted = new Promise<ExchangeAnswer>((resolve, reject) => {
      let fetchOrder = '';
      const fail = (error: Error): void => {
        const reason =
          abortReason ??
          asLineError(error, operation, { wasSent: endExchange !== undefined, isAnswering: body !== undefined });
        isInvalidHttp = reason instanceof LineError && reason.fault === 'contract';
        reject(reason); // no effect after the headers
        body?.destroy(reason instanceof Error ? reason : new Error('aborted', { cause: reason }));
      };
      const handler: Dispatcher.DispatchHandler = {
        // undici calls this in the tick in which it writes the request, on a new socket and on an idle one.
        onRequestStart(controller) {
          if (endExchange !== undefined) abortReason ??= new LineError('reset', { operation }); // undici must not write the request twice
          if (!permit.maySend()) abortReason ??= new LineWithheld(false);
          if (signal.aborted) abortReason ??= signal.reason;
          if (abortReason !== undefined) return controller.abort(new Error('not sent'));
          endExchange = permit.begin(() => abort(new LineWithheld(true)));
          if (abortReason !== undefined) return controller.abort(new Error('aborted by us')); // begin has checked the clock again
          fetchOrder = `${String(permit.leaseNumber).padStart(15, '0')}-${String(++sentCount).padStart(9, '0')}`;
          stopStallClock = startStallClock();
        },
        onResponseStart(controller, status, headers) {
          if (status < 200) return;
          endsWithConnection = !hasDeclaredEnd(plainHeaders(headers));
          body = new Readable({ highWaterMark: bodyBufferBytes, read: () => controller.resume() });
          body.on('error', () => {}); // the error reaches `answerStarted` or the reader
          resolve({ status, headers: plainHeaders(headers), body, fetchOrder });
        },
        onResponseData(controller, chunk) {
          if (body !== undefined && !body.push(chunk)) controller.pause();
        },
        onResponseEnd() {
          // undici takes a reset for the end of a body that declares none
          if (endsWithConnection && connection.socket?.errored) {
            body?.destroy(new LineError('reset', { operation, problem: 'no end declared' }));
            return;
          }
          isComplete = true;
          body?.push(null);
        },
        onResponseError: (_controller, error) => fail(error),
      };
      const { path, method = 'GET', body: sentBody = null } = request;
      connection.dispatch({ path, method, headers: { ...request.headers }, body: sentBody }, handler);
    });

    /** Counts checks without a new byte while we were ready to read one. */
    function startStallClock(): () => void {
      let seenBytes = connection.socket?.bytesRead ?? 0;
      let silentChecks = 0;
      return clock.every(stallMs / checksPerStall, () => {
        const bytesRead = connection.socket?.bytesRead ?? 0;
        if (isComplete) return;
        const isBufferFull = body !== undefined && body.readableLength >= bodyBufferBytes;
        silentChecks = bytesRead !== seenBytes || isBufferFull ? 0 : silentChecks + 1;
        seenBytes = bytesRead;
        if (silentChecks > checksPerStall) void abort(new LineError('stalled', { operation }));
      });
    }

    try {
      return await read(await answerStarted);
    } catch (error) {
      throw error instanceof LineError ? error : (abortReason ?? error);
    } finally {
      signal.removeEventListener('abort', onAbort);
      stopStallClock();
      const { socket } = connection;
      // The insurer knows the closes that it made. It needs time to see ours (LINE_MIN_GAP_MS).
      const wasAborted = !isComplete && (abortReason !== undefined || isInvalidHttp || socket?.destroyed === false);
      if (!isComplete || socket?.destroyed) await closeSocket(new Error('body not read to its end'));
      endExchange?.({ wasAborted });
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
 * Maps an error of undici or the socket to a fault kind. It is `refused` before the request was written, and `contract` for
 * headers or chunks that are not HTTP. It is `cut-short` for a body that ends too early, and `reset` for any other close.
 */
function asLineError(
  error: Error,
  operation: LineContext['operation'],
  { wasSent, isAnswering }: { wasSent: boolean; isAnswering: boolean },
): Error {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  if (code === 'UND_ERR_DESTROYED') return error; // we have closed the client
  if (error instanceof LineWithheld) return error; // we have closed its socket, or not opened one
  const fault = (): LineFault => {
    if (!wasSent) return 'refused';
    if (code === 'UND_ERR_HEADERS_OVERFLOW') return 'contract';
    if (error instanceof errors.HTTPParserError && 'data' in error && error.data) return 'contract'; // without data, the parser reports an early end
    if (isAnswering && code !== 'ECONNRESET') return 'cut-short';
    return 'reset';
  };
  return new LineError(fault(), { operation, problem: code }); // no cause: undici's error quotes bytes of the insurer
}

/** Returns whether the headers declare the end of a body. Otherwise it ends with the connection (RFC 9112, 6.3). */
const hasDeclaredEnd = (headers: ExchangeAnswer['headers']): boolean =>
  headers['content-length'] !== undefined || /\bchunked\b/i.test(headers['transfer-encoding'] ?? '');

const plainHeaders = (headers: Record<string, string | string[] | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );

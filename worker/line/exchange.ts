import { Readable } from 'node:stream';
import { type Clock, systemClock } from '../../core/clock.ts';
import type { LineFault } from '../../core/domain/line.ts';
import { ConnectionFailure, connectionsVia, type OpenConnection } from './insurer-connection.ts';
import { type LineContext, LineError, LineWithheld } from './line-error.ts';
import type { ConnectError } from './open-socket.ts';
import type { SendPermit } from './send-permit.ts';

export interface ExchangeOptions {
  /** scheme, host and port of the insurer */
  readonly origin: string;
  readonly permit: Pick<SendPermit, 'isOpen' | 'maySend' | 'begin' | 'guard' | 'leaseNumber'>;
  /** time in ms without a byte after which the exchange fails (LINE_STALL_MS) */
  readonly stallMs: number;
  /** Called for each part of a body that arrives. */
  readonly onReceived?: (bytes: number) => void;
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
  /** time in ms until the first byte of the answer, if it may be longer than stallMs (LIST_FIRST_BYTE_MS) */
  readonly firstByteMs?: number;
  /** whether this request may be written in this tick, in addition to the permit; by default it may */
  readonly mayWrite?: () => boolean;
  /** called when the request is written */
  readonly onSent?: () => void;
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
  /** Returns how many bytes of the body have arrived so far. */
  readonly receivedBytes: () => number;
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
/** Maximum number of first-byte limits until the final status: interim answers start the limit again. */
const firstByteLimitsMax = 6;
/** Maximum part of a body that waits in memory for its reader. */
const bodyBufferBytes = 256 * 1024;

/**
 * Opens the only way to the insurer: HTTP/1.1 over one connection, without pipelining, redirects or retries
 * (docs/explanation/the-line.md, "The exchange"). The connection frames and parses. This file decides when a request may be
 * written, when an answer has stalled, and when the socket is free again.
 */
export function openExchange({
  origin,
  permit,
  stallMs,
  onReceived,
  clock = systemClock,
  openConnection = connectionsVia({}),
}: ExchangeOptions): Exchange {
  let sentCount = 0;
  let isClosed = false;
  const connection = openConnection(origin, Math.min(connectMsMax, stallMs), () => !isClosed && permit.isOpen());

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
    if (connection.socket?.destroyed) await closeSocket(); // an idle one that is closing
    signal.throwIfAborted();
    const { operation } = request;
    /** why we closed the socket; takes precedence over the failure that follows from the close */
    let abortReason: unknown;
    let isComplete = false;
    let isInvalidHttp = false;
    const isReused = connection.socket?.destroyed === false;
    /**
     * Whether the insurer has closed the reused connection without an answer. Its close may have crossed our request, so that it
     * sees the request after its close, and the next one must leave it time. On a new connection it closes after the request: it
     * has seen that one, and there is nothing to wait for.
     */
    let wasMissed = false;
    let body: Readable | undefined;
    let receivedBytes = 0;
    /** whether, at the last check, only interim answers had come */
    let isFirstByteDue = true;
    /** whether an interim answer came since the last check */
    let wasInterim = false;
    /** ends the exchange in the permit; undefined until the request is written */
    let endExchange: ((how: { needsRest: boolean }) => void) | undefined;
    let stopStallClock = (): void => {};

    const destroyBody = (reason: unknown): void =>
      void body?.destroy(reason instanceof Error ? reason : new Error('aborted', { cause: reason }));
    async function abort(reason: unknown): Promise<void> {
      abortReason ??= reason;
      if (!isComplete) destroyBody(abortReason);
      await closeSocket(new LineWithheld(true));
    }
    const onAbort = (): void => void abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });

    const answerStarted = new Promise<ExchangeAnswer>((resolve, reject) => {
      let fetchOrder = '';
      connection.send(request, {
        mayWrite() {
          if (!permit.maySend() || request.mayWrite?.() === false) abortReason ??= new LineWithheld(false);
          if (signal.aborted) abortReason ??= signal.reason;
          if (abortReason !== undefined) return false;
          endExchange = permit.begin(() => abort(new LineWithheld(true)));
          if (abortReason !== undefined) return false; // begin has checked the clock again
          fetchOrder = `${String(permit.leaseNumber).padStart(15, '0')}-${String(++sentCount).padStart(9, '0')}`;
          stopStallClock = startStallClock();
          request.onSent?.();
          return true;
        },
        onInterim() {
          wasInterim = true;
        },
        onHeaders(status, headers, resume) {
          body = new Readable({ highWaterMark: bodyBufferBytes, read: resume });
          body.on('error', () => {}); // the error reaches `answerStarted` or the reader
          resolve({ status, headers, body, receivedBytes: () => receivedBytes, fetchOrder });
        },
        onData(chunk) {
          receivedBytes += chunk.length;
          onReceived?.(chunk.length);
          return body?.push(chunk) ?? true;
        },
        onEnd() {
          isComplete = true;
          body?.push(null);
        },
        onFailure(error) {
          const isAnswering = body !== undefined;
          const reason =
            abortReason ?? asLineError(error, operation, { wasSent: endExchange !== undefined, isAnswering });
          isInvalidHttp = reason instanceof LineError && reason.fault === 'contract';
          wasMissed = isReused && !isAnswering && error instanceof ConnectionFailure && error.kind === 'closed';
          reject(reason); // no effect after the headers
          destroyBody(reason);
        },
      });
    });

    /** Counts checks without a new byte while we were ready to read one. */
    function startStallClock(): () => void {
      const checkMs = stallMs / checksPerStall;
      const firstByteChecks = Math.ceil((request.firstByteMs ?? stallMs) / checkMs);
      let seenBytes = connection.socket?.bytesRead ?? 0;
      let silentChecks = 0;
      let checksWithoutStatus = 0;
      return clock.every(checkMs, () => {
        const bytesRead = connection.socket?.bytesRead ?? 0;
        if (isComplete) return;
        if (body === undefined && ++checksWithoutStatus > firstByteLimitsMax * firstByteChecks)
          return void abort(new LineError('stalled', { operation, problem: 'no final status' }));
        const isBufferFull = body !== undefined && body.readableLength >= bodyBufferBytes;
        if (bytesRead !== seenBytes || isBufferFull) {
          silentChecks = 0;
          isFirstByteDue = wasInterim && body === undefined;
          wasInterim = false;
        } else silentChecks += 1;
        seenBytes = bytesRead;
        if (silentChecks > (isFirstByteDue ? firstByteChecks : checksPerStall))
          void abort(new LineError('stalled', { operation }));
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
      // The insurer needs time to see our closes, and to finish its own (LINE_MIN_GAP_MS).
      const isOurs = abortReason !== undefined || isInvalidHttp || socket?.destroyed === false;
      const needsRest = !isComplete && (isOurs || wasMissed);
      if (!isComplete || socket?.destroyed) await closeSocket();
      endExchange?.({ needsRest });
    }
  }

  return {
    perform,
    async close() {
      isClosed = true;
      await closeSocket(new LineWithheld(false));
    },
  };
}

/**
 * Maps a failure to a fault kind. It is `refused` before the request was written, and `contract` for an answer that is not
 * HTTP. It is `cut-short` for a body that ends too early, and `reset` for any other close.
 */
function asLineError(
  error: ConnectError | ConnectionFailure | LineWithheld,
  operation: LineContext['operation'],
  { wasSent, isAnswering }: { wasSent: boolean; isAnswering: boolean },
): LineError | LineWithheld {
  if (error instanceof LineWithheld) return new LineWithheld(wasSent); // we have closed its socket, or not opened one
  const fault = (): LineFault => {
    if (!wasSent || !(error instanceof ConnectionFailure)) return 'refused';
    if (error.kind === 'not-http') return 'contract';
    return isAnswering && error.kind === 'closed' ? 'cut-short' : 'reset';
  };
  return new LineError(fault(), { operation, problem: error.problem });
}

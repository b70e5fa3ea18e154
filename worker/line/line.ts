import { type Clock, sleep, systemClock } from '../../core/clock.ts';
import type { Priority } from '../../core/domain/line.ts';
import { type ExchangeAnswer, type ExchangeRequest, openExchange } from './exchange.ts';
import type { OpenConnection } from './insurer-connection.ts';
import { LineError, LineWithheld } from './line-error.ts';
import { createLineStatistics, type LineStatistics } from './line-statistics.ts';
import { createLineQueue } from './queue.ts';
import { neverQuiet, type QuietTime } from './quiet-time.ts';
import type { SendPermit } from './send-permit.ts';

export interface LineOptions {
  /** scheme, host and port of the insurer */
  readonly origin: string;
  readonly permit: Pick<SendPermit, 'isOpen' | 'maySend' | 'whenMaySend' | 'leaseNumber' | 'begin' | 'guard'>;
  /** LINE_STALL_MS */
  readonly stallMs: number;
  /** counts every request */
  readonly statistics?: LineStatistics;
  /** quiet hours, in which some requests wait; by default none */
  readonly quietTime?: QuietTime;
  readonly clock?: Clock;
  readonly openConnection?: OpenConnection;
}

/** Sends one request at a time, in the order of priority (docs/explanation/the-line.md, "The queue"). */
export interface Line {
  /**
   * Waits in the queue, then performs one request and its answer. If the send permit ends before the request is written, the
   * request queues again.
   * @param read reads the answer; its result or error becomes the result or error of this call
   * @param signal cancels the wait or the request. The call then rejects with the signal's reason, but only once the socket
   *   is closed, because the insurer would otherwise see two requests at the same time
   * @throws LineError if the line fails; LineWithheld if we aborted the request
   */
  perform<T>(
    priority: Priority,
    request: ExchangeRequest,
    read: (answer: ExchangeAnswer) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;
  /** Rejects all calls that wait in the queue, now and later. A request in flight continues. */
  stop(): void;
  /** Stops, and closes the connection. */
  close(): Promise<void>;
}

/** Number of consecutive refused connections without a backoff. From the fourth on, it is 100 ms, doubled up to 2 s. */
const refusedWithoutBackoff = 3;
const firstBackoffMs = 100;
const backoffMaxMs = 2_000;

export function openLine({
  origin,
  permit,
  stallMs,
  statistics = createLineStatistics(),
  quietTime = neverQuiet,
  clock = systemClock,
  openConnection,
}: LineOptions): Line {
  const exchange = openExchange({
    origin,
    permit: statistics.wrap(permit),
    stallMs,
    onReceived: (bytes) => statistics.received(bytes),
    clock,
    ...(openConnection && { openConnection }),
  });
  const stopping = new AbortController();
  let refusedInARow = 0;
  const queue = createLineQueue(
    async () => {
      if (refusedInARow > refusedWithoutBackoff) {
        const backoffMs = Math.min(backoffMaxMs, firstBackoffMs * 2 ** (refusedInARow - refusedWithoutBackoff - 1));
        await sleep(clock, backoffMs, stopping.signal);
      }
      await permit.whenMaySend(stopping.signal);
    },
    clock,
    quietTime,
    stopping.signal,
  );
  const stop = (): void => stopping.abort(new Error('the line stops in this process'));

  return {
    async perform(priority, request, read, signal) {
      for (;;) {
        try {
          const mayWrite = (): boolean => quietTime(priority) === 0; // they may have begun since its turn
          const result = await queue.run(priority, signal, () =>
            exchange.perform({ ...request, mayWrite }, read, signal),
          );
          refusedInARow = 0;
          return result;
        } catch (error) {
          if (error instanceof LineWithheld && !error.wasSent) continue;
          refusedInARow = error instanceof LineError && error.fault === 'refused' ? refusedInARow + 1 : 0;
          throw error;
        }
      }
    },
    stop,
    async close() {
      stop();
      await exchange.close();
    },
  };
}

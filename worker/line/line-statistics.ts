import { systemClock } from '../../core/clock.ts';
import { type LineFault, type LineUse, zeroLineUse } from '../../core/domain/line.ts';
import type { SendPermit } from './send-permit.ts';

/** What happened on the line since the last measurement. */
export interface LineMeasurement extends LineUse {
  /** of all bodies, as they were sent */
  readonly receivedBytes: number;
  /** time with a request in flight */
  readonly busyMs: number;
  readonly elapsedMs: number;
  /** time since the last successful request, or since the start */
  readonly sinceSuccessMs: number;
}

/** Counts the requests on the line, for the metrics. */
export interface LineStatistics {
  /** Returns the same permit, which counts and times each request that begins with it. */
  wrap(permit: RequestPermit): RequestPermit;
  received(bytes: number): void;
  succeeded(): void;
  failed(fault: LineFault): void;
  /** Returns the counts and resets them. */
  take(): LineMeasurement;
}
type RequestPermit = Pick<SendPermit, 'isOpen' | 'maySend' | 'begin' | 'guard' | 'leaseNumber'>;

/** Creates the statistics of one line process. @param nowMs a monotonic clock */
export function createLineStatistics(nowMs: () => number = systemClock.monotonicMs): LineStatistics {
  let takenAtMs = nowMs();
  let succeededAtMs = takenAtMs;
  let busySinceMs: number | undefined;
  let busyMs = 0;
  let use: LineUse = zeroLineUse;
  let receivedBytes = 0;

  const countBusy = (): void => {
    const now = nowMs();
    if (busySinceMs === undefined) return;
    busyMs += now - busySinceMs;
    busySinceMs = now;
  };

  return {
    wrap: (permit) => ({
      isOpen: () => permit.isOpen(),
      maySend: () => permit.maySend(),
      guard: (socket) => permit.guard(socket),
      get leaseNumber() {
        return permit.leaseNumber;
      },
      begin(abort) {
        const end = permit.begin(abort);
        use = { ...use, requests: use.requests + 1 };
        busySinceMs = nowMs();
        return (how) => {
          countBusy();
          busySinceMs = undefined;
          end(how);
        };
      },
    }),
    received(bytes) {
      receivedBytes += bytes;
    },
    succeeded() {
      succeededAtMs = nowMs();
    },
    failed(fault) {
      const requests = use.requests + (fault === 'refused' ? 1 : 0); // without a connection, the request did not begin
      use = { requests, faults: { ...use.faults, [fault]: (use.faults[fault] ?? 0) + 1 } };
    },
    take() {
      countBusy();
      const now = nowMs();
      const measured = {
        ...use,
        receivedBytes,
        busyMs,
        elapsedMs: now - takenAtMs,
        sinceSuccessMs: now - succeededAtMs,
      };
      use = zeroLineUse;
      receivedBytes = 0;
      busyMs = 0;
      takenAtMs = now;
      return measured;
    },
  };
}

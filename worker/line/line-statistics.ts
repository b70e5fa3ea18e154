import { systemClock } from '../../core/clock.ts';
import { type LineFault, type LineUse, zeroLineUse } from '../../core/domain/line.ts';
import type { SendPermit } from './send-permit.ts';

/** What became of the line since it was measured last. */
export interface LineMeasurement extends LineUse {
  /** how long a request was under way */
  readonly busyMs: number;
  readonly elapsedMs: number;
  /** since a request went well, or since the measuring began */
  readonly sinceSuccessMs: number;
}

/** Counts what goes over the line, for the metrics. */
export interface LineStatistics {
  /** The same right, with each request that begins under it counted and timed. */
  watch(permit: RequestPermit): RequestPermit;
  succeeded(): void;
  failed(fault: LineFault): void;
  /** Answers what has been counted, and begins anew. */
  take(): LineMeasurement;
}
type RequestPermit = Pick<SendPermit, 'maySend' | 'begin' | 'leaseNumber'>;

/** @param nowMs a monotonic clock */
export function createLineStatistics(nowMs: () => number = systemClock.monotonicMs): LineStatistics {
  let takenAtMs = nowMs();
  let succeededAtMs = takenAtMs;
  let busySinceMs: number | undefined;
  let busyMs = 0;
  let use: LineUse = zeroLineUse;

  const countBusy = (): void => {
    const now = nowMs();
    if (busySinceMs === undefined) return;
    busyMs += now - busySinceMs;
    busySinceMs = now;
  };

  return {
    watch: (permit) => ({
      maySend: () => permit.maySend(),
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
    succeeded() {
      succeededAtMs = nowMs();
    },
    failed(fault) {
      const requests = use.requests + (fault === 'refused' ? 1 : 0); // there was no connection on which it could begin
      use = { requests, faults: { ...use.faults, [fault]: (use.faults[fault] ?? 0) + 1 } };
    },
    take() {
      countBusy();
      const now = nowMs();
      const measured = { ...use, busyMs, elapsedMs: now - takenAtMs, sinceSuccessMs: now - succeededAtMs };
      use = zeroLineUse;
      busyMs = 0;
      takenAtMs = now;
      return measured;
    },
  };
}

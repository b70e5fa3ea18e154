import type { SendPermit } from './send-permit.ts';

/** Spaces requests out when the line fails in another way than usual (ADR 0051). */
export interface Backoff {
  /** Returns how long to wait after an answer that asks for patience and names no time, in ms: 1 s, doubled up to a minute. */
  nextBusyMs(): number;
  /** Records that the insurer has answered with what was asked for. */
  succeeded(): void;
  /**
   * Records a failed request. After failuresOfOutage of them in a row, starts a cooldown of the line: 1 s, doubled up to a minute.
   * @param provesNothing it says nothing about the line, so it does not begin an outage
   */
  failed(provesNothing: boolean): void;
}

/** Number of failures in a row that begin an outage. When 80 % of the requests fail, they come once in 7 500 requests. */
const failuresOfOutage = 40;
const firstMs = 1_000;
const longestMs = 60_000;

export function createBackoff(permit: Pick<SendPermit, 'startCooldown'>): Backoff {
  let failures = 0;
  let busyAnswers = 0;
  return {
    nextBusyMs: () => waitMs(busyAnswers++),
    succeeded() {
      failures = 0;
      busyAnswers = 0;
    },
    failed(provesNothing) {
      if (provesNothing && failures < failuresOfOutage) return;
      failures += 1;
      if (failures < failuresOfOutage) return;
      // This process waits from now on. A later holder knows of it once the gate has it, and otherwise counts again.
      permit.startCooldown(waitMs(failures - failuresOfOutage), 'outage').catch(() => {});
    },
  };
}

const waitMs = (before: number): number => Math.min(longestMs, firstMs * 2 ** before);

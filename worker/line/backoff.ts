import type { SendPermit } from './send-permit.ts';

/** Spaces requests out when the line fails in another way than usual (ADR 0051). */
export interface Backoff {
  /** Returns how long to wait after an answer that asks for patience and names no time, in ms: 1 s, doubled up to a minute. */
  nextBusyMs(): number;
  /** Records that the insurer has answered with what was asked for. */
  succeeded(): void;
  /**
   * Records a failed request. In an outage, starts a cooldown of the line: 1 s, doubled up to a minute.
   * @param target a KVNR, or `list`
   */
  failed(target: string): void;
}

/** Number of failures in a row that may begin an outage. When 80 % of the requests fail, they come once in 7 500 requests. */
const failuresOfOutage = 40;
/**
 * So few patients who fail in turns may be the fault themselves: the last ones of a run, who have failed while others
 * succeeded. In an outage, more are asked for within failuresOfOutage requests, or only one.
 */
const suspectsMax = 4;
const firstMs = 1_000;
const longestMs = 60_000;

export function createBackoff(permit: Pick<SendPermit, 'startCooldown' | 'liftNumber'>): Backoff {
  let failures = 0;
  let targets = new Set<string>();
  let isOutage = false;
  let waits = 0;
  let busyAnswers = 0;
  let { liftNumber } = permit;

  const reset = (): void => {
    failures = 0;
    targets = new Set();
    isOutage = false;
    waits = 0;
    busyAnswers = 0;
  };
  /** An operator who lifts a cooldown knows that the insurer is well again. */
  const resetIfLifted = (): void => {
    if (permit.liftNumber === liftNumber) return;
    liftNumber = permit.liftNumber;
    reset();
  };

  return {
    nextBusyMs() {
      resetIfLifted();
      return waitMs(busyAnswers++);
    },
    succeeded: reset,
    failed(target) {
      resetIfLifted();
      failures += 1;
      targets.add(target);
      if (failures < failuresOfOutage) return;
      isOutage ||= targets.size === 1 || targets.size > suspectsMax || targets.has('list');
      if (!isOutage) return;
      // This process waits from now on. A later holder knows of it once the gate has it, and otherwise counts again.
      permit.startCooldown(waitMs(waits++), 'outage').catch(() => {});
    },
  };
}

const waitMs = (before: number): number => Math.min(longestMs, firstMs * 2 ** before);

import type { LineFault, Priority } from '../../core/domain/line.ts';
import type { SendPermit } from './send-permit.ts';

/** Spaces requests out when the line fails in another way than usual (ADR 0051, ADR 0067). */
export interface Backoff {
  /** Returns how long to wait after an answer that asks for patience and names no time, in ms: 1 s, doubled up to a minute. */
  nextBusyMs(): number;
  /** Records that the insurer has answered with what was asked for. */
  succeeded(): void;
  /**
   * Records a failed request. In an outage, starts a cooldown of the line: 1 s, doubled up to a minute.
   * @param target a KVNR, or `list`
   * @param priority of the request
   * @param fault why it failed: a refused connection is never the patient's fault
   */
  failed(target: string, priority: Priority, fault: LineFault): void;
}

/** Number of failures in a row that begin an outage. When 80 % of the requests fail, they come once in 7 500 requests. */
const failuresOfOutage = 40;
/**
 * So many of them count for one patient, whose record may be the reason. Somebody's sync fails up to CARE_MAX_ATTEMPTS times in a
 * row, and the last patients of a run have failed while others succeeded. So it takes five patients to notice an outage. A
 * refused connection counts apart, without this limit: nothing was sent, so no record can be the reason.
 */
const countedPerPatient = 8;
const firstMs = 1_000;
const longestMs = 60_000;

export function createBackoff(permit: Pick<SendPermit, 'startCooldown' | 'liftNumber'>): Backoff {
  let failures = 0;
  /** of each target, the failures that count */
  let counted = new Map<string, number>();
  let refusedConnections = 0;
  let isOutage = false;
  let waits = 0;
  let busyAnswers = 0;
  let { liftNumber } = permit;

  const reset = (): void => {
    failures = 0;
    counted = new Map();
    refusedConnections = 0;
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
    failed(target, priority, fault) {
      resetIfLifted();
      failures += 1;
      const ofTarget = counted.get(target) ?? 0;
      if (fault === 'refused') refusedConnections += 1;
      else if (priority === 'list' || ofTarget < countedPerPatient) counted.set(target, ofTarget + 1);
      // a refresh, and a run with a window of one, ask for one patient only
      const isOnlyOneOfRun = counted.size === 1 && priority === 'bulk' && failures >= failuresOfOutage;
      const countedFailures = counted.values().reduce((sum, each) => sum + each, refusedConnections);
      isOutage ||= isOnlyOneOfRun || countedFailures >= failuresOfOutage;
      if (!isOutage) return;
      // This process waits from now on. A later holder knows of it once the gate has it, and otherwise counts again.
      permit.startCooldown(waitMs(waits++), 'outage').catch(() => {});
    },
  };
}

const waitMs = (before: number): number => Math.min(longestMs, firstMs * 2 ** before);

import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { FetchCareRecordsFailure } from '../../core/contract/line-activities.ts';
import { addLineUse, type LineFault, type LineUse, zeroLineUse } from '../../core/domain/line.ts';
import { LineError, LineWithheld } from '../line/line-error.ts';

/** What has been spent so far, over all attempts of the activity; travels in the heartbeat details. */
export interface AttemptUsage {
  readonly lineUse: LineUse;
  /** requests that went out and ended, well or badly: neither refused connections nor requests that we cut ourselves count */
  readonly requests: number;
  readonly lastFault?: LineFault;
}

/** An attempt tries so often, then gives its slot away for a second (docs/explanation/retries.md, "Fetch activities"). */
export const requestsPerAttempt = 8;
const heartbeatMs = 1_000;

/** One attempt of an activity that uses the line: heartbeats by itself, also while it waits for its turn. */
export interface LineAttempt<Details extends AttemptUsage> {
  readonly number: number;
  /** aborts when the activity is cancelled or its worker shuts down */
  readonly signal: AbortSignal;
  readonly details: Details;
  /** @param change becomes part of the details, told with the next heartbeat at the latest */
  updateDetails(change: Partial<Details>): void;
  /** Counts one use of the line that went well. */
  countSuccess(): void;
  /**
   * Counts one use of the line that failed.
   * @throws the error itself when it is none of the line's
   */
  countFailure(error: unknown): void;
  /**
   * To be asked before each try.
   * @throws the signal's reason once that has aborted; ApplicationFailure `LineError.<fault>`, retryable, once this attempt
   *   has tried often enough
   */
  throwIfUsedUp(): void;
  /** Tells the details for the last time, and no more. */
  stop(): void;
}

/** @param fresh what the details are before the first attempt */
export function beginAttempt<Details extends AttemptUsage>(fresh: Details): LineAttempt<Details> {
  const context = Context.current(); // taken once: the ambient one may be another activity's by the time somebody's turn comes
  const told: unknown = context.info.heartbeatDetails;
  let details: Details = typeof told === 'object' && told !== null ? { ...fresh, ...told } : fresh;
  let triesLeft = requestsPerAttempt;
  let lastError: LineError | undefined;
  const heartbeat = (): void => context.heartbeat(details);
  const timer = setInterval(heartbeat, heartbeatMs);
  heartbeat(); // or the next attempt, should this one die soon, would begin from nothing
  const count = (use: LineUse, spent: Partial<AttemptUsage>): void => {
    details = { ...details, ...spent, lineUse: addLineUse(details.lineUse, use) };
    heartbeat();
  };
  return {
    number: context.info.attempt,
    signal: context.cancellationSignal,
    get details() {
      return details;
    },
    updateDetails(change) {
      details = { ...details, ...change };
      heartbeat();
    },
    countSuccess: () => count({ requests: 1, faults: {} }, { requests: details.requests + 1 }),
    countFailure(error) {
      if (error instanceof LineWithheld) return count({ requests: error.sent ? 1 : 0, faults: {} }, {});
      if (!(error instanceof LineError)) throw error;
      const { fault } = error;
      const use = { requests: 1, faults: { [fault]: 1 } };
      if (fault === 'unauthorized') return count(use, {}); // the line has paused itself, and nobody's patient is to blame
      const isTry = fault !== 'refused'; // nothing was asked: a line that is down must not use up everyone's tries (ADR 0013)
      count(use, { requests: details.requests + (isTry ? 1 : 0), lastFault: fault });
      triesLeft -= 1;
      lastError = error;
    },
    throwIfUsedUp() {
      context.cancellationSignal.throwIfAborted();
      if (triesLeft > 0 || lastError === undefined) return;
      const { message, fault, context: facts } = lastError;
      throw ApplicationFailure.create({ message, type: `LineError.${fault}`, details: [facts] });
    },
    stop() {
      clearInterval(timer);
      heartbeat();
    },
  };
}

export const noUsage: AttemptUsage = { lineUse: zeroLineUse, requests: 0 };

/** A failure that no repetition mends, with what has been spent on it. */
export function finalFailure(type: string, { lineUse, lastFault }: AttemptUsage): ApplicationFailure {
  const detail: FetchCareRecordsFailure = { lineUse, ...(lastFault && { lastFault }) };
  return ApplicationFailure.create({ message: type, type, nonRetryable: true, details: [detail] });
}

const storeAttemptsMax = 30;
const storeRetryMs = 1_000;

/**
 * Keeps what the line has yielded, and stays on it while the store is away: another trip over the line costs more.
 * @throws the store's last error, or the signal's reason
 */
export async function retryWhileUnavailable<T>(put: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let puts = 1; ; puts++) {
    try {
      return await put();
    } catch (error) {
      signal.throwIfAborted();
      if (puts === storeAttemptsMax) throw error;
      await sleep(storeRetryMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

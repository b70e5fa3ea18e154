import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { FetchCareRecordsFailure } from '../../core/contract/line-activities.ts';
import { addLineUse, type LineFault, type LineUse, zeroLineUse } from '../../core/domain/line.ts';
import { LineError, LineWithheld } from '../line/line-error.ts';
import { firstHeartbeatMs, heartbeatMs, leave, readLeft } from './heartbeats.ts';

/** What all attempts of an activity have used so far. Passed to the next attempt in the heartbeat details. */
export interface AttemptUsage {
  /** every use of the line, for the progress of the run */
  readonly lineUse: LineUse;
  /**
   * requests that reached the insurer and ended, successfully or not; counted against CARE_MAX_ATTEMPTS. Refused
   * connections and requests that we aborted do not count (ADR 0013).
   */
  readonly countedRequests: number;
  readonly lastFault?: LineFault;
}

/**
 * Number of failed requests after which an attempt of a run ends and frees its slot for a second (docs/explanation/retries.md,
 * "Fetch activities"). Refused connections count here.
 */
export const failuresPerAttempt = 8;

/** One attempt of an activity that uses the line. It heartbeats by itself, also while it waits in the line's queue. */
export interface LineAttempt<Details extends AttemptUsage> {
  readonly number: number;
  /** when the activity was scheduled, before its first attempt; ISO 8601 UTC */
  readonly since: string;
  /** aborts when the activity is cancelled or its worker shuts down */
  readonly signal: AbortSignal;
  readonly details: Details;
  /** Merges a change into the details, and heartbeats. */
  updateDetails(change: Partial<Details>): void;
  /** Counts a request that succeeded. */
  countSuccess(): void;
  /**
   * Counts a request that failed. Logs the reason of the first refused connection in this attempt.
   * @throws the error itself if it is not an error of the line
   */
  countFailure(error: unknown): void;
  /**
   * Checks whether this attempt may send another request.
   * @throws the signal's reason if it has aborted; ApplicationFailure `LineError.<fault>`, retryable, after `failuresMax`
   *   failures
   */
  throwIfUsedUp(): void;
  /** Logs a fault of our own. @param message fixed text */
  warn(message: string): void;
}

/**
 * Runs an attempt, which begins with the details of the previous one. Heartbeats from the fourth second on, and with the last
 * details if another attempt may follow. Temporal bills heartbeats, and most attempts end before.
 * @param initial the details before the first attempt
 * @param failuresMax number of failed requests after which the attempt ends
 */
export async function withLineAttempt<Details extends AttemptUsage, Result>(
  initial: Details,
  work: (attempt: LineAttempt<Details>) => Promise<Result>,
  failuresMax = failuresPerAttempt,
): Promise<Result> {
  const context = Context.current(); // read once: a callback of the line's queue can run in the context of another activity
  let details: Details = { ...initial, ...readLeft(context) };
  let failuresLeft = failuresMax;
  let isRefusalLogged = false;
  let lastError: LineError | undefined;
  const heartbeat = (): void => leave(context, details);
  /** The next heartbeat has it: one after each request would keep the next request waiting, and Temporal sends few of them. */
  const count = (use: LineUse, change: Partial<AttemptUsage>): void => {
    details = { ...details, ...change, lineUse: addLineUse(details.lineUse, use) };
  };
  const attempt: LineAttempt<Details> = {
    number: context.info.attempt,
    since: new Date(context.info.scheduledTimestampMs).toISOString(),
    signal: context.cancellationSignal,
    get details() {
      return details;
    },
    updateDetails(change) {
      details = { ...details, ...change };
      heartbeat();
    },
    countSuccess: () => count({ requests: 1, faults: {} }, { countedRequests: details.countedRequests + 1 }),
    countFailure(error) {
      if (error instanceof LineWithheld) return count({ requests: error.wasSent ? 1 : 0, faults: {} }, {});
      if (!(error instanceof LineError)) throw error;
      const { fault } = error;
      const use = { requests: 1, faults: { [fault]: 1 } };
      if (fault === 'refused' && !isRefusalLogged) {
        isRefusalLogged = true;
        context.log.warn(`no connection to the insurer: ${error.context.problem ?? 'unknown reason'}`); // a code or fixed words
      }
      if (fault === 'unauthorized') return count(use, {}); // the line has paused itself: this is not a failure of the patient
      // a refused connection sent no request: an outage must not use up the requests of all patients (ADR 0013)
      const hasReachedInsurer = fault !== 'refused';
      count(use, { countedRequests: details.countedRequests + (hasReachedInsurer ? 1 : 0), lastFault: fault });
      failuresLeft -= 1;
      lastError = error;
    },
    throwIfUsedUp() {
      context.cancellationSignal.throwIfAborted();
      if (failuresLeft > 0 || lastError === undefined) return;
      const { message, fault, context: facts } = lastError;
      throw ApplicationFailure.create({ message, type: `LineError.${fault}`, details: [facts] });
    },
    warn: (message) => context.log.warn(message),
  };
  const firstAtMs = performance.now() + firstHeartbeatMs(context.info);
  const timer = setInterval(() => {
    if (performance.now() >= firstAtMs) heartbeat();
  }, heartbeatMs);
  try {
    return await work(attempt);
  } catch (error) {
    if (mayBeRetried(error, context.cancellationSignal.reason)) heartbeat();
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** @param abortReason as Temporal has it: another one, such as WORKER_SHUTDOWN, lets another attempt follow */
const mayBeRetried = (error: unknown, abortReason: unknown): boolean =>
  !(error instanceof ApplicationFailure && error.nonRetryable === true) &&
  !(abortReason instanceof CancelledFailure && abortReason.message === 'CANCELLED');

export const noUsage: AttemptUsage = { lineUse: zeroLineUse, countedRequests: 0 };

/**
 * Creates a failure that Temporal does not retry, with the usage so far.
 * @param more what the failure is about, what the attempt has read of the patient, and the problem of AnswerUnusable
 */
export function finalFailure(
  type: string,
  { lineUse, lastFault }: AttemptUsage,
  { about, seen, problem }: { [Name in 'about' | 'seen' | 'problem']?: FetchCareRecordsFailure[Name] | undefined } = {},
): ApplicationFailure {
  const detail: FetchCareRecordsFailure = {
    lineUse,
    ...(about && { about }),
    ...(seen && { seen }),
    ...(lastFault && { lastFault }),
    ...(problem && { problem }),
  };
  return ApplicationFailure.create({ message: type, type, nonRetryable: true, details: [detail] });
}

const storeCallsMax = 30;
const storeRetryMs = 1_000;

/**
 * Retries a call to a store, up to 30 times at intervals of a second, because fetching the data again costs more.
 * @throws the store's last error, or the signal's reason
 */
export async function retryWhileUnavailable<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let calls = 1; ; calls++) {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (calls === storeCallsMax) throw error;
      await sleep(storeRetryMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

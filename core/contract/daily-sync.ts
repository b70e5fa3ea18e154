import type { Run } from '../domain/run.ts';
import type { PendingCursor } from './sync-activities.ts';

export const dailySyncWorkflow = 'dailySync';

export interface DailySyncInput {
  readonly insurerId: string;
  /** permanent ID of the run: the caller that starts it creates it with newRunId */
  readonly runId: string;
  /** SYNC_WINDOW: the number of patients whose care records are fetched at the same time */
  readonly syncWindow: number;
  /** CARE_MAX_ATTEMPTS */
  readonly careMaxRequests: number;
  /** REMOVAL_LIMIT_PERCENT */
  readonly removalLimitPercent: number;
  /** state from before continue-as-new; absent at the start */
  readonly carried?: CarriedRun;
}

/** State that one execution of a run passes to the next. No sync is in progress at that moment. */
export interface CarriedRun {
  readonly run: Run;
  /** number of saves so far */
  readonly revision: number;
  /** number of lists fetched so far */
  readonly listCount: number;
  /** a list must be fetched */
  readonly isListDue: boolean;
  /** a list could not be used, so the run ends as failed */
  readonly hasListFailed: boolean;
  /** where to continue among the pending patients; absent once each has been synced */
  readonly cursor?: PendingCursor;
  /** removals that wait for an operator */
  readonly waitingRemovals?: WaitingRemovals;
}

export interface WaitingRemovals {
  readonly listId: string;
  readonly removals: number;
  /** the list's ETag, stored once the removals have been applied */
  readonly etag?: string;
}

/** Signal: starts a run, or makes the current run fetch the new list. */
export const triggerSignal = 'trigger';
/** Query: returns the Progress, without side effects. */
export const progressQuery = 'progress';
/**
 * Signal: records a CancelRequest with the run. Sent directly before the cancellation, because a cancellation cannot carry
 * arguments.
 */
export const cancelRequestedSignal = 'cancelRequested';
/**
 * Update: approves or rejects the removals that wait. Rejected with `NoDecisionAwaited` if none wait, and with
 * `DecisionOutdated` if a newer list is on its way, or the removals of another list wait now.
 */
export const decideRemovalsUpdate = 'decideRemovals';

export interface CancelRequest {
  readonly operator: string;
  readonly reason: string;
}

export interface RemovalDecision {
  readonly decision: 'approve' | 'reject';
  readonly operator: string;
  /** the list whose removals the operator has seen, from Progress.decision; a newer list may have come since. If absent, it is not checked. */
  readonly listId?: string | undefined;
}

import type { Run } from '../domain/run.ts';
import type { PendingCursor } from './sync-activities.ts';

export const dailySyncWorkflow = 'dailySync';

export interface DailySyncInput {
  readonly insurerId: string;
  /** names the run for ever: newRunId, made by whoever starts it */
  readonly runId: string;
  /** SYNC_WINDOW: patients whose care records are under way at once */
  readonly syncWindow: number;
  /** CARE_MAX_ATTEMPTS */
  readonly careMaxAttempts: number;
  /** REMOVAL_LIMIT_PERCENT */
  readonly removalLimitPercent: number;
  /** what continue-as-new hands on; absent at the start */
  readonly carried?: CarriedRun;
}

/** What one execution of a run hands to the next: nothing is under way at that moment. */
export interface CarriedRun {
  readonly run: Run;
  /** progress answers saved so far */
  readonly revision: number;
  /** lists taken in so far */
  readonly lists: number;
  /** a list has to be fetched */
  readonly listDue: boolean;
  /** a list could not be used, so the run ends as failed */
  readonly listFailed: boolean;
  /** where to go on among the pending; absent when all have had their turn */
  readonly cursor?: PendingCursor;
  /** removals that wait for an operator */
  readonly waiting?: WaitingRemovals;
}

export interface WaitingRemovals {
  readonly listId: string;
  readonly removals: number;
  /** the list's ETag, kept once the removals have been applied */
  readonly etag?: string;
}

/** Signal: a new day. Starts the run, or makes the run under way fetch the new list. */
export const triggerSignal = 'trigger';
/** Query: Progress, without side effects. */
export const progressQuery = 'progress';
/** Signal, with a CancelRequest, just before the cancellation itself, which cannot carry one: kept with the run that is cancelled. */
export const cancelRequestedSignal = 'cancelRequested';
/** Update: approve or reject the removals that wait. Refused with `NoDecisionAwaited` when none is awaited, `DecisionOutdated` when it is about others by now. */
export const decideRemovalsUpdate = 'decideRemovals';

export interface CancelRequest {
  readonly operator: string;
  readonly reason: string;
}

export interface RemovalDecision {
  readonly decision: 'approve' | 'reject';
  readonly operator: string;
  /** how many removals whoever decides has seen, where they say so: a list that came since may ask about others */
  readonly removals?: number | undefined;
}

import type { Sinks } from '@temporalio/workflow';
import type { DailySync } from '../domain/daily-sync.ts';
import type { Progress } from '../domain/progress.ts';
import type { RemovalLimits } from '../domain/removal-guard.ts';

export const dailySyncWorkflow = 'dailySync';

export interface DailySyncInput extends RemovalLimits {
  readonly insurerId: string;
  /** permanent ID of the run: the caller that starts it creates it with newRunId */
  readonly runId: string;
  /** SYNC_WINDOW: the number of patients whose care records are fetched at the same time */
  readonly syncWindow: number;
  /** CARE_MAX_ATTEMPTS */
  readonly careMaxRequests: number;
  /** CARE_REFRESH_AFTER_DAYS; absent: a completed run starts no refresh */
  readonly careRefreshAfterDays?: number;
  /** UNREADABLE_LIMIT_PERCENT; absent if an older version has begun the run */
  readonly unreadableLimitPercent?: number;
  /** state from before continue-as-new; absent at the start */
  readonly carried?: DailySync;
}

/** Signal, with a TriggerRequest: starts a run, or makes the current run fetch the new list. */
export const triggerSignal = 'trigger';
/** Memo that is true once a run is being stopped, so that a trigger takes it no further. */
export const stoppingMemo = 'stopping';
/** Query: returns the Progress, without side effects. */
export const progressQuery = 'progress';
/**
 * Signal: records a CancelRequest with the run. Sent directly before the cancellation, because a cancellation cannot carry
 * arguments.
 */
export const cancelRequestedSignal = 'cancelRequested';
/**
 * Update: approves or rejects the removals of a question. Rejected with one of `decisionFailures`; `DecisionMade` has one
 * detail, the MadeDecision.
 */
export const decideRemovalsUpdate = 'decideRemovals';

/** What a run tells its worker, but not Temporal. */
export interface ProgressSinks extends Sinks {
  progress: {
    /** Shows the progress. @param at the run's time in Temporal, epoch milliseconds */
    show(insurerId: string, progress: Progress, at: number): void;
  };
}

/** Types of the failures with which a decision is rejected, by DecisionFault. */
export const decisionFailures = {
  invalid: 'DecisionInvalid',
  made: 'DecisionMade',
  outdated: 'DecisionOutdated',
  'not-awaited': 'NoDecisionAwaited',
  unknown: 'DecisionUnknown',
} as const;

/** It tells nothing new, but shows that the sender has our key (ADR 0059). 0.2.0 sent none. */
export interface TriggerRequest {
  /** of the run that begins if none is in progress */
  readonly runId: string;
}

export interface CancelRequest {
  /** A request for another run is ignored. Absent if 0.2.0 has sent it. */
  readonly runId?: string;
  readonly operator: string;
  readonly reason: string;
}

export interface RemovalDecision {
  readonly decision: 'approve' | 'reject';
  /**
   * Names the question: `decision.listId` of the Progress. A decision without it is rejected, because a copy of it could
   * decide another question later (ADR 0059). Up to 0.2.0 it was about the list whose removals wait.
   */
  readonly listId?: string | undefined;
  readonly operator: string;
}

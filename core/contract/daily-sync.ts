import type { Progress } from '../domain/progress.ts';

export const dailySyncWorkflow = 'dailySync';

export interface DailySyncInput {
  readonly insurerId: string;
  /** `{ISO 8601 basic UTC}-{8 hex}`: sorts by time; made by whoever starts the run (newRunId) */
  readonly runId: string;
  /** care records under way at once */
  readonly syncWindow: number;
  readonly careMaxAttempts: number;
  readonly removalLimitPercent: number;
  /** set by continue-as-new only */
  readonly carried?: unknown;
}

/** Signal: a new day. Starts the run, or makes the run under way fetch the new list. */
export const triggerSignal = 'trigger';
/** Query: Progress, without side effects. */
export const progressQuery = 'progress';
/** Update: approve or reject the removals that wait. Refused with `NoDecisionAwaited` when none is awaited. */
export const decideRemovalsUpdate = 'decideRemovals';

export interface RemovalDecision {
  readonly decision: 'approve' | 'reject';
  readonly operator: string;
}
export type { Progress };

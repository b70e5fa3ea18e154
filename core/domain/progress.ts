import type { CareRecordsAge, RefreshProgress } from './freshness.ts';
import { failuresOf, type LineUse } from './line.ts';
import type { Quality } from './quality.ts';
import type { MadeDecision, RemovalQuestion } from './removal-decision.ts';

export const phases = ['list', 'split', 'diff', 'apply', 'care-records', 'done'] as const;
export type Phase = (typeof phases)[number];
/** `completed-with-problems`: carried out to its end, but too much of what came was unreadable (docs/adr/0056) */
export const runStates = ['running', 'completed', 'completed-with-problems', 'failed', 'cancelled'] as const;
export type RunState = (typeof runStates)[number];

/** Returns whether a run was carried out to its end. */
export const isCompleted = ({ state }: { readonly state: RunState }): boolean =>
  state === 'completed' || state === 'completed-with-problems';

/**
 * Why a run has failed:
 * - list-unusable: the insurer's list could not be used; the care records of pending patients were fetched
 * - internal: an error of epa-sync itself, which the log of the workers shows
 */
export const runFailures = ['list-unusable', 'internal'] as const;
export type RunFailure = (typeof runFailures)[number];

/**
 * The progress of a run, as management sees it (docs/explanation/the-daily-run.md, "Progress"). Times are ISO 8601 UTC.
 * Holds no data about patients except counts.
 */
export interface Progress {
  readonly runId: string;
  readonly state: RunState;
  readonly phase: Phase;
  /** removals above the limit wait for `decideRemovals` */
  readonly awaitingDecision: boolean;
  /** the removals that the decision is about; a second question follows once this one is decided */
  readonly decision?: RemovalQuestion;
  /** what operators decided in this run, oldest first; absent in runs of 0.2.0 */
  readonly decisions?: readonly MadeDecision[];
  readonly startedAt: string;
  readonly finishedAt?: string;
  /** of a failed run; absent in runs of 0.2.0: list-unusable */
  readonly failure?: RunFailure;
  /** of a cancelled run: who cancelled it, and why */
  readonly cancellation?: { readonly by: string; readonly reason: string };
  /** true if no worker answered and this is the last stored progress */
  readonly stale: boolean;
  readonly patients: {
    /** people with a valid entry on the list, each counted once */
    readonly listed: number;
    readonly new: number;
    readonly changed: number;
    readonly removed: number;
    readonly unchanged: number;
    /** entries of the list that cannot be stored */
    readonly quarantined: number;
    /** entries that break the contract and are stored as they were sent; absent in runs of 0.2.0 */
    readonly flagged?: number;
    /** pairs of a patient who is gone and a new one with the same name, birth date and address; absent in runs of 0.2.0 */
    readonly kvnrChanged?: number;
    /** people who are stored although no list has named them, at the last count; absent before it, and in runs of 0.2.0 */
    readonly provisional?: number;
  };
  /** total = done + pending + failed + notInsured */
  readonly careRecords: {
    readonly total: number;
    readonly done: number;
    readonly pending: number;
    readonly failed: number;
    readonly notInsured: number;
    /** of notInsured: kept until an operator decides; absent if there are none */
    readonly held?: number;
    /** answers that break the contract and are stored as they were sent; absent if there are none, and in runs of 0.2.0 */
    readonly flagged?: number;
  };
  /** how old the stored care records were at the last count; absent before it, if there were none, and in runs of 0.2.0 */
  readonly careRecordsAge?: CareRecordsAge;
  /** the refresh that follows the run; absent before it, and if there is none */
  readonly refresh?: RefreshProgress;
  /** absent in runs of 0.2.0 */
  readonly quality?: Quality;
  /** patients that the run removed without an operator's approval; absent in runs of 0.2.0 */
  readonly unapprovedRemovals?: number;
  readonly line: {
    readonly state: 'open' | 'paused';
    readonly busy: boolean;
    readonly requests: number;
    readonly failures: number;
    /** failures / requests; 0 before the first request */
    readonly failureRate: number;
    readonly faults: LineUse['faults'];
  };
  /** patients finished per minute, over the last five minutes */
  readonly ratePerMinute: number;
  /** seconds until the run ends at that rate; absent if unknown */
  readonly etaSeconds?: number;
}

export const failureRateOf = (use: LineUse): number => (use.requests === 0 ? 0 : failuresOf(use) / use.requests);

import { failuresOf, type LineUse } from './line.ts';

export const phases = ['list', 'split', 'diff', 'apply', 'care-records', 'done'] as const;
export type Phase = (typeof phases)[number];
export type RunState = 'running' | 'completed' | 'failed' | 'cancelled';

/** What management sees of a run (docs/explanation/the-daily-run.md, "Progress"). Times are ISO 8601 UTC. Holds counts, and who ended it: no patient. */
export interface Progress {
  readonly runId: string;
  readonly state: RunState;
  readonly phase: Phase;
  /** removals above the limit wait for `decideRemovals` */
  readonly awaitingDecision: boolean;
  /** how many removals wait for that decision, and of how many stored */
  readonly decision?: { readonly removals: number; readonly stored: number };
  readonly startedAt: string;
  readonly finishedAt?: string;
  /** of a run that was cancelled: who did it, and why */
  readonly cancellation?: { readonly by: string; readonly reason: string };
  /** true when no worker answered and this is the last one stored */
  readonly stale: boolean;
  readonly patients: {
    /** people on the list whose entry is sound, each counted once */
    readonly listed: number;
    readonly new: number;
    readonly changed: number;
    readonly removed: number;
    readonly unchanged: number;
    /** entries of the list that could not be taken in */
    readonly quarantined: number;
  };
  /** total = done + pending + failed + notInsured */
  readonly careRecords: {
    readonly total: number;
    readonly done: number;
    readonly pending: number;
    readonly failed: number;
    readonly notInsured: number;
  };
  readonly line: {
    readonly state: 'open' | 'paused';
    readonly busy: boolean;
    readonly requests: number;
    readonly failures: number;
    /** failures / requests; 0 before the first request */
    readonly failureRate: number;
    readonly faults: LineUse['faults'];
  };
  /** patients finished in the minutes just past */
  readonly ratePerMinute: number;
  /** at that rate; absent while it is not known */
  readonly etaSeconds?: number;
}

export const failureRateOf = (use: LineUse): number => (use.requests === 0 ? 0 : failuresOf(use) / use.requests);

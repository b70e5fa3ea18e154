import type { RefreshProgress } from '../domain/freshness.ts';
import type { PayloadReference } from './payload-reference.ts';

export const careRefreshWorkflow = 'careRefresh';

/** What a completed run hands over to the refresh of care records. */
export interface CareRefreshInput {
  readonly insurerId: string;
  /** the run whose record shows the refresh. The refresh ends once it is no longer the newest one */
  readonly runId: string;
  /** CARE_REFRESH_AFTER_DAYS */
  readonly afterDays: number;
  /** CARE_MAX_ATTEMPTS */
  readonly careMaxRequests: number;
  /** number of patients that the refresh may remove after answers 410 */
  readonly removalsLeft: number;
  /** removals that no operator approved, of the run so far */
  readonly unapprovedRemovals: number;
  /** state from before continue-as-new; absent at the start */
  readonly carried?: CareRefreshState;
}

export interface CareRefreshState {
  /** care records received before this time are stale, ISO 8601 UTC */
  readonly before: string;
  readonly counts: Omit<RefreshProgress, 'state' | 'pending' | 'cancellation'>;
  /** number of saves so far */
  readonly revision: number;
  readonly plan?: RefreshPlan;
  /** number of patients of the plan that are done */
  readonly position: number;
  /** where the plan begins among all stale patients; absent: at the stalest one */
  readonly after?: StalePosition;
  readonly cancellation?: NonNullable<RefreshProgress['cancellation']>;
}

/** A patient's place among the stale ones. They are in the order of these: first by age, the unknown ones first. */
export interface StalePosition {
  /** ISO 8601 UTC; empty if unknown */
  readonly asOf: string;
  readonly patientRef: string;
}

/** The stalest patients, in order. */
export interface RefreshPlan {
  /** object with their patientRefs, one per line */
  readonly patients: PayloadReference;
  readonly size: number;
  /** number of all stale patients from the start of the plan on */
  readonly stale: number;
  /** the last one of the plan; absent if no others follow */
  readonly last?: StalePosition;
}

export interface PlanRefreshInput {
  readonly runId: string;
  readonly before: string;
  readonly after?: StalePosition;
  /** maximum number of patients in the plan */
  readonly limit: number;
}

export interface ReadStaleInput {
  readonly plan: RefreshPlan;
  readonly from: number;
  readonly limit: number;
}

export interface SaveRefreshInput {
  readonly insurerId: string;
  readonly runId: string;
  readonly revision: number;
  readonly refresh: RefreshProgress;
  /** of the run and its refresh */
  readonly unapprovedRemovals: number;
}

/** The activities of a refresh that do not call the insurer. Each is idempotent. */
export interface RefreshActivities {
  /** Looks for the stalest patients and stores them in the bucket. Undefined if there are none. Heartbeats. */
  planRefresh(input: PlanRefreshInput): Promise<RefreshPlan | undefined>;
  /** Returns some patientRefs of a plan; undefined if the object is gone. */
  readStale(input: ReadStaleInput): Promise<readonly string[] | undefined>;
  /**
   * Saves the progress of a refresh in the record of its run. Changes nothing if a higher revision is stored, or if a start
   * has taken the run further.
   * @returns whether the refresh may go on: its run is the newest one, and has ended
   */
  saveRefresh(input: SaveRefreshInput): Promise<boolean>;
}

import type { Issue } from '../domain/issue.ts';
import type { Progress } from '../domain/progress.ts';
import type { PayloadReference } from './payload-reference.ts';

/**
 * The activities of a sync that do not talk to the insurer. Each can be repeated and can die half way: the next attempt
 * ends right. Pseudonyms, counts and references only.
 */
export interface SyncActivities {
  /**
   * Payload to tables, swapped whole; deletes the payload and what the new version replaces.
   * @throws ApplicationFailure non-retryable `AnswerTooLarge`: it cannot be taken apart or stored within bounds
   */
  storeCareRecords(input: StoreCareRecordsInput): Promise<StoreCareRecordsResult>;
  /** Undoes what a sync has staged: its payloads, and its version unless that is the patient's current one. */
  discardStaged(input: DiscardStagedInput): Promise<void>;
  /** Removes a patient with all care records and documents; the access log stays. */
  removePatient(input: { readonly patientRef: string }): Promise<void>;
  /** The insurer's answer was final (404, too large): the patient is pending no more until it changes. */
  markCareFailed(input: { readonly patientRef: string }): Promise<void>;
  /** Deletes what a run has left: payloads under `payloads/{runId}/`, lists under `lists/{runId}-`. */
  sweepRun(input: { readonly runId: string }): Promise<void>;
  /** The next pending patients, shard by shard; without `next` there are no more. */
  listPending(input: ListPendingInput): Promise<ListPendingResult>;
  /**
   * How many patients are stored, and how many of them are pending, over all shards. Removes whoever was marked as being
   * removed and is still there, as after a run that was ended by force. Heartbeats.
   */
  takeStock(): Promise<{ readonly stored: number; readonly pending: number }>;
  /** Keeps a run's progress answer, the line's state in it; one that is older than what is kept changes nothing. */
  saveProgress(input: SaveProgressInput): Promise<LineSeen>;
  /** The last list that was applied whole; undefined before the first. */
  appliedList(input: { readonly insurerId: string }): Promise<AppliedList | undefined>;
  setAppliedList(input: AppliedList & { readonly insurerId: string }): Promise<void>;
  /** Adds an issue to a run's; the same one again changes nothing. */
  recordIssue(input: RecordIssueInput): Promise<void>;
}

export interface StoreCareRecordsInput {
  readonly patientRef: string;
  readonly syncId: string;
  readonly payload: PayloadReference;
  /** becomes the patient's careVersion */
  readonly fetchOrder: string;
}

export interface StoreCareRecordsResult {
  /**
   * superseded: a newer fetch is stored; gone: the patient is not there, or being removed; payload-lost: the payload
   * is missing or spoilt and was not stored, so it has to be fetched once more.
   */
  readonly outcome: 'stored' | 'superseded' | 'gone' | 'payload-lost';
}

export interface DiscardStagedInput {
  readonly patientRef: string;
  readonly syncId: string;
  /** absent when the fetch had not ended */
  readonly fetchOrder?: string;
}

/** A place in the pending patients of all shards. The first one: `{ shardIndex: 0 }`. */
export interface PendingCursor {
  readonly shardIndex: number;
  /** patientRef after which it goes on within the shard */
  readonly after?: string;
}

export interface ListPendingInput extends PendingCursor {
  readonly limit: number;
}

export interface ListPendingResult {
  readonly patientRefs: readonly string[];
  readonly next?: PendingCursor;
}

export interface SaveProgressInput {
  readonly insurerId: string;
  readonly progress: Progress;
  /** grows from save to save within the run, also over continue-as-new */
  readonly revision: number;
}

export interface RecordIssueInput {
  readonly insurerId: string;
  readonly runId: string;
  readonly issue: Issue;
}

/** The line's state as the gate has it; `busy` when its holder last renewed. */
export type LineSeen = Pick<Progress['line'], 'state' | 'busy'>;

export interface AppliedList {
  readonly listId: string;
  readonly etag: string;
}

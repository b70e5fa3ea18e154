import type { CareRecordsAge } from '../domain/freshness.ts';
import type { Issue } from '../domain/issue.ts';
import type { LineState } from '../domain/line-status.ts';
import type { LastSync, SeenPatient } from '../domain/patient.ts';
import type { Progress } from '../domain/progress.ts';
import type { ProblemCount } from '../domain/quality.ts';
import type { PayloadReference } from './payload-reference.ts';

/**
 * The activities of a sync that do not call the insurer. Each is idempotent: if an attempt dies at any point, the next one
 * completes its work. Inputs and results contain only pseudonyms, counts and references.
 */
export interface SyncActivities {
  /**
   * Stores a payload in the tables and switches to it atomically; deletes the payload and the replaced version.
   * @throws ApplicationFailure non-retryable `AnswerTooLarge` if it cannot be split or stored within the limits, with one
   *   detail: what it is about, as in FetchCareRecordsFailure
   */
  storeCareRecords(input: StoreCareRecordsInput): Promise<StoreCareRecordsResult>;
  /** Deletes what a sync has staged: its payloads, and its version unless that is the patient's current one. */
  discardStaged(input: DiscardStagedInput): Promise<void>;
  /**
   * Removes a patient with all care records and documents; keeps the access log. A patient that a list has stored or
   * changed since the given revision stays.
   */
  removePatient(input: RemovePatientInput): Promise<void>;
  /**
   * Sets the care state `failed` after a final answer (404, too large): the patient is not pending until it changes.
   * Changes nothing if the patient has changed since the fetch read it.
   */
  markCareFailed(input: MarkCareFailedInput): Promise<void>;
  /**
   * Deletes the objects that a run has left: payloads under `payloads/{runId}/`, and its lists. No list of the run may be
   * written afterwards. Heartbeats.
   */
  sweepRun(input: SweepRunInput): Promise<void>;
  /** Returns the next pending patients, shard by shard; without `next` there are no more. Heartbeats. */
  listPending(input: ListPendingInput): Promise<ListPendingResult>;
  /** Counts the patients in all shards. Heartbeats. */
  countPatients(): Promise<PatientCounts>;
  /** Removes the patients that are marked as being removed, for example by a run that was terminated. Heartbeats. */
  finishRemovals(): Promise<void>;
  /**
   * Stores the progress of a run, with the line's state as the gate has it. Ignores a revision older than the stored one.
   * @returns the line's state, as readLineState does; an activity of an older version returns nothing
   */
  saveProgress(input: SaveProgressInput): Promise<LineState | undefined>;
  /** Reads the line's state from the gate. `busy` is the value at the holder's last renewal. Returns undefined if the gate cannot be read. */
  readLineState(input: { readonly insurerId: string }): Promise<LineState | undefined>;
  readListState(input: { readonly insurerId: string }): Promise<ListState>;
  /**
   * Forgets the list that was applied last, before the first write of another one. Returns once no attempt writes an older
   * list any more.
   * @throws ApplicationFailure non-retryable `ListSuperseded` if another list has begun since `epoch` was read
   */
  beginList(input: BeginListInput): Promise<void>;
  /** From now on only the removals of a list may be written: all its entries are applied. */
  endEntries(input: { readonly insurerId: string; readonly listId: string }): Promise<void>;
  /** Stores that a list is applied completely, after its last write. Does nothing if another list has begun since. */
  completeList(input: CompleteListInput): Promise<void>;
  /** Returns the number of patients that other runs have removed without an operator's approval since a time (ISO 8601). */
  countRecentRemovals(input: CountRecentRemovalsInput): Promise<number>;
  /** Keeps a patient, whose care state is `reported-not-insured`, for a question to an operator. */
  holdPatient(input: HoldPatientInput): Promise<void>;
  /** Removes the patients that are held for a question, as `removePatient` does. Heartbeats. */
  removeHeld(input: { readonly heldFor: string }): Promise<void>;
  /**
   * Makes all patients pending whose care state is `reported-not-insured`. Heartbeats.
   * @param input.nextQuestion the question that later answers 410 would raise: a late attempt leaves its patients alone
   */
  reopenReported(input: { readonly nextQuestion: string }): Promise<void>;
  /** Adds an issue to a run. Adding the same issue again changes nothing. */
  recordIssue(input: RecordIssueInput): Promise<RecordIssueResult>;
  /** Adds the issues of a list to a run whose list has not changed since. Heartbeats. */
  carryIssues(input: CarryIssuesInput): Promise<CarriedIssues>;
}

export interface RemovePatientInput {
  readonly patientRef: string;
  /** the revision of the patient when the insurer answered 410 or 404; absent in activities that 0.2.0 has scheduled */
  readonly revision?: number;
  /** the sync for which the insurer has answered 404, about somebody who is not listed */
  readonly unknownIn?: string;
}

export interface MarkCareFailedInput {
  readonly patientRef: string;
  /** what the fetch has read; without it nothing is marked, and the next run asks again */
  readonly seen?: SeenPatient;
}

export interface StoreCareRecordsInput {
  readonly patientRef: string;
  readonly syncId: string;
  readonly payload: PayloadReference;
  /** becomes the patient's careVersion */
  readonly fetchOrder: string;
  /** FetchCareRecordsResult.receivedAt */
  readonly receivedAt?: string;
  /** FetchCareRecordsResult.etag */
  readonly etag?: string;
  /** of a sync on demand: once the records are stored, the sync ends as completed, with these flags */
  readonly endsSync?: Pick<LastSync, 'flags'>;
}

export interface StoreCareRecordsResult {
  /**
   * - superseded: a newer fetch is stored
   * - gone: the patient is not stored, or is being removed
   * - payload-lost: the payload is missing or corrupted, so it must be fetched again
   */
  readonly outcome: 'stored' | 'superseded' | 'gone' | 'payload-lost';
  /** the activity has ended the sync; an activity of an older version has not */
  readonly isSyncEnded?: true;
}

export interface DiscardStagedInput {
  readonly patientRef: string;
  readonly syncId: string;
  /** absent if the fetch had not ended */
  readonly fetchOrder?: string;
}

/** A position among the pending patients of all shards. The first one is `{ shardIndex: 0 }`. */
export interface PendingCursor {
  readonly shardIndex: number;
  /** the last patientRef that was returned from this shard */
  readonly after?: string;
}

export interface ListPendingInput extends PendingCursor {
  readonly limit: number;
  /** PatientCounts.pendingShards: the other shards are not read. Absent: all are read */
  readonly pendingShards?: string;
}

export interface ListPendingResult {
  readonly patientRefs: readonly string[];
  readonly next?: PendingCursor;
}

export interface PatientCounts {
  /** listed patients, without those being removed */
  readonly stored: number;
  /** provisional patients, without those being removed; absent if 0.2.0 has counted */
  readonly provisional?: number;
  /** stored patients whose care state is `pending` */
  readonly pending: number;
  /** the shards that have pending patients, as shardSetOf returns them; absent if 0.2.0 has counted */
  readonly pendingShards?: string;
  /** patients marked as being removed that still exist */
  readonly removing: number;
  /** listed patients whose care state is `reported-not-insured` */
  readonly reported: number;
  /** of all patients that have care records and are not being removed; absent if there are none, and if 0.2.0 has counted */
  readonly careRecordsAge?: CareRecordsAge;
}

export interface SaveProgressInput {
  readonly insurerId: string;
  readonly progress: Progress;
  /** grows with each save of the run, also across continue-as-new */
  readonly revision: number;
}

export interface RecordIssueInput {
  readonly insurerId: string;
  readonly runId: string;
  readonly issue: Issue;
}

export interface RecordIssueResult {
  /** an operator has acknowledged it, in this run or an earlier one */
  readonly isAcknowledged: boolean;
}

export interface CarryIssuesInput {
  readonly insurerId: string;
  /** the run that has applied the list */
  readonly fromRunId: string;
  readonly runId: string;
}

/** What is known of a list that an earlier run has applied. */
export interface CarriedIssues {
  /** people on the list, without those in quarantine; absent if an earlier version has read it */
  readonly listed?: number;
  readonly quarantined: number;
  readonly flagged: number;
  readonly kvnrChanged: number;
  /** of the quarantined entries, those whose issue is acknowledged */
  readonly acknowledged: number;
  readonly problems: readonly ProblemCount[];
}

export interface CompleteListInput {
  readonly insurerId: string;
  readonly listId: string;
  readonly etag?: string;
}

export interface CountRecentRemovalsInput {
  readonly insurerId: string;
  readonly since: string;
  /** the run that is not counted */
  readonly exceptRunId: string;
}

export interface HoldPatientInput {
  readonly patientRef: string;
  /** the patient's when the insurer answered 410 */
  readonly revision?: number;
  /** ID of the question */
  readonly heldFor: string;
}

/** Which lists of an insurer the tables hold. */
export interface ListState {
  /** number of lists whose writes have begun; it orders them */
  readonly epoch: number;
  /** the list that was applied completely last; absent if it had no ETag, or if another one has begun since */
  readonly applied?: { readonly listId: string; readonly etag: string };
}

export interface SweepRunInput {
  readonly insurerId: string;
  readonly runId: string;
  /** number of lists that the run has fetched; their IDs are `{runId}-1` and so on */
  readonly listCount: number;
}

export interface BeginListInput {
  readonly insurerId: string;
  readonly listId: string;
  /** ListState.epoch, as read before */
  readonly epoch: number;
}

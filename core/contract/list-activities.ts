import type { ListCounts } from '../domain/diff.ts';
import type { ProblemCount } from '../domain/quality.ts';
import type { PatientListReference } from './line-activities.ts';

/** The activities that split a list and compare it with the stored patients. Each is idempotent and heartbeats. */
export interface ListActivities {
  /**
   * Splits a list into entries, quarantines invalid ones as issues of the run, and writes 256 shards.
   * @throws ApplicationFailure non-retryable `ListUnusable` if the bytes are not a JSON array; the list must be fetched again
   */
  splitPatientList(input: SplitPatientListInput): Promise<SplitResult>;
  /**
   * Compares some shards, stores new and changed patients, and records who is gone for `removeGone`.
   * @throws ApplicationFailure non-retryable `ListSuperseded` if another list has begun since
   */
  applyList(input: ApplyListInput): Promise<ListCounts>;
  /**
   * Finds new patients with the name, birth date and address of patients who are gone, once all shards are applied. Each pair
   * is an issue. The access logs of a pair that is certain are linked, now or when the one who is gone is removed.
   * @returns the number of pairs
   */
  findChangedKvnrs(input: FindChangedKvnrsInput): Promise<{ readonly found: number }>;
  /**
   * Removes the patients that `applyList` found gone, except those that a newer list contains.
   * @throws ApplicationFailure non-retryable `ListSuperseded` if another list has begun since
   */
  removeGone(input: RemoveGoneInput): Promise<{ readonly removed: number }>;
  /** Deletes all objects of a list. */
  deleteList(input: { readonly listId: string }): Promise<void>;
}

export interface SplitPatientListInput {
  readonly insurerId: string;
  readonly runId: string;
  readonly list: PatientListReference;
}

export interface SplitResult {
  /** all entries of the list, valid or not */
  readonly entries: number;
  readonly quarantined: number;
  /** entries that are stored as they were sent, although they break the contract; absent if 0.2.0 has split the list */
  readonly flagged?: number;
  /** what is wrong with quarantined and flagged entries; absent if an older version has split the list */
  readonly problems?: readonly ProblemCount[];
  /** of the quarantined ones, those whose issue is acknowledged; absent if an older version has split the list */
  readonly acknowledged?: number;
  /** of the quarantined ones, the entries without a KVNR in a field `kvnr`: they may be anybody's */
  readonly unreadable: number;
  /** the number of objects that each of the 256 shards was written to */
  readonly shardParts: readonly number[];
}

/** Shards `fromShard` to `toShard` - 1, as indexes in `shards` (0 to 256). */
export interface ShardRange {
  readonly fromShard: number;
  readonly toShard: number;
}

export interface RemoveGoneInput extends ShardRange {
  readonly insurerId: string;
  readonly listId: string;
}

export interface FindChangedKvnrsInput {
  readonly insurerId: string;
  readonly runId: string;
  readonly listId: string;
}

export interface ApplyListInput extends RemoveGoneInput {
  readonly shardParts: readonly number[];
  /** PatientListReference.fetchOrder: provisional patients whose records were fetched later are kept. Absent: all are */
  readonly fetchOrder?: string;
}

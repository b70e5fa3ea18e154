import type { ListCounts } from '../domain/diff.ts';
import type { PatientListReference } from './line-activities.ts';

/** The activities that take a list apart and hold it against what is stored. Repeatable at any point; they heartbeat. */
export interface ListActivities {
  /**
   * Cuts a list into entries, quarantines bad ones as issues of the run, and writes 256 shards.
   * @throws ApplicationFailure non-retryable `ListUnusable` when the bytes are no JSON array: fetched again
   */
  splitPatientList(input: SplitPatientListInput): Promise<SplitResult>;
  /** Diffs some shards, stores who is new or changed at once, and keeps who is gone for `removeGone`. */
  applyList(input: ApplyListInput): Promise<ListCounts>;
  /** Removes whom `applyList` found gone; who has been listed anew since stays. */
  removeGone(input: ShardRange & { readonly listId: string }): Promise<{ readonly removed: number }>;
  /** Deletes all objects of a list. */
  deleteList(input: { readonly listId: string }): Promise<void>;
}

export interface SplitPatientListInput {
  readonly insurerId: string;
  readonly runId: string;
  readonly list: PatientListReference;
}

export interface SplitResult {
  /** all entries of the list, sound or not */
  readonly entries: number;
  readonly quarantined: number;
  /** how many objects each of the 256 shards was written to */
  readonly shardParts: readonly number[];
}

/** Shards `fromShard` to `toShard` - 1, by their place in `shards` (0 to 256). */
export interface ShardRange {
  readonly fromShard: number;
  readonly toShard: number;
}

export interface ApplyListInput extends ShardRange {
  readonly listId: string;
  readonly shardParts: readonly number[];
}

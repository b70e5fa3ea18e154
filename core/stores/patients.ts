import type { Kvnr } from '../domain/kvnr.ts';
import type { CareState, StoredPatient } from '../domain/patient.ts';

/** An entry of the insurer's list that is sound. */
export interface ListedPatient {
  readonly patientRef: string;
  readonly kvnr: Kvnr;
  /** the insurer's entry as JSON text, numbers as written */
  readonly body: string;
  readonly contentHash: string;
}

/** What the diff needs to know of a stored patient. */
export interface ShardItem {
  readonly patientRef: string;
  readonly contentHash: string;
  readonly careState: CareState;
  /** the list that made this item new or changed it last: a repeated diff of the same list counts it the same way */
  readonly listed: { readonly listId: string; readonly as: 'new' | 'changed' };
}

/** The table Patients (DESIGN, "Tables"). */
export interface PatientsStore {
  /** One shard, strongly consistent, ordered by patientRef; without those being removed. */
  readShard(shard: string): AsyncIterable<ShardItem>;
  /** Stores patients that were not there: careState pending. Repeatable. */
  storeNew(patients: readonly ListedPatient[], listId: string): Promise<void>;
  /** Stores changed master data of patients that are there; careState failed becomes pending. Repeatable. */
  storeChanged(patients: readonly ListedPatient[], listId: string): Promise<void>;
  /** At most `limit` pending patientRefs of a shard after `after`, in order. */
  pendingOf(shard: string, after: string | undefined, limit: number): Promise<string[]>;
  countPending(shard: string): Promise<number>;
  /** undefined when unknown, or being removed */
  get(patientRef: string): Promise<StoredPatient | undefined>;
  setCareState(patientRef: string, careState: CareState): Promise<void>;
  /**
   * Makes a staged version the current one: one conditional write, true when done (also when it was done before), false
   * when the patient is gone, being removed, or has a newer version.
   */
  flipCareVersion(patientRef: string, careVersion: string): Promise<boolean>;
  /** Marks a patient as being removed; false when it is not there. */
  markRemoving(patientRef: string): Promise<boolean>;
  delete(patientRef: string): Promise<void>;
}

import type { CareState } from '../../core/domain/patient.ts';
import type { ActivityRunner } from './commands.ts';
import type { Fault } from './history.ts';

/** Where a history happens: it runs activities, with faults, and shows what is stored. */
export interface World extends ActivityRunner {
  /** what happens to the next attempt of an activity */
  nextFault: Fault | undefined;
  /** attempts that stand still. Each function lets one go on to its end. */
  readonly lateAttempts: (() => Promise<void>)[];
  /** all attempts that have not ended, for a report */
  readonly attempts: readonly string[];
  /** six hex digits that are part of the IDs of all runs */
  readonly runSuffix: string;
  refOf(person: number): string;
  personOf(patientRef: string): number;
  /** Lets time pass. */
  advance(ms: number): void;
  nowMs(): number;
  read(): Promise<Stored>;
  /** Reads all access entries, as `{person} {id}`. */
  readLog(): Promise<ReadonlySet<string>>;
}

/** What is stored at a quiet point. */
export interface Stored {
  readonly patients: ReadonlyMap<number, StoredPerson>;
  /** IDs of lists and of syncs that have objects in the bucket */
  readonly lists: ReadonlySet<string>;
  readonly payloads: ReadonlySet<string>;
  /** stored things that belong to nobody: care records without a patient, objects without an item */
  readonly orphans: readonly string[];
}

export interface StoredPerson {
  readonly content: number;
  readonly careState: CareState;
  /** the records of the current version are there */
  readonly hasRecords: boolean;
}

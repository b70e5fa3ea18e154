import type { CareState, Standing } from '../../core/domain/patient.ts';
import type { ActivityName, ActivityRunner } from './commands.ts';
import type { Fault } from './history.ts';

/** Where a history happens: it runs activities, with faults, and shows what is stored. */
export interface World extends ActivityRunner {
  /** what happens to the next attempt of an activity */
  nextFault: Fault | undefined;
  /** what happens to the next attempt of each of these activities */
  readonly armed: Map<ActivityName, Fault>;
  /** attempts that stand still. Each function lets one go on to its end. */
  readonly lateAttempts: (() => Promise<void>)[];
  /** lists of which an attempt has failed, or has stood still */
  readonly faultyLists: ReadonlySet<string>;
  /** an attempt stands still within a call: the call has passed the write guard, and is carried out later */
  readonly hasCallsInFlight: boolean;
  /** all attempts that have not ended, for a report */
  readonly attempts: readonly string[];
  /** six hex digits that are part of the IDs of all runs */
  readonly runSuffix: string;
  /** Stores an inquiry, as the API does for somebody who is not stored. Returns undefined if a patient is being removed. */
  inquire(patientRef: string): Promise<Standing | undefined>;
  refOf(person: number): string;
  personOf(patientRef: string): number;
  /** Lets time pass. */
  advance(ms: number): void;
  nowMs(): number;
  read(): Promise<Stored>;
  /** Reads the access entries of some people, as `{person} {id}`. */
  readLog(people: ReadonlySet<number>): Promise<ReadonlySet<string>>;
}

/** What is stored at a quiet point. */
export interface Stored {
  readonly patients: ReadonlyMap<number, StoredPerson>;
  /** IDs of lists and of syncs that have objects in the bucket */
  readonly lists: ReadonlySet<string>;
  readonly payloads: ReadonlySet<string>;
  /** versions of care records that are not the current one of a stored person, as `{person} {version}` */
  readonly orphans: readonly string[];
}

/** What is stored of a person: the content of the list entry, or only care records. */
export type Content = number | 'provisional';

export interface StoredPerson {
  readonly content: Content;
  readonly careState: CareState;
  /** the records of the current version are there */
  readonly hasRecords: boolean;
}

/** Returns what happens to an attempt that begins now, once. */
export function takeFault(world: Pick<World, 'nextFault' | 'armed'>, name: ActivityName): Fault | undefined {
  const fault = world.nextFault ?? world.armed.get(name);
  if (world.nextFault === undefined) world.armed.delete(name);
  world.nextFault = undefined;
  return fault;
}

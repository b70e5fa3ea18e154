import { ConditionalCheckFailedException, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import {
  type DynamoDBDocumentClient,
  GetCommand,
  paginateQuery,
  paginateScan,
  TransactWriteCommand,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb';
import type { PayloadReference } from '../contract/payload-reference.ts';
import { hashesOf, type NameHashes } from '../crypto/name-hashes.ts';
import type { Imported } from '../domain/changed-kvnr.ts';
import { newForDays } from '../domain/changed-kvnr.ts';
import type { Kvnr } from '../domain/kvnr.ts';
import type {
  CareState,
  LastSync,
  SeenPatient,
  Standing,
  StoredPatient,
  SyncEnd,
  UnusableAnswer,
} from '../domain/patient.ts';
import { shardOf } from '../domain/shard.ts';
import { sendOptions } from './batch-write.ts';
import type { DocumentsStore } from './documents.ts';
import { deletionsOf, type EntryParts, readEntry, splitEntry, type TransactItem } from './entry-parts.ts';
import { PayloadError } from './objects.ts';
import { forEachParallel } from './parallel.ts';
import { birthIndex, type Tables } from './tables.ts';
import type { WriteGuard } from './write-guard.ts';

/** A larger body is stored in parts, because a DynamoDB item holds 400 KB at most. */
const bodyInItemBytes = 300_000;
const updatesAtOnce = 32;
/** How long a tombstone is kept. No attempt of an activity that writes a list lives longer. */
const tombstoneSeconds = newForDays * 24 * 60 * 60;
/** How long an inquiry waits for its sync. The line is never paused for that long. */
const inquirySeconds = 30 * 24 * 60 * 60;
/** Number of discarded versions that an item remembers one by one. */
const discardedVersionsMax = 50;

/** A valid entry of the insurer's list. */
export interface ListedPatient {
  readonly patientRef: string;
  readonly kvnr: Kvnr;
  /** the insurer's entry as JSON text, with numbers as written */
  readonly body: string;
  readonly contentHash: string;
  /** of `identityOf`; absent if the entry lacks name, birth date or address */
  readonly identity?: string | undefined;
  /** by what a search finds the patient */
  readonly nameHashes?: NameHashes | undefined;
}

/** What a later list finds a changed KVNR by (core/domain/changed-kvnr.ts). Goes with the item. */
export interface PersonMarks {
  /** of `identityOf`; absent in items that 0.2.0 has stored, too */
  readonly identity?: string;
  readonly imported?: Imported;
  /** the patient who is the same person under another KVNR */
  readonly successor?: string;
  /** the list after which the successor was found; absent if there is none */
  readonly successorIn?: string;
}

/** What an attempt has read of an item, and names in its write. */
export interface SeenItem {
  /** grows with each write about the list entry */
  readonly revision: number;
  /** of a large entry: what the next one replaces */
  readonly bodyParts?: EntryParts;
  /** of a large entry that 0.2.0 has stored */
  readonly bodyRef?: PayloadReference;
  /** a provisional patient or an inquiry: a list that names the person keeps what is stored */
  readonly isUnlisted?: boolean;
}

/** The facts about a listed patient that the diff needs. */
export interface ShardItem extends SeenItem, PersonMarks {
  readonly patientRef: string;
  readonly contentHash: string;
  readonly careState: CareState;
  /** the list that stored or changed this item last, so that a repeated diff of the same list counts it the same way */
  readonly listed: { readonly listId: string; readonly as: 'new' | 'changed' };
  /** the list that lacks this patient, if there is one and no later list contains the patient */
  readonly goneIn?: string;
  /** no search finds this patient, or only by an earlier name: a version without search has stored the entry */
  readonly isUnsearchable?: true;
}

/** A provisional patient, or an inquiry. No list has named the person. */
export interface UnlistedItem extends SeenItem {
  readonly patientRef: string;
  readonly standing: Exclude<Standing, 'listed'>;
  /** of a provisional patient: orders the fetch of the records among all requests on the line */
  readonly careVersion?: string;
  readonly goneIn?: string;
}

/** A patient who is being removed, or a tombstone. */
export interface RemovedItem extends SeenItem, PersonMarks {
  readonly patientRef: string;
  readonly isTombstone: boolean;
  readonly goneIn?: string;
}

/** A removal that has begun, and why. */
export interface RemovalMark {
  readonly revision: number;
  /** the list that stored or changed the patient last, or the fetch of a provisional patient, or the sync of an inquiry */
  readonly storedBy: string;
  /** the sync for which the insurer has answered 404 or 410, or the list that lacks the patient */
  readonly cause?: { readonly kind: 'sync' | 'list'; readonly id: string };
  /** the sync for which the insurer has answered 404 */
  readonly unknownIn?: string;
  /** of a patient whose KVNR has changed */
  readonly successor?: string;
}

/** What a count of all patients reads of one. */
export interface CountedPatient extends Pick<ShardItem, 'patientRef' | 'revision' | 'careState'> {
  readonly isBeingRemoved: boolean;
  readonly isProvisional: boolean;
  /** the list that lacks the patient */
  readonly goneIn?: string;
  /** when the stored care records were received, ISO 8601 UTC; `unknown` if 0.2.0 has stored them; absent if there are none */
  readonly careRecordsAsOf?: string;
}

/** What is kept of the insurer's answer, in addition to its care records. */
export interface CareAnswerFacts {
  /** ISO 8601 UTC; absent in activities that 0.2.0 has scheduled */
  readonly receivedAt?: string | undefined;
  readonly etag?: string | undefined;
}

/** The patients of one shard as of one read. */
export interface Shard {
  /** the listed ones, ordered by patientRef */
  readonly stored: readonly ShardItem[];
  readonly unlisted: readonly UnlistedItem[];
  readonly removed: readonly RemovedItem[];
}

/** A patient changed between the read and the write of an attempt. The next attempt reads the new state. */
export class PatientChanged extends Error {
  override readonly name = 'PatientChanged';
  constructor() {
    super('a patient has changed since this attempt read it');
  }
}

/** The answer after which a patient is removed: 404 with `unknownIn`, otherwise 410. */
export interface RemovingAnswer {
  readonly unknownIn?: string;
}

/**
 * The table Patients (docs/explanation/architecture.md, "Tables"). Writes about the list entry name the revision that the
 * attempt has read, so an attempt that stood still cannot undo a later write (docs/explanation/writes.md).
 *
 * A removed patient leaves a tombstone for 7 days: the pseudonym, the revision and the hash of the identity. Only
 * `readShard` and `readSegment` return tombstones.
 *
 * An inquiry holds the KVNR of somebody who is not stored, and the sync that asks about them. It has an expiry like a
 * tombstone, so it is not seen by what counts, lists or removes patients.
 */
export interface PatientsStore {
  /** Reads one shard, strongly consistent. */
  readShard(shard: string): Promise<Shard>;
  /** Reads one segment of the table, strongly consistent, in pages of at most 1 MB. All segments have each item once. */
  readSegment(segment: number, segments: number): AsyncIterable<Shard>;
  /**
   * Stores new patients with careState `pending`. A provisional patient keeps their care records, and a person with an
   * inquiry keeps its sync. Idempotent.
   * @param seen what `readShard` has returned of those, as removed or unlisted
   * @throws PatientChanged if an item is not as `seen` and this list has not stored it
   */
  storeNew(
    patients: readonly ListedPatient[],
    listId: string,
    seen?: ReadonlyMap<string, SeenItem>,
    writeGuard?: WriteGuard,
  ): Promise<void>;
  /**
   * Stores changed master data of stored patients. A careState `failed` becomes `pending`. Idempotent. Does nothing for
   * patients that are unknown or being removed.
   * @param seen what `readShard` has returned of those
   * @throws PatientChanged if a revision is another one and this list has not stored the change
   */
  storeChanged(
    patients: readonly ListedPatient[],
    listId: string,
    seen: ReadonlyMap<string, SeenItem>,
    writeGuard?: WriteGuard,
  ): Promise<void>;
  /**
   * Marks which list lacks a patient, or that none does. Idempotent. Does nothing for a patient that is unknown or being
   * removed. A patient who is on the list again has no successor.
   * @param patient.identity is stored, too, if given
   * @throws PatientChanged if the revision is another one and the mark differs
   */
  setGoneIn(
    patient: Pick<ShardItem, 'patientRef' | 'revision' | 'identity'>,
    listId: string | undefined,
    writeGuard?: WriteGuard,
  ): Promise<void>;
  /**
   * Marks that a patient who is gone is the same person as another one. The removal links their access logs.
   * @param found.listId the list after which the pair was found. It lacks the patient, unless the patient has been removed
   * @throws PatientChanged if that is no longer so, or the patient has a successor
   */
  setSuccessor(
    patientRef: string,
    successor: string,
    found: { readonly listId: string; readonly isRemoved: boolean },
    writeGuard?: WriteGuard,
  ): Promise<void>;
  /**
   * Stores by what a search finds a patient. Idempotent. Does nothing for a patient that has another revision, is unknown or being
   * removed.
   * @param hashes of the entry with that revision
   */
  setNameHashes(
    patient: Pick<ShardItem, 'patientRef' | 'revision'>,
    hashes: NameHashes,
    writeGuard?: WriteGuard,
  ): Promise<void>;
  /** Returns those born on a day, of the last second or so: the index follows the table. May contain people who are being removed. */
  findBornOn(birthHash: string): AsyncIterable<{ readonly patientRef: string; readonly nameHashes: string }>;
  /** Returns at most `limit` pending patientRefs of a shard after `after`, in order. */
  listPending(shard: string, after: string | undefined, limit: number): Promise<string[]>;
  /**
   * Reads one segment of the table, strongly consistent, without tombstones. All segments together have each patient
   * once. A query for each shard would cost as many read units, but 256 calls even if there are few patients.
   */
  scan(segment: number, segments: number): AsyncIterable<CountedPatient>;
  /** Returns the patientRefs of a shard after `after`, in order. Some may be on their way out: `get` does not find them. */
  listStored(shard: string, after: string | undefined): Promise<string[]>;
  /** Reads a patient or an inquiry; undefined if unknown or being removed. */
  get(patientRef: string): Promise<StoredPatient | undefined>;
  setCareState(patientRef: string, careState: CareState): Promise<void>;
  /** Sets careState `failed`, unless the list entry or the care records have changed since the fetch read the patient. */
  markCareFailed(patientRef: string, seen: SeenPatient): Promise<void>;
  /**
   * Keeps an answer that could not be stored, unless the list entry or the care records have changed since. Idempotent. An
   * answer that came twice on a day is not replaced by one that came once on that day.
   */
  markUnusable(patientRef: string, seen: SeenPatient, answer: UnusableAnswer): Promise<void>;
  /** Reads the last sync on demand, without the patient's data; undefined if unknown or being removed. */
  readLastSync(patientRef: string): Promise<{ readonly lastSync?: LastSync; readonly standing: Standing } | undefined>;
  /**
   * Stores an inquiry, or keeps the one that is there for longer. Idempotent. Does nothing for a stored patient. What a later
   * list finds a removed patient by stays for as long as their tombstone would have.
   * @returns false if a patient is being removed
   */
  inquire(patientRef: string, kvnr: Kvnr): Promise<boolean>;
  /**
   * Marks a sync as requested, in one conditional write. If the last sync was in progress at `requestedAt`, joins it
   * instead, even if it has ended since. So a late repetition of a request starts no second sync. Idempotent.
   * @returns the stored sync, which is the new one or the one it joins; undefined if the patient is unknown or being
   *   removed
   */
  requestSync(patientRef: string, request: Omit<LastSync, 'state'>): Promise<LastSync | undefined>;
  /** Marks a sync as running. Returns false if it has ended or is not the patient's last sync. Idempotent. */
  beginSync(patientRef: string, syncId: string): Promise<boolean>;
  /**
   * Marks a sync as ended at `finishedAt`, if it is the patient's last sync and has not ended. Idempotent.
   * @returns the sync as it was stored before; undefined if nothing was changed
   */
  endSync(
    patientRef: string,
    syncId: string,
    end: SyncEnd & { readonly finishedAt: string },
  ): Promise<LastSync | undefined>;
  /**
   * Makes a staged version the current one, in one conditional write. An inquiry becomes a provisional patient. A provisional
   * patient is no longer gone and has a new revision, so an earlier decision removes nobody. Returns true if it is current
   * now, even if it was before. Returns false if the patient is gone, is being removed, was stored again since `incarnation`, or has a newer
   * version, and if the version was discarded.
   * @param incarnation StoredPatient.incarnation, as read before the version was staged
   * @param answer when and with which ETag the version was received
   */
  activateCareVersion(
    patientRef: string,
    careVersion: string,
    incarnation: number,
    answer?: CareAnswerFacts,
  ): Promise<boolean>;
  /**
   * Notes that the insurer has said that a version has not changed. Idempotent. Changes nothing if the patient has another
   * version or a later date, or is being removed.
   */
  renewCareVersion(patientRef: string, careVersion: string, receivedAt: string): Promise<void>;
  /** Ensures that a staged version never becomes the current one. Returns false if it already is. */
  discardCareVersion(patientRef: string, careVersion: string): Promise<boolean>;
  /**
   * Sets the care state `reported-not-insured`, because the insurer has answered 410. From then on the insurer is not asked
   * for the patient, until the patient is reopened. Idempotent.
   * @param seen as read before the request. If a list or another sync has changed the patient since, the answer says nothing
   * @returns the sync that has reported the patient, this one or an earlier one; undefined if none has, or the patient has
   *   changed
   */
  markNotInsured(patientRef: string, syncId: string, seen: SeenPatient): Promise<string | undefined>;
  /** Returns the revision of a patient that has this mark, is being removed, and is not deleted yet. */
  readNotInsured(patientRef: string): Promise<{ readonly revision: number } | undefined>;
  /**
   * Keeps a reported patient for a question to an operator. Changes nothing if the care state is another one. Idempotent.
   * @param revision as read before the request; absent if an activity of 0.2.0 has made it
   */
  hold(patientRef: string, revision: number | undefined, heldFor: string): Promise<void>;
  /** Lists the patients of a shard that are held for a question, also those that are being removed. */
  listHeld(shard: string, heldFor: string): AsyncIterable<Pick<ShardItem, 'patientRef' | 'revision'>>;
  /**
   * Makes the reported patients of a shard pending, with a new revision. Leaves provisional ones to the sync that removes
   * them. Idempotent.
   * @param nextQuestion patients who are held for this question stay: they were reported afterwards
   */
  reopenReported(shard: string, nextQuestion: string, writeGuard?: WriteGuard): Promise<void>;
  /**
   * Marks a patient, or an inquiry, as being removed. Undefined if there is neither, or it has another revision.
   * @param revision absent in activities that 0.2.0 has scheduled: nothing is removed, and the next run asks again
   * @param answer what the insurer has answered. The table must agree: a 410 is stored there before, and a 404 removes
   *   nobody who is listed. `unknownIn`, the sync of a 404, is kept for the attempt that ends the removal. Absent: a list
   *   removes the patient, or an operator
   */
  markRemoving(
    patientRef: string,
    revision: number | undefined,
    writeGuard?: WriteGuard,
    answer?: RemovingAnswer,
  ): Promise<RemovalMark | undefined>;
  /**
   * Ensures that no version up to this one becomes current, even after the patient has been stored again. The removal
   * may delete them then. Returns false if the patient is not being removed, or has another revision.
   */
  closeVersions(patientRef: string, revision: number, upTo: string, writeGuard?: WriteGuard): Promise<boolean>;
  /** Replaces a patient that is being removed with a tombstone. Does nothing if the revision is another one. */
  deleteRemoving(patientRef: string, revision: number, writeGuard?: WriteGuard): Promise<void>;
}

interface PatientItem extends PersonMarks, Partial<NameHashes> {
  readonly shard: string;
  readonly patientRef: string;
  readonly kvnr: Kvnr;
  readonly body?: string;
  /** replaces body if that is large */
  readonly bodyParts?: EntryParts;
  /** replaces body if that is large, in items of 0.2.0 */
  readonly bodyRef?: PayloadReference;
  /** absent unless listed */
  readonly contentHash?: string;
  /** absent in an inquiry */
  readonly careState?: CareState;
  readonly careVersion?: string;
  /** of careVersion, ISO 8601 UTC; absent in items of 0.2.0 */
  readonly careRecordsAsOf?: string;
  /** of careVersion */
  readonly careEtag?: string;
  /** no list has named the person: a provisional patient, or an inquiry */
  readonly unlisted?: boolean;
  /** staged versions that were discarded; a late write must not make them current */
  readonly discardedVersions?: readonly string[];
  /** the version that was discarded last, as 0.2.0 has stored it */
  readonly discardedVersion?: string;
  /** no version up to this one becomes current */
  readonly closedVersion?: string;
  /** absent in items of 0.2.0: 0 */
  readonly revision?: number;
  /** the revision with which the patient was stored as new; absent in items of 0.2.0: 0 */
  readonly incarnation?: number;
  readonly goneIn?: string;
  /** only in a tombstone or an inquiry, seconds since 1970: DynamoDB deletes it then. A tombstone has no kvnr. */
  readonly expiresAt?: number;
  /** the PersonMarks are of a removed patient about whom somebody has asked since; they count until then, seconds since 1970 */
  readonly marksExpireAt?: number;
  readonly lastSync?: LastSync;
  readonly unusableAnswer?: UnusableAnswer;
  readonly removing?: boolean;
  /** the sync for which the insurer has answered 404, about somebody who is being removed for it */
  readonly unknownIn?: string;
  /** the sync for which the insurer has answered 410 */
  readonly notInsured?: string;
  /** the question for which the patient is kept after a 410 */
  readonly heldFor?: string;
  /** absent unless listed */
  readonly listed?: ShardItem['listed'];
}

const isPatient = 'attribute_exists(patientRef) AND attribute_not_exists(expiresAt)';
const isStored = `${isPatient} AND attribute_not_exists(#removing)`;
/** A stored patient or an inquiry: both can be synced. */
const isSyncable = 'attribute_exists(kvnr) AND attribute_not_exists(#removing)';
/** Returns the condition that a counter has the value `:{name}`. Items of 0.2.0 lack it, which counts as 0. */
const isSeen = (name: 'revision' | 'incarnation', value: number): string =>
  value === 0 ? `(attribute_not_exists(${name}) OR ${name} = :${name})` : `${name} = :${name}`;
/** Returns the condition that no list, no other sync and no 410 has changed a stored patient since a fetch read it. */
const isUnchangedSince = ({ revision, careVersion }: SeenPatient): string =>
  `${isSyncable} AND attribute_not_exists(notInsured) AND ${isSeen('revision', revision)}
    AND ${careVersion === undefined ? 'attribute_not_exists(careVersion)' : 'careVersion = :version'}`;
const seenValues = ({ revision, careVersion }: SeenPatient) => ({
  ':revision': revision,
  ...(careVersion !== undefined && { ':version': careVersion }),
});
/** Returns placeholders `#word`, because some attribute names are reserved words of DynamoDB. */
const namesOf = (...words: (keyof PatientItem)[]) => Object.fromEntries(words.map((word) => [`#${word}`, word]));
const isStillInProgress = 'lastSync.#state IN (:requested, :running)';
const inProgressValues = { ':requested': 'requested', ':running': 'running' };
const standingOf = ({ unlisted, expiresAt }: Pick<PatientItem, 'unlisted' | 'expiresAt'>): Standing => {
  if (!unlisted) return 'listed';
  return expiresAt === undefined ? 'provisional' : 'inquiry';
};
const expiryIn = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
const marksOf = ({ marksExpireAt, ...item }: PersonMarks & Pick<PatientItem, 'marksExpireAt'>): PersonMarks => {
  if (marksExpireAt !== undefined && marksExpireAt <= expiryIn(0)) return {};
  const { identity, imported, successor, successorIn } = item;
  return {
    ...(identity !== undefined && { identity }),
    ...(imported !== undefined && { imported }),
    ...(successor !== undefined && { successor }),
    ...(successorIn !== undefined && { successorIn }),
  };
};
/** Attributes that end when a list names the person. */
const untilListed = ['goneIn', 'successor', 'successorIn', 'marksExpireAt', 'unlisted', 'expiresAt'] as const;
/** Attributes that end when a patient is stored as new, or has been removed. */
const ofIncarnation = [
  '#removing',
  'unknownIn',
  'notInsured',
  'heldFor',
  'careVersion',
  'careRecordsAsOf',
  'careEtag',
  'discardedVersion',
  'discardedVersions',
  'lastSync',
  'unusableAnswer',
] as const;
/** Attributes that say by what a search finds a patient. */
const searchAttributes = ['birthHash', 'nameHashes', 'hashesOf'] as const;
/** Returns the parts of an update that stores new hashes, or none, in place of those of before. */
const hashesUpdate = (hashes: Partial<NameHashes> = {}) => {
  const stored = searchAttributes.filter((name) => hashes[name] !== undefined);
  return {
    sets: stored.map((name) => `${name} = :${name}`),
    removes: searchAttributes.filter((name) => hashes[name] === undefined),
    values: Object.fromEntries(stored.map((name) => [`:${name}`, hashes[name]])),
  };
};
const keyOf = (patientRef: string) => ({ shard: shardOf(patientRef), patientRef });

export function createPatientsStore(
  dynamo: DynamoDBDocumentClient,
  documents: DocumentsStore,
  { patients: patientsTable, careRecords: careRecordsTable }: Pick<Tables, 'patients' | 'careRecords'>,
): PatientsStore {
  /**
   * Returns how a new entry is stored, and the writes of its parts and of those that it replaces. They belong into the same
   * transaction as the patient's item, so that a crash leaves no part behind.
   */
  const place = ({ patientRef, body }: ListedPatient, revision: number, replaced: SeenItem | undefined) => {
    const deletions = replaced?.bodyParts ? deletionsOf(careRecordsTable, patientRef, replaced.bodyParts) : [];
    if (Buffer.byteLength(body) <= bodyInItemBytes)
      return { value: body, set: '#body', remove: 'bodyParts, bodyRef', writes: deletions };
    const { parts, puts } = splitEntry(careRecordsTable, patientRef, revision, body);
    return { value: parts, set: 'bodyParts', remove: '#body, bodyRef', writes: [...puts, ...deletions] };
  };

  /**
   * Makes one conditional write, and others with it in one transaction.
   * @returns the item as it was before, which is empty after a transaction; undefined if the condition did not hold
   */
  const update = async (
    patientRef: string,
    input: Omit<UpdateCommandInput, 'TableName' | 'Key'>,
    writeGuard?: WriteGuard,
    writes: readonly TransactItem[] = [],
  ): Promise<Partial<PatientItem> | undefined> => {
    const write = {
      TableName: patientsTable,
      Key: keyOf(patientRef),
      ConditionExpression: isStored,
      ExpressionAttributeNames: namesOf('removing'),
      ...input,
    };
    try {
      await writeGuard?.confirm?.();
      writeGuard?.check();
      if (writes.length === 0) {
        const command = new UpdateCommand({ ReturnValues: 'ALL_OLD', ...write });
        return (await dynamo.send(command, sendOptions(writeGuard))).Attributes ?? {};
      }
      const { UpdateExpression = '', ...update } = write;
      const command = new TransactWriteCommand({
        TransactItems: [{ Update: { UpdateExpression, ...update } }, ...writes],
      });
      await dynamo.send(command, sendOptions(writeGuard));
      return {};
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined;
      if (
        error instanceof TransactionCanceledException &&
        error.CancellationReasons?.[0]?.Code === 'ConditionalCheckFailed'
      )
        return undefined;
      throw error;
    }
  };

  const readItem = async (patientRef: string): Promise<PatientItem | undefined> => {
    const command = new GetCommand({ TableName: patientsTable, Key: keyOf(patientRef), ConsistentRead: true });
    const item = (await dynamo.send(command)).Item as PatientItem | undefined;
    return item?.kvnr === undefined ? undefined : item; // undefined for a tombstone
  };

  /** Reads a large entry; undefined if its parts, or the object of 0.2.0, are gone. @throws PayloadError `corrupt` */
  const readLarge = async ({ patientRef, bodyParts, bodyRef }: PatientItem): Promise<string | undefined> => {
    if (bodyParts) return await readEntry(dynamo, careRecordsTable, patientRef, bodyParts);
    if (bodyRef === undefined) return undefined;
    return await documents.get(bodyRef).catch((error: unknown) => {
      if (error instanceof PayloadError && error.fault === 'missing') return undefined;
      throw error;
    });
  };

  /** @throws PayloadError `missing` if a large entry is gone, although the patient has not changed; `corrupt` */
  const readWithBody = async (patientRef: string) => {
    let missing: number | string | undefined;
    for (;;) {
      const item = await readItem(patientRef);
      if (item === undefined || item.removing) return undefined;
      const place = item.bodyParts?.revision ?? item.bodyRef?.key;
      if (place === undefined) return { item, body: item.body };
      const entry = await readLarge(item);
      if (entry !== undefined) return { item, body: entry };
      if (missing === place) throw new PayloadError('missing');
      missing = place; // a list has replaced the entry between the reads
    }
  };

  const readLastSync: PatientsStore['readLastSync'] = async (patientRef) => {
    const command = new GetCommand({
      TableName: patientsTable,
      Key: keyOf(patientRef),
      ConsistentRead: true,
      ProjectionExpression: 'kvnr, #removing, lastSync, expiresAt, unlisted',
      ExpressionAttributeNames: namesOf('removing'),
    });
    const item = (await dynamo.send(command)).Item as
      | Pick<PatientItem, 'kvnr' | 'removing' | 'lastSync' | 'expiresAt' | 'unlisted'>
      | undefined;
    if (item?.kvnr === undefined || item.removing) return undefined;
    return { standing: standingOf(item), ...(item.lastSync !== undefined && { lastSync: item.lastSync }) };
  };

  /**
   * Writes a list entry, with the next revision.
   * @param as.new forgets everything else that is stored; kept: keeps care records and their state; reopened: makes the care
   *   state pending
   * @returns false if the condition does not hold
   */
  const writeEntry = async (
    patient: ListedPatient,
    listed: ShardItem['listed'],
    replaced: SeenItem | undefined,
    as: 'new' | 'kept' | 'reopened',
    condition: Required<Pick<UpdateCommandInput, 'ConditionExpression' | 'ExpressionAttributeValues'>>,
    writeGuard: WriteGuard | undefined,
  ): Promise<boolean> => {
    const { patientRef, kvnr, contentHash, identity } = patient;
    const hashes = hashesUpdate(patient.nameHashes);
    const next = (replaced?.revision ?? 0) + 1;
    const { value, set, remove, writes } = place(patient, next, replaced);
    const imported: Imported = { listId: listed.listId, at: new Date().toISOString() };
    const sets = [
      '#kvnr = :kvnr',
      'contentHash = :contentHash',
      '#listed = :listed',
      'revision = :next',
      `${set} = :body`,
      `careState = ${as === 'kept' ? 'if_not_exists(careState, :pending)' : ':pending'}`,
      ...(as === 'new' ? ['incarnation = :next'] : []),
      ...(listed.as === 'new' ? ['imported = :imported'] : []),
      ...(identity === undefined ? [] : ['#identity = :identity']),
      ...hashes.sets,
    ];
    const removes = [
      remove,
      ...untilListed,
      ...(as === 'new' ? ofIncarnation : []),
      ...(identity === undefined ? ['#identity'] : []),
      ...hashes.removes,
    ];
    const before = await update(
      patientRef,
      {
        UpdateExpression: `SET ${sets.join(', ')} REMOVE ${removes.join(', ')}`,
        ConditionExpression: condition.ConditionExpression,
        ExpressionAttributeNames: namesOf('kvnr', 'listed', 'body', 'removing', 'identity'),
        ExpressionAttributeValues: {
          ...condition.ExpressionAttributeValues,
          ...hashes.values,
          ...(identity !== undefined && { ':identity': identity }),
          ...(listed.as === 'new' && { ':imported': imported }),
          ':kvnr': kvnr,
          ':contentHash': contentHash,
          ':listed': listed,
          ':pending': 'pending',
          ':body': value,
          ':next': next,
        },
      },
      writeGuard,
      writes,
    );
    if (before !== undefined && replaced?.bodyRef) await documents.delete(replaced.bodyRef);
    return before !== undefined;
  };

  /**
   * Stores the entry of somebody for whom something is stored, and keeps the rest. A care state `failed` becomes `pending`.
   * @returns stored, also if this list has stored it before; gone: unknown or being removed; changed: another revision
   */
  const storeEntry = async (
    patient: ListedPatient,
    listed: ShardItem['listed'],
    replaced: SeenItem | undefined,
    writeGuard: WriteGuard | undefined,
  ): Promise<'stored' | 'gone' | 'changed'> => {
    const revision = replaced?.revision ?? 0;
    const write = async (as: 'kept' | 'reopened'): Promise<boolean> => {
      const isFailed =
        as === 'reopened' ? 'careState = :failed' : '(attribute_not_exists(careState) OR careState <> :failed)';
      const condition = {
        ConditionExpression: `${isSyncable} AND ${isSeen('revision', revision)} AND ${isFailed}`,
        ExpressionAttributeValues: { ':revision': revision, ':failed': 'failed' },
      };
      return await writeEntry(patient, listed, replaced, as, condition, writeGuard);
    };
    if ((await write('kept')) || (await write('reopened'))) return 'stored';
    const item = await readItem(patient.patientRef);
    if (item === undefined || item.removing) return 'gone';
    return item.listed?.listId === listed.listId && item.contentHash === patient.contentHash ? 'stored' : 'changed';
  };

  async function* query<Attribute extends keyof PatientItem>(
    shard: string,
    attributes: readonly Attribute[],
    filter: 'pending' | 'patients' | 'all',
    after = '',
  ): AsyncGenerator<Pick<PatientItem, Attribute>> {
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: patientsTable,
        ConsistentRead: true,
        KeyConditionExpression: after === '' ? '#shard = :shard' : '#shard = :shard AND patientRef > :after',
        FilterExpression: {
          pending: 'careState = :pending AND attribute_not_exists(#removing)',
          patients: 'attribute_not_exists(expiresAt)',
          all: undefined,
        }[filter],
        ProjectionExpression: attributes.map((name) => `#${name}`).join(', '),
        ExpressionAttributeNames: namesOf(
          'shard',
          ...(filter === 'pending' ? (['removing'] as const) : []),
          ...attributes,
        ),
        ExpressionAttributeValues: {
          ':shard': shard,
          ...(after !== '' && { ':after': after }),
          ...(filter === 'pending' && { ':pending': 'pending' }),
        },
      },
    );
    for await (const { Items } of pages) yield* (Items ?? []) as Pick<PatientItem, Attribute>[];
  }

  const scanPages = (segment: number, segments: number, attributes: readonly (keyof PatientItem)[], filter?: string) =>
    paginateScan(
      { client: dynamo },
      {
        TableName: patientsTable,
        ConsistentRead: true,
        Segment: segment,
        TotalSegments: segments,
        ...(filter !== undefined && { FilterExpression: filter }),
        ProjectionExpression: attributes.map((name) => `#${name}`).join(', '),
        ExpressionAttributeNames: namesOf(...attributes),
      },
    );

  const shardAttributes = [
    'patientRef',
    'kvnr',
    'revision',
    'contentHash',
    'careState',
    'careVersion',
    'unlisted',
    'listed',
    'goneIn',
    'bodyParts',
    'bodyRef',
    'identity',
    'imported',
    'successor',
    'successorIn',
    'marksExpireAt',
    'removing',
    'expiresAt',
    'hashesOf',
  ] as const;

  /** Sorts items, each with `shardAttributes`, by what they are. */
  const sortedItems = (items: Iterable<Pick<PatientItem, (typeof shardAttributes)[number]>>): Shard => {
    const stored: ShardItem[] = [];
    const unlisted: UnlistedItem[] = [];
    const removed: RemovedItem[] = [];
    for (const item of items) {
      const { patientRef, kvnr, goneIn, careVersion, bodyParts, bodyRef, revision = 0, removing } = item;
      const seen = {
        patientRef,
        revision,
        ...(goneIn !== undefined && { goneIn }),
        ...(bodyParts && { bodyParts }),
        ...(bodyRef && { bodyRef }),
      };
      const marks = marksOf(item);
      const standing = standingOf(item);
      if (kvnr === undefined || removing) removed.push({ ...seen, ...marks, isTombstone: kvnr === undefined });
      else if (standing !== 'listed')
        unlisted.push({ ...seen, standing, isUnlisted: true, ...(careVersion !== undefined && { careVersion }) });
      else {
        const { contentHash = '', careState = 'pending', listed = { listId: '', as: 'new' } } = item;
        const isSearchable = item.hashesOf === hashesOf(contentHash);
        stored.push({
          ...seen,
          ...marks,
          contentHash,
          careState,
          listed,
          ...(!isSearchable && { isUnsearchable: true }),
        });
      }
    }
    return { stored, unlisted, removed };
  };

  return {
    async readShard(shard) {
      return sortedItems(await Array.fromAsync(query(shard, shardAttributes, 'all')));
    },

    async *readSegment(segment, segments) {
      for await (const { Items } of scanPages(segment, segments, shardAttributes))
        yield sortedItems((Items ?? []) as PatientItem[]);
    },

    async storeNew(patients, listId, seen = new Map(), writeGuard) {
      await forEachParallel(patients, updatesAtOnce, async (patient) => {
        const { patientRef, contentHash } = patient;
        const replaced = seen.get(patientRef);
        const named = { listId, as: 'new' } as const;
        if (replaced?.isUnlisted) {
          const outcome = await storeEntry(patient, named, replaced, writeGuard);
          if (outcome !== 'stored') throw new PatientChanged();
          return;
        }
        const isRemoved = '(attribute_exists(#removing) OR attribute_not_exists(#kvnr))';
        const condition =
          replaced === undefined
            ? { ConditionExpression: 'attribute_not_exists(patientRef)', ExpressionAttributeValues: {} }
            : {
                ConditionExpression: `${isRemoved} AND ${isSeen('revision', replaced.revision)}`,
                ExpressionAttributeValues: { ':revision': replaced.revision },
              };
        if (await writeEntry(patient, named, replaced, 'new', condition, writeGuard)) return;
        const item = await readItem(patientRef);
        if (item?.listed?.listId !== listId || item.contentHash !== contentHash) throw new PatientChanged();
      });
    },

    async storeChanged(patients, listId, seen, writeGuard) {
      await forEachParallel(patients, updatesAtOnce, async (patient) => {
        const replaced = seen.get(patient.patientRef);
        const outcome = await storeEntry(patient, { listId, as: 'changed' }, replaced, writeGuard);
        if (outcome === 'changed') throw new PatientChanged();
      });
    },

    async setGoneIn({ patientRef, revision, identity }, listId, writeGuard) {
      const before = await update(
        patientRef,
        {
          UpdateExpression: `SET revision = :next ${identity === undefined ? '' : ', #identity = :identity'}
            ${listId === undefined ? 'REMOVE goneIn, successor, successorIn' : ', goneIn = :listId'}`,
          ConditionExpression: `${isStored} AND ${isSeen('revision', revision)}`,
          ExpressionAttributeNames: namesOf('removing', ...(identity === undefined ? [] : (['identity'] as const))),
          ExpressionAttributeValues: {
            ...(identity !== undefined && { ':identity': identity }),
            ':revision': revision,
            ':next': revision + 1,
            ...(listId !== undefined && { ':listId': listId }),
          },
        },
        writeGuard,
      );
      if (before !== undefined) return;
      const item = await readItem(patientRef);
      if (item !== undefined && !item.removing && item.goneIn !== listId) throw new PatientChanged();
    },

    async setSuccessor(patientRef, successor, { listId, isRemoved }, writeGuard) {
      const isGone = isRemoved
        ? '(attribute_exists(#removing) OR (attribute_exists(expiresAt) AND attribute_not_exists(kvnr)))'
        : `${isStored} AND goneIn = :listId`;
      const before = await update(
        patientRef,
        {
          UpdateExpression: 'SET successor = :successor, successorIn = :listId',
          ConditionExpression: `${isGone} AND attribute_not_exists(successor)`,
          ExpressionAttributeValues: { ':successor': successor, ':listId': listId },
        },
        writeGuard,
      );
      if (before === undefined) throw new PatientChanged();
    },

    async setNameHashes({ patientRef, revision }, nameHashes, writeGuard) {
      const { sets, removes, values } = hashesUpdate(nameHashes);
      const remove = removes.length === 0 ? '' : `REMOVE ${removes.join(', ')}`;
      await update(
        patientRef,
        {
          UpdateExpression: `SET ${sets.join(', ')} ${remove}`,
          ConditionExpression: `${isStored} AND ${isSeen('revision', revision)}`,
          ExpressionAttributeValues: { ...values, ':revision': revision },
        },
        writeGuard,
      );
    },

    async *findBornOn(birthHash) {
      const pages = paginateQuery(
        { client: dynamo },
        {
          TableName: patientsTable,
          IndexName: birthIndex,
          KeyConditionExpression: 'birthHash = :birthHash',
          ExpressionAttributeValues: { ':birthHash': birthHash },
          ProjectionExpression: 'patientRef, nameHashes',
        },
      );
      for await (const { Items } of pages)
        for (const { patientRef, nameHashes = '' } of (Items ?? []) as PatientItem[]) yield { patientRef, nameHashes };
    },

    async listPending(shard, after, limit) {
      const patientRefs: string[] = [];
      if (limit < 1) return patientRefs;
      for await (const { patientRef } of query(shard, ['patientRef'], 'pending', after)) {
        if (patientRefs.push(patientRef) === limit) break;
      }
      return patientRefs;
    },

    listStored: async (shard, after) =>
      await Array.fromAsync(query(shard, ['patientRef'], 'patients', after), ({ patientRef }) => patientRef),

    async *scan(segment, segments) {
      const attributes = [
        'patientRef',
        'revision',
        'careState',
        'unlisted',
        'removing',
        'careVersion',
        'careRecordsAsOf',
        'goneIn',
      ] as const;
      const pages = scanPages(segment, segments, attributes, 'attribute_not_exists(expiresAt)');
      for await (const { Items } of pages)
        for (const item of (Items ?? []) as PatientItem[]) {
          const { patientRef, revision = 0, careState = 'pending', unlisted = false, removing = false, goneIn } = item;
          const asOf = item.careVersion === undefined ? undefined : (item.careRecordsAsOf ?? 'unknown');
          yield {
            patientRef,
            revision,
            careState,
            isProvisional: unlisted,
            isBeingRemoved: removing,
            ...(asOf !== undefined && { careRecordsAsOf: asOf }),
            ...(goneIn !== undefined && { goneIn }),
          };
        }
    },

    async get(patientRef) {
      const read = await readWithBody(patientRef);
      if (read === undefined) return undefined;
      const { item, body } = read;
      const { kvnr, contentHash = '', careState = 'pending', careVersion, lastSync, unusableAnswer } = item;
      const { careRecordsAsOf, careEtag } = item;
      return {
        patientRef,
        kvnr,
        standing: standingOf(item),
        contentHash,
        careState,
        revision: item.revision ?? 0,
        incarnation: item.incarnation ?? 0,
        ...(body !== undefined && { body }),
        ...(careVersion !== undefined && { careVersion }),
        ...(careRecordsAsOf !== undefined && { careRecordsAsOf }),
        ...(careEtag !== undefined && { careEtag }),
        ...(lastSync !== undefined && { lastSync }),
        ...(unusableAnswer !== undefined && { unusableAnswer }),
      };
    },

    async markUnusable(patientRef, seen, unusableAnswer) {
      const { on, isRepeated } = unusableAnswer;
      await update(patientRef, {
        UpdateExpression: 'SET unusableAnswer = :answer',
        ConditionExpression: `${isUnchangedSince(seen)}
          ${isRepeated ? '' : 'AND NOT (unusableAnswer.#on = :on AND unusableAnswer.isRepeated = :yes)'}`,
        ExpressionAttributeNames: { ...namesOf('removing'), ...(!isRepeated && { '#on': 'on' }) },
        ExpressionAttributeValues: {
          ':answer': unusableAnswer,
          ...seenValues(seen),
          ...(!isRepeated && { ':on': on, ':yes': true }),
        },
      });
    },

    async setCareState(patientRef, careState) {
      await update(patientRef, {
        UpdateExpression: 'SET careState = :careState REMOVE notInsured, heldFor',
        ExpressionAttributeValues: { ':careState': careState },
      });
    },

    async markCareFailed(patientRef, seen) {
      await update(patientRef, {
        UpdateExpression: 'SET careState = :failed',
        ConditionExpression: isUnchangedSince(seen),
        ExpressionAttributeValues: {
          ':failed': 'failed',
          ...seenValues(seen),
        },
      });
    },

    readLastSync,

    async inquire(patientRef, kvnr) {
      for (;;) {
        const expiresAt = expiryIn(inquirySeconds);
        const command = new GetCommand({ TableName: patientsTable, Key: keyOf(patientRef), ConsistentRead: true });
        const item = (await dynamo.send(command)).Item as PatientItem | undefined;
        if (item?.removing) return false;
        if (item?.kvnr !== undefined && item.expiresAt === undefined) return true;
        const revision = item?.revision ?? 0;
        const isTombstone = 'attribute_exists(expiresAt) AND attribute_not_exists(#kvnr)';
        const marksExpireAt = item?.marksExpireAt ?? item?.expiresAt ?? 0;
        const keepsMarks = marksExpireAt > expiryIn(0);
        const written = await update(
          patientRef,
          item?.kvnr !== undefined
            ? {
                UpdateExpression: 'SET expiresAt = :expiresAt',
                ConditionExpression: `${isSyncable} AND attribute_exists(expiresAt)`,
                ExpressionAttributeValues: { ':expiresAt': expiresAt },
              }
            : {
                UpdateExpression: `SET #kvnr = :kvnr, unlisted = :yes, expiresAt = :expiresAt, revision = :next,
                  incarnation = :next ${keepsMarks ? ', marksExpireAt = :marksExpireAt' : ''}
                  REMOVE goneIn ${keepsMarks ? '' : ', marksExpireAt, #identity, imported, successor, successorIn'}`,
                ConditionExpression:
                  item === undefined ? 'attribute_not_exists(patientRef)' : `${isTombstone} AND revision = :revision`,
                ExpressionAttributeNames: namesOf('kvnr', ...(keepsMarks ? [] : (['identity'] as const))),
                ExpressionAttributeValues: {
                  ...(keepsMarks && { ':marksExpireAt': marksExpireAt }),
                  ':kvnr': kvnr,
                  ':yes': true,
                  ':expiresAt': expiresAt,
                  ':next': revision + 1,
                  ...(item !== undefined && { ':revision': revision }),
                },
              },
        );
        if (written !== undefined) return true;
      }
    },

    async requestSync(patientRef, request) {
      const marker: LastSync = { ...request, state: 'requested' };
      const before = await update(patientRef, {
        UpdateExpression: 'SET lastSync = :marker',
        ConditionExpression: `${isSyncable} AND (attribute_not_exists(lastSync) OR (lastSync.syncId <> :syncId
          AND NOT ${isStillInProgress} AND lastSync.finishedAt < :requestedAt))`,
        ExpressionAttributeNames: { ...namesOf('removing'), '#state': 'state' },
        ExpressionAttributeValues: {
          ...inProgressValues,
          ':marker': marker,
          ':syncId': request.syncId,
          ':requestedAt': request.requestedAt,
        },
      });
      return before === undefined ? (await readLastSync(patientRef))?.lastSync : marker;
    },

    async beginSync(patientRef, syncId) {
      const before = await update(patientRef, {
        UpdateExpression: 'SET lastSync.#state = :running',
        ConditionExpression: `${isSyncable} AND lastSync.syncId = :syncId AND ${isStillInProgress}`,
        ExpressionAttributeNames: { ...namesOf('removing'), '#state': 'state' },
        ExpressionAttributeValues: { ...inProgressValues, ':syncId': syncId },
      });
      return before !== undefined;
    },

    async endSync(patientRef, syncId, { state, finishedAt, error, flags }) {
      const before = await update(patientRef, {
        UpdateExpression: `SET lastSync.#state = :state, lastSync.finishedAt = :finishedAt
          ${error === undefined ? '' : ', lastSync.#error = :error'} ${flags === undefined ? '' : ', lastSync.flags = :flags'}`,
        ConditionExpression: `${isSyncable} AND lastSync.syncId = :syncId AND ${isStillInProgress}`,
        ExpressionAttributeNames: {
          ...namesOf('removing'),
          '#state': 'state',
          ...(error !== undefined && { '#error': 'error' }),
        },
        ExpressionAttributeValues: {
          ...inProgressValues,
          ':syncId': syncId,
          ':state': state,
          ':finishedAt': finishedAt,
          ...(error !== undefined && { ':error': error }),
          ...(flags !== undefined && { ':flags': flags }),
        },
      });
      return before?.lastSync;
    },

    async activateCareVersion(patientRef, careVersion, incarnation, { receivedAt, etag } = {}) {
      // a fetch from before a 410 must not undo it
      const mayBecomeCurrent = `${isSyncable} AND ${isSeen('incarnation', incarnation)} AND attribute_not_exists(notInsured)
        AND (attribute_not_exists(closedVersion) OR closedVersion < :version)
        AND (attribute_not_exists(discardedVersion) OR discardedVersion <> :version)
        AND NOT contains(discardedVersions, :version)`;
      const values = {
        ':version': careVersion,
        ':current': 'current',
        ':incarnation': incarnation,
        ...(receivedAt !== undefined && { ':receivedAt': receivedAt }),
        ...(etag !== undefined && { ':etag': etag }),
      };
      const sets = `careVersion = :version, careState = :current
        ${receivedAt === undefined ? '' : ', careRecordsAsOf = :receivedAt'} ${etag === undefined ? '' : ', careEtag = :etag'}`;
      const removes = `unusableAnswer, expiresAt
        ${receivedAt === undefined ? ', careRecordsAsOf' : ''} ${etag === undefined ? ', careEtag' : ''}`;
      const activateListed = async (): Promise<boolean> =>
        (await update(patientRef, {
          UpdateExpression: `SET ${sets} REMOVE ${removes}`,
          ConditionExpression: `${mayBecomeCurrent} AND (careVersion = :version OR (attribute_not_exists(unlisted)
            AND (attribute_not_exists(careVersion) OR careVersion < :version)))`,
          ExpressionAttributeValues: values,
        })) !== undefined;
      const activateUnlisted = async (): Promise<boolean> =>
        (await update(patientRef, {
          UpdateExpression: `SET ${sets}, revision = revision + :one REMOVE ${removes}, goneIn`,
          ConditionExpression: `${mayBecomeCurrent} AND attribute_exists(unlisted)
            AND (attribute_not_exists(careVersion) OR careVersion < :version)`,
          ExpressionAttributeValues: { ...values, ':one': 1 },
        })) !== undefined;
      // Most are listed, and DynamoDB bills a refused write. A list may name the person between two writes, and only once.
      return (await activateListed()) || (await activateUnlisted()) || (await activateListed());
    },

    async renewCareVersion(patientRef, careVersion, receivedAt) {
      await update(patientRef, {
        UpdateExpression: 'SET careRecordsAsOf = :receivedAt',
        ConditionExpression: `${isStored} AND careVersion = :version
          AND (attribute_not_exists(careRecordsAsOf) OR careRecordsAsOf < :receivedAt)`,
        ExpressionAttributeValues: { ':receivedAt': receivedAt, ':version': careVersion },
      });
    },

    async discardCareVersion(patientRef, careVersion) {
      for (;;) {
        const item = await readItem(patientRef);
        if (item === undefined || item.removing) return true;
        if (item.careVersion === careVersion) return false;
        const known = [...(item.discardedVersions ?? []), ...(item.discardedVersion ? [item.discardedVersion] : [])];
        // Versions before the current one are refused without being remembered.
        const all = [...new Set([...known, careVersion])]
          .filter((version) => version > (item.careVersion ?? ''))
          .sort();
        const kept = all.slice(-discardedVersionsMax);
        const closedVersion = [item.closedVersion ?? '', all.at(-discardedVersionsMax - 1) ?? ''].sort().at(-1);
        const before = await update(patientRef, {
          UpdateExpression: `SET discardedVersions = :kept ${closedVersion ? ', closedVersion = :closed' : ''}
            REMOVE discardedVersion`,
          ConditionExpression: `${isSyncable} AND (attribute_not_exists(careVersion) OR careVersion <> :version)
            AND ${item.discardedVersions ? 'discardedVersions = :known' : 'attribute_not_exists(discardedVersions)'}`,
          ExpressionAttributeValues: {
            ':version': careVersion,
            ':kept': kept,
            ...(closedVersion && { ':closed': closedVersion }),
            ...(item.discardedVersions && { ':known': item.discardedVersions }),
          },
        });
        if (before !== undefined) return true;
      }
    },

    async markNotInsured(patientRef, syncId, seen) {
      const before = await update(patientRef, {
        UpdateExpression: 'SET notInsured = :syncId, careState = :reported',
        ConditionExpression: isUnchangedSince(seen),
        ExpressionAttributeValues: {
          ':syncId': syncId,
          ':reported': 'reported-not-insured',
          ...seenValues(seen),
        },
      });
      if (before !== undefined) return syncId;
      const item = await readItem(patientRef);
      return (item?.revision ?? 0) === seen.revision ? item?.notInsured : undefined;
    },

    async readNotInsured(patientRef) {
      const item = await readItem(patientRef);
      return item?.notInsured ? { revision: item.revision ?? 0 } : undefined;
    },

    async hold(patientRef, revision, heldFor) {
      await update(patientRef, {
        UpdateExpression: 'SET heldFor = :heldFor',
        ConditionExpression: `${isStored} AND careState = :reported${revision === undefined ? '' : ` AND ${isSeen('revision', revision)}`}`,
        ExpressionAttributeValues: {
          ':heldFor': heldFor,
          ':reported': 'reported-not-insured',
          ...(revision !== undefined && { ':revision': revision }),
        },
      });
    },

    async *listHeld(shard, heldFor) {
      for await (const item of query(shard, ['patientRef', 'revision', 'heldFor'], 'patients'))
        if (item.heldFor === heldFor) yield { patientRef: item.patientRef, revision: item.revision ?? 0 };
    },

    async reopenReported(shard, nextQuestion, writeGuard) {
      const attributes = ['patientRef', 'careState', 'revision', 'unlisted'] as const;
      for await (const { patientRef, careState, revision = 0, unlisted } of query(shard, attributes, 'patients')) {
        if (careState !== 'reported-not-insured' || unlisted) continue;
        const reopened: Omit<UpdateCommandInput, 'TableName' | 'Key'> = {
          // the new revision stops a removal that has begun before, and a late attempt that reopens the patient again
          UpdateExpression: 'SET careState = :pending, revision = :next REMOVE notInsured, heldFor',
          ConditionExpression: `${isStored} AND careState = :reported AND ${isSeen('revision', revision)}
            AND (attribute_not_exists(heldFor) OR heldFor <> :nextQuestion)`,
          ExpressionAttributeValues: {
            ':pending': 'pending',
            ':reported': 'reported-not-insured',
            ':revision': revision,
            ':next': revision + 1,
            ':nextQuestion': nextQuestion,
          },
        };
        await update(patientRef, reopened, writeGuard);
      }
    },

    async markRemoving(patientRef, revision, writeGuard, answer) {
      if (revision === undefined) return undefined;
      const { unknownIn: unknownInNow } = answer ?? {};
      const confirmed = unknownInNow === undefined ? 'notInsured' : 'unlisted';
      const before = await update(
        patientRef,
        {
          // an inquiry ends as a patient does
          UpdateExpression: `SET #removing = :yes ${unknownInNow === undefined ? '' : ', unknownIn = :unknownIn'}
            REMOVE expiresAt`,
          ConditionExpression: `attribute_exists(kvnr) AND ${isSeen('revision', revision)}
            ${answer ? `AND attribute_exists(${confirmed})` : ''}`,
          ExpressionAttributeValues: {
            ':yes': true,
            ':revision': revision,
            ...(unknownInNow !== undefined && { ':unknownIn': unknownInNow }),
          },
        },
        writeGuard,
      );
      if (before === undefined) return undefined;
      const { listed, careVersion, lastSync, goneIn, notInsured } = before;
      const unknownIn = unknownInNow ?? before.unknownIn;
      const { successor } = marksOf(before);
      const sync = unknownIn ?? notInsured;
      const cause =
        sync === undefined ? goneIn && ({ kind: 'list', id: goneIn } as const) : ({ kind: 'sync', id: sync } as const);
      return {
        revision,
        storedBy: listed?.listId ?? careVersion ?? lastSync?.syncId ?? '',
        ...(cause && { cause }),
        ...(unknownIn !== undefined && { unknownIn }),
        ...(successor !== undefined && { successor }),
      };
    },

    async closeVersions(patientRef, revision, upTo, writeGuard) {
      const before = await update(
        patientRef,
        {
          UpdateExpression: 'SET closedVersion = :upTo',
          ConditionExpression: `${isPatient} AND attribute_exists(#removing) AND ${isSeen('revision', revision)}`,
          ExpressionAttributeValues: { ':upTo': upTo, ':revision': revision },
        },
        writeGuard,
      );
      return before !== undefined;
    },

    async deleteRemoving(patientRef, revision, writeGuard) {
      await update(
        patientRef,
        {
          UpdateExpression: `SET revision = :next, expiresAt = :expiresAt
            REMOVE #kvnr, #body, bodyParts, bodyRef, contentHash, careState, #listed, incarnation, unlisted,
            ${[...searchAttributes, ...ofIncarnation].join(', ')}`,
          ConditionExpression: `${isPatient} AND attribute_exists(#removing) AND ${isSeen('revision', revision)}`,
          ExpressionAttributeNames: namesOf('kvnr', 'body', 'removing', 'listed'),
          ExpressionAttributeValues: {
            ':revision': revision,
            ':next': revision + 1,
            ':expiresAt': expiryIn(tombstoneSeconds),
          },
        },
        writeGuard,
      );
    },
  };
}

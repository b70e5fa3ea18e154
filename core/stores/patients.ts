import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  paginateQuery,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb';
import type { PayloadReference } from '../contract/payload-reference.ts';
import type { Kvnr } from '../domain/kvnr.ts';
import type { CareState, LastSync, StoredPatient, SyncEnd } from '../domain/patient.ts';
import { shardOf } from '../domain/shard.ts';
import { batchWrite, sendOptions } from './batch-write.ts';
import type { DocumentsStore } from './documents.ts';
import { forEachParallel } from './parallel.ts';
import type { WriteGuard } from './write-guard.ts';

export const patientsTable = 'Patients';

/** A larger body is stored in the bucket, because a DynamoDB item holds 400 KB at most. */
const bodyInItemBytes = 300_000;
const updatesAtOnce = 8;

/** A valid entry of the insurer's list. */
export interface ListedPatient {
  readonly patientRef: string;
  readonly kvnr: Kvnr;
  /** the insurer's entry as JSON text, with numbers as written */
  readonly body: string;
  readonly contentHash: string;
}

/** The facts about a stored patient that the diff needs. */
export interface ShardItem {
  readonly patientRef: string;
  readonly contentHash: string;
  readonly careState: CareState;
  /** the list that stored or changed this item last, so that a repeated diff of the same list counts it the same way */
  readonly listed: { readonly listId: string; readonly as: 'new' | 'changed' };
}

/** The table Patients (docs/explanation/architecture.md, "Tables"). */
export interface PatientsStore {
  /** Reads one shard, strongly consistent, ordered by patientRef, without patients that are being removed. */
  readShard(shard: string): AsyncIterable<ShardItem>;
  /** Stores new patients with careState `pending`. Idempotent. */
  storeNew(patients: readonly ListedPatient[], listId: string, writeGuard?: WriteGuard): Promise<void>;
  /** Stores changed master data of stored patients. A careState `failed` becomes `pending`. Idempotent. */
  storeChanged(patients: readonly ListedPatient[], listId: string, writeGuard?: WriteGuard): Promise<void>;
  /** Returns at most `limit` pending patientRefs of a shard after `after`, in order. */
  listPending(shard: string, after: string | undefined, limit: number): Promise<string[]>;
  /** Counts the stored and the pending patients of a shard, and lists the patients that are being removed. */
  countShard(
    shard: string,
  ): Promise<{ readonly stored: number; readonly pending: number; readonly removing: string[] }>;
  /** Reads a patient; undefined if unknown or being removed. */
  get(patientRef: string): Promise<StoredPatient | undefined>;
  setCareState(patientRef: string, careState: CareState): Promise<void>;
  /** Reads the last sync on demand, without the patient's data; undefined if the patient is unknown or being removed. */
  readLastSync(patientRef: string): Promise<{ readonly lastSync?: LastSync } | undefined>;
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
   * Makes a staged version the current one, in one conditional write. Returns true if it is current now, even if it was
   * before. Returns false if the patient is gone, is being removed, or has a newer version.
   */
  activateCareVersion(patientRef: string, careVersion: string): Promise<boolean>;
  /** Ensures that a staged version never becomes the current one. Returns false if it already is. */
  discardCareVersion(patientRef: string, careVersion: string): Promise<boolean>;
  /**
   * Marks a patient as being removed because the insurer has answered 410. From then on the insurer is not asked for
   * the patient again, even if the removal comes late or fails. Idempotent.
   */
  markNotInsured(patientRef: string): Promise<void>;
  /** Returns whether a patient has this mark and is not deleted yet. */
  isNotInsured(patientRef: string): Promise<boolean>;
  /**
   * Marks a patient as being removed. Returns the list that stored or changed it last; undefined if there is no such
   * patient.
   */
  markRemoving(patientRef: string, writeGuard?: WriteGuard): Promise<{ readonly listId: string } | undefined>;
  /** Deletes a patient that is being removed. A patient that has been stored again since then stays. */
  deleteRemoving(patientRef: string): Promise<void>;
}

interface PatientItem {
  readonly shard: string;
  readonly patientRef: string;
  readonly kvnr: Kvnr;
  readonly body?: string;
  /** replaces body if that is large */
  readonly bodyRef?: PayloadReference;
  readonly contentHash: string;
  readonly careState: CareState;
  readonly careVersion?: string;
  /** the staged version that was discarded last; a late write must not make it the current one */
  readonly discardedVersion?: string;
  readonly lastSync?: LastSync;
  readonly removing?: boolean;
  readonly notInsured?: boolean;
  readonly listed: ShardItem['listed'];
}

const isStored = 'attribute_exists(patientRef) AND attribute_not_exists(#removing)';
/** Returns placeholders `#word`, because some attribute names are reserved words of DynamoDB. */
const namesOf = (...words: (keyof PatientItem)[]) => Object.fromEntries(words.map((word) => [`#${word}`, word]));
const isStillInProgress = 'lastSync.#state IN (:requested, :running)';
const inProgressValues = { ':requested': 'requested', ':running': 'running' };
const keyOf = (patientRef: string) => ({ shard: shardOf(patientRef), patientRef });

export function createPatientsStore(dynamo: DynamoDBDocumentClient, documents: DocumentsStore): PatientsStore {
  const placeBody = async ({ patientRef, body }: ListedPatient): Promise<Pick<PatientItem, 'body' | 'bodyRef'>> =>
    Buffer.byteLength(body) <= bodyInItemBytes ? { body } : { bodyRef: await documents.putEntry(patientRef, body) };

  /** Makes one conditional write. Returns the item as it was before, or undefined if the condition did not hold. */
  const update = async (
    patientRef: string,
    input: Omit<UpdateCommandInput, 'TableName' | 'Key'>,
    writeGuard?: WriteGuard,
  ): Promise<Partial<PatientItem> | undefined> => {
    try {
      const command = new UpdateCommand({
        TableName: patientsTable,
        Key: keyOf(patientRef),
        ReturnValues: 'ALL_OLD',
        ConditionExpression: isStored,
        ExpressionAttributeNames: namesOf('removing'),
        ...input,
      });
      writeGuard?.check();
      return (await dynamo.send(command, sendOptions(writeGuard))).Attributes ?? {};
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined;
      throw error;
    }
  };

  const readItem = async (patientRef: string): Promise<PatientItem | undefined> => {
    const command = new GetCommand({ TableName: patientsTable, Key: keyOf(patientRef), ConsistentRead: true });
    return (await dynamo.send(command)).Item as PatientItem | undefined;
  };

  const readLastSync: PatientsStore['readLastSync'] = async (patientRef) => {
    const command = new GetCommand({
      TableName: patientsTable,
      Key: keyOf(patientRef),
      ConsistentRead: true,
      ProjectionExpression: 'patientRef, #removing, lastSync',
      ExpressionAttributeNames: namesOf('removing'),
    });
    const item = (await dynamo.send(command)).Item as Pick<PatientItem, 'removing' | 'lastSync'> | undefined;
    if (item === undefined || item.removing) return undefined;
    return item.lastSync === undefined ? {} : { lastSync: item.lastSync };
  };

  async function* query<Attribute extends keyof PatientItem>(
    shard: string,
    attributes: readonly Attribute[],
    filter: 'pending' | 'stored' | 'all',
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
          stored: 'attribute_not_exists(#removing)',
          all: undefined,
        }[filter],
        ProjectionExpression: attributes.map((name) => `#${name}`).join(', '),
        ExpressionAttributeNames: namesOf('shard', 'removing', ...attributes),
        ExpressionAttributeValues: {
          ':shard': shard,
          ...(after !== '' && { ':after': after }),
          ...(filter === 'pending' && { ':pending': 'pending' }),
        },
      },
    );
    for await (const { Items } of pages) yield* (Items ?? []) as Pick<PatientItem, Attribute>[];
  }

  return {
    readShard: (shard) => query(shard, ['patientRef', 'contentHash', 'careState', 'listed'], 'stored'),

    async storeNew(patients, listId, writeGuard) {
      const items: PatientItem[] = [];
      await forEachParallel(patients, updatesAtOnce, async (patient) => {
        const { patientRef, kvnr, contentHash } = patient;
        items.push({
          ...keyOf(patientRef),
          kvnr,
          ...(await placeBody(patient)),
          contentHash,
          careState: 'pending',
          listed: { listId, as: 'new' },
        });
      });
      const requests = items.map((Item) => ({ PutRequest: { Item: { ...Item } } }));
      await batchWrite(dynamo, patientsTable, requests, writeGuard);
    },

    async storeChanged(patients, listId, writeGuard) {
      await forEachParallel(patients, updatesAtOnce, async (patient) => {
        const { patientRef, kvnr, contentHash } = patient;
        const { body, bodyRef } = await placeBody(patient);
        const change = async (from: 'failed' | 'any other') =>
          await update(
            patientRef,
            {
              UpdateExpression: `SET #kvnr = :kvnr, contentHash = :contentHash, #listed = :listed
              ${bodyRef ? ', bodyRef = :body' : ', #body = :body'} ${from === 'failed' ? ', careState = :pending' : ''}
              ${bodyRef ? 'REMOVE #body' : 'REMOVE bodyRef'}`,
              ConditionExpression: `${isStored} AND careState ${from === 'failed' ? '=' : '<>'} :failed`,
              ExpressionAttributeNames: namesOf('kvnr', 'listed', 'body', 'removing'),
              ExpressionAttributeValues: {
                ':kvnr': kvnr,
                ':contentHash': contentHash,
                ':listed': { listId, as: 'changed' },
                ':body': bodyRef ?? body,
                ':failed': 'failed',
                ...(from === 'failed' && { ':pending': 'pending' }),
              },
            },
            writeGuard,
          );
        const before = (await change('any other')) ?? (await change('failed'));
        if (before?.bodyRef && before.bodyRef.key !== bodyRef?.key) await documents.delete(before.bodyRef);
      });
    },

    async listPending(shard, after, limit) {
      const patientRefs: string[] = [];
      if (limit < 1) return patientRefs;
      for await (const { patientRef } of query(shard, ['patientRef'], 'pending', after)) {
        if (patientRefs.push(patientRef) === limit) break;
      }
      return patientRefs;
    },

    async countShard(shard) {
      const counts = { stored: 0, pending: 0, removing: [] as string[] };
      for await (const { patientRef, careState, removing } of query(
        shard,
        ['patientRef', 'careState', 'removing'],
        'all',
      )) {
        if (removing) counts.removing.push(patientRef);
        else counts.stored += 1;
        if (!removing && careState === 'pending') counts.pending += 1;
      }
      return counts;
    },

    async get(patientRef) {
      const item = await readItem(patientRef);
      if (item === undefined || item.removing) return undefined;
      const { kvnr, contentHash, careState, careVersion, lastSync } = item;
      const body = item.bodyRef ? await documents.get(item.bodyRef) : (item.body ?? '');
      return {
        patientRef,
        kvnr,
        body,
        contentHash,
        careState,
        ...(careVersion !== undefined && { careVersion }),
        ...(lastSync !== undefined && { lastSync }),
      };
    },

    async setCareState(patientRef, careState) {
      await update(patientRef, {
        UpdateExpression: 'SET careState = :careState',
        ExpressionAttributeValues: { ':careState': careState },
      });
    },

    readLastSync,

    async requestSync(patientRef, request) {
      const marker: LastSync = { ...request, state: 'requested' };
      const before = await update(patientRef, {
        UpdateExpression: 'SET lastSync = :marker',
        ConditionExpression: `${isStored} AND (attribute_not_exists(lastSync) OR (lastSync.syncId <> :syncId
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
        ConditionExpression: `${isStored} AND lastSync.syncId = :syncId AND ${isStillInProgress}`,
        ExpressionAttributeNames: { ...namesOf('removing'), '#state': 'state' },
        ExpressionAttributeValues: { ...inProgressValues, ':syncId': syncId },
      });
      return before !== undefined;
    },

    async endSync(patientRef, syncId, { state, finishedAt, error }) {
      const before = await update(patientRef, {
        UpdateExpression: `SET lastSync.#state = :state, lastSync.finishedAt = :finishedAt
          ${error === undefined ? '' : ', lastSync.#error = :error'}`,
        ConditionExpression: `${isStored} AND lastSync.syncId = :syncId AND ${isStillInProgress}`,
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
        },
      });
      return before?.lastSync;
    },

    async activateCareVersion(patientRef, careVersion) {
      const before = await update(patientRef, {
        UpdateExpression: 'SET careVersion = :version, careState = :current',
        ConditionExpression: `${isStored} AND (attribute_not_exists(careVersion) OR careVersion <= :version)
          AND (attribute_not_exists(discardedVersion) OR discardedVersion <> :version)`,
        ExpressionAttributeValues: { ':version': careVersion, ':current': 'current' },
      });
      return before !== undefined;
    },

    async discardCareVersion(patientRef, careVersion) {
      const before = await update(patientRef, {
        UpdateExpression: 'SET discardedVersion = :version',
        ConditionExpression: `${isStored} AND (attribute_not_exists(careVersion) OR careVersion <> :version)`,
        ExpressionAttributeValues: { ':version': careVersion },
      });
      if (before !== undefined) return true;
      const item = await readItem(patientRef);
      return item === undefined || item.removing === true || item.careVersion !== careVersion;
    },

    async markNotInsured(patientRef) {
      await update(patientRef, {
        UpdateExpression: 'SET #removing = :yes, notInsured = :yes',
        ConditionExpression: 'attribute_exists(patientRef)',
        ExpressionAttributeValues: { ':yes': true },
      });
    },

    async isNotInsured(patientRef) {
      return (await readItem(patientRef))?.notInsured ?? false;
    },

    async markRemoving(patientRef, writeGuard) {
      const before = await update(
        patientRef,
        {
          UpdateExpression: 'SET #removing = :yes',
          ConditionExpression: 'attribute_exists(patientRef)',
          ExpressionAttributeValues: { ':yes': true },
        },
        writeGuard,
      );
      return before && { listId: before.listed?.listId ?? '' };
    },

    async deleteRemoving(patientRef) {
      const command = new DeleteCommand({
        TableName: patientsTable,
        Key: keyOf(patientRef),
        ConditionExpression: 'attribute_exists(#removing)',
        ExpressionAttributeNames: namesOf('removing'),
      });
      try {
        await dynamo.send(command);
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
      }
    },
  };
}

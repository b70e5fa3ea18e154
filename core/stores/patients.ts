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

/** A larger body lies in the bucket: an item of DynamoDB holds 400 KB in all. */
const bodyInItemBytes = 300_000;
const updatesAtOnce = 8;

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

/** The table Patients (docs/explanation/architecture.md, "Tables"). */
export interface PatientsStore {
  /** One shard, strongly consistent, ordered by patientRef; without those being removed. */
  readShard(shard: string): AsyncIterable<ShardItem>;
  /** Stores patients that were not there: careState pending. Repeatable. */
  storeNew(patients: readonly ListedPatient[], listId: string, writeGuard?: WriteGuard): Promise<void>;
  /** Stores changed master data of patients that are there; careState failed becomes pending. Repeatable. */
  storeChanged(patients: readonly ListedPatient[], listId: string, writeGuard?: WriteGuard): Promise<void>;
  /** At most `limit` pending patientRefs of a shard after `after`, in order. */
  listPending(shard: string, after: string | undefined, limit: number): Promise<string[]>;
  /** How many patients a shard has, how many of them are pending, and who besides is marked as being removed. */
  countShard(
    shard: string,
  ): Promise<{ readonly stored: number; readonly pending: number; readonly removing: string[] }>;
  /** undefined when unknown, or being removed */
  get(patientRef: string): Promise<StoredPatient | undefined>;
  setCareState(patientRef: string, careState: CareState): Promise<void>;
  /** The last sync that somebody asked for, without the patient's data; undefined when unknown, or being removed */
  readLastSync(patientRef: string): Promise<{ readonly lastSync?: LastSync } | undefined>;
  /**
   * Marks a sync as requested: one conditional write. Joins the last one instead when that was under way at `requestedAt`,
   * also if it has ended since then, so that a request that is repeated late is not done twice. Repeatable.
   * @returns what is stored now, its own or the one it joins; undefined when the patient is unknown, or being removed
   */
  requestSync(patientRef: string, request: Omit<LastSync, 'state'>): Promise<LastSync | undefined>;
  /** Marks a sync as running; false when it is not the patient's last one, or over. Repeatable. */
  beginSync(patientRef: string, syncId: string): Promise<boolean>;
  /**
   * Marks a sync as ended at `finishedAt`, if it is the patient's last one and has not ended. Repeatable.
   * @returns what was stored of it before; undefined when nothing was to be changed
   */
  endSync(
    patientRef: string,
    syncId: string,
    end: SyncEnd & { readonly finishedAt: string },
  ): Promise<LastSync | undefined>;
  /**
   * Makes a staged version the current one: one conditional write, true when done (also when it was done before), false
   * when the patient is gone, being removed, or has a newer version.
   */
  activateCareVersion(patientRef: string, careVersion: string): Promise<boolean>;
  /** Makes sure that a staged version never becomes the current one; false when it is that already. */
  discardCareVersion(patientRef: string, careVersion: string): Promise<boolean>;
  /**
   * Marks a patient as being removed because the insurer has answered 410: whoever removes them may come later, or never, and
   * nobody is to ask for them again. Repeatable.
   */
  markNotInsured(patientRef: string): Promise<void>;
  /** Whether a patient is marked so, and not yet gone. */
  isNotInsured(patientRef: string): Promise<boolean>;
  /** Marks a patient as being removed, and tells the list that had stored or changed it last; undefined when it is not there. */
  markRemoving(patientRef: string, writeGuard?: WriteGuard): Promise<{ readonly listId: string } | undefined>;
  /** Deletes a patient that is marked as being removed, and nobody else: whoever was stored anew since then stays. */
  deleteRemoving(patientRef: string): Promise<void>;
}

interface PatientItem {
  readonly shard: string;
  readonly patientRef: string;
  readonly kvnr: Kvnr;
  readonly body?: string;
  /** in place of body, when that is large */
  readonly bodyRef?: PayloadReference;
  readonly contentHash: string;
  readonly careState: CareState;
  readonly careVersion?: string;
  /** the staged version that was discarded last: it must not become the current one by a late write */
  readonly discardedVersion?: string;
  readonly lastSync?: LastSync;
  readonly removing?: boolean;
  readonly notInsured?: boolean;
  readonly listed: ShardItem['listed'];
}

const isThere = 'attribute_exists(patientRef) AND attribute_not_exists(#removing)';
/** Some of our words are DynamoDB's own: all that might be are written `#word`. */
const namesOf = (...words: (keyof PatientItem)[]) => Object.fromEntries(words.map((word) => [`#${word}`, word]));
const isUnderWayStill = 'lastSync.#state IN (:requested, :running)';
const underWayValues = { ':requested': 'requested', ':running': 'running' };
const keyOf = (patientRef: string) => ({ shard: shardOf(patientRef), patientRef });

export function createPatientsStore(dynamo: DynamoDBDocumentClient, documents: DocumentsStore): PatientsStore {
  const placeBody = async ({ patientRef, body }: ListedPatient): Promise<Pick<PatientItem, 'body' | 'bodyRef'>> =>
    Buffer.byteLength(body) <= bodyInItemBytes ? { body } : { bodyRef: await documents.putEntry(patientRef, body) };

  /** One conditional write; the item as it was before, or undefined when the condition did not hold. */
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
        ConditionExpression: isThere,
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

  async function* query<Part extends keyof PatientItem>(
    shard: string,
    parts: readonly Part[],
    filter: 'pending' | 'there' | 'all',
    after = '',
  ): AsyncGenerator<Pick<PatientItem, Part>> {
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: patientsTable,
        ConsistentRead: true,
        KeyConditionExpression: after === '' ? '#shard = :shard' : '#shard = :shard AND patientRef > :after',
        FilterExpression: {
          pending: 'careState = :pending AND attribute_not_exists(#removing)',
          there: 'attribute_not_exists(#removing)',
          all: undefined,
        }[filter],
        ProjectionExpression: parts.map((part) => `#${part}`).join(', '),
        ExpressionAttributeNames: namesOf('shard', 'removing', ...parts),
        ExpressionAttributeValues: {
          ':shard': shard,
          ...(after !== '' && { ':after': after }),
          ...(filter === 'pending' && { ':pending': 'pending' }),
        },
      },
    );
    for await (const { Items } of pages) yield* (Items ?? []) as Pick<PatientItem, Part>[];
  }

  return {
    readShard: (shard) => query(shard, ['patientRef', 'contentHash', 'careState', 'listed'], 'there'),

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
              ConditionExpression: `${isThere} AND careState ${from === 'failed' ? '=' : '<>'} :failed`,
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
      const stock = { stored: 0, pending: 0, removing: [] as string[] };
      for await (const { patientRef, careState, removing } of query(
        shard,
        ['patientRef', 'careState', 'removing'],
        'all',
      )) {
        if (removing) stock.removing.push(patientRef);
        else stock.stored += 1;
        if (!removing && careState === 'pending') stock.pending += 1;
      }
      return stock;
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
        ConditionExpression: `${isThere} AND (attribute_not_exists(lastSync) OR (lastSync.syncId <> :syncId
          AND NOT ${isUnderWayStill} AND lastSync.finishedAt < :requestedAt))`,
        ExpressionAttributeNames: { ...namesOf('removing'), '#state': 'state' },
        ExpressionAttributeValues: {
          ...underWayValues,
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
        ConditionExpression: `${isThere} AND lastSync.syncId = :syncId AND ${isUnderWayStill}`,
        ExpressionAttributeNames: { ...namesOf('removing'), '#state': 'state' },
        ExpressionAttributeValues: { ...underWayValues, ':syncId': syncId },
      });
      return before !== undefined;
    },

    async endSync(patientRef, syncId, { state, finishedAt, error }) {
      const before = await update(patientRef, {
        UpdateExpression: `SET lastSync.#state = :state, lastSync.finishedAt = :finishedAt
          ${error === undefined ? '' : ', lastSync.#error = :error'}`,
        ConditionExpression: `${isThere} AND lastSync.syncId = :syncId AND ${isUnderWayStill}`,
        ExpressionAttributeNames: {
          ...namesOf('removing'),
          '#state': 'state',
          ...(error !== undefined && { '#error': 'error' }),
        },
        ExpressionAttributeValues: {
          ...underWayValues,
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
        ConditionExpression: `${isThere} AND (attribute_not_exists(careVersion) OR careVersion <= :version)
          AND (attribute_not_exists(discardedVersion) OR discardedVersion <> :version)`,
        ExpressionAttributeValues: { ':version': careVersion, ':current': 'current' },
      });
      return before !== undefined;
    },

    async discardCareVersion(patientRef, careVersion) {
      const before = await update(patientRef, {
        UpdateExpression: 'SET discardedVersion = :version',
        ConditionExpression: `${isThere} AND (attribute_not_exists(careVersion) OR careVersion <> :version)`,
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

import { setTimeout as sleep } from 'node:timers/promises';
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import {
  type DynamoDBDocumentClient,
  GetCommand,
  paginateQuery,
  QueryCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
} from '@aws-sdk/lib-dynamodb';
import {
  type Export,
  type ExportBatch,
  type ExportedType,
  type ExportFailure,
  type ExportFile,
  type ExportState,
  exportedTypes,
  isExportInProgress,
} from '../domain/export.ts';
import { batchWrite } from './batch-write.ts';
import { type Bucket, deletePrefix, linksToFiles, putObject } from './objects.ts';
import type { Tables } from './tables.ts';

/**
 * Exports: items of the table SyncRuns, and the objects `exports/{exportId}/{type}/{sha256}`. An export is in progress if the
 * item `current` names it. A file counts only if a batch names it; the others are of attempts that were repeated.
 */
export interface ExportsStore {
  /** Stores a new export. @returns the ID of the export that is in progress instead, if there is one */
  begin(insurerId: string, begun: Export): Promise<string | undefined>;
  read(insurerId: string, exportId: string): Promise<Export | undefined>;
  /** Returns exports, newest first. */
  list(insurerId: string, limit: number): Promise<Export[]>;
  /**
   * Changes the state. Frees the place for the next export if this one is no longer in progress.
   * @returns false, and changes nothing, if the state is none of `from`
   */
  change(insurerId: string, exportId: string, from: readonly ExportState[], change: ExportChange): Promise<boolean>;
  /** Stores the lines of resources of one type. Has no effect on readers until a batch names the file. */
  putFile(exportId: string, type: ExportedType, lines: readonly Buffer[]): Promise<ExportFile>;
  /**
   * Adds a batch to an export in progress. After the last one, the export is completed.
   * @param before the export as it was read before the batch
   * @returns false, and changes nothing, if another attempt has added this batch, or the export has ended
   */
  addBatch(insurerId: string, before: Export, batch: ExportBatch): Promise<boolean>;
  /** Returns the files of all batches, in the order of the batches. */
  readFiles(insurerId: string, exportId: string): Promise<ExportFile[]>;
  /**
   * Returns presigned URLs of files.
   * @param origin of S3, if it has another address for the reader than for this process
   */
  linksTo(files: readonly ExportFile[], lifetimeSeconds: number, origin?: string): Promise<string[]>;
  /** Deletes all files of an export, and its batches. */
  deleteFiles(insurerId: string, exportId: string): Promise<void>;
}

export interface ExportChange {
  readonly state: ExportState;
  /** who changed it, if a person or another system did, and when */
  readonly changed?: Export['changed'];
  readonly finishedAt?: string;
  readonly failure?: ExportFailure;
}

type Write = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

const exportsKey = (insurerId: string) => `${insurerId}#exports`;
const currentKey = (insurerId: string) => ({ insurerId: `${insurerId}#export-in-progress`, runId: 'current' });
const batchesKey = (insurerId: string, exportId: string) => `${insurerId}#export#${exportId}`;
/** Returns the partitions of exports in SyncRuns, with `*` for any export: as IAM names them. */
export const exportPartitions = (insurerId: string): string[] => [
  exportsKey(insurerId),
  currentKey(insurerId).insurerId,
  batchesKey(insurerId, '*'),
];
const batchName = (number: number): string => String(number).padStart(8, '0');

/** A person and the worker may write the same export at the same moment. */
const conflictsMax = 5;
const conflictDelayMs = 100;
const prefixOf = (exportId: string): string => `exports/${exportId}/`;
const newline = Buffer.from('\n');

export function createExportsStore(
  dynamo: DynamoDBDocumentClient,
  bucket: Bucket,
  { syncRuns: TableName }: Pick<Tables, 'syncRuns'>,
): ExportsStore {
  const keyOf = (insurerId: string, exportId: string) => ({ insurerId: exportsKey(insurerId), runId: exportId });

  /** Writes all or nothing. @returns false if a condition is not met */
  const writeAll = async (TransactItems: Write[]): Promise<boolean> => {
    for (let tries = 1; ; tries++) {
      try {
        await dynamo.send(new TransactWriteCommand({ TransactItems }));
        return true;
      } catch (error) {
        if (!(error instanceof TransactionCanceledException)) throw error;
        const codes = (error.CancellationReasons ?? []).map(({ Code = 'None' }) => Code);
        if (codes.includes('ConditionalCheckFailed')) return false;
        if (!codes.includes('TransactionConflict') || tries === conflictsMax) throw error;
        await sleep(conflictDelayMs * tries * Math.random());
      }
    }
  };

  const freePlace = (insurerId: string, exportId: string): Write => ({
    Update: {
      TableName,
      Key: currentKey(insurerId),
      UpdateExpression: 'REMOVE exportId',
      ConditionExpression: 'exportId = :exportId',
      ExpressionAttributeValues: { ':exportId': exportId },
    },
  });

  async function* batchItems(insurerId: string, exportId: string) {
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName,
        ConsistentRead: true,
        KeyConditionExpression: 'insurerId = :batches',
        ExpressionAttributeValues: { ':batches': batchesKey(insurerId, exportId) },
      },
    );
    for await (const { Items } of pages)
      yield* (Items ?? []) as { insurerId: string; runId: string; files: ExportFile[] }[];
  }

  const read: ExportsStore['read'] = async (insurerId, exportId) => {
    const get = new GetCommand({ TableName, Key: keyOf(insurerId, exportId), ConsistentRead: true });
    return exportOf((await dynamo.send(get)).Item);
  };

  return {
    read,

    async begin(insurerId, { counts, ...begun }) {
      const writes: Write[] = [
        { Put: { TableName, Item: { ...keyOf(insurerId, begun.exportId), ...begun, ...counts } } },
        {
          Update: {
            TableName,
            Key: currentKey(insurerId),
            UpdateExpression: 'SET exportId = :exportId',
            ConditionExpression: 'attribute_not_exists(exportId)',
            ExpressionAttributeValues: { ':exportId': begun.exportId },
          },
        },
      ];
      for (;;) {
        if (await writeAll(writes)) return undefined;
        const get = new GetCommand({ TableName, Key: currentKey(insurerId), ConsistentRead: true });
        const current: string | undefined = (await dynamo.send(get)).Item?.['exportId'];
        if (current !== undefined) return current; // otherwise it has just ended
      }
    },

    async list(insurerId, limit) {
      const query = new QueryCommand({
        TableName,
        ConsistentRead: true,
        KeyConditionExpression: 'insurerId = :exports',
        ExpressionAttributeValues: { ':exports': exportsKey(insurerId) },
        ScanIndexForward: false,
        Limit: limit,
      });
      return ((await dynamo.send(query)).Items ?? []).flatMap((item) => exportOf(item) ?? []);
    },

    async change(insurerId, exportId, from, { state, changed, finishedAt, failure }) {
      const set = { changed, finishedAt, failure };
      const given = Object.entries(set).filter(([, value]) => value !== undefined);
      const wasInProgress = from.every((each) => isExportInProgress({ state: each }));
      const ends = wasInProgress && !isExportInProgress({ state });
      return await writeAll([
        {
          Update: {
            TableName,
            Key: keyOf(insurerId, exportId),
            UpdateExpression: `SET #state = :state${given.map(([name]) => `, #${name} = :${name}`).join('')}`,
            ConditionExpression: `#state IN (${from.map((_, index) => `:from${index}`).join(', ')})`,
            ExpressionAttributeNames: {
              '#state': 'state',
              ...Object.fromEntries(given.map(([name]) => [`#${name}`, name])),
            },
            ExpressionAttributeValues: {
              ':state': state,
              ...Object.fromEntries(given.map(([name, value]) => [`:${name}`, value])),
              ...Object.fromEntries(from.map((each, index) => [`:from${index}`, each])),
            },
          },
        },
        ...(ends ? [freePlace(insurerId, exportId)] : []),
      ]);
    },

    async putFile(exportId, type, lines) {
      const body = Buffer.concat(lines.flatMap((line) => [line, newline]));
      return { type, count: lines.length, ...(await putObject(bucket, `${prefixOf(exportId)}${type}/`, body)) };
    },

    async addBatch(insurerId, { exportId, batches }, { after, isLast, patients, skipped = 0, files }) {
      const added = Object.fromEntries(exportedTypes.map((type) => [type, 0])) as Record<ExportedType, number>;
      for (const { type, count } of files) added[type] += count;
      const set = [
        '#batches = :next',
        ...(after === undefined ? [] : ['#after = :after']),
        ...(isLast ? ['#state = :completed', 'finishedAt = :now'] : []),
      ];
      const add = [...exportedTypes.map((type) => `${type} :${type}`), 'patients :patients', 'skipped :skipped'];
      const update: Write = {
        Update: {
          TableName,
          Key: keyOf(insurerId, exportId),
          UpdateExpression: `SET ${set.join(', ')} ADD ${add.join(', ')}`,
          ConditionExpression: '#batches = :batches AND #state IN (:running, :paused)',
          ExpressionAttributeNames: {
            '#batches': 'batches',
            '#state': 'state',
            ...(after !== undefined && { '#after': 'after' }),
          },
          ExpressionAttributeValues: {
            ':batches': batches,
            ':next': batches + 1,
            ':running': 'running',
            ':paused': 'paused',
            ':patients': patients,
            ':skipped': skipped,
            ...Object.fromEntries(exportedTypes.map((type) => [`:${type}`, added[type]])),
            ...(after !== undefined && { ':after': after }),
            ...(isLast && { ':completed': 'completed', ':now': new Date().toISOString() }),
          },
        },
      };
      const batch = { insurerId: batchesKey(insurerId, exportId), runId: batchName(batches), files };
      return await writeAll([
        update,
        { Put: { TableName, Item: batch } },
        ...(isLast ? [freePlace(insurerId, exportId)] : []),
      ]);
    },

    async readFiles(insurerId, exportId) {
      const files: ExportFile[] = [];
      for await (const batch of batchItems(insurerId, exportId)) files.push(...batch.files);
      return files;
    },

    async linksTo(files, lifetimeSeconds, origin) {
      const named = files.map(({ key, type }, index) => ({
        key,
        mediaType: 'application/fhir+ndjson',
        fileName: `${type}-${batchName(index + 1).slice(-5)}.ndjson`,
      }));
      return await linksToFiles(bucket, named, lifetimeSeconds, origin);
    },

    async deleteFiles(insurerId, exportId) {
      await deletePrefix(bucket, prefixOf(exportId));
      const batches = await Array.fromAsync(batchItems(insurerId, exportId), ({ insurerId: of, runId }) => ({
        DeleteRequest: { Key: { insurerId: of, runId } },
      }));
      await batchWrite(dynamo, TableName, batches);
    },
  };
}

/** Returns an item as an export: the counts are attributes of their own, because DynamoDB adds to them. */
function exportOf(item: Record<string, unknown> | undefined): Export | undefined {
  if (item === undefined) return undefined;
  const { insurerId: _, runId: _key, ...stored } = item;
  const counts = Object.fromEntries(exportedTypes.map((type) => [type, Number(stored[type] ?? 0)]));
  for (const type of exportedTypes) delete stored[type];
  return { ...stored, counts } as unknown as Export;
}

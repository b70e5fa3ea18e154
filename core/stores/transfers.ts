import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { MeasuredTransfers } from '../domain/transfer.ts';
import type { Tables } from './tables.ts';

/**
 * The fetches that take long, as the worker that holds the line has measured them last: one item of an insurer in the table
 * SyncRuns. Not in Temporal, because each change there would be an event in the history of the run.
 */
export interface TransfersStore {
  /** Replaces the last measurement. Fails after a second: the next one follows soon. */
  save(insurerId: string, measured: MeasuredTransfers): Promise<void>;
  /** Returns the last measurement. Fails after a second, because a person waits for the progress. */
  read(insurerId: string): Promise<MeasuredTransfers | undefined>;
}

const callMs = 1_000;

const keyOf = (insurerId: string) => ({ insurerId: `${insurerId}#transfers`, runId: 'now' });

export function createTransfersStore(
  dynamo: DynamoDBDocumentClient,
  { syncRuns: syncRunsTable }: Pick<Tables, 'syncRuns'>,
): TransfersStore {
  const inTime = () => ({ abortSignal: AbortSignal.timeout(callMs) });
  return {
    async save(insurerId, measured) {
      const Item = { ...keyOf(insurerId), ...measured };
      await dynamo.send(new PutCommand({ TableName: syncRunsTable, Item }), inTime());
    },
    async read(insurerId) {
      const command = new GetCommand({ TableName: syncRunsTable, Key: keyOf(insurerId) });
      const { Item } = await dynamo.send(command, inTime());
      const { measuredAt, transfers, unfinished } = Item ?? {};
      return Item && { measuredAt, transfers, ...(unfinished && { unfinished }) };
    },
  };
}

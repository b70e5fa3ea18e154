import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { AccessLogCheck } from '../domain/access-log-check.ts';
import type { Tables } from './tables.ts';

/** The last check of all access logs: one item of an insurer in the table SyncRuns. */
export interface AccessLogChecksStore {
  /** Replaces the last check. */
  save(insurerId: string, check: AccessLogCheck): Promise<void>;
  /** Returns the last check; undefined before the first one. */
  read(insurerId: string): Promise<AccessLogCheck | undefined>;
}

const keyOf = (insurerId: string) => ({ insurerId: `${insurerId}#access-logs`, runId: 'check' });

export function createAccessLogChecksStore(
  dynamo: DynamoDBDocumentClient,
  { syncRuns: syncRunsTable }: Pick<Tables, 'syncRuns'>,
): AccessLogChecksStore {
  return {
    async save(insurerId, check) {
      await dynamo.send(new PutCommand({ TableName: syncRunsTable, Item: { ...keyOf(insurerId), check } }));
    },
    async read(insurerId) {
      const command = new GetCommand({ TableName: syncRunsTable, Key: keyOf(insurerId), ConsistentRead: true });
      return (await dynamo.send(command)).Item?.['check'];
    },
  };
}

import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { AccessLogCheck } from '../domain/access-log-check.ts';
import type { Tables } from './tables.ts';

/** The last check of all access logs: one item of an insurer in the table SyncRuns. */
export interface AccessLogChecksStore {
  /** Replaces the last check. */
  save(insurerId: string, check: AccessLogCheck): Promise<void>;
  /** Returns the last check; undefined before the first one. */
  read(insurerId: string): Promise<AccessLogCheck | undefined>;
  /**
   * Returns when the last completed check ended, ISO 8601. Before the first one, returns when this was first asked.
   * @param now ISO 8601
   */
  readCompletedAt(insurerId: string, now: string): Promise<string>;
}

/** Returns the partition of the check in SyncRuns. */
export const checkPartition = (insurerId: string): string => `${insurerId}#access-logs`;
const keyOf = (insurerId: string) => ({ insurerId: checkPartition(insurerId), runId: 'check' });

export function createAccessLogChecksStore(
  dynamo: DynamoDBDocumentClient,
  { syncRuns: syncRunsTable }: Pick<Tables, 'syncRuns'>,
): AccessLogChecksStore {
  return {
    async save(insurerId, check) {
      // a check that has begun replaces the last one, and must not hide when that was completed
      const isCompleted = check.finishedAt !== undefined;
      const command = new UpdateCommand({
        TableName: syncRunsTable,
        Key: keyOf(insurerId),
        UpdateExpression: `SET #check = :check${isCompleted ? ', completedAt = :completedAt' : ''}`,
        ExpressionAttributeNames: { '#check': 'check' }, // a reserved word
        ExpressionAttributeValues: { ':check': check, ...(isCompleted && { ':completedAt': check.finishedAt }) },
      });
      await dynamo.send(command);
    },
    async read(insurerId) {
      const command = new GetCommand({ TableName: syncRunsTable, Key: keyOf(insurerId), ConsistentRead: true });
      return (await dynamo.send(command)).Item?.['check'];
    },
    async readCompletedAt(insurerId, now) {
      const get = new GetCommand({ TableName: syncRunsTable, Key: keyOf(insurerId) });
      const completedAt: string | undefined = (await dynamo.send(get)).Item?.['completedAt'];
      if (completedAt !== undefined) return completedAt;
      const begin = new UpdateCommand({
        TableName: syncRunsTable,
        Key: keyOf(insurerId),
        UpdateExpression: 'SET completedAt = if_not_exists(completedAt, :now)',
        ExpressionAttributeValues: { ':now': now },
        ReturnValues: 'ALL_NEW',
      });
      return (await dynamo.send(begin)).Attributes?.['completedAt'];
    },
  };
}

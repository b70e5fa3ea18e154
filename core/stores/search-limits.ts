import { createHash } from 'node:crypto';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Tables } from './tables.ts';

/** Searches by name that one person may make in a window. At a counter, somebody searches for one person a minute. */
export const searchesMax = 60;
export const searchWindowSeconds = 600;

/** Returns the partition of all counters in SyncRuns. */
export const searchesPartition = (insurerId: string): string => `${insurerId}#searches`;

/** How often each person has searched lately: one item a person in the table SyncRuns (ADR 0076). */
export interface SearchLimitsStore {
  /**
   * Counts a search.
   * @param who the token's `sub`
   * @returns the seconds until the next one is allowed; undefined if this one is
   */
  count(insurerId: string, who: string, nowMs: number): Promise<number | undefined>;
}

export function createSearchLimitsStore(
  dynamo: DynamoDBDocumentClient,
  { syncRuns: syncRunsTable }: Pick<Tables, 'syncRuns'>,
): SearchLimitsStore {
  return {
    async count(insurerId, who, nowMs) {
      const seconds = Math.floor(nowMs / 1000);
      const window = Math.floor(seconds / searchWindowSeconds);
      const item = {
        TableName: syncRunsTable,
        // hashed, as a sub may be longer than a key
        Key: { insurerId: searchesPartition(insurerId), runId: createHash('sha256').update(who, 'utf8').digest('hex') },
        ExpressionAttributeNames: { '#window': 'window', '#count': 'count' },
      };
      const add = new UpdateCommand({
        ...item,
        UpdateExpression: 'ADD #count :one',
        ConditionExpression: '#window = :window AND #count < :max',
        ExpressionAttributeValues: { ':one': 1, ':window': window, ':max': searchesMax },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
      for (;;) {
        try {
          await dynamo.send(add);
          return undefined;
        } catch (error) {
          if (!(error instanceof ConditionalCheckFailedException)) throw error;
          if (Number(error.Item?.['window']?.N) === window) return (window + 1) * searchWindowSeconds - seconds;
        }
        const begin = new UpdateCommand({
          ...item,
          UpdateExpression: 'SET #window = :window, #count = :none',
          ConditionExpression: 'attribute_not_exists(#window) OR #window <> :window',
          ExpressionAttributeValues: { ':window': window, ':none': 0 },
        });
        await dynamo.send(begin).catch((error: unknown) => {
          if (!(error instanceof ConditionalCheckFailedException)) throw error; // another search has begun the window
        });
      }
    },
  };
}

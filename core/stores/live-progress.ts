import { type DynamoDBDocumentClient, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { AnsweredProgress, KnownProgress } from '../domain/live-progress.ts';
import type { Progress } from '../domain/progress.ts';
import { isConditionMet } from './condition.ts';
import type { Tables } from './tables.ts';

/**
 * What people see of the run in progress without a question to Temporal, which bills each (docs/adr/0065): two items of an
 * insurer in the table SyncRuns. The worker that carries out the run writes `live`. Those who ask Temporal write `asked`.
 * Each call fails after a second, because a person waits, or the next write must not.
 */
export interface LiveProgressStore {
  read(insurerId: string): Promise<KnownProgress>;
  /**
   * Replaces the progress that a worker has written.
   * @param at the run's time in Temporal, epoch milliseconds: a later one is not replaced
   */
  saveLive(insurerId: string, progress: Progress, at: number): Promise<void>;
  /**
   * Claims the next question to Temporal.
   * @param before the claim that was read
   * @returns false if somebody else has claimed it meanwhile
   */
  claim(insurerId: string, before: number | undefined, nowMs: number): Promise<boolean>;
  /** Stores the answer to a question that was claimed at its `askedAtMs`, unless somebody else has claimed the next one. */
  saveAnswer(insurerId: string, answered: AnsweredProgress): Promise<void>;
  /** Notes that somebody has started, cancelled or decided something, so that the next viewer sees it. */
  noteCommand(insurerId: string, nowMs: number): Promise<void>;
}

const callMs = 1_000;

export function createLiveProgressStore(
  dynamo: DynamoDBDocumentClient,
  { syncRuns: syncRunsTable }: Pick<Tables, 'syncRuns'>,
): LiveProgressStore {
  const inTime = () => ({ abortSignal: AbortSignal.timeout(callMs) });
  const partitionOf = (insurerId: string): string => `${insurerId}#live`;
  const askedKey = (insurerId: string) => ({ insurerId: partitionOf(insurerId), runId: 'asked' });
  return {
    async read(insurerId) {
      const command = new QueryCommand({
        TableName: syncRunsTable,
        ConsistentRead: true,
        KeyConditionExpression: 'insurerId = :partition',
        ExpressionAttributeValues: { ':partition': partitionOf(insurerId) },
      });
      const { Items = [] } = await dynamo.send(command, inTime());
      const itemOf = (name: string) => Items.find(({ runId }) => runId === name);
      return { live: itemOf('live') as KnownProgress['live'], asked: itemOf('asked') as KnownProgress['asked'] };
    },
    async saveLive(insurerId, progress, at) {
      const command = new PutCommand({
        TableName: syncRunsTable,
        Item: { insurerId: partitionOf(insurerId), runId: 'live', progress, at, savedAtMs: Date.now() },
        ConditionExpression: 'attribute_not_exists(runId) OR #at <= :at',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: { ':at': at },
      });
      await isConditionMet(dynamo.send(command, inTime()));
    },
    async claim(insurerId, before, nowMs) {
      const command = new UpdateCommand({
        TableName: syncRunsTable,
        Key: askedKey(insurerId),
        UpdateExpression: 'SET claimedAtMs = :now',
        ConditionExpression: before === undefined ? 'attribute_not_exists(claimedAtMs)' : 'claimedAtMs = :before',
        ExpressionAttributeValues: { ':now': nowMs, ...(before !== undefined && { ':before': before }) },
      });
      return await isConditionMet(dynamo.send(command, inTime()));
    },
    async saveAnswer(insurerId, { answer, askedAtMs, repeats = 0, wasWorkerThere = false, progress }) {
      const command = new UpdateCommand({
        TableName: syncRunsTable,
        Key: askedKey(insurerId),
        UpdateExpression: `SET askedAtMs = :mine, answer = :answer, repeats = :repeats, wasWorkerThere = :wasThere${progress ? ', progress = :progress, progressAtMs = :mine' : ''}`,
        ConditionExpression: 'claimedAtMs = :mine',
        ExpressionAttributeValues: {
          ':mine': askedAtMs,
          ':answer': answer,
          ':repeats': repeats,
          ':wasThere': wasWorkerThere,
          ...(progress && { ':progress': progress }),
        },
      });
      await isConditionMet(dynamo.send(command, inTime()));
    },
    async noteCommand(insurerId, nowMs) {
      const command = new UpdateCommand({
        TableName: syncRunsTable,
        Key: askedKey(insurerId),
        UpdateExpression: 'SET commandAtMs = :now',
        ExpressionAttributeValues: { ':now': nowMs },
      });
      await dynamo.send(command, inTime());
    },
  };
}

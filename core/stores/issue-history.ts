import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchGetCommand,
  type BatchGetCommandInput,
  type BatchGetCommandOutput,
  type DynamoDBDocumentClient,
} from '@aws-sdk/lib-dynamodb';
import type { Acknowledgement, IssueSeen } from '../domain/issue.ts';
import { batchWrite } from './batch-write.ts';
import { forEachParallel } from './parallel.ts';

/**
 * In which runs an issue was seen, and who has acknowledged it. Both are items of their own, because a run and an operator may
 * write at the same time.
 */
export interface IssueHistory {
  /** Notes that a run has these issues. Idempotent. @returns those that are acknowledged */
  note(insurerId: string, runId: string, issueIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Returns what is known about some issues, by their IDs. */
  read(insurerId: string, issueIds: readonly string[]): Promise<ReadonlyMap<string, IssueSeen>>;
  /** Stores an acknowledgement in place of the one before. @returns false, and stores nothing, if an issue was never seen */
  acknowledge(insurerId: string, issueIds: readonly string[], by: Acknowledgement): Promise<boolean>;
}

interface HistoryItem {
  readonly insurerId: string;
  /** ID of the issue: the key of the table has this name */
  readonly runId: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
  /** number of runs */
  readonly runs: number;
  /** the last run that was counted */
  readonly lastRunId: string;
}

interface AcknowledgementItem extends Acknowledgement {
  readonly insurerId: string;
  readonly runId: string;
}

const seenKey = (insurerId: string) => `${insurerId}#issues`;
const acknowledgedKey = (insurerId: string) => `${insurerId}#acknowledged`;

/** Maximum of DynamoDB for one batch of reads. */
const batchItems = 100;
const batchesAtOnce = 8;
const retryMs = 100;

export function createIssueHistory(dynamo: DynamoDBDocumentClient, table: string): IssueHistory {
  const readItems = async <Item extends { readonly runId: string }>(partition: string, ids: readonly string[]) => {
    const found = new Map<string, Item>();
    const batches = Array.from({ length: Math.ceil(ids.length / batchItems) }, (_, index) =>
      ids.slice(index * batchItems, (index + 1) * batchItems),
    );
    await forEachParallel(batches, batchesAtOnce, async (batch) => {
      let left: BatchGetCommandInput['RequestItems'] = {
        [table]: { Keys: batch.map((runId) => ({ insurerId: partition, runId })), ConsistentRead: true },
      };
      for (;;) {
        const command = new BatchGetCommand({ RequestItems: left });
        const { Responses, UnprocessedKeys }: BatchGetCommandOutput = await dynamo.send(command);
        for (const item of (Responses?.[table] ?? []) as Item[]) found.set(item.runId, item);
        if (UnprocessedKeys?.[table] === undefined) return;
        left = UnprocessedKeys;
        await sleep(retryMs);
      }
    });
    return found;
  };
  const readAcknowledged = async (insurerId: string, ids: readonly string[]) =>
    await readItems<AcknowledgementItem>(acknowledgedKey(insurerId), ids);

  return {
    async note(insurerId, runId, issueIds) {
      const ids = [...new Set(issueIds)];
      const seen = await readItems<HistoryItem>(seenKey(insurerId), ids);
      const at = new Date().toISOString();
      const items = ids
        .filter((id) => seen.get(id)?.lastRunId !== runId)
        .map((id): HistoryItem => {
          const { firstSeen = at, runs = 0 } = seen.get(id) ?? {};
          return {
            insurerId: seenKey(insurerId),
            runId: id,
            firstSeen,
            lastSeen: at,
            runs: runs + 1,
            lastRunId: runId,
          };
        });
      await batchWrite(
        dynamo,
        table,
        items.map((Item) => ({ PutRequest: { Item } })),
      );
      return new Set((await readAcknowledged(insurerId, [...seen.keys()])).keys());
    },

    async read(insurerId, issueIds) {
      const ids = [...new Set(issueIds)];
      const [seen, acknowledged] = await Promise.all([
        readItems<HistoryItem>(seenKey(insurerId), ids),
        readAcknowledged(insurerId, ids),
      ]);
      return new Map(
        [...seen].map(([id, { firstSeen, lastSeen, runs }]) => {
          const by = acknowledged.get(id);
          return [id, { firstSeen, lastSeen, runs, ...(by && { acknowledged: acknowledgementIn(by) }) }];
        }),
      );
    },

    async acknowledge(insurerId, issueIds, by) {
      const ids = [...new Set(issueIds)];
      const seen = await readItems<HistoryItem>(seenKey(insurerId), ids);
      if (seen.size < ids.length) return false;
      const requests = ids.map((runId) => ({
        PutRequest: { Item: { insurerId: acknowledgedKey(insurerId), runId, ...by } },
      }));
      await batchWrite(dynamo, table, requests);
      return true;
    },
  };
}

const acknowledgementIn = ({ by, at, note }: AcknowledgementItem): Acknowledgement => ({ by, at, note });

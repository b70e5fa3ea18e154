import { setTimeout as sleep } from 'node:timers/promises';
import { BatchWriteCommand, type BatchWriteCommandInput, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { forEachParallel } from './parallel.ts';
import type { WriteGuard } from './write-guard.ts';

export type WriteRequest = NonNullable<BatchWriteCommandInput['RequestItems']>[string][number];

/** DynamoDB takes no more items in one batch. */
const batchItems = 25;
const batchesAtOnce = 8;
const firstDelayMs = 50;
const maxDelayMs = 5_000;

/** How a call that writes is sent. */
export const sendOptions = (writeGuard: WriteGuard | undefined) =>
  writeGuard ? { abortSignal: writeGuard.signal } : {};

/**
 * Writes items without conditions, in no order, until DynamoDB has taken them all. Each key may appear once only. What it
 * leaves unprocessed is offered again after a pause, for as long as that takes: the activity's own time limit ends it, or
 * the write guard.
 */
export async function batchWrite(
  dynamo: DynamoDBDocumentClient,
  table: string,
  requests: readonly WriteRequest[],
  writeGuard?: WriteGuard,
): Promise<void> {
  const batches = Array.from({ length: Math.ceil(requests.length / batchItems) }, (_, index) =>
    requests.slice(index * batchItems, (index + 1) * batchItems),
  );
  await forEachParallel(batches, batchesAtOnce, async (batch) => {
    let left = batch;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(maxDelayMs, delayMs * 2)) {
      writeGuard?.check();
      const { UnprocessedItems } = await dynamo.send(
        new BatchWriteCommand({ RequestItems: { [table]: left } }),
        sendOptions(writeGuard),
      );
      left = UnprocessedItems?.[table] ?? [];
      if (left.length === 0) return;
      await sleep(delayMs * (0.5 + Math.random() / 2));
    }
  });
}

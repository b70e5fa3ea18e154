import { setTimeout as sleep } from 'node:timers/promises';
import { BatchWriteCommand, type BatchWriteCommandInput, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { forEachParallel } from './parallel.ts';
import type { WriteGuard } from './write-guard.ts';

export type WriteRequest = NonNullable<BatchWriteCommandInput['RequestItems']>[string][number];

/** Maximum of DynamoDB for one batch. */
const batchItems = 25;
const batchesAtOnce = 8;
const firstDelayMs = 50;
const maxDelayMs = 5_000;

/** Errors that mean that no item of a batch was accepted (BatchWriteItem in the API reference of DynamoDB). */
const throttlingErrors: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
]);

/** Returns the options for sending a call that writes. */
export const sendOptions = (writeGuard: WriteGuard | undefined) =>
  writeGuard ? { abortSignal: writeGuard.signal } : {};

/**
 * Writes items without conditions and in no order, until DynamoDB has accepted all of them. Each key may appear only
 * once. Retries unprocessed items after a pause, without a limit: the timeout of the activity or the write guard ends
 * it.
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
  /** Returns what DynamoDB has not accepted. */
  const send = async (items: readonly WriteRequest[]): Promise<readonly WriteRequest[]> => {
    const command = new BatchWriteCommand({ RequestItems: { [table]: [...items] } });
    try {
      return (await dynamo.send(command, sendOptions(writeGuard))).UnprocessedItems?.[table] ?? [];
    } catch (error) {
      if (error instanceof Error && throttlingErrors.has(error.name)) return items;
      throw error;
    }
  };
  await forEachParallel(batches, batchesAtOnce, async (batch) => {
    let left: readonly WriteRequest[] = batch;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(maxDelayMs, delayMs * 2)) {
      writeGuard?.check();
      left = await send(left);
      if (left.length === 0) return;
      await sleep(delayMs * (0.5 + Math.random() / 2));
    }
  });
}

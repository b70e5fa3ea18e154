import {
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  isCancellation,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import {
  type ExportActivities,
  type ExportInput,
  type ExportNext,
  exportChangedSignal,
} from '../../core/contract/export.ts';
import { bulkTaskQueue } from '../../core/contract/names.ts';

export const exportChanged = defineSignal<[ExportInput]>(exportChangedSignal);

const { carryOnExport } = proxyActivities<ExportActivities>({
  taskQueue: bulkTaskQueue,
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '1 min', maximumAttempts: 60 }, // about an hour of failures
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
const { endExport } = proxyActivities<ExportActivities>({
  taskQueue: bulkTaskQueue,
  startToCloseTimeout: '1 min',
  retry: { initialInterval: '1 s', maximumInterval: '1 min' },
});

/** Batches of one execution: about 1 200 events in the history. */
const stepsPerExecution = 200;

/**
 * Writes an export, batch by batch, and deletes its files after a day (docs/adr/0075). The table holds the state: pauses and
 * cancellations are written there, and a signal only wakes the workflow.
 * @throws CancelledFailure after a cancellation in Temporal, once the files are deleted
 */
export async function exportPatients(input: ExportInput): Promise<void> {
  const { insurerId, exportId } = input;
  let isChanged = false;
  setHandler(exportChanged, () => {
    isChanged = true;
  });
  try {
    for (let steps = 0; steps < stepsPerExecution; steps++) {
      isChanged = false;
      const { waitSeconds } = await carryOn(input);
      if (waitSeconds === undefined) return;
      if (waitSeconds > 0) await condition(() => isChanged, waitSeconds * 1_000);
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(async () => {
      await endExport({ insurerId, exportId });
      await carryOn(input);
    });
    throw error;
  }
  await continueAsNew<typeof exportPatients>(input);
}

async function carryOn(input: ExportInput): Promise<ExportNext> {
  try {
    return await carryOnExport(input);
  } catch (error) {
    if (isCancellation(error)) throw error;
    await endExport({ ...input, failure: 'batch-failed' });
    return { waitSeconds: 0 };
  }
}
